#include "capture/copy/copy_round.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/pg/server_version.h"
#include "common/records/source/capture_copies.h"

namespace switchyard::capture {
namespace {

using event::v1::Event;

constexpr int64_t kBlockBytes = 8192;
// A table that is locked for longer than this is left for later.
constexpr char kLockTimeout[] = "2s";
constexpr char kLockNotAvailable[] = "55P03";

std::string CopySql(const event::v1::Relation& relation, int64_t first_block, int64_t end_block) {
  std::vector<std::string> columns;
  for (const event::v1::Column& column : relation.columns()) {
    columns.push_back(QuoteIdentifier(column.name()));
  }
  std::string where;
  if (first_block > 0) absl::StrAppend(&where, " WHERE ctid >= '(", first_block, ",0)'");
  if (end_block >= 0) {
    absl::StrAppend(&where, where.empty() ? " WHERE" : " AND", " ctid < '(", end_block, ",0)'");
  }
  return absl::StrCat("COPY (SELECT ", absl::StrJoin(columns, ", "), " FROM ONLY ",
                      QuoteQualified(relation.schema(), relation.name()), where, ") TO STDOUT");
}

// Who holds the lock that keeps a table from being read.
Finding WaitsFor(pg::Session& session, const event::v1::Relation& relation) {
  const std::string table = absl::StrCat(relation.schema(), ".", relation.name());
  const absl::StatusOr<pg::Result> holder = session.Query(R"(
    SELECT a.pid, coalesce(a.usename, ''), coalesce(a.application_name, '')
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.relation = $1::oid AND l.mode = 'AccessExclusiveLock' AND l.granted
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    LIMIT 1)",
                                                          {std::to_string(relation.relation_id())});
  if (!holder.ok() || holder->rows() == 0) {
    return {absl::StrCat(records::kWaitsForLock, "table ", table, " is locked"), "wait"};
  }
  return {
      absl::StrFormat("%spid %d (role %s, application \"%s\") has table %s locked",
                      records::kWaitsForLock, holder->i64(0, 0), holder->text(0, 1),
                      holder->text(0, 2), table),
      absl::StrFormat("wait until it ends, or on OLD: SELECT pg_terminate_backend(%d); the copy "
                      "goes on by itself",
                      holder->i64(0, 0))};
}

// Whole lines, gathered into CopyChunk events.
class ChunkWriter {
 public:
  ChunkWriter(const CopyRoundOptions& options, CopyWriter* writer,
              const event::v1::Relation& relation, uint64_t generation)
      : writer_(writer),
        relation_(relation),
        chunk_bytes_(options.chunk_bytes),
        row_bytes_max_(options.row_bytes_max) {
    chunk_ = event_.mutable_copy_chunk();
    chunk_->set_relation_id(relation.relation_id());
    chunk_->set_generation(generation);
  }

  absl::Status Add(std::string_view line) {
    if (line.size() > row_bytes_max_) {
      return Refuse(
          absl::StrFormat("a row of %s.%s has %d bytes as text, the limit of the log is %d",
                          relation_.schema(), relation_.name(), line.size(), row_bytes_max_),
          "make it smaller; the copy goes on by itself");
    }
    std::string* data = chunk_->mutable_data();
    if (!data->empty() && data->size() + line.size() > chunk_bytes_) RETURN_IF_ERROR(Flush());
    data->append(line);
    chunk_->set_rows(chunk_->rows() + 1);
    return absl::OkStatus();
  }

  absl::Status Flush() {
    if (chunk_->rows() == 0) return absl::OkStatus();
    RETURN_IF_ERROR(writer_->Append(&event_).status());
    rows_ += chunk_->rows();
    bytes_ += chunk_->data().size();
    chunk_->set_rows(0);
    chunk_->mutable_data()->clear();
    return absl::OkStatus();
  }

  // Of the chunks written.
  uint64_t rows() const { return rows_; }
  uint64_t bytes() const { return bytes_; }

