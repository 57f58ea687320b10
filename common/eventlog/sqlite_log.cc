#include "common/eventlog/sqlite_log.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/eventlog/part.h"
#include "common/eventlog/retry_unavailable.h"
#include "common/eventlog/sqlite_reader.h"
#include "common/eventlog/sqlite_reserve.h"

namespace switchyard::eventlog {
namespace {

constexpr size_t kInFlightMax = 32 << 20;
constexpr size_t kPartBytes = 1 << 20;
// A block that has reached this is closed: what a reader must skip to start in its middle.
constexpr size_t kBlockBytes = 256 << 10;
// Blocks deleted in one transaction, during which writers wait; such transactions in one call; and
// for how many times as long the file is left alone after each.
constexpr int kTrimBlocks = 16;
constexpr int kTrimSteps = 16;
constexpr int kTrimPause = 2;
// Pages given back to the file system in one transaction.
constexpr int kVacuumPages = (16 << 20) / kLogPageBytes;
constexpr int kVacuumPagesWhenFull = (1 << 20) / kLogPageBytes;
constexpr int64_t kFreePagesMin = (64 << 20) / kLogPageBytes;
constexpr absl::Duration kBusyTimeout = absl::Seconds(2);

class SqliteWriter : public LogWriter {
 public:
  SqliteWriter(SqliteCommitter& committer, int64_t topic_number, const Cancel& cancel)
      : committer_(committer),
        cancel_(cancel),
        queue_(std::make_shared<SqliteQueue>(topic_number)) {
    committer_.Add(queue_);
  }
  ~SqliteWriter() override { committer_.Remove(queue_.get()); }

  absl::StatusOr<uint64_t> Append(std::string_view /*key*/, std::string_view payload) override {
    if (payload.size() <= kPartBytes) {
      RETURN_IF_ERROR(Enqueue(payload, sequence_ + 1));
      return ++sequence_;
    }
    if (payload.size() > kPayloadBytesMax) {
      return absl::InvalidArgumentError(
          absl::StrFormat("a record of %d bytes is too large for the log; the limit is %d",
                          payload.size(), kPayloadBytesMax));
    }
    const uint32_t count = PartCount(payload.size(), kPartBytes);
    std::string piece;
    for (uint32_t i = 0; i < count; ++i) {
      EncodePart(payload, i, kPartBytes, &piece);
      RETURN_IF_ERROR(Enqueue(piece, i + 1 == count ? sequence_ + 1 : 0));
    }
    return ++sequence_;
  }

  void Nudge() override {
    bool any = false;
    {
      MutexLock lock(&queue_->mu);
      any = !queue_->blocks.empty();
    }
    if (any) committer_.Urge();
  }

  absl::Status Flush(absl::Duration timeout) override {
    Nudge();
    absl::Status ended;
    const auto done = [&] {
      if (durable_sequence() >= sequence_) return true;
      ended = status();
      return !ended.ok();
    };
    RETURN_IF_ERROR(queue_->progress.Await(done, absl::Now() + timeout, cancel_));
    return ended;
  }

  uint64_t durable_sequence() const override {
    return queue_->durable_sequence.load(std::memory_order_acquire);
  }
  absl::Status status() const override {
    MutexLock lock(&queue_->mu);
    return queue_->status;
  }
  bool keeps_keys() const override { return false; }

 private:
  // `ends`: sequence number of the record that ends with these bytes, 0 if it goes on.
  absl::Status Enqueue(std::string_view bytes, uint64_t ends) {
    bool first = false;
    bool full = false;
    while (true) {
      {
        MutexLock lock(&queue_->mu);
        RETURN_IF_ERROR(queue_->status);
        if (queue_->bytes_in_flight < kInFlightMax) {
          first = queue_->blocks.empty();
          full = AddToQueue(bytes, ends);
          break;
        }
      }
      RETURN_IF_ERROR(WaitForRoom());
    }
    if (full) {
      committer_.Urge();
    } else if (first) {
      committer_.Notice();
    }
    return absl::OkStatus();
  }

