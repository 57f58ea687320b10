#include "replayer/loop/applier.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "replayer/write/refusals.h"

namespace switchyard::replayer {
namespace {

constexpr absl::Duration kBatchWait = absl::Milliseconds(100);
// The end of a hold is notified; this is for a drain, and for ends of which nobody was told.
constexpr absl::Duration kHoldLook = absl::Milliseconds(250);

}  // namespace

Applier::Applier(std::string stream, Target& target, Drain& drain, const Clock& clock,
                 const Cancel& cancel)
    : stream_(std::move(stream)), target_(target), drain_(drain), clock_(clock), cancel_(cancel) {}

void Applier::Begin(Reading* reading) {
  read_again_ = false;
  hold_ = reading->batcher.hold_lsn;
  in_doubt_ = !reading->batcher.in_doubt.empty();
  reading->batcher.alone_until = alone_until_;
}

absl::StatusOr<bool> Applier::ApplyNext(Batches& batches) {
  RETURN_IF_ERROR(cancel_.status());
  ASSIGN_OR_RETURN(const bool asked, target_.AwaitNotified(absl::ZeroDuration()));
  asked_ |= asked;
  batches.WantProgress(hold_.has_value());
  // A hold that was just set is answered before anything is waited for.
  const std::optional<changes::Batch> batch =
      batches.Next(asked ? absl::ZeroDuration() : kBatchWait);
  if (batch) {
    RETURN_IF_ERROR(ApplyUnlessHeld(*batch));
    return false;
  }
  if (batches.ended()) {
    RETURN_IF_ERROR(batches.status());
    read_again_ = true;
  }
  if (!target_.in_transaction()) {
    ASSIGN_OR_RETURN(hold_, target_.AnswerHold(Lsn()));
  }
  return true;
}

absl::Status Applier::Try(const changes::Batch& batch) {
  const absl::Time began = clock_.Now();
  const absl::Status status = target_.Apply(batch, care_);
  LogDebug("replayer", "batch",
           {{"stream", stream_},
            {"lsn", batch.lsn.ToString()},
            {"transactions", std::to_string(batch.transactions)},
            {"rows", std::to_string(batch.rows)},
            {"ms", absl::StrFormat("%.1f", absl::ToDoubleMilliseconds(clock_.Now() - began))}});
  return status;
}

absl::Status Applier::ApplyOne(const changes::Batch& batch) {
  absl::Status status = Try(batch);
  // Where foreign keys hold, unique values may have passed on in an order that only single
  // transactions allow.
  if (IsRefusedRow(status) && care_ == Care::kNone && target_.keeps_order() &&
      batch.transactions > 1) {
    alone_until_ = batch.lsn;
    return absl::AbortedError(
        absl::StrFormat("a row was refused (%s): %d transactions are applied again, one by one",
                        RefusalText(status), batch.transactions));
  }
  if (!status.ok() && IsRefusedRow(status) && care_ == Care::kNone) {
    LogWarn("replayer", "the target refuses a row; looking for it",
            {{"stream", stream_}, {"error", RefusalText(status)}});
    care_ = Care::kCareful;
    // Chunks that went before are gone with the transaction: those are read again.
    if (batch.chunk || batch.continues) {
      return absl::AbortedError("reading a large transaction again, row by row");
    }
    status = target_.Apply(batch, care_);
  }
  RETURN_IF_ERROR(status);
  in_doubt_ |= !batch.in_doubt.empty() || batch.unreadable.has_value();
  if (batch.chunk) return status;
  care_ = Care::kNone;
  return status;
}

// A hold that was set while the batch was on its way keeps back all of it, or, unless it was cut
// there, a part: then it is read again.
absl::Status Applier::ApplyUnlessHeld(const changes::Batch& batch) {
  while (true) {
    RETURN_IF_ERROR(AwaitRelease(batch));
    const absl::Status applied = ApplyOne(batch);
    if (!absl::IsAborted(applied) || !target_.connected()) return applied;
    if (!target_.refused_by_hold()) return applied;
    ASSIGN_OR_RETURN(const records::StreamState state, target_.Load());
    hold_ = state.hold_lsn;
    read_again_ = batch.continues || (hold_ && batch.first_lsn < *hold_ && batch.lsn >= *hold_);
    if (read_again_) return absl::OkStatus();
  }
}

bool Applier::IsHeldBack(const changes::Batch& batch) const {
  return hold_ && batch.first_lsn >= *hold_ && batch.first_lsn.valid() && !target_.in_transaction();
}

// The batch stays in memory: once released it is applied at once.
absl::Status Applier::AwaitRelease(const changes::Batch& batch) {
  for (bool said = false; IsHeldBack(batch); said = true) {
    ASSIGN_OR_RETURN(hold_, target_.AnswerHold(batch.first_lsn));
    if (!IsHeldBack(batch)) break;
    if (!said) {
      LogInfo("replayer", "held",
              {{"stream", stream_}, {"lsn", target_.position().lsn.ToString()}});
    }
    RETURN_IF_ERROR(drain_.EndIfDrained(true));
    RETURN_IF_ERROR(cancel_.status());
    ASSIGN_OR_RETURN(const bool asked, target_.AwaitNotified(kHoldLook));
    asked_ |= asked;
  }
  return absl::OkStatus();
}

}  // namespace switchyard::replayer