 private:
  CopyWriter* const writer_;
  const event::v1::Relation& relation_;
  const size_t chunk_bytes_;
  const size_t row_bytes_max_;
  Event event_;
  event::v1::CopyChunk* chunk_;
  uint64_t rows_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace

absl::StatusOr<uint64_t> CopyWriter::Append(Event* event) {
  event->set_format(kEventFormat);
  event->set_epoch(epoch_);
  const std::string payload = event->SerializeAsString();
  MutexLock lock(&mu_);
  RETURN_IF_ERROR(status_);
  absl::StatusOr<uint64_t> sequence = writer_->Append({}, payload);
  if (!event->has_copy_chunk()) writer_->Nudge();
  status_ = sequence.status();
  return sequence;
}

absl::Status CopyWriter::Flush(absl::Duration timeout) {
  MutexLock lock(&mu_);
  RETURN_IF_ERROR(status_);
  return writer_->Flush(timeout);
}

absl::Status CopyWriter::status() const {
  MutexLock lock(&mu_);
  return status_.ok() ? writer_->status() : status_;
}

CopyRound::CopyRound(const CopyRoundOptions& options, const Snapshot& snapshot, CopyWriter* writer,
                     const std::vector<records::CaptureCopy>& records,
                     const std::vector<CopyTable>& tables)
    : options_(options), snapshot_(snapshot), writer_(writer) {
  MutexLock lock(&mu_);
  std::map<uint32_t, uint32_t> partitions;  // by root
  for (const records::CaptureCopy& record : records) ++partitions[record.root_id];
  for (size_t i = 0; i < tables.size(); ++i) {
    auto state = std::make_unique<TableState>();
    state->table = tables[i];
    state->generation = records[i].generation;
    state->recopy = records[i].recopy;
    state->rows_estimate = records[i].rows_estimate;
    state->bytes_estimate = records[i].bytes_estimate;
    if (records[i].root_id != 0 && records[i].whole) {
      state->partitions = partitions[records[i].root_id];
    }
    ranges_.push_back({.table = state.get()});
    tables_.push_back(std::move(state));
  }
  open_tables_ = static_cast<int>(tables_.size());
}

CopyRound::~CopyRound() {
  cancel_.Request();
  {
    MutexLock lock(&mu_);
    changed_.SignalAll();
  }
  for (std::thread& worker : workers_) worker.join();
}

void CopyRound::Cut(int64_t bytes, Range* range) {
  const int64_t blocks = bytes / kBlockBytes;
  const int64_t step = std::max<int64_t>(1, options_.range_bytes / kBlockBytes);
  std::vector<Range> pieces;
  for (int64_t first = 0; first == 0 || first < blocks; first += step) {
    pieces.push_back({range->table, first, first + step});
  }
  pieces.back().end_block = -1;  // the table may have grown meanwhile
  *range = pieces.front();
  MutexLock lock(&mu_);
  range->table->open_ranges += static_cast<int>(pieces.size()) - 1;
  ranges_.insert(ranges_.begin(), pieces.begin() + 1, pieces.end());
  changed_.SignalAll();
}

absl::Status CopyRound::WriteCopyPoint(const TableState& state) {
  Event event;
  event::v1::CopyPoint* point = event.mutable_copy_point();
  point->set_relation_id(state.table.relation.relation_id());
  point->set_generation(state.generation);
  point->set_lsn(snapshot_.lsn().value());
  point->set_time_us(snapshot_.time_us());
  *point->mutable_relation() = state.table.relation;
  point->set_rows_estimate(state.rows_estimate);
  point->set_bytes_estimate(state.bytes_estimate);
  point->set_recopy(state.recopy);
  point->set_partitions(state.partitions);
  return writer_->Append(&event).status();
}

absl::Status CopyRound::Start() {
  for (const auto& state : tables_) RETURN_IF_ERROR(WriteCopyPoint(*state));
  for (int i = 0; i < options_.workers; ++i) workers_.emplace_back([this] { Work(); });
  return absl::OkStatus();
}

bool CopyRound::WaitFor(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  MutexLock lock(&mu_);
  while (open_tables_ > 0) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return false;
    changed_.WaitFor(&mu_, left);
  }
  return true;
}

std::vector<records::CopyProgress> CopyRound::Progress() const {
  const uint64_t durable = writer_->durable_sequence();
  std::vector<records::CopyProgress> progress;
  MutexLock lock(&mu_);
  for (const auto& state : tables_) {
    progress.push_back({.relation_id = state->table.relation.relation_id(),
                        .generation = state->generation,
                        .rows = static_cast<int64_t>(state->rows.load()),
                        .bytes = static_cast<int64_t>(state->bytes.load()),
                        .done = state->end_sequence > 0 && state->end_sequence <= durable,
                        .waits = state->waits});
  }
  return progress;
}

std::vector<CopyRound::Failure> CopyRound::Failures() const {
  std::vector<Failure> failures;
  MutexLock lock(&mu_);
  for (const auto& state : tables_) {
    if (!state->status.ok() && !state->given_up) {
      failures.push_back({state->table.relation.relation_id(), state->status});
    }
  }
  return failures;
}

// Waits while other workers may still cut a table into more ranges.
bool CopyRound::TakeRange(Range* range) {
  MutexLock lock(&mu_);
  while (ranges_.empty() && open_tables_ > 0 && !cancel_.requested()) changed_.Wait(&mu_);
  if (ranges_.empty() || cancel_.requested()) return false;
  *range = ranges_.front();
  ranges_.pop_front();
  return true;
}

void CopyRound::PutBack(const Range& range, const Finding& waits) {
  MutexLock lock(&mu_);
  range.table->waits = waits;
  ranges_.push_back(range);
  changed_.SignalAll();
}

void CopyRound::FinishRange(const Range& range, const absl::Status& status) {
  TableState& state = *range.table;
  bool last = false;
  {
    MutexLock lock(&mu_);
    state.waits = {};
    if (state.status.ok()) state.status = status;
    last = --state.open_ranges == 0;
    if (last && !state.status.ok()) {
      --open_tables_;
      changed_.SignalAll();
      return;
    }
  }
  if (!last) return;
  Event event;
  event::v1::CopyEnd* end = event.mutable_copy_end();
  end->set_relation_id(state.table.relation.relation_id());
  end->set_generation(state.generation);
  end->set_rows(state.rows);
  end->set_bytes(state.bytes);
  const absl::StatusOr<uint64_t> sequence = writer_->Append(&event);
  MutexLock lock(&mu_);
  if (sequence.ok()) {
    state.end_sequence = *sequence;
  } else {
    state.status = sequence.status();
  }
  --open_tables_;
  changed_.SignalAll();
}

// One connection for all the ranges a worker takes; without one they fail, for a later round.
void CopyRound::Work() {
  const auto connect = [this] {
    return pg::Session::Connect(
        {.dsn = options_.dsn, .application_name = options_.application_name}, cancel_);
  };
  absl::StatusOr<std::unique_ptr<pg::Session>> session = connect();
  Range range;
  while (TakeRange(&range)) {
    absl::Status status = session.status();
    if (status.ok()) status = CopyRange(**session, &range);
    if (!status.ok() && session.ok()) {
      (*session)->Rollback();
      if (!(*session)->alive()) session = connect();
    }
    if (pg::StatusSqlState(status) == kLockNotAvailable && session.ok()) {
      PutBack(range, WaitsFor(**session, range.table->table.relation));
    } else {
      FinishRange(range, status);
    }
  }
}

// All leaves begin again with the one that failed: a table may be large, and fail for long.
absl::Status CopyRound::NotWanted(TableState* state) {
  const uint32_t root = state->table.relation.root_relation_id();
  MutexLock lock(&mu_);
  RETURN_IF_ERROR(state->status);
  if (root == 0) return absl::OkStatus();
  for (const auto& other : tables_) {
    if (other->table.relation.root_relation_id() != root || other->status.ok()) continue;
    state->given_up = true;
    return other->status;
  }
  return absl::OkStatus();
}

// COPY finds the columns by the names they have now; asked by way of a function that does not look
// at the snapshot either. What else DDL may change without a new file (a label of an enum, what a
// missing value stands for) COPY writes as it is now, too, and the next look at drift, whose last
// one was before the snapshot or is of it, makes the table suspect.
absl::Status CopyRound::VerifyColumns(pg::Session& session,
                                      const event::v1::Relation& relation) const {
  std::vector<std::string> names;
  std::vector<int32_t> numbers;
  for (const event::v1::Column& column : relation.columns()) {
    names.push_back(column.name());
    numbers.push_back(column.attnum());
  }
  ASSIGN_OR_RETURN(const pg::Result changed,
                   session.Query(R"(
    SELECT c.name FROM unnest($2::text[], $3::int[]) AS c(name, number),
      LATERAL pg_identify_object_as_address('pg_class'::regclass, $1::oid, c.number) AS now
    WHERE c.name IS DISTINCT FROM now.object_names[3] LIMIT 1)",
                                 {std::to_string(relation.relation_id()), ArrayLiteral(names),
                                  absl::StrCat("{", absl::StrJoin(numbers, ","), "}")}));
  if (changed.rows() == 0) return absl::OkStatus();
  return absl::AbortedError(absl::StrFormat(
      "column %s of table %s.%s was renamed, dropped or made again since %s; the table is copied "
      "as of a later point",
      changed.text(0, 0), relation.schema(), relation.name(), snapshot_.lsn().ToString()));
}

