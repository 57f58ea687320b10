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
#include "common/records/source/capture_requests.h"

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

// The leaves of a partitioned table, or the table itself.
absl::StatusOr<std::vector<catalog::Table>> TablesOfRequest(pg::Session& session,
                                                            const std::string& stream,
                                                            uint32_t relation_id) {
  ASSIGN_OR_RETURN(const pg::Result rows, session.Query(R"(
    WITH asked AS (
      SELECT relation_id, schema_name, table_name FROM switchyard.capture_table
      WHERE stream = $1 AND $2::oid IN (relation_id, root_id) AND kind <> 'p'
      UNION ALL  -- partitions born since the tables were last looked at
      SELECT c.oid, s.nspname, c.relname
      FROM pg_partition_tree($2::oid::regclass) p
      JOIN pg_class c ON c.oid = p.relid
      JOIN pg_namespace s ON s.oid = c.relnamespace
      WHERE p.isleaf AND NOT EXISTS (SELECT FROM switchyard.capture_table
                                     WHERE stream = $1 AND relation_id = c.oid)
        AND EXISTS (SELECT FROM switchyard.capture_table WHERE stream = $1 AND relation_id = $2::oid))
    SELECT t.relation_id, t.schema_name, t.table_name, coalesce(c.reltuples::bigint, -1),
           -- Sizes as of the last ANALYZE: asking for the real ones would wait for locks.
           8192 * (coalesce(c.relpages, 0) + coalesce(x.relpages, 0))::bigint
    FROM asked t
    LEFT JOIN pg_class c ON c.oid = t.relation_id
    LEFT JOIN pg_class x ON x.oid = c.reltoastrelid AND x.oid <> 0)",
                                                        {stream, std::to_string(relation_id)}));
  std::vector<catalog::Table> tables;
  for (int i = 0; i < rows.rows(); ++i) {
    catalog::Table& table = tables.emplace_back();
    table.oid = static_cast<uint32_t>(rows.i64(i, 0));
    table.schema = rows.str(i, 1);
    table.name = rows.str(i, 2);
    table.rows_estimate = rows.i64(i, 3);
    table.bytes = rows.i64(i, 4);
  }
  return tables;
}

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
uint32_t TableOf(const CopyRecord& record) {
  return record.root_id != 0 ? record.root_id : record.relation_id;
}

// Leaves those records that `tables` describes, in the order of `tables`.
std::vector<CopyRecord> RecordsOf(const std::vector<CopyTable>& tables,
                                  const std::vector<CopyRecord>& records) {
  std::map<uint32_t, const CopyRecord*> by_id;
  for (const CopyRecord& record : records) by_id[record.relation_id] = &record;
  std::vector<CopyRecord> kept;
  kept.reserve(tables.size());
  for (const CopyTable& table : tables) kept.push_back(*by_id.at(table.relation.relation_id()));
  return kept;
}

}  // namespace

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
                                         .application_name = options_.round.application_name},
                                        cancel_));
  while (true) {
    RETURN_IF_ERROR(cancel_.status());
    RETURN_IF_ERROR(TakeRequested(*session));
    ASSIGN_OR_RETURN(const bool worked, CopyUnfinished(*session));
    if (!worked) Pause(options_.request_interval);
  }
}

