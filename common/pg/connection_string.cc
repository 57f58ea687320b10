#include "common/pg/connection_string.h"

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/finding.h"
#include "common/base/mutex.h"
#include "common/base/strings.h"
#include "common/pg/error.h"

namespace switchyard::pg {

struct ConnectionString::Known {
  Mutex mu;
  bool worked ABSL_GUARDED_BY(mu) = false;
  std::optional<absl::Time> refused_since ABSL_GUARDED_BY(mu);
};

namespace {

// What a connection string that is being replaced may lead to: it is not there, or cut short, or
// its password is not the server's. A pooler says 08P01 to all of it.
bool MayBeRotation(const absl::Status& status) {
  if (absl::IsInvalidArgument(status)) return true;
  if (!absl::IsFailedPrecondition(status)) return false;
  const std::string state = StatusSqlState(status);
  return state.empty() || absl::StartsWith(state, "28") || state == "08P01";
}

}  // namespace

ConnectionString::ConnectionString(std::string text)
    : reader_([text = std::move(text)]() -> absl::StatusOr<std::string> { return text; }),
      patience_(absl::ZeroDuration()),
      known_(std::make_shared<Known>()) {}

ConnectionString::ConnectionString(std::string place, Reader reader, absl::Duration patience)
    : place_(std::move(place)),
      reader_(std::move(reader)),
      patience_(patience),
      known_(std::make_shared<Known>()) {}

absl::StatusOr<std::string> ConnectionString::Read() const { return reader_(); }

absl::Status ConnectionString::Outcome(const absl::Status& connected) const {
  if (place_.empty()) return connected;
  const absl::Time now = absl::Now();
  MutexLock lock(&known_->mu);
  if (connected.ok()) {
    known_->worked = true;
    known_->refused_since.reset();
    return connected;
  }
  if (!known_->worked || !MayBeRotation(connected)) return connected;
  if (!known_->refused_since) known_->refused_since = now;
  if (now - *known_->refused_since >= patience_) {
    const absl::Status bare(connected.code(), FindingOf(connected, "").what);
    return WithErrorFields(WithNextStep(bare, "put a connection string that works into " + place_ +
                                                  " and start again"),
                           StatusErrorFields(connected));
  }
  return WithErrorFields(
      absl::UnavailableError(absl::StrFormat(
          "%s; it had worked before: %s is read again for each try, until %s have passed",
          FindingOf(connected, "").what, place_, absl::FormatDuration(patience_))),
      StatusErrorFields(connected));
}

}  // namespace switchyard::pg
