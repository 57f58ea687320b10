#include "replayer/replayer.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/next_step.h"
#include "common/base/retry.h"
#include "common/base/strings.h"
#include "common/mapping/install/install.h"
#include "common/mapping/install/target_setup.h"
#include "common/records/reach.h"
#include "replayer/copy/copy_loader.h"
#include "replayer/copy/derive_copy.h"
#include "replayer/target/doubt.h"
#include "replayer/write/table_writer.h"

namespace switchyard::replayer {

namespace {

constexpr char kCopyAnew[] =
    "end capture and replay and copy everything again: switchyard recopy FILE --all";
constexpr absl::Duration kChoresInterval = absl::Milliseconds(500);
constexpr absl::Duration kBatchWait = absl::Milliseconds(100);
constexpr absl::Duration kHoldPoll = absl::Milliseconds(20);

// As of when each table was copied: a partition without a point of its own went before that. One
// that joined the others later has a later point.
std::map<int, Lsn> CopiedBefore(const mapping::Plan& plan, const std::map<uint32_t, Lsn>& points,
                                const std::vector<event::v1::Relation>& relations) {
  std::map<uint32_t, uint32_t> roots;
  for (const event::v1::Relation& relation : relations) {
    roots[relation.relation_id()] = relation.root_relation_id();
  }
  std::map<int, Lsn> before;
  for (const auto& [id, lsn] : points) {
    const mapping::SourcePlan* source = plan.FindRelation(id, roots[id]);
    if (source == nullptr) continue;
    const auto [at, is_new] = before.emplace(source - plan.sources.data(), lsn);
    if (!is_new) at->second = std::min(at->second, lsn);
  }
  return before;
}

}  // namespace

Replayer::Replayer(ReplayerOptions options, const mapping::Plan& plan, eventlog::EventLog& log,
                   const Cancel& cancel)
    : options_(std::move(options)),
      plan_(plan),
      log_(log),
      cancel_(cancel),
      target_(options_.target, plan, cancel),
      trimmer_(options_.target.stream, log, cancel),
      busy_at_(absl::Now()),
      failing_since_(absl::Now()),
      next_chores_(absl::InfinitePast()),
      next_look_(absl::InfinitePast()),
      next_trim_(absl::InfinitePast()) {}

Replayer::~Replayer() = default;

absl::Status Replayer::Run() {
  Backoff backoff({.seed = options_.seed});
  while (true) {
    const absl::Time started = absl::Now();
    const absl::Status status = RunOnce();
    if (cancel_.requested()) return cancel_.status();
    if (drained_) return status;
    if (absl::IsAlreadyExists(status)) {
      RETURN_IF_ERROR(EndIfDrained(true));
      if (!announced_standby_) {
        LogInfo(
            "replayer", "standing by",
            {{"stream", options_.target.stream}, {"reason", std::string(StdSv(status.message()))}});
      }
      announced_standby_ = true;
      if (!cancel_.WaitFor(options_.standby_interval)) return cancel_.status();
      continue;
    }
    announced_standby_ = false;
    if (LearnsFrom(status)) {
      target_.Close();
      continue;
    }
    if (!MayPass(status)) return Stop(status);
    if (absl::Now() - started > absl::Seconds(10)) {
      backoff.Reset();
      failing_since_ = absl::Now();
    }
    if (GiveUpDraining(status)) return absl::CancelledError(status.message());
    LogWarn("replayer", "starting over",
            {{"stream", options_.target.stream}, {"reason", std::string(StdSv(status.message()))}});
    target_.Close();
    if (!cancel_.WaitFor(backoff.Next())) return cancel_.status();
  }
}

// A value that an enum of the source gained needs no person.
bool Replayer::LearnsFrom(const absl::Status& failed) {
  if (!IsTypeChange(failed) || !options_.learn_values) return false;
  const absl::StatusOr<bool> learnt = options_.learn_values();
  if (learnt.ok() && *learnt) {
    LogInfo("replayer", "the mirror's types have learnt values of the source's",
            {{"stream", options_.target.stream}});
    return true;
  }
  if (!learnt.ok()) {
    LogWarn("replayer", "the source's types could not be looked at",
            {{"stream", options_.target.stream},
             {"error", std::string(StdSv(learnt.status().message()))}});
  }
  return false;
}

absl::Status Replayer::Stop(const absl::Status& cause) {
  // What the log has lost is nowhere else.
  const absl::Status reason = absl::IsDataLoss(cause) ? WithNextStep(cause, kCopyAnew) : cause;
  const std::string text(StdSv(reason.message()));
  const NextStep step =
      SplitNextStep(text, "mend the cause and start the replayer again; nothing was skipped");
  LogError("replayer", "stream stopped",
           {{"stream", options_.target.stream}, {"error", step.what}, {"next", step.next}});
  // Best effort: the connection may be what failed. Inside a transaction that goes with it, as the
  // copy has one open, nobody would ever read it.
  if (target_.connected()) {
    target_.session().Rollback();
    [[maybe_unused]] const absl::Status stored = target_.stream().SetState("stopped", text);
  }
  target_.Close();
  return reason;
}

bool Replayer::draining() const { return options_.drain != nullptr && options_.drain->requested(); }

bool Replayer::GiveUpDraining(const absl::Status& status) {
  if (!draining()) failing_since_ = absl::Now();
  if (absl::Now() - failing_since_ < options_.drain_patience) return false;
  LogError("replayer", "the log could not be applied to its end",
           {{"stream", options_.target.stream},
            {"error", std::string(StdSv(status.message()))},
            {"next", "nothing is lost: the next start applies what is left"}});
  return true;
}

absl::Status Replayer::EndIfDrained(bool idle) {
  const absl::Time now = absl::Now();
  if (!idle || !draining()) busy_at_ = now;
  if (now - busy_at_ < options_.drain_idle) return absl::OkStatus();
  drained_ = true;
  LogInfo("replayer", "everything on the log is applied", {{"stream", options_.target.stream}});
  return absl::CancelledError("the log is drained");
}

absl::Status Replayer::RunOnce() {
  RETURN_IF_ERROR(target_.Open());
  // A target that crashed may have gone back behind what was to be trimmed.
  trim_wal_ = Lsn();
  ASSIGN_OR_RETURN(const records::StreamState state, target_.stream().Load());
  RETURN_IF_ERROR(log_.CreateTopic(options_.change_topic));
  // The position is given once every table is loaded, the copy point when all is derived from them.
  if (!state.position.lsn.valid()) {
    RETURN_IF_ERROR(RefuseLostCopy(state));
    RETURN_IF_ERROR(log_.CreateTopic(options_.copy_topic));
    RETURN_IF_ERROR(Copy());
  }
  if (!state.copy_lsn.valid()) RETURN_IF_ERROR(FinishCopy(state));
  return Stream();
}

// Capture writes to the copy topic before it does to the other.
absl::Status Replayer::RefuseLostCopy(const records::StreamState& state) {
  ASSIGN_OR_RETURN(const eventlog::TopicInfo changes, log_.Describe(options_.change_topic));
  if (changes.next <= state.position.next_offset) return absl::OkStatus();
  const absl::StatusOr<eventlog::TopicInfo> copy = log_.Describe(options_.copy_topic);
  if (!absl::IsNotFound(copy.status())) RETURN_IF_ERROR(copy.status());
  if (copy.ok() && copy->next > 0) return absl::OkStatus();
  return absl::DataLossError(absl::StrFormat(
      "topic %s %s, though %s has records: it was deleted, and with it the copy of OLD's tables",
      options_.copy_topic, copy.ok() ? "is empty" : "is gone", options_.change_topic));
}

absl::Status Replayer::Copy() {
  CopyLoader loader(target_, plan_,
                    {.stream = options_.target.stream, .workers = options_.copy_workers});
  RETURN_IF_ERROR(LoadDoubts(target_.session(), plan_, options_.target.stream).status());
  RETURN_IF_ERROR(loader.Start());
  ASSIGN_OR_RETURN(const auto reader, log_.OpenReader(options_.copy_topic, loader.first_offset()));
  std::vector<eventlog::LogRecord> records;
  event::v1::Event event;
  while (!loader.complete()) {
    RETURN_IF_ERROR(cancel_.status());
    RETURN_IF_ERROR(reader->Read(kBatchWait, &records));
    for (const eventlog::LogRecord& record : records) {
      if (!event.ParseFromArray(record.payload.data(), static_cast<int>(record.payload.size()))) {
        return absl::DataLossError(
            absl::StrFormat("offset %d of the copy topic is no event", record.offset));
      }
      RETURN_IF_ERROR(loader.Add(event, record.offset));
    }
    if (records.empty()) {
      RETURN_IF_ERROR(loader.Commit());
      RETURN_IF_ERROR(RefuseUnreadableCopy(loader));
    }
    if (records.empty() && draining()) RETURN_IF_ERROR(loader.DrainLanes());
    RETURN_IF_ERROR(EndIfDrained(records.empty()));
    if (TrimIsDue()) RETURN_IF_ERROR(TrimFlushed({.copy = loader.committed_offset()}));
  }
  return loader.Finish();
}

// A younger copy of such a table leads out; somebody is to ask for it.
absl::Status Replayer::RefuseUnreadableCopy(const CopyLoader& loader) {
  for (const changes::Batch::Unreadable& table : loader.unreadable()) {
    RETURN_IF_ERROR(StoreDoubts(target_.session(), plan_, options_.target.stream,
                                changes::Batch{.unreadable = table}));
  }
  if (loader.unreadable().empty()) return absl::OkStatus();
  return LoadDoubts(target_.session(), plan_, options_.target.stream).status();
}

// After a stop what was mended in OLD since then is to be there, too: it is on the log.
absl::Status Replayer::FinishCopy(const records::StreamState& state) {
  int64_t until = 0;
  if (state.state == "stopped") {
    ASSIGN_OR_RETURN(const eventlog::TopicInfo changes, log_.Describe(options_.change_topic));
    until = changes.next;
  }
  ASSIGN_OR_RETURN(const CopyPoints points,
                   LoadCopyRange(target_.session(), options_.target.stream));
  RETURN_IF_ERROR(RollForward(points.last, until));
  RETURN_IF_ERROR(
      DeriveCopy(target_, plan_, options_.target.stream, points.last, options_.after_copy));
  return target_.LoadOrder();
}

// Tables that were copied at different points, to where the log has reached the last of them and
// record `until`.
absl::Status Replayer::RollForward(Lsn last, int64_t until) {
  const auto there = [&] {
    const records::Position& position = target_.position();
    return records::Reaches(position, last) && position.next_offset >= until;
  };
  if (there()) return absl::OkStatus();
  LogInfo("replayer", "tables copied at different points are rolled forward",
          {{"stream", options_.target.stream},
           {"lsn", target_.position().lsn.ToString()},
           {"to", last.ToString()}});
  RETURN_IF_ERROR(target_.stream().SetState("catching_up"));
  RETURN_IF_ERROR(BeginRollForward(target_, plan_));
  while (!there()) {
    ASSIGN_OR_RETURN(const records::StreamState state, target_.stream().Load());
    read_again_ = false;
    ASSIGN_OR_RETURN(const auto pipeline, OpenPipeline(state));
    while (!there() && !read_again_) {
      ASSIGN_OR_RETURN(const bool idle, ApplyNext(*pipeline));
      if (TrimIsDue()) {
        RETURN_IF_ERROR(
            TrimFlushed({.change = target_.position().next_offset, .copy = state.copy_offset}));
      }
      RETURN_IF_ERROR(EndIfDrained(idle));
    }
  }
  target_.EndRollForward();
  return absl::OkStatus();
}

absl::Status Replayer::Stream() {
  while (true) {
    ASSIGN_OR_RETURN(const records::StreamState state, target_.stream().Load());
    read_again_ = false;
    RETURN_IF_ERROR(StreamFrom(state));
  }
}

// Reads on from where the target stands.
absl::StatusOr<std::unique_ptr<Pipeline>> Replayer::OpenPipeline(
    const records::StreamState& state) {
  hold_ = state.hold_lsn;
  ASSIGN_OR_RETURN(const Doubts doubts,
                   LoadDoubts(target_.session(), plan_, options_.target.stream));
  in_doubt_ = !doubts.in_doubt.empty();
  PipelineOptions options{.position = state.position};
  options.batcher = {.batch_rows_max = options_.batch_rows_max,
                     .batch_bytes_max = options_.batch_bytes_max,
                     .copied_again = doubts.copied_again,
                     .in_doubt = doubts.in_doubt,
                     .hold_lsn = state.hold_lsn,
                     .alone_until = alone_until_};
  ASSIGN_OR_RETURN(options.relations, target_.stream().LoadRelations());
  ASSIGN_OR_RETURN(options.batcher.copy_points, target_.stream().LoadCopyPoints());
  options.batcher.copied_before =
      CopiedBefore(plan_, options.batcher.copy_points, options.relations);
  ASSIGN_OR_RETURN(options.batcher.gone, target_.stream().LoadGone());
  ASSIGN_OR_RETURN(auto reader, log_.OpenReader(options_.change_topic, state.position.next_offset));
  return std::make_unique<Pipeline>(std::move(options), plan_, std::move(reader), cancel_);
}

// Until the hold is reached or the log is to be read again (both OK), or something fails.
absl::Status Replayer::StreamFrom(const records::StreamState& state) {
  ASSIGN_OR_RETURN(resume_, LoadResume());
  RETURN_IF_ERROR(AnswerLoaded(target_.session(), plan_, options_.target.stream));
  ASSIGN_OR_RETURN(const auto pipeline, OpenPipeline(state));
  RETURN_IF_ERROR(target_.stream().SetState(consistent() ? "streaming" : "catching_up"));
  RETURN_IF_ERROR(target_.stream().SetDoing(""));
  // One that the file was given since the copy; a resume makes its own once its tables are filled.
  if (!resume_) RETURN_IF_ERROR(mapping::AddMirrorIndexes(target_.session(), plan_));
  LogInfo("replayer", "streaming",
          {{"stream", options_.target.stream},
           {"lsn", state.position.lsn.ToString()},
           {"epoch", std::to_string(state.position.epoch)},
           {"offset", std::to_string(state.position.next_offset)}});
  recopy_ = std::make_unique<Recopy>(target_, plan_, log_,
                                     RecopyOptions{.stream = options_.target.stream,
                                                   .change_topic = options_.change_topic,
                                                   .copy_topic = options_.copy_topic});
  while (true) {
    ASSIGN_OR_RETURN(const bool idle, ApplyNext(*pipeline));
    RETURN_IF_ERROR(Chores());
    if (read_again_) return absl::OkStatus();
    RETURN_IF_ERROR(EndIfDrained(idle));
  }
}

// True: nothing came.
absl::StatusOr<bool> Replayer::ApplyNext(Pipeline& pipeline) {
  RETURN_IF_ERROR(cancel_.status());
  const std::optional<changes::Batch> batch = pipeline.Next(kBatchWait);
  if (batch) {
    RETURN_IF_ERROR(ApplyUnlessHeld(*batch));
    return false;
  }
  if (pipeline.ended()) {
    RETURN_IF_ERROR(pipeline.status());
    read_again_ = true;
  }
  if (!target_.in_transaction()) {
    ASSIGN_OR_RETURN(hold_, target_.stream().AnswerHold(/*met=*/false));
  }
  return true;
}

absl::Status Replayer::ApplyOne(const changes::Batch& batch) {
  const absl::Time began = absl::Now();
  absl::Status status = target_.Apply(batch, careful_);
  LogDebug("replayer", "batch",
           {{"stream", options_.target.stream},
            {"lsn", batch.lsn.ToString()},
            {"transactions", std::to_string(batch.transactions)},
            {"rows", std::to_string(batch.rows)},
            {"ms", absl::StrFormat("%.1f", absl::ToDoubleMilliseconds(absl::Now() - began))}});
  // Where foreign keys hold, unique values may have passed on in an order that only single
  // transactions allow.
  if (IsRefusedRow(status) && !careful_ && target_.ordered() != nullptr && batch.transactions > 1) {
    alone_until_ = batch.lsn;
    return absl::AbortedError(
        absl::StrFormat("a row was refused (%s): %d transactions are applied again, one by one",
                        std::string(StdSv(status.message())), batch.transactions));
  }
  if (!status.ok() && IsRefusedRow(status) && !careful_) {
    LogWarn("replayer", "the target refuses a row; looking for it",
            {{"stream", options_.target.stream}, {"error", std::string(StdSv(status.message()))}});
    careful_ = true;
    // Chunks that went before are gone with the transaction: those are read again.
    if (batch.chunk || batch.continues) {
      return absl::AbortedError("reading a large transaction again, row by row");
    }
    status = target_.Apply(batch, true);
  }
  RETURN_IF_ERROR(status);
  in_doubt_ |= !batch.in_doubt.empty() || batch.unreadable.has_value();
  if (batch.chunk) return status;
  careful_ = false;
  return status;
}

absl::Status Replayer::NoteConsistency() {
  if (!consistent()) return absl::OkStatus();
  LogInfo("replayer", "consistent from here on",
          {{"stream", options_.target.stream}, {"lsn", target_.position().lsn.ToString()}});
  return target_.stream().SetState("streaming");
}

absl::StatusOr<std::optional<Replayer::OpenResume>> Replayer::LoadResume() {
  ASSIGN_OR_RETURN(const pg::Result row,
                   target_.session().Query("SELECT id, argument FROM switchyard.request WHERE "
                                           "stream = $1 AND kind = 'resume' AND state = 'open' "
                                           "ORDER BY id LIMIT 1",
                                           {options_.target.stream}));
  if (row.rows() == 0) return std::nullopt;
  OpenResume resume{.request = row.str(0, 0)};
  ASSIGN_OR_RETURN(resume.work, mapping::ResumeWorkFromText(row.text(0, 1)));
  return resume;
}

// After a changed mapping: once its tables are copied again, what is derived is derived anew.
absl::Status Replayer::StepResume() {
  ASSIGN_OR_RETURN(const std::optional<int64_t> copying, recopy_->KeepFrom());
  if (copying) return absl::OkStatus();
  // Those that were derived where the copies were swapped in are up to date.
  if (!recopy_->TakeDerived()) RETURN_IF_ERROR(DeriveChanged(resume_->work.recompute));
  RETURN_IF_ERROR(target_.session()
                      .Query("UPDATE switchyard.request SET state = 'done', result = 'resumed', "
                             "finished_at = clock_timestamp() WHERE id = $1::bigint",
                             {resume_->request})
                      .status());
  ASSIGN_OR_RETURN(resume_, LoadResume());
  return NoteConsistency();
}

absl::Status Replayer::DeriveChanged(const std::vector<std::string>& tables) {
  LogInfo("replayer", "deriving tables of the changed mapping",
          {{"stream", options_.target.stream}, {"tables", std::to_string(tables.size())}});
  RETURN_IF_ERROR(target_.stream().SetDoing("derives anew: " + absl::StrJoin(tables, ", ")));
  RETURN_IF_ERROR(mapping::BuildMirrorIndexes(target_.session(), plan_));
  RETURN_IF_ERROR(target_.RecomputeWhole(tables));
  return target_.stream().SetDoing("");
}

absl::Status Replayer::Chores() {
  const absl::Time now = absl::Now();
  if (now < next_chores_ || target_.in_transaction()) return absl::OkStatus();
  next_chores_ = now + kChoresInterval;
  RETURN_IF_ERROR(HandleRequests());
  if (now >= next_look_) RETURN_IF_ERROR(Look());
  RETURN_IF_ERROR(recopy_->Step(resume_ ? resume_->work.recompute : std::vector<std::string>()));
  read_again_ |= recopy_->TakeReleased();
  if (recopy_->TakeSwapped() && target_.ordered() != nullptr) {
    RETURN_IF_ERROR(target_.RetryQuarantine(0).status());
  }
  if (resume_) RETURN_IF_ERROR(StepResume());
  ASSIGN_OR_RETURN(const records::StreamState state, target_.stream().Load());
  if (state.hold_lsn && *state.hold_lsn <= target_.position().lsn) return absl::OkStatus();
  if (!TrimIsDue()) return absl::OkStatus();
  TrimPoint point{.change = target_.position().next_offset, .copy = state.copy_offset};
  ASSIGN_OR_RETURN(const std::optional<int64_t> keep, recopy_->KeepFrom());
  if (keep) point.change = std::min(point.change, *keep);
  return TrimFlushed(point);
}

absl::Status Replayer::Look() {
  next_look_ = absl::Now() + options_.look_interval;
  RETURN_IF_ERROR(FreezeTemporaryTables(target_.session(), options_.target.temporary_age_max));
  return RefuseUnchecked();
}

// Constraints that NEW was given while the stream ran.
absl::Status Replayer::RefuseUnchecked() {
  if (target_.ordered() != nullptr || !options_.target.replica_role) return absl::OkStatus();
  return mapping::RefuseUncheckedConstraints(target_.session(), plan_);
}

absl::Status Replayer::HandleRequests() {
  ASSIGN_OR_RETURN(
      const pg::Result open,
      target_.session().QueryPrepared(
          "SELECT id, argument FROM switchyard.request WHERE stream = $1 AND state = 'open' "
          "AND kind = 'quarantine_retry' ORDER BY id",
          {options_.target.stream}));
  for (int i = 0; i < open.rows(); ++i) {
    int64_t id = 0;
    if (!open.text(i, 1).empty() && !absl::SimpleAtoi(Sv(open.text(i, 1)), &id)) id = -1;
    ASSIGN_OR_RETURN(const Quarantine::RetryResult result, target_.RetryQuarantine(id));
    RETURN_IF_ERROR(target_.session()
                        .Query("UPDATE switchyard.request SET state = 'done', result = $2, "
                               "finished_at = clock_timestamp() WHERE id = $1::bigint",
                               {open.str(i, 0), absl::StrFormat("%d applied, %d left",
                                                                result.applied, result.left)})
                        .status());
  }
  return absl::OkStatus();
}

bool Replayer::TrimIsDue() {
  const absl::Time now = absl::Now();
  if (options_.trim_interval == absl::ZeroDuration() || now < next_trim_) return false;
  next_trim_ = now + options_.trim_interval;
  return true;
}

// Trims to the point of the last call once the target has flushed it; keeps this one for the next.
absl::Status Replayer::TrimFlushed(const TrimPoint& point) {
  if (trim_wal_.valid()) {
    ASSIGN_OR_RETURN(const bool flushed, target_.FlushedUpTo(trim_wal_));
    if (!flushed) return absl::OkStatus();
    trimmer_.Ask(options_.change_topic, trim_.change);
    trimmer_.Ask(options_.copy_topic, trim_.copy);
  }
  trim_ = point;
  ASSIGN_OR_RETURN(trim_wal_, target_.TargetWalPosition());
  return absl::OkStatus();
}

// A hold that was set while the batch was on its way keeps back all of it, or, unless it was cut
// there, a part: then it is read again.
absl::Status Replayer::ApplyUnlessHeld(const changes::Batch& batch) {
  while (true) {
    RETURN_IF_ERROR(AwaitRelease(batch));
    const absl::Status applied = ApplyOne(batch);
    if (!absl::IsAborted(applied) || !target_.connected()) return applied;
    if (!target_.stream().refused_by_hold()) return applied;
    ASSIGN_OR_RETURN(const records::StreamState state, target_.stream().Load());
    hold_ = state.hold_lsn;
    read_again_ = batch.continues || (hold_ && batch.first_lsn < *hold_ && batch.lsn >= *hold_);
    if (read_again_) return absl::OkStatus();
  }
}

bool Replayer::IsHeldBack(const changes::Batch& batch) const {
  return hold_ && batch.first_lsn >= *hold_ && batch.first_lsn.valid() && !target_.in_transaction();
}

// The batch stays in memory: once released it is applied at once.
absl::Status Replayer::AwaitRelease(const changes::Batch& batch) {
  for (bool said = false; IsHeldBack(batch); said = true) {
    ASSIGN_OR_RETURN(hold_, target_.stream().AnswerHold(/*met=*/true));
    if (!IsHeldBack(batch)) break;
    if (!said) {
      LogInfo("replayer", "held",
              {{"stream", options_.target.stream}, {"lsn", target_.position().lsn.ToString()}});
    }
    RETURN_IF_ERROR(EndIfDrained(true));
    if (!cancel_.WaitFor(kHoldPoll)) return cancel_.status();
  }
  return absl::OkStatus();
}

}  // namespace switchyard::replayer