  // True when a block became full.
  bool AddToQueue(std::string_view bytes, uint64_t ends) ABSL_EXCLUSIVE_LOCKS_REQUIRED(queue_->mu) {
    auto& blocks = queue_->blocks;
    if (blocks.empty() || blocks.back().payload.size() >= kBlockBytes) blocks.emplace_back();
    SqliteBlock& block = blocks.back();
    const size_t before = block.payload.size();
    AppendToBlock(bytes, &block.payload);
    ++block.count;
    if (ends > 0) block.last_sequence = ends;
    queue_->bytes_in_flight += block.payload.size() - before;
    return block.payload.size() >= kBlockBytes;
  }

  absl::Status WaitForRoom() {
    committer_.Urge();
    const auto room = [this] {
      MutexLock lock(&queue_->mu);
      return queue_->bytes_in_flight < kInFlightMax || !queue_->status.ok();
    };
    return queue_->progress.Await(room, absl::InfiniteFuture(), cancel_);
  }

  SqliteCommitter& committer_;
  const Cancel& cancel_;
  const std::shared_ptr<SqliteQueue> queue_;  // shared with a commit that may be under way
  uint64_t sequence_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteLog>> SqliteLog::Open(const std::string& path,
                                                           const Cancel& cancel) {
  std::unique_ptr<SqliteLog> log(
      new SqliteLog(std::filesystem::absolute(path).lexically_normal(), cancel));
  RETURN_IF_ERROR(RetryWhileUnavailable(cancel, "open " + log->path_, [&]() -> absl::Status {
    RETURN_IF_ERROR(PrepareLogFile(log->path_));
    ASSIGN_OR_RETURN(auto db, SqliteDb::Open(log->path_, kBusyTimeout));
    // Notices a file that is shorter than it says.
    RETURN_IF_ERROR(db->QueryInt("SELECT count(*) FROM topics").status());
    MutexLock lock(&log->mu_);
    log->db_ = std::move(db);
    return absl::OkStatus();
  }));
  WarnOfOtherReaders(log->path_);
  return log;
}

SqliteLog::SqliteLog(std::string path, const Cancel& cancel)
    : path_(std::move(path)), cancel_(cancel) {}

absl::Status SqliteLog::CreateTopic(const std::string& topic) {
  return RetryWhileUnavailable(cancel_, "create topic " + topic, [&] {
    MutexLock lock(&mu_);
    return MakeTopic(*db_, topic);
  });
}

absl::StatusOr<TopicInfo> SqliteLog::Describe(const std::string& topic) {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const SqliteTopic found, FindTopic(*db_, topic));
  const std::string table = BlocksTable(found.number);
  TopicInfo info{.id = found.id, .first = 0, .next = 0};
  ASSIGN_OR_RETURN(auto ends, db_->Prepare(absl::StrFormat(
                                  "SELECT (SELECT min(first_offset) FROM %s), first_offset + count "
                                  "FROM %s ORDER BY first_offset DESC LIMIT 1",
                                  table, table)));
  ASSIGN_OR_RETURN(const bool any, ends.Step());
  if (any) {
    info.first = ends.ColumnInt(0);
    info.next = ends.ColumnInt(1);
  }
  return info;
}

absl::StatusOr<std::unique_ptr<LogWriter>> SqliteLog::OpenWriter(const std::string& topic) {
  std::unique_ptr<LogWriter> writer;
  RETURN_IF_ERROR(RetryWhileUnavailable(cancel_, "write to " + topic, [&]() -> absl::Status {
    MutexLock lock(&mu_);
    ASSIGN_OR_RETURN(const SqliteTopic found, FindTopic(*db_, topic));
    if (committer_ == nullptr) {
      ASSIGN_OR_RETURN(committer_, SqliteCommitter::Open(path_));
    }
    writer = std::make_unique<SqliteWriter>(*committer_, found.number, cancel_);
    return absl::OkStatus();
  }));
  return writer;
}

absl::StatusOr<std::unique_ptr<LogReader>> SqliteLog::OpenReader(const std::string& topic,
                                                                 Offset from) {
  std::unique_ptr<LogReader> reader;
  RETURN_IF_ERROR(RetryWhileUnavailable(cancel_, "read " + topic, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(reader, SqliteReader::Open(path_, topic, from, cancel_));
    return absl::OkStatus();
  }));
  return reader;
}

absl::Status SqliteLog::Trim(const std::string& topic, Offset before) {
  std::string table;
  {
    MutexLock lock(&mu_);
    ASSIGN_OR_RETURN(const SqliteTopic found, FindTopic(*db_, topic));
    table = BlocksTable(found.number);
  }
  bool more = true;
  for (int step = 0; more && step < kTrimSteps; ++step) {
    const absl::Time began = absl::Now();
    ASSIGN_OR_RETURN(more, TrimStep(table, before));
    // Whoever waits for the file's lock looks for it now and then: he has to find it free.
    if (!cancel_.WaitFor(kTrimPause * (absl::Now() - began))) return cancel_.status();
  }
  MutexLock lock(&mu_);
  return SqliteReserve(path_).taken() ? GiveBackSpace() : MakeRoom();
}

absl::StatusOr<bool> SqliteLog::TrimStep(const std::string& table, Offset before) {
  MutexLock lock(&mu_);
  // A trim that a crash undoes is done again, so it need not wait for the disk.
  RETURN_IF_ERROR(db_->Execute("PRAGMA synchronous = NORMAL"));
  absl::StatusOr<bool> trimmed = TrimSome(table, before);
  if (!trimmed.ok() && (sqlite3_errcode(db_->handle()) & 0xff) == SQLITE_FULL) {
    db_->Rollback();
    SqliteReserve(path_).GiveUp();
    trimmed = TrimSome(table, before);
  }
  db_->Rollback();
  RETURN_IF_ERROR(db_->Execute("PRAGMA synchronous = FULL"));
  return trimmed;
}

// Deletes up to kTrimBlocks whole blocks; true when there may be more.
absl::StatusOr<bool> SqliteLog::TrimSome(const std::string& table, Offset before) {
  ASSIGN_OR_RETURN(auto oldest, db_->Prepare("SELECT first_offset, count FROM " + table +
                                             " ORDER BY first_offset LIMIT ?"));
  oldest.BindInt(1, kTrimBlocks + 1);
  Offset keep_from = 0;  // first offset of the first block that stays
  int droppable = 0;
  bool stop = false;
  while (!stop) {
    ASSIGN_OR_RETURN(const bool row, oldest.Step());
    // The newest block stays, and so does one that reaches beyond `before`.
    if (!row) {
      droppable = std::max(0, droppable - 1);
      break;
    }
    keep_from = oldest.ColumnInt(0);
    stop = keep_from + oldest.ColumnInt(1) > before;
    if (!stop) ++droppable;
  }
  oldest.Reset();
  if (droppable == 0) return false;
  ASSIGN_OR_RETURN(auto drop, db_->Prepare("DELETE FROM " + table + " WHERE first_offset < ?"));
  drop.BindInt(1, keep_from);
  RETURN_IF_ERROR(drop.Run());
  return droppable >= kTrimBlocks;
}

absl::Status SqliteLog::GiveBackSpace() {
  // Trimmed pages are used again by what is appended; only a large surplus goes back, after a
  // backlog was worked off.
  ASSIGN_OR_RETURN(const int64_t free_pages, db_->QueryInt("PRAGMA freelist_count"));
  ASSIGN_OR_RETURN(const int64_t pages, db_->QueryInt("PRAGMA page_count"));
  if (free_pages < kFreePagesMin || free_pages < pages / 2) return absl::OkStatus();
  return db_->Execute(absl::StrFormat("PRAGMA incremental_vacuum(%d)", kVacuumPages));
}

// The disk is full, and writers wait for room on it: what is free in the file goes back, a little
// at a time, for it has to pass through the WAL.
absl::Status SqliteLog::MakeRoom() {
  const SqliteReserve reserve(path_);
  while (!reserve.Take().ok()) {
    RETURN_IF_ERROR(cancel_.status());
    ASSIGN_OR_RETURN(const int64_t free_pages, db_->QueryInt("PRAGMA freelist_count"));
    if (free_pages > 0) {
      RETURN_IF_ERROR(
          db_->Execute(absl::StrFormat("PRAGMA incremental_vacuum(%d)", kVacuumPagesWhenFull)));
    }
    const int code = sqlite3_wal_checkpoint_v2(db_->handle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE,
                                               nullptr, nullptr);
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) return db_->Error(code, "checkpoint");
    if (free_pages == 0) break;
  }
  return absl::OkStatus();
}

}  // namespace switchyard::eventlog
