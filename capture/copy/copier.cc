#include "capture/copy/copier.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/base/fault.h"
#include "common/base/finding.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/pg/error.h"
#include "common/records/source/capture_copies.h"
#include "common/records/source/capture_requests.h"
#include "common/records/source/capture_streams.h"
#include "common/records/source/captured_tables.h"

namespace switchyard::capture {
namespace {

// While a copy runs: progress is saved, and finished tables are ticked off, this often.
constexpr absl::Duration kProgressInterval = absl::Seconds(1);

// A copy that failed and may soon go through, and one that waits for a person: that one fills the
// log each time, so it gets a small part of the time only.
constexpr absl::Duration kRetryPause = absl::Seconds(1);
constexpr absl::Duration kFailedPauseMax = absl::Minutes(10);
constexpr int kFailedPausePerTry = 10;
// A connection that lasted this long was no failed attempt; the next one need not wait.
constexpr absl::Duration kStable = absl::Seconds(30);

constexpr char kLimitExceeded[] = "54000";  // "Cannot enlarge string buffer"

// A copy is tried again in any case; what will not mend itself says what to do.
absl::Status AsForPeople(const absl::Status& failure) {
  if (IsRetryable(failure)) return failure;
  if (pg::StatusSqlState(failure) == kLimitExceeded) {
    return WithNextStep(failure,
                        "a row of it is larger than the 1 GB that Postgres can send: make it "
                        "smaller; the copy goes on by itself");
  }
  return WithNextStep(
      failure,
      "switchyard check FILE names what is missing; once it is there, the copy goes "
      "on by itself");
}

// All partitions of a table wait together.
uint32_t TableOf(const records::CaptureCopy& record) {
  return record.root_id != 0 ? record.root_id : record.relation_id;
}

// Leaves those records that `tables` describes, in the order of `tables`.
std::vector<records::CaptureCopy> RecordsOf(const std::vector<CopyTable>& tables,
                                            const std::vector<records::CaptureCopy>& records) {
  std::map<uint32_t, const records::CaptureCopy*> by_id;
  for (const records::CaptureCopy& record : records) by_id[record.relation_id] = &record;
  std::vector<records::CaptureCopy> kept;
  kept.reserve(tables.size());
  for (const CopyTable& table : tables) kept.push_back(*by_id.at(table.relation.relation_id()));
  return kept;
}

}  // namespace

records::LeafTable LeafOf(const catalog::Table& table) {
  return {.relation_id = table.oid,
          .schema = table.schema,
          .name = table.name,
          .rows_estimate = table.rows_estimate,
          .bytes = table.bytes};
}

Copier::Copier(const CopierOptions& options, std::unique_ptr<CopyWriter> writer,
               std::optional<Snapshot> initial)
    : options_(options), writer_(std::move(writer)), initial_(std::move(initial)) {}

void Copier::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Copier::Stop() {
  cancel_.Request();
  Wake();
  if (thread_.joinable()) thread_.join();
}

void Copier::Wake() {
  MutexLock lock(&mu_);
  awake_ = true;
  changed_.SignalAll();
}

absl::Status Copier::status() const {
  MutexLock lock(&mu_);
  return status_;
}

void Copier::Fail(const absl::Status& status) {
  MutexLock lock(&mu_);
  status_ = Annotate(status, "copy topic");
}

void Copier::Pause(absl::Duration duration) {
  const absl::Time deadline = absl::Now() + duration;
  MutexLock lock(&mu_);
  while (!awake_ && !cancel_.requested() && absl::Now() < deadline) {
    changed_.WaitFor(&mu_, deadline - absl::Now());
  }
  awake_ = false;
}

void Copier::Run() {
  Backoff backoff(Backoff::Options{});
  while (!cancel_.requested()) {
    const absl::Time begun = absl::Now();
    const absl::Status ended = RunConnected();
    if (cancel_.requested()) return;
    if (!writer_->status().ok()) return Fail(writer_->status());
    if (absl::Now() - begun > kStable) backoff.Reset();
    const Finding finding = FindingOf(AsForPeople(ended), "wait");
    LogWarn("capture", "copy interrupted, will be tried again",
            {{"stream", options_.stream.name}, {"error", finding.what}, {"next", finding.next}});
    cancel_.WaitFor(backoff.Next());
  }
}

absl::Status Copier::RunConnected() {
  ASSIGN_OR_RETURN(const auto session,
                   pg::Session::Connect({.dsn = options_.round.dsn,
                                         .application_name = options_.round.application_name,
                                         .settings = {kCommitLocally}},
                                        cancel_));
  while (true) {
    RETURN_IF_ERROR(cancel_.status());
    RETURN_IF_ERROR(TakeRequested(*session));
    ASSIGN_OR_RETURN(const bool worked, CopyUnfinished(*session));
    if (!worked) Pause(options_.request_interval);
  }
}

records::CaptureCopies Copier::CopiesIn(pg::Session& session) const {
  return {session, options_.stream.name};
}

absl::Status Copier::TakeRequested(pg::Session& session) {
  return session.InTransaction([&]() -> absl::Status {
    ASSIGN_OR_RETURN(const auto requested,
                     records::CaptureRequests(session, options_.stream.name).Take());
    for (const uint32_t relation_id : requested) {
      not_before_.erase(relation_id);
      ASSIGN_OR_RETURN(
          const auto tables,
          records::CapturedTables(session, options_.stream.name).LeavesOf(relation_id));
      RETURN_IF_ERROR(CopiesIn(session).Ask(tables, records::CopyKind::kAgain));
      LogInfo("capture",
              tables.empty() ? "copy requested of a table that is not captured" : "copy requested",
              {{"stream", options_.stream.name}, {"relation", absl::StrCat(relation_id)}});
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<bool> Copier::CopyUnfinished(pg::Session& session) {
  ASSIGN_OR_RETURN(std::vector<records::CaptureCopy> records, CopiesIn(session).TakeUnfinished());
  if (records.empty()) {
    RETURN_IF_ERROR(records::CaptureStreams(session, options_.stream.name).FinishCopy());
    return false;
  }
  std::erase_if(records, [&](const records::CaptureCopy& record) {
    const auto put_off = not_before_.find(TableOf(record));
    return put_off != not_before_.end() && absl::Now() < put_off->second;
  });
  if (records.empty()) return false;
  std::optional<Snapshot> snapshot = std::move(initial_);
  initial_.reset();
  if (!snapshot.has_value()) {
    if (options_.look) RETURN_IF_ERROR(options_.look(session));
    auto taken = Snapshot::Take({.dsn = options_.round.dsn,
                                 .application_name = options_.round.application_name,
                                 .slot = options_.stream.copy_slot,
                                 .temporary = true,
                                 .timeout = options_.slot_timeout},
                                cancel_);
    for (const records::CaptureCopy& record : records) {
      if (taken.ok() || cancel_.requested()) break;
      RETURN_IF_ERROR(CopiesIn(session).NoteError(record.relation_id,
                                                  FindingOf(AsForPeople(taken.status()), "")));
    }
    ASSIGN_OR_RETURN(snapshot, std::move(taken));
  }
  RETURN_IF_ERROR(TakeLeavesOf(session, *snapshot, &records));
  RETURN_IF_ERROR(CopyAsOf(session, *snapshot, records));
  return true;
}

// Partitions come and go between a look at them and the snapshot: the rows of one that left would
// be copied for ever, and those that one brought with it never.
absl::Status Copier::TakeLeavesOf(pg::Session& session, Snapshot& snapshot,
                                  std::vector<records::CaptureCopy>* records) {
  std::map<uint32_t, records::CaptureCopy>
      whole;  // by root: any of its leaves that are copied together
  std::set<uint32_t> roots;
  for (const records::CaptureCopy& record : *records) {
    if (record.root_id == 0) continue;
    roots.insert(record.root_id);
    if (record.whole) whole.emplace(record.root_id, record);
  }
  if (roots.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<Leaf> leaves, LoadLeaves(snapshot, roots));
  std::set<uint32_t> there;
  for (const Leaf& leaf : leaves) there.insert(leaf.table.oid);
  std::vector<uint32_t> left;
  std::erase_if(*records, [&](const records::CaptureCopy& record) {
    const bool gone = record.root_id != 0 && !there.contains(record.relation_id);
    if (gone) left.push_back(record.relation_id);
    return gone;
  });
  RETURN_IF_ERROR(CopiesIn(session).Forget(left));
  for (const Leaf& leaf : leaves) {
    const auto like = whole.find(leaf.root_id);
    if (like == whole.end() ||
        std::ranges::count(*records, leaf.table.oid, &records::CaptureCopy::relation_id) > 0) {
      continue;
    }
    RETURN_IF_ERROR(CopiesIn(session).Ask({LeafOf(leaf.table)}, like->second.recopy
                                                                    ? records::CopyKind::kAgain
                                                                    : records::CopyKind::kFirst));
    records->push_back({.relation_id = leaf.table.oid,
                        .schema = leaf.table.schema,
                        .name = leaf.table.name,
                        .recopy = like->second.recopy,
                        .root_id = leaf.root_id,
                        .rows_estimate = leaf.table.rows_estimate,
                        .bytes_estimate = leaf.table.bytes});
  }
  return absl::OkStatus();
}

absl::Status Copier::CopyAsOf(pg::Session& session, Snapshot& snapshot,
                              const std::vector<records::CaptureCopy>& records) {
  std::vector<uint32_t> oids;
  oids.reserve(records.size());
  for (const records::CaptureCopy& record : records) oids.push_back(record.relation_id);
  ASSIGN_OR_RETURN(const std::vector<CopyTable> tables, DescribeTables(snapshot, oids));
  std::vector<records::CaptureCopy> present = RecordsOf(tables, records);
  const absl::Time begun = absl::Now();
  RETURN_IF_ERROR(CopiesIn(session).Begin(snapshot.lsn(), &present));
  SY_FAULT_POINT("capture.copy_begun");
  CopyRound round(options_.round, snapshot, writer_.get(), present, tables);
  RETURN_IF_ERROR(round.Start());
  RETURN_IF_ERROR(Follow(session, round));
  const absl::Duration pause =
      std::max(options_.retry_interval,
               std::min(kFailedPausePerTry * (absl::Now() - begun), kFailedPauseMax));
  PutOffGone(records, present, pause);
  for (const CopyRound::Failure& failure : round.Failures()) {
    PutOffFailed(
        *std::ranges::find(present, failure.relation_id, &records::CaptureCopy::relation_id),
        failure.status, pause);
  }
  return absl::OkStatus();
}

void Copier::PutOffGone(const std::vector<records::CaptureCopy>& records,
                        const std::vector<records::CaptureCopy>& present, absl::Duration pause) {
  for (const records::CaptureCopy& record : records) {
    if (std::ranges::count(present, record.relation_id, &records::CaptureCopy::relation_id) > 0)
      continue;
    LogWarn("capture", "a table to copy is gone",
            {{"stream", options_.stream.name},
             {"table", record.schema + "." + record.name},
             {"next", "switchyard status FILE says what to do with tables that are suspect"}});
    PutOff(record, pause);
  }
}

void Copier::PutOffFailed(const records::CaptureCopy& record, const absl::Status& failure,
                          absl::Duration pause) {
  const absl::Duration wait = IsRetryable(failure) ? kRetryPause : pause;
  const Finding finding = FindingOf(AsForPeople(failure), "wait");
  LogWarn("capture", "a table could not be copied, it will be tried again",
          {{"stream", options_.stream.name},
           {"table", record.schema + "." + record.name},
           {"error", finding.what},
           {"next", finding.next},
           {"again_in", absl::FormatDuration(absl::Trunc(wait, absl::Seconds(1)))}});
  PutOff(record, wait);
}

void Copier::PutOff(const records::CaptureCopy& record, absl::Duration pause) {
  absl::Time& until = not_before_[TableOf(record)];
  until = std::max(until, absl::Now() + pause);
}

absl::Status Copier::Follow(pg::Session& session, CopyRound& round) {
  const std::string& stream = options_.stream.name;
  while (!round.WaitFor(kProgressInterval)) {
    RETURN_IF_ERROR(cancel_.status());
    RETURN_IF_ERROR(CopiesIn(session).Note(round.Progress()));
  }
  for (const CopyRound::Failure& failure : round.Failures()) {
    RETURN_IF_ERROR(CopiesIn(session).NoteError(failure.relation_id,
                                                FindingOf(AsForPeople(failure.status), "")));
  }
  RETURN_IF_ERROR(Flush(session, round));
  SY_FAULT_POINT("capture.copy_flushed");
  RETURN_IF_ERROR(CopiesIn(session).Note(round.Progress()));
  const std::vector<records::CopyProgress> progress = round.Progress();
  LogInfo(
      "capture", "tables copied",
      {{"stream", stream},
       {"tables", absl::StrCat(std::ranges::count(progress, true, &records::CopyProgress::done))},
       {"failed", absl::StrCat(round.Failures().size())}});
  return absl::OkStatus();
}

// In pieces, so that Stop() need not wait for a log that can't be reached.
absl::Status Copier::Flush(pg::Session& session, CopyRound& round) {
  while (true) {
    absl::Status flushed = writer_->Flush(kProgressInterval);
    if (!absl::IsDeadlineExceeded(flushed)) return flushed;
    RETURN_IF_ERROR(cancel_.status());
    RETURN_IF_ERROR(CopiesIn(session).Note(round.Progress()));
  }
}

}  // namespace switchyard::capture
