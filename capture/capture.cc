#include "capture/capture.h"

#include "absl/strings/str_format.h"
#include "capture/stream_run.h"
#include "common/base/finding.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/base/wait/retry.h"
#include "common/records/source/capture_requests.h"
#include "common/records/source/capture_streams.h"
#include "common/records/source/capture_suspects.h"
#include "common/records/source/captured_tables.h"

namespace switchyard::capture {
namespace {

// A run that lasted this long was no failed attempt; the next one need not wait.
constexpr absl::Duration kStableRun = absl::Seconds(30);
// For the last word to the source when a stream stops.
constexpr absl::Duration kRefusalTimeout = absl::Seconds(5);

// In doubt (Unknown) is a commit of capture's own records: they are read again. A topic that is not
// found went after it was made or seen: the next look says what is lost with it, if anything.
bool MayPass(const absl::Status& status) {
  return IsRetryable(status) || absl::IsUnknown(status) || absl::IsNotFound(status);
}

// For errors that come from below without one.
std::string NextAfter(const absl::Status& ended, const records::Stream& stream) {
  if (absl::IsDataLoss(ended)) return HowToBeginAnew(stream);
  if (!absl::IsFailedPrecondition(ended)) {
    return "mend what it names and start again, nothing was skipped";
  }
  return "switchyard check FILE names what is missing; mend it and start again, nothing was "
         "skipped";
}

}  // namespace

std::string HowToBeginAnew(const records::Stream& stream) {
  return absl::StrFormat(
      "begin stream %s anew, with a new slot and a copy of every table: switchyard recopy FILE "
      "--all",
      stream.name);
}

Capture::Capture(const CaptureConfig& config, eventlog::EventLog& log, const Cancel& cancel)
    : config_(config), log_(log), cancel_(cancel) {}

absl::Status Capture::Run() {
  Backoff backoff(Backoff::Options{});
  while (true) {
    const absl::Time begun = absl::Now();
    const absl::Status ended = StreamRun(config_, log_, cancel_, &stats_).Run();
    stats_.state = static_cast<int>(CaptureStats::State::kConnecting);
    if (cancel_.requested() || absl::IsCancelled(ended)) return absl::CancelledError("shut down");
    if (!MayPass(ended)) {
      const absl::Status refusal = WithNextStep(ended, NextAfter(ended, config_.stream));
      NoteRefusal(refusal);
      return Annotate(refusal, absl::StrCat("stream ", config_.stream.name));
    }
    if (absl::Now() - begun > kStableRun) backoff.Reset();
    LogWarn("capture", "stream interrupted, will be tried again",
            {{"stream", config_.stream.name}, {"error", std::string(ended.message())}});
    if (!cancel_.WaitFor(backoff.Next())) return absl::CancelledError("shut down");
  }
}

void Capture::NoteRefusal(const absl::Status& refusal) {
  auto session = pg::Session::Connect({.dsn = config_.dsn,
                                       .application_name = config_.application_name,
                                       .connect_timeout = kRefusalTimeout},
                                      cancel_);
  if (!session.ok()) return;
  // Best effort: the caller reports the refusal in any case.
  const absl::Status noted =
      records::CaptureStreams(**session, config_.stream.name).NoteRefusal(FindingOf(refusal, ""));
  if (!noted.ok()) {
    LogDebug("capture", "the refusal could not be recorded",
             {{"error", std::string(noted.message())}});
  }
}

absl::Status Capture::Recopy(pg::Session& session, const records::Stream& stream,
                             const spec::TableName& table) {
  ASSIGN_OR_RETURN(const std::vector<uint32_t> relations,
                   records::CapturedTables(session, stream.name).Named(table.schema, table.name));
  if (relations.empty()) {
    return WithNextStep(
        absl::NotFoundError(absl::StrFormat("stream %s captures no table %s%s%s yet", stream.name,
                                            table.schema, table.schema.empty() ? "" : ".",
                                            table.name)),
        "add it to the publication (switchyard check --print-setup FILE prints how), and start "
        "capture again");
  }
  return records::CaptureRequests(session, stream.name).AskRecopy(relations);
}

absl::Status Capture::BeginAnew(pg::Session& session, const records::Stream& stream,
                                uint64_t epoch) {
  return records::CaptureStreams(session, stream.name).BeginAnew(stream, epoch);
}

absl::Status Capture::ForgetSuspects(pg::Session& session, const records::Stream& stream,
                                     const std::vector<uint32_t>& kept) {
  return records::CaptureSuspects(session, stream.name).Forget(kept);
}

CaptureStats Capture::stats() const {
  return {.state = static_cast<CaptureStats::State>(stats_.state.load()),
          .epoch = stats_.epoch,
          .transactions = stats_.transactions,
          .rows = stats_.rows,
          .received = Lsn(stats_.received),
          .confirmed = Lsn(stats_.confirmed),
          .last_commit_time_us = stats_.last_commit_time_us};
}

}  // namespace switchyard::capture
