#include "replayer/pg_chores.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/mapping/install/install.h"
#include "common/mapping/install/target_setup.h"
#include "common/records/requests.h"
#include "replayer/target/doubt.h"
#include "replayer/write/refusals.h"

namespace switchyard::replayer {

PgChores::PgChores(ChoresOptions options, PgTarget& target, const mapping::Plan& plan,
                   eventlog::EventLog& log, const Clock& clock)
    : options_(std::move(options)),
      target_(target),
      plan_(plan),
      log_(log),
      clock_(clock),
      resume_(options_.recopy.stream, target, plan) {}

PgChores::~PgChores() = default;

absl::Status PgChores::Prepare() {
  RETURN_IF_ERROR(resume_.Load());
  return AnswerLoaded(target_.session(), plan_, options_.recopy.stream);
}

absl::Status PgChores::Begin() {
  RETURN_IF_ERROR(target_.stream().SetDoing(""));
  recopy_ = std::make_unique<Recopy>(target_, plan_, log_, options_.recopy);
  // One that the file was given since the copy; a resume makes its own once its tables are filled.
  if (resume_.open()) return absl::OkStatus();
  return mapping::AddMirrorIndexes(target_.session(), plan_);
}

absl::Status PgChores::Step() {
  RETURN_IF_ERROR(HandleRequests());
  if (clock_.Now() >= next_look_) RETURN_IF_ERROR(Look());
  RETURN_IF_ERROR(target_.RetryWaiting());
  RETURN_IF_ERROR(recopy_->Step(resume_.tables()));
  if (recopy_->TakeSwapped() && target_.ordered() != nullptr) {
    RETURN_IF_ERROR(target_.RetryQuarantine(0).status());
  }
  return resume_.open() ? resume_.Step(*recopy_) : absl::OkStatus();
}

// The age of the session's temporary tables, and what was done to NEW's tables meanwhile.
absl::Status PgChores::Look() {
  next_look_ = clock_.Now() + options_.look_interval;
  RETURN_IF_ERROR(target_.CheckShape());
  RETURN_IF_ERROR(FreezeTemporaryTables(target_.session(), options_.target.temporary_age_max));
  if (target_.ordered() != nullptr || !options_.target.replica_role) return absl::OkStatus();
  return mapping::RefuseUncheckedConstraints(target_.session(), plan_);
}

// One that can't be applied has its answer; what may pass is tried again with the stream.
absl::Status PgChores::HandleBreaches() {
  records::Requests requests(target_.session(), options_.recopy.stream);
  ASSIGN_OR_RETURN(const auto open, requests.Open(records::RequestKind::kBreachApply));
  for (const records::Request& request : open) {
    int64_t id = 0;
    absl::Status applied = absl::SimpleAtoi(request.argument, &id)
                               ? target_.ApplyBreach(id)
                               : Refuse(absl::StrCat("\"", request.argument, "\" is no number"),
                                        "see: switchyard breach FILE list");
    if (!applied.ok() && (MayPass(applied) || !target_.connected())) return applied;
    RETURN_IF_ERROR(requests.Answer(
        request.id, applied.ok() ? records::RequestState::kDone : records::RequestState::kFailed,
        applied.ok() ? "applied" : TextOf(FindingOf(applied, ""))));
  }
  return absl::OkStatus();
}

absl::Status PgChores::HandleRequests() {
  RETURN_IF_ERROR(HandleBreaches());
  records::Requests requests(target_.session(), options_.recopy.stream);
  ASSIGN_OR_RETURN(const auto open, requests.Open(records::RequestKind::kQuarantineRetry));
  for (const records::Request& request : open) {
    if (!target_.source_owns()) {
      RETURN_IF_ERROR(requests.Answer(
          request.id, records::RequestState::kFailed,
          TextOf({"the other side owns: what waited here is of before that, and void",
                  "write what it should be where the application writes"})));
      continue;
    }
    int64_t id = 0;
    const bool all = request.argument.empty();
    if (!all && (!absl::SimpleAtoi(request.argument, &id) || id <= 0)) {
      RETURN_IF_ERROR(requests.Answer(
          request.id, records::RequestState::kFailed,
          TextOf({absl::StrCat("\"", request.argument, "\" is no number of an entry"),
                  "see: switchyard quarantine FILE list"})));
      continue;
    }
    ASSIGN_OR_RETURN(const Quarantine::RetryResult result, target_.RetryQuarantine(id));
    RETURN_IF_ERROR(
        requests.Answer(request.id, records::RequestState::kDone,
                        absl::StrFormat("%d applied, %d left", result.applied, result.left)));
  }
  return absl::OkStatus();
}

}  // namespace switchyard::replayer