absl::Status Copier::TakeRequested(pg::Session& session) {
  return session.InTransaction([&]() -> absl::Status {
    ASSIGN_OR_RETURN(const auto requested,
                     records::CaptureRequests(session, options_.stream.name).Take());
    for (const uint32_t relation_id : requested) {
      not_before_.erase(relation_id);
      ASSIGN_OR_RETURN(const auto tables,
                       TablesOfRequest(session, options_.stream.name, relation_id));
      std::vector<const catalog::Table*> pointers;
      pointers.reserve(tables.size());
      for (const catalog::Table& table : tables) pointers.push_back(&table);
      RETURN_IF_ERROR(RequestCopies(session, options_.stream.name, pointers, true));
      LogInfo("capture",
              tables.empty() ? "copy requested of a table that is not captured" : "copy requested",
              {{"stream", options_.stream.name}, {"relation", absl::StrCat(relation_id)}});
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<bool> Copier::CopyUnfinished(pg::Session& session) {
  ASSIGN_OR_RETURN(std::vector<CopyRecord> records,
                   LoadUnfinishedCopies(session, options_.stream.name));
  if (records.empty()) {
    RETURN_IF_ERROR(RecordStreaming(session, options_.stream.name));
    return false;
  }
  std::erase_if(records, [&](const CopyRecord& record) {
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
    for (const CopyRecord& record : records) {
      if (taken.ok() || cancel_.requested()) break;
      RETURN_IF_ERROR(RecordCopyError(session, options_.stream.name, record.relation_id,
                                      TextOf(FindingOf(AsForPeople(taken.status()), ""))));
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
                                  std::vector<CopyRecord>* records) {
  std::map<uint32_t, CopyRecord> whole;  // by root: any of its leaves that are copied together
  std::set<uint32_t> roots;
  for (const CopyRecord& record : *records) {
    if (record.root_id == 0) continue;
    roots.insert(record.root_id);
    if (record.whole) whole.emplace(record.root_id, record);
  }
  if (roots.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<Leaf> leaves, LoadLeaves(snapshot, roots));
  std::set<uint32_t> there;
  for (const Leaf& leaf : leaves) there.insert(leaf.table.oid);
  std::vector<uint32_t> left;
  std::erase_if(*records, [&](const CopyRecord& record) {
    const bool gone = record.root_id != 0 && !there.contains(record.relation_id);
    if (gone) left.push_back(record.relation_id);
    return gone;
  });
  RETURN_IF_ERROR(ForgetCopies(session, options_.stream.name, left));
  for (const Leaf& leaf : leaves) {
    const auto like = whole.find(leaf.root_id);
    if (like == whole.end() ||
        std::ranges::count(*records, leaf.table.oid, &CopyRecord::relation_id) > 0) {
      continue;
    }
    RETURN_IF_ERROR(
        RequestCopies(session, options_.stream.name, {&leaf.table}, like->second.recopy));
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
                              const std::vector<CopyRecord>& records) {
  std::vector<uint32_t> oids;
  oids.reserve(records.size());
  for (const CopyRecord& record : records) oids.push_back(record.relation_id);
  ASSIGN_OR_RETURN(const std::vector<CopyTable> tables, DescribeTables(snapshot, oids));
  std::vector<CopyRecord> present = RecordsOf(tables, records);
  const absl::Time begun = absl::Now();
  RETURN_IF_ERROR(BeginCopies(session, options_.stream.name, snapshot.lsn(), &present));
  SY_FAULT_POINT("capture.copy_begun");
  CopyRound round(options_.round, snapshot, writer_.get(), present, tables);
  RETURN_IF_ERROR(round.Start());
  RETURN_IF_ERROR(Follow(session, round));
  const absl::Duration pause =
      std::max(options_.retry_interval,
               std::min(kFailedPausePerTry * (absl::Now() - begun), kFailedPauseMax));
  PutOffGone(records, present, pause);
  for (const CopyRound::Failure& failure : round.Failures()) {
    PutOffFailed(*std::ranges::find(present, failure.relation_id, &CopyRecord::relation_id),
                 failure.status, pause);
  }
  return absl::OkStatus();
}

void Copier::PutOffGone(const std::vector<CopyRecord>& records,
                        const std::vector<CopyRecord>& present, absl::Duration pause) {
  for (const CopyRecord& record : records) {
    if (std::ranges::count(present, record.relation_id, &CopyRecord::relation_id) > 0) continue;
    LogWarn("capture", "a table to copy is gone",
            {{"stream", options_.stream.name},
             {"table", record.schema + "." + record.name},
             {"next", "switchyard status FILE says what to do with tables that are suspect"}});
    PutOff(record, pause);
  }
}

void Copier::PutOffFailed(const CopyRecord& record, const absl::Status& failure,
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

void Copier::PutOff(const CopyRecord& record, absl::Duration pause) {
  absl::Time& until = not_before_[TableOf(record)];
  until = std::max(until, absl::Now() + pause);
}

absl::Status Copier::Follow(pg::Session& session, CopyRound& round) {
  const std::string& stream = options_.stream.name;
  while (!round.WaitFor(kProgressInterval)) {
    RETURN_IF_ERROR(cancel_.status());
    RETURN_IF_ERROR(RecordProgress(session, stream, round.Progress()));
  }
  for (const CopyRound::Failure& failure : round.Failures()) {
    RETURN_IF_ERROR(RecordCopyError(session, stream, failure.relation_id,
                                    TextOf(FindingOf(AsForPeople(failure.status), ""))));
  }
  RETURN_IF_ERROR(Flush(session, round));
  SY_FAULT_POINT("capture.copy_flushed");
  RETURN_IF_ERROR(RecordProgress(session, stream, round.Progress()));
  const std::vector<CopyProgress> progress = round.Progress();
  LogInfo("capture", "tables copied",
          {{"stream", stream},
           {"tables", absl::StrCat(std::ranges::count(progress, true, &CopyProgress::done))},
           {"failed", absl::StrCat(round.Failures().size())}});
  return absl::OkStatus();
}

// In pieces, so that Stop() need not wait for a log that can't be reached.
absl::Status Copier::Flush(pg::Session& session, CopyRound& round) {
  while (true) {
    absl::Status flushed = writer_->Flush(kProgressInterval);
    if (!absl::IsDeadlineExceeded(flushed)) return flushed;
    RETURN_IF_ERROR(cancel_.status());
    RETURN_IF_ERROR(RecordProgress(session, options_.stream.name, round.Progress()));
  }
}

}  // namespace switchyard::capture
