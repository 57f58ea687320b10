#include "replayer/copy/recopy.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/finding.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/changes/relation_map.h"
#include "common/mapping/sql/sql_builder.h"
#include "common/records/copies.h"
#include "common/records/stream/reach.h"
#include "replayer/target/doubt.h"
#include "replayer/write/refusals.h"

namespace switchyard::replayer {

using event::v1::Event;
using mapping::SourceIndex;
using mapping::SourcePlan;
using records::RequestState;

namespace {

// About 4 MiB each: changes of other tables wait no longer than these take.
constexpr int kReadsPerStep = 8;

// A stream that starts over may get past it; else it is the copy that has failed, and alone.
bool Passes(const absl::Status& status) { return MayPass(status) || absl::IsCancelled(status); }

std::string LoadTable(uint32_t relation_id) { return absl::StrCat("sy_reload_", relation_id); }

}  // namespace

Recopy::Recopy(PgTarget& target, const mapping::Plan& plan, eventlog::EventLog& log,
               RecopyOptions options)
    : target_(target),
      plan_(plan),
      log_(log),
      options_(std::move(options)),
      swap_(target, plan, log, options_) {}

Recopy::~Recopy() = default;

records::Requests Recopy::requests() { return {target_.session(), options_.stream}; }

absl::StatusOr<std::optional<int64_t>> Recopy::KeepFrom() { return requests().KeepFrom(); }

absl::Status Recopy::Step(const std::vector<std::string>& also) {
  const absl::Status read = ReadSome();
  if (absl::IsDataLoss(read)) return BeginTopicAnew(read);
  RETURN_IF_ERROR(read);
  return SwapReady(also);
}

absl::Status Recopy::OpenReader() {
  ASSIGN_OR_RETURN(const records::StreamState state, target_.stream().Load());
  next_offset_ = state.copy_offset;
  RETURN_IF_ERROR(log_.CreateTopic(options_.copy_topic));  // it may have been deleted
  ASSIGN_OR_RETURN(reader_, log_.OpenReader(options_.copy_topic, next_offset_));
  return absl::OkStatus();
}

absl::Status Recopy::ReadSome() {
  if (reader_ == nullptr) RETURN_IF_ERROR(OpenReader());
  std::vector<eventlog::LogRecord> records;
  Event event;
  for (int reads = 0; reads < kReadsPerStep; ++reads) {
    RETURN_IF_ERROR(reader_->Read(absl::ZeroDuration(), &records));
    at_end_ = records.empty();
    if (at_end_) break;
    for (const eventlog::LogRecord& record : records) {
      if (!event.ParseFromArray(record.payload.data(), static_cast<int>(record.payload.size()))) {
        return Lost(absl::StrFormat("offset %d of the copy topic is no event", record.offset),
                    kCopyAllAnew);
      }
      RETURN_IF_ERROR(Add(event));
      next_offset_ = record.offset + 1;
    }
  }
  return absl::OkStatus();
}

// What is live has all that was ever read, so the stream itself has lost nothing.
absl::Status Recopy::BeginTopicAnew(const absl::Status& lost) {
  RETURN_IF_ERROR(log_.CreateTopic(options_.copy_topic));
  ASSIGN_OR_RETURN(const eventlog::TopicInfo topic, log_.Describe(options_.copy_topic));
  if (topic.first <= next_offset_ && next_offset_ <= topic.next) return lost;
  const Finding loss = FindingOf(lost, "");
  const Finding why = {"the copy is lost, the table is as it was: " + loss.what,
                       "ask for it again: switchyard recopy FILE TABLE"};
  ASSIGN_OR_RETURN(const std::vector<std::string> failed,
                   requests().FailOpen(records::RequestKind::kRecopy, TextOf(why)));
  LogWarn("replayer", "the copy topic begins anew",
          {{"stream", options_.stream}, {"topic", options_.copy_topic}, {"error", loss.what}});
  for (const std::string& table : failed) {
    LogError("replayer", "re-copy ended",
             {{"stream", options_.stream},
              {"table", table},
              {"error", why.what},
              {"next", "switchyard recopy FILE " + table}});
  }
  for (const auto& [source, job] : jobs_) RETURN_IF_ERROR(DropTables(job));
  jobs_.clear();
  reader_.reset();
  RETURN_IF_ERROR(target_.stream().MoveCopy(topic.first));
  return LoadDoubts(target_.session(), plan_, options_.stream).status();
}

absl::Status Recopy::Add(const Event& event) {
  epoch_ = std::max(epoch_, event.epoch());
  switch (event.body_case()) {
    case Event::kHello:
      return OnHello(event.hello());
    case Event::kCopyPoint:
      return OnPoint(event.copy_point());
    case Event::kCopyChunk:
      return OnChunk(event.copy_chunk());
    case Event::kCopyEnd:
      return OnEnd(event.copy_end());
    default:
      return absl::OkStatus();
  }
}

// What was copied of a former primary after the history of the present one had left it is of no
// use.
absl::Status Recopy::OnHello(const event::v1::Hello& hello) {
  const Lsn fork(hello.fork_lsn());
  if (!fork.valid()) return absl::OkStatus();
  for (auto it = jobs_.begin(); it != jobs_.end();) {
    RecopyJob& job = (it++)->second;  // one that is dropped erases itself
    const bool theirs =
        std::ranges::any_of(job.leaves, [&](const auto& leaf) { return leaf.second.lsn > fork; });
    if (!theirs) continue;
    job.outdated = true;
    const mapping::SourcePlan& source = plan_.sources[job.source];
    const absl::Status why = Refuse(
        absl::StrFormat("it was copied of the former primary, after %s, where the history of the "
                        "present one (timeline %d) had left it",
                        fork.ToString(), hello.timeline()),
        absl::StrFormat("ask for it again: switchyard recopy FILE %s.%s", source.schema,
                        source.name));
    ASSIGN_OR_RETURN(const std::optional<records::RecopyFrom> asked, AskedWith(job));
    RETURN_IF_ERROR(asked ? Finish(job, why) : Drop(job));
  }
  return absl::OkStatus();
}

// Capture copies all leaves of a table as of one point.
bool Recopy::BeginsAgain(const RecopyJob& job, const event::v1::CopyPoint& point) {
  return std::ranges::any_of(job.leaves, [&](const auto& leaf) {
    return leaf.first == point.relation_id() || leaf.second.lsn != Lsn(point.lsn());
  });
}

absl::Status Recopy::OnPoint(const event::v1::CopyPoint& point) {
  const SourcePlan* source =
      plan_.FindRelation(point.relation_id(), point.relation().root_relation_id());
  if (source == nullptr || !point.recopy()) return absl::OkStatus();
  // A partition that joined others: they are copied together when somebody asks for the table.
  const bool alone = point.relation_id() != source->relation_id && point.partitions() == 0;
  if (alone) return absl::OkStatus();
  const SourceIndex index = plan_.IndexOf(*source);
  pg::Session& session = target_.session();
  RecopyJob& job = jobs_[index];
  if (job.side.empty()) {
    job.source = index;
    job.side = absl::StrCat("sy_side_", index.value());
    std::vector<std::string> columns;
    std::vector<std::string> key;
    for (const mapping::StageColumn& column : source->columns) {
      columns.push_back(QuoteIdentifier(column.name) + " " + column.type);
    }
    for (const int k : source->key) key.push_back(source->columns[k].name);
    RETURN_IF_ERROR(session.Execute(absl::StrCat(
        "DROP TABLE IF EXISTS pg_temp.", job.side, "; CREATE TEMP TABLE ", job.side, " (",
        absl::StrJoin(columns, ", "), ", PRIMARY KEY (", mapping::JoinQuoted(key), "))")));
    LogInfo("replayer", "re-copy begins", {{"stream", options_.stream}, {"table", source->name}});
  } else if (BeginsAgain(job, point)) {
    // Rows of one leaf can't be told from another's, all of them come again.
    RETURN_IF_ERROR(session.Execute("TRUNCATE pg_temp." + job.side));
    RETURN_IF_ERROR(DropLoadTables(job));
    job.leaves.clear();
  }
  job.partitions = point.partitions();
  std::vector<std::string> columns;
  for (const event::v1::Column& column : point.relation().columns()) {
    const auto used =
        std::ranges::find(source->columns, column.name(), &mapping::StageColumn::name);
    columns.push_back(QuoteIdentifier(column.name()) + " " +
                      (used == source->columns.end() ? "text" : used->type));
  }
  job.leaves[point.relation_id()] = {.generation = point.generation(),
                                     .lsn = Lsn(point.lsn()),
                                     .shape = point.relation(),
                                     .fit = changes::Fits(*source, point.relation())};
  const std::string load = LoadTable(point.relation_id());
  return session.Execute(absl::StrCat("DROP TABLE IF EXISTS pg_temp.", load, "; CREATE TEMP TABLE ",
                                      load, " (", absl::StrJoin(columns, ", "),
                                      ") ON COMMIT DELETE ROWS"));
}

RecopyJob* Recopy::JobOf(uint32_t relation_id) {
  for (auto& [source, job] : jobs_) {
    if (job.leaves.contains(relation_id)) return &job;
  }
  return nullptr;
}

absl::Status Recopy::OnChunk(const event::v1::CopyChunk& chunk) {
  RecopyJob* job = JobOf(chunk.relation_id());
  if (job == nullptr) return absl::OkStatus();
  RecopyLeaf& leaf = job->leaves[chunk.relation_id()];
  if (chunk.generation() != leaf.generation || !leaf.fit.ok()) return absl::OkStatus();
  absl::Status loaded = LoadChunk(chunk, *job, leaf);
  if (LearnsFrom(loaded)) loaded = LoadChunk(chunk, *job, leaf);
  if (loaded.ok() || Passes(loaded)) return loaded;
  leaf.fit = std::move(loaded);
  return absl::OkStatus();
}

bool Recopy::LearnsFrom(const absl::Status& status) const {
  return !status.ok() && options_.learns_from && options_.learns_from(status);
}

absl::Status Recopy::LoadChunk(const event::v1::CopyChunk& chunk, RecopyJob& job,
                               RecopyLeaf& leaf) {
  std::vector<std::string> columns;
  for (const mapping::StageColumn& column : plan_.sources[job.source].columns) {
    columns.push_back(column.name);
  }
  pg::Session& session = target_.session();
  const std::string load = "pg_temp." + LoadTable(chunk.relation_id());
  return session.InTransaction([&]() -> absl::Status {
    RETURN_IF_ERROR(session.BeginCopyIn("COPY " + load + " FROM STDIN"));
    RETURN_IF_ERROR(session.PutCopyData(chunk.data()));
    const absl::StatusOr<int64_t> rows = session.EndCopyIn();
    RETURN_IF_ERROR(AsTypeChange(rows.status(), plan_.sources[job.source]));
    RETURN_IF_ERROR(session.Execute(absl::StrCat("INSERT INTO pg_temp.", job.side, " (",
                                                 mapping::JoinQuoted(columns), ") SELECT ",
                                                 mapping::JoinQuoted(columns), " FROM ", load)));
    leaf.rows += *rows;
    return absl::OkStatus();
  });
}

absl::Status Recopy::OnEnd(const event::v1::CopyEnd& end) {
  RecopyJob* job = JobOf(end.relation_id());
  if (job == nullptr) return absl::OkStatus();
  RecopyLeaf& leaf = job->leaves[end.relation_id()];
  if (end.generation() != leaf.generation) return absl::OkStatus();
  if (leaf.fit.ok() && leaf.rows != static_cast<int64_t>(end.rows())) {
    const mapping::SourcePlan& source = plan_.sources[job->source];
    leaf.fit = Lost(
        absl::StrFormat("the re-copy of %s has %d rows on the log, %d were read from the source",
                        source.name, leaf.rows, end.rows()),
        absl::StrFormat("ask for it again: switchyard recopy FILE %s.%s", source.schema,
                        source.name));
  }
  leaf.done = true;
  return absl::OkStatus();
}

absl::StatusOr<bool> Recopy::Ready(RecopyJob& job) {
  if (job.leaves.size() < job.partitions) return false;
  Lsn last;
  for (const auto& [id, leaf] : job.leaves) {
    if (!leaf.done) return false;
    last = std::max(last, leaf.lsn);
  }
  // The copy holds the commits below its point: the stream must stand there or beyond.
  if (!records::Reaches(target_.position(), last)) return false;
  // Where the stream is in an epoch whose Hello is not read here yet: that may say that the copy is
  // of another history.
  if (target_.position().epoch > epoch_) return false;
  ASSIGN_OR_RETURN(const std::optional<records::RecopyFrom> asked, AskedWith(job));
  // Swapped in before a restart, which reads the copy topic again: nobody asks for it any more, or
  // for a younger one, which the log is kept for.
  const bool old =
      asked && std::ranges::any_of(job.leaves, [&](const auto& leaf) {
        return leaf.second.lsn <= asked->position.lsn || leaf.second.lsn < asked->source_lsn;
      });
  if (!asked || old) {
    RETURN_IF_ERROR(Drop(job));
    return false;
  }
  for (const auto& [id, leaf] : job.leaves) {
    if (leaf.fit.ok()) continue;
    if (!at_end_) return false;  // a younger one may follow
    job.outdated = true;
    RETURN_IF_ERROR(Finish(job, leaf.fit));
    return false;
  }
  job.from = asked->position;
  return true;
}

absl::Status Recopy::SwapReady(const std::vector<std::string>& also) {
  std::vector<RecopyJob*> ready;
  for (auto it = jobs_.begin(); it != jobs_.end();) {
    RecopyJob& job = (it++)->second;  // one that is dropped erases itself
    ASSIGN_OR_RETURN(const bool is_ready, Ready(job));
    if (is_ready) ready.push_back(&job);
  }
  // Where foreign keys hold, a table may not be replaced before the one it refers to, nor after.
  // And what reads several of them is to be derived once.
  if ((target_.ordered() != nullptr || !also.empty()) && !ready.empty()) {
    ASSIGN_OR_RETURN(const bool all, AllReady(ready));
    if (!all) return absl::OkStatus();
    ASSIGN_OR_RETURN(const bool swapped, SwapTogether(ready, also));
    if (swapped) return absl::OkStatus();
  }
  for (RecopyJob* job : ready) {
    const absl::Status swapped = Swap({job}, {});
    if (!swapped.ok() && Passes(swapped)) return swapped;
    RETURN_IF_ERROR(Finish(*job, swapped));
  }
  return absl::OkStatus();
}

// Whether nothing else is to be copied again.
absl::StatusOr<bool> Recopy::AllReady(const std::vector<RecopyJob*>& ready) {
  ASSIGN_OR_RETURN(const Doubts open, LoadDoubts(target_.session(), plan_, options_.stream));
  return std::ranges::all_of(open.copied_again, [&](SourceIndex source) {
    return std::ranges::count(ready, source, &RecopyJob::source) > 0;
  });
}

// False, and nothing is done, when it has to be tried one by one.
absl::StatusOr<bool> Recopy::SwapTogether(const std::vector<RecopyJob*>& jobs,
                                          const std::vector<std::string>& also) {
  const absl::Status swapped = Swap(jobs, also);
  if (!swapped.ok() && Passes(swapped)) return swapped;
  if (!swapped.ok()) return false;
  derived_ |= !also.empty();
  for (RecopyJob* job : jobs) RETURN_IF_ERROR(Finish(*job, swapped));
  return true;
}

std::string Recopy::NamesOf(const std::vector<RecopyJob*>& jobs) const {
  return absl::StrJoin(jobs, ", ", [&](std::string* out, const RecopyJob* job) {
    absl::StrAppend(out, plan_.sources[job->source].schema, ".", plan_.sources[job->source].name);
  });
}

absl::Status Recopy::Swap(const std::vector<RecopyJob*>& jobs,
                          const std::vector<std::string>& also) {
  absl::Status swapped = TrySwap(jobs, also);
  if (!LearnsFrom(swapped)) return swapped;
  return absl::AbortedError("a value that the source's types gained could not be read");
}

absl::Status Recopy::TrySwap(const std::vector<RecopyJob*>& jobs,
                             const std::vector<std::string>& also) {
  std::vector<SourceIndex> sources;
  const std::string names = NamesOf(jobs);
  RETURN_IF_ERROR(target_.stream().SetDoing(
      absl::StrCat("reads what has changed since the copy of ", names, " was asked for")));
  for (RecopyJob* job : jobs) {
    RETURN_IF_ERROR(swap_.RollForward(*job));
    RETURN_IF_ERROR(target_.session().Execute("ANALYZE pg_temp." + job->side));
    sources.push_back(job->source);
  }
  RETURN_IF_ERROR(target_.stream().SetDoing(
      absl::StrCat("swaps in the copy of ", names, " and derives what reads it")));
  RETURN_IF_ERROR(target_.ReplaceSources(sources, also, [&] { return swap_.SwapTables(jobs); }));
  return target_.stream().SetDoing("");
}

absl::StatusOr<std::optional<records::RecopyFrom>> Recopy::AskedWith(const RecopyJob& job) {
  const SourcePlan& source = plan_.sources[job.source];
  return requests().OldestRecopy({source.name, source.schema + "." + source.name});
}

// Partitions that were copied once and that the copy did not find.
absl::Status Recopy::NoteGone(const RecopyJob& job) {
  records::Copies copies(target_.session(), options_.stream);
  for (const uint32_t id : plan_.sources[job.source].relation_ids) {
    ASSIGN_OR_RETURN(const bool changed,
                     job.leaves.contains(id) ? copies.NoteFound(id) : copies.NoteGone(id));
    released_ |= changed;
  }
  return absl::OkStatus();
}

// `swapped`: OK, or why the table is as it was.
absl::Status Recopy::Finish(const RecopyJob& job, const absl::Status& swapped) {
  if (swapped.ok()) {
    return Answer(job, RequestState::kDone, "swapped in at " + target_.position().lsn.ToString());
  }
  const mapping::SourcePlan& source = plan_.sources[job.source];
  Finding why = FindingOfRefusal(swapped, "");
  why.what = absl::StrCat(job.outdated            ? "outdated"
                          : IsRefusedRow(swapped) ? "the target refuses a row"
                                                  : "it can't be swapped in",
                          ", the table is as it was: ", why.what);
  RETURN_IF_ERROR(StayInDoubt(target_.session(), source, options_.stream, why));
  if (why.next.empty()) {
    why.next = absl::StrFormat("mend that, then run: switchyard recopy FILE %s.%s", source.schema,
                               source.name);
  }
  RETURN_IF_ERROR(Answer(job, RequestState::kFailed, TextOf(why)));
  RETURN_IF_ERROR(target_.stream().SetDoing(""));
  return LoadDoubts(target_.session(), plan_, options_.stream).status();
}

// All leaves are as of one point; were they not, the oldest is what the table is good for.
Lsn Recopy::CopiedAt(const RecopyJob& job) {
  const auto oldest =
      std::ranges::min_element(job.leaves, {}, [](const auto& leaf) { return leaf.second.lsn; });
  return oldest == job.leaves.end() ? Lsn() : oldest->second.lsn;
}

absl::Status Recopy::Answer(const RecopyJob& job, RequestState outcome, const std::string& result) {
  const SourcePlan& source = plan_.sources[job.source];
  pg::Session& session = target_.session();
  LogInfo("replayer", "re-copy ended",
          {{"stream", options_.stream}, {"table", source.name}, {"result", result}});
  RETURN_IF_ERROR(session.InTransaction([&]() -> absl::Status {
    const bool done = outcome == RequestState::kDone;
    RETURN_IF_ERROR(requests().AnswerRecopy({source.name, source.schema + "." + source.name},
                                            outcome, result,
                                            done ? std::optional(CopiedAt(job)) : std::nullopt));
    if (done) {
      swapped_ = true;
      RETURN_IF_ERROR(NoteGone(job));
      ASSIGN_OR_RETURN(const bool released, EndDoubt(session, source, options_.stream));
      released_ |= released;
    }
    return absl::OkStatus();
  }));
  return Drop(job);
}

absl::Status Recopy::Drop(const RecopyJob& job) {
  // The copies of other tables would have to be read again from before this one.
  if (jobs_.size() == 1) RETURN_IF_ERROR(target_.stream().MoveCopy(next_offset_));
  RETURN_IF_ERROR(DropTables(job));
  jobs_.erase(job.source);
  return absl::OkStatus();
}

absl::Status Recopy::DropTables(const RecopyJob& job) {
  pg::Session& session = target_.session();
  RETURN_IF_ERROR(session.Execute("DROP TABLE pg_temp." + job.side));
  return DropLoadTables(job);
}

absl::Status Recopy::DropLoadTables(const RecopyJob& job) {
  for (const auto& [id, leaf] : job.leaves) {
    RETURN_IF_ERROR(target_.session().Execute("DROP TABLE IF EXISTS pg_temp." + LoadTable(id)));
  }
  return absl::OkStatus();
}

}  // namespace switchyard::replayer