absl::StatusOr<int64_t> CopyRound::LockAndVerify(pg::Session& session, const TableState& state) {
  const event::v1::Relation& relation = state.table.relation;
  const std::string name = QuoteQualified(relation.schema(), relation.name());
  RETURN_IF_ERROR(
      session.Execute(absl::StrCat("SET LOCAL lock_timeout = '", kLockTimeout,
                                   "'; LOCK TABLE ONLY ", name, " IN ACCESS SHARE MODE; ",
                                   // Of the table only: what waits later has chunks on the log.
                                   "SET LOCAL lock_timeout = 0")));
  ASSIGN_OR_RETURN(
      const pg::Result now,
      session.Query("SELECT $1::regclass::oid, coalesce(pg_relation_filenode($1::regclass), 0), "
                    "pg_relation_size($1::regclass)",
                    {name}));
  if (now.i64(0, 0) != relation.relation_id() || now.i64(0, 1) != state.table.file_node) {
    return absl::AbortedError(
        absl::StrFormat("table %s was rewritten, truncated or made again since %s; it is copied as "
                        "of a later point",
                        name, snapshot_.lsn().ToString()));
  }
  RETURN_IF_ERROR(VerifyColumns(session, relation));
  return now.i64(0, 2);
}

absl::Status CopyRound::CopyRange(pg::Session& session, Range* range) {
  TableState& state = *range->table;
  RETURN_IF_ERROR(NotWanted(&state));
  RETURN_IF_ERROR(session.Begin("ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  RETURN_IF_ERROR(
      session.Execute(absl::StrCat("SET TRANSACTION SNAPSHOT ", QuoteLiteral(snapshot_.name()))));
  ASSIGN_OR_RETURN(const int64_t bytes, LockAndVerify(session, state));
  const bool cut = session.server_version() >= pg::kReadsCtidRanges;
  if (range->first_block < 0 && cut) Cut(bytes, range);
  ChunkWriter chunks(options_, writer_, state.table.relation, state.generation);
  uint64_t counted_rows = 0;
  uint64_t counted_bytes = 0;
  const auto count = [&] {
    state.rows += chunks.rows() - counted_rows;
    state.bytes += chunks.bytes() - counted_bytes;
    counted_rows = chunks.rows();
    counted_bytes = chunks.bytes();
  };
  RETURN_IF_ERROR(
      session.CopyOut(CopySql(state.table.relation, range->first_block, range->end_block),
                      [&](std::string_view line) -> absl::Status {
                        RETURN_IF_ERROR(chunks.Add(line));
                        if (chunks.rows() != counted_rows) count();
                        return absl::OkStatus();
                      }));
  RETURN_IF_ERROR(chunks.Flush());
  count();
  return session.Commit();
}

}  // namespace switchyard::capture
