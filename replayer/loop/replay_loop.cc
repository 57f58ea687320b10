#include "replayer/loop/replay_loop.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/base/finding.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/base/wait/retry.h"
#include "common/pg/error.h"
#include "common/records/stream/reach.h"
#include "replayer/loop/republished.h"
#include "replayer/write/refusals.h"

namespace switchyard::replayer {

namespace {

constexpr absl::Duration kChoresInterval = absl::Milliseconds(500);
// A try that lasted so long had a working connection.
constexpr absl::Duration kWorked = absl::Seconds(10);

}  // namespace

ReplayLoop::ReplayLoop(LoopOptions options, Ports ports, const Cancel& cancel)
    : options_(std::move(options)),
      ports_(std::move(ports)),
      cancel_(cancel),
      drain_({.stream = options_.stream,
              .asked = options_.drain,
              .idle = options_.drain_idle,
              .patience = options_.drain_patience},
             ports_.clock),
      trims_({.change_topic = options_.change_topic,
              .copy_topic = options_.copy_topic,
              .interval = options_.trim_interval},
             ports_.target, ports_.trims, ports_.clock),
      applier_(options_.stream, ports_.target, drain_, ports_.clock, cancel) {}

absl::Status ReplayLoop::Run() {
  Backoff backoff({.seed = options_.seed});
  while (true) {
    const absl::Time started = ports_.clock.Now();
    absl::Status status = RunOnce();
    if (absl::IsDataLoss(status) && ports_.target.connected()) status = GoBack(status);
    if (cancel_.requested()) return cancel_.status();
    if (drain_.done()) return status;
    if (absl::IsAlreadyExists(status)) {
      RETURN_IF_ERROR(StandBy(status));
      continue;
    }
    announced_standby_ = false;
    if (ports_.target.LearnsFrom(status)) {
      ports_.target.Close();
      continue;
    }
    if (!MayPass(status)) return Stop(status);
    if (ports_.clock.Now() - started > kWorked) {
      backoff.Reset();
      drain_.NoteWorking();
    }
    if (drain_.GivesUp(status)) return absl::CancelledError(status.message());
    LogWarn("replayer", "starting over",
            {{"stream", options_.stream}, {"reason", std::string(StdSv(status.message()))}});
    ports_.target.Close();
    if (!ports_.clock.WaitFor(backoff.Next(), cancel_)) return cancel_.status();
  }
}

absl::Status ReplayLoop::StandBy(const absl::Status& reason) {
  RETURN_IF_ERROR(drain_.EndIfDrained(true));
  if (!announced_standby_) {
    LogInfo("replayer", "standing by",
            {{"stream", options_.stream}, {"reason", std::string(StdSv(reason.message()))}});
  }
  announced_standby_ = true;
  return ports_.clock.WaitFor(options_.standby_interval, cancel_) ? absl::OkStatus()
                                                                  : cancel_.status();
}

absl::Status ReplayLoop::Stop(const absl::Status& cause) {
  const absl::Status reason = WithHowToMend(cause);
  const Finding finding = FindingOfRefusal(reason, kMendAndStart);
  LogError("replayer", "stream stopped",
           {{"stream", options_.stream}, {"error", finding.what}, {"next", finding.next}});
  ports_.target.Stop(cause, TextOf(finding));
  ports_.target.Close();
  return reason;
}

// Unavailable when the log goes on elsewhere, or will.
absl::Status ReplayLoop::GoBack(const absl::Status& lost) {
  const records::Position from = ports_.target.position();
  ASSIGN_OR_RETURN(const int64_t to,
                   FindRepublished(ports_.log, options_.change_topic, from, lost, cancel_));
  if (ReadsFrom(from) == to) return lost;  // that was read
  back_ = {.from = from, .to = to};
  return absl::UnavailableError(
      absl::StrFormat("the log has lost an end that was read already, and goes on at offset %d, "
                      "before %d, with the "
                      "next epoch",
                      to, from.next_offset));
}

int64_t ReplayLoop::ReadsFrom(const records::Position& position) const {
  const bool same = back_ && back_->from.epoch == position.epoch &&
                    back_->from.lsn == position.lsn &&
                    back_->from.next_offset == position.next_offset;
  return same ? back_->to : position.next_offset;
}

absl::Status ReplayLoop::RunOnce() {
  RETURN_IF_ERROR(ports_.target.Open());
  trims_.Forget();
  ASSIGN_OR_RETURN(const records::StreamState state, ports_.target.Load());
  RETURN_IF_ERROR(ports_.log.CreateTopic(options_.change_topic));
  // The position is given once every table is loaded, the copy point when all is derived from them.
  if (!state.position.lsn.valid()) RETURN_IF_ERROR(ports_.copy.Load(state, drain_, trims_));
  if (!state.copy_lsn.valid()) RETURN_IF_ERROR(FinishCopy(state));
  return Stream();
}

// After a stop what was mended in OLD since then is to be there, too: it is on the log.
absl::Status ReplayLoop::FinishCopy(const records::StreamState& state) {
  int64_t until = 0;
  if (state.phase == records::Phase::kStopped) {
    ASSIGN_OR_RETURN(const eventlog::TopicInfo changes, ports_.log.Describe(options_.change_topic));
    until = changes.next;
  }
  ASSIGN_OR_RETURN(const Lsn last, ports_.copy.LastPoint());
  RETURN_IF_ERROR(RollForward(last, until));
  return ports_.copy.Derive(last);
}

// Tables that were copied at different points, to where the log has reached the last of them and
// record `until`.
absl::Status ReplayLoop::RollForward(Lsn last, int64_t until) {
  Target& target = ports_.target;
  const auto there = [&] {
    return records::Reaches(target.position(), last) && target.position().next_offset >= until;
  };
  if (there()) return absl::OkStatus();
  LogInfo("replayer", "tables copied at different points are rolled forward",
          {{"stream", options_.stream},
           {"lsn", target.position().lsn.ToString()},
           {"to", last.ToString()}});
  RETURN_IF_ERROR(target.CatchUp());
  RETURN_IF_ERROR(ports_.copy.BeginRollForward());
  while (!there()) {
    ASSIGN_OR_RETURN(const records::StreamState state, target.Load());
    ASSIGN_OR_RETURN(const auto batches, ReadFrom(state, absl::ZeroDuration()));
    while (!there() && !applier_.read_again()) {
      ASSIGN_OR_RETURN(const bool idle, applier_.ApplyNext(*batches));
      if (trims_.IsDue()) {
        RETURN_IF_ERROR(trims_.Trim({.change = TrimmableUpTo(), .copy = state.copy_offset}));
      }
      RETURN_IF_ERROR(drain_.EndIfDrained(idle));
    }
  }
  ports_.copy.EndRollForward();
  return absl::OkStatus();
}

// The place where reading began may be one of a log whose end was lost since: what stands below it
// now was published anew, and is yet to be read, from its Hello on.
int64_t ReplayLoop::TrimmableUpTo() const {
  const records::Position& position = ports_.target.position();
  const bool moved = position.epoch != began_.epoch || position.next_offset != began_.next_offset;
  return moved ? position.next_offset : 0;
}

absl::StatusOr<std::unique_ptr<Batches>> ReplayLoop::ReadFrom(const records::StreamState& state,
                                                              absl::Duration progress_interval) {
  ASSIGN_OR_RETURN(Reading reading, ports_.target.LoadReading(state));
  reading.batcher.batch_rows_max = options_.batch_rows_max;
  reading.batcher.batch_bytes_max = options_.batch_bytes_max;
  reading.progress_interval = progress_interval;
  applier_.Begin(&reading);
  began_ = state.position;
  reading.position.next_offset = ReadsFrom(state.position);
  ASSIGN_OR_RETURN(auto reader,
                   ports_.log.OpenReader(options_.change_topic, reading.position.next_offset));
  return ports_.read(std::move(reading), std::move(reader));
}

absl::Status ReplayLoop::Stream() {
  while (true) {
    ASSIGN_OR_RETURN(const records::StreamState state, ports_.target.Load());
    RETURN_IF_ERROR(StreamFrom(state));
  }
}

// Until the log is to be read again (OK), or something fails.
absl::Status ReplayLoop::StreamFrom(const records::StreamState& state) {
  RETURN_IF_ERROR(ports_.chores.Prepare());
  ASSIGN_OR_RETURN(const auto batches, ReadFrom(state, options_.progress_interval));
  RETURN_IF_ERROR(consistent() ? ports_.target.BeginStreaming() : ports_.target.CatchUp());
  RETURN_IF_ERROR(ports_.chores.Begin());
  LogInfo("replayer", "streaming",
          {{"stream", options_.stream},
           {"lsn", state.position.lsn.ToString()},
           {"epoch", std::to_string(state.position.epoch)},
           {"offset", std::to_string(state.position.next_offset)}});
  while (true) {
    ASSIGN_OR_RETURN(const bool idle, applier_.ApplyNext(*batches));
    RETURN_IF_ERROR(Chore());
    if (applier_.read_again()) return absl::OkStatus();
    RETURN_IF_ERROR(drain_.EndIfDrained(idle));
  }
}

absl::Status ReplayLoop::NoteConsistency() {
  if (!consistent()) return absl::OkStatus();
  LogInfo("replayer", "consistent from here on",
          {{"stream", options_.stream}, {"lsn", ports_.target.position().lsn.ToString()}});
  return ports_.target.BeginStreaming();
}

absl::Status ReplayLoop::Chore() {
  const absl::Time now = ports_.clock.Now();
  if (ports_.target.in_transaction()) return absl::OkStatus();
  if (now < next_chores_ && !applier_.TakeAsked()) return absl::OkStatus();
  next_chores_ = now + kChoresInterval;
  const bool resuming = ports_.chores.resuming();
  RETURN_IF_ERROR(ports_.chores.Step());
  if (ports_.chores.TakeReleased()) applier_.ReadAgain();
  if (resuming) RETURN_IF_ERROR(NoteConsistency());
  return TrimIfDue();
}

absl::Status ReplayLoop::TrimIfDue() {
  ASSIGN_OR_RETURN(const records::StreamState state, ports_.target.Load());
  const records::Position& position = ports_.target.position();
  if (state.hold_lsn && *state.hold_lsn <= position.lsn) return absl::OkStatus();
  if (!trims_.IsDue()) return absl::OkStatus();
  TrimPoint point{.change = TrimmableUpTo(), .copy = state.copy_offset};
  ASSIGN_OR_RETURN(const std::optional<int64_t> keep, ports_.chores.KeepFrom());
  if (keep) point.change = std::min(point.change, *keep);
  return trims_.Trim(point);
}

}  // namespace switchyard::replayer
