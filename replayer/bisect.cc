#include "replayer/bisect.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace switchyard::replayer {
namespace {

using Attempt = absl::FunctionRef<absl::Status(int64_t low, int64_t high)>;

absl::Status Halve(int64_t low, int64_t high, Attempt attempt,
                   std::vector<RefusedNumber>* refusals) {
  const absl::Status status = attempt(low, high);
  if (status.ok() || !IsRefusedRow(status)) return status;
  if (high - low == 1) {
    refusals->push_back({low, status});
    return absl::OkStatus();
  }
  const int64_t middle = low + (high - low) / 2;
  RETURN_IF_ERROR(Halve(low, middle, attempt, refusals));
  return Halve(middle, high, attempt, refusals);
}

}  // namespace

bool IsRefusedRow(const absl::Status& status) {
  // 21000: the select gave one key twice.
  return pg::IsRowRefused(status) || pg::StatusSqlState(status) == "21000";
}

absl::Status InSavepoint(pg::Session& session, const std::string& name,
                         absl::FunctionRef<absl::Status()> body) {
  RETURN_IF_ERROR(session.Execute("SAVEPOINT " + name));
  const absl::Status status = body();
  if (status.ok()) return session.Execute("RELEASE SAVEPOINT " + name);
  if (session.alive()) {
    RETURN_IF_ERROR(session.Execute(
        absl::StrCat("ROLLBACK TO SAVEPOINT ", name, "; RELEASE SAVEPOINT ", name)));
  }
  return status;
}

absl::StatusOr<std::vector<RefusedNumber>> Bisect(int64_t count, Attempt attempt) {
  std::vector<RefusedNumber> refusals;
  if (count > 0) RETURN_IF_ERROR(Halve(0, count, attempt, &refusals));
  for (size_t before = refusals.size() + 1; !refusals.empty() && refusals.size() < before;) {
    before = refusals.size();
    std::vector<RefusedNumber> still;
    for (const RefusedNumber& refusal : refusals) {
      const absl::Status status = attempt(refusal.number, refusal.number + 1);
      if (IsRefusedRow(status)) {
        still.push_back({refusal.number, status});
      } else {
        RETURN_IF_ERROR(status);
      }
    }
    refusals = std::move(still);
  }
  return refusals;
}

}  // namespace switchyard::replayer
