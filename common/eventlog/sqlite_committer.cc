#include "common/eventlog/sqlite_committer.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/eventlog/sqlite_file.h"

namespace switchyard::eventlog {
namespace {

// A group that nobody asked to hurry waits this long for company.
constexpr absl::Duration kLinger = absl::Milliseconds(2);
// One transaction; also what a crash makes SQLite read again.
constexpr size_t kGroupBytesMax = 8 << 20;
// 16 MiB of WAL: large enough that its two syncs do not matter, small enough to stay in cache.
constexpr int kCheckpointPages = (16 << 20) / kLogPageBytes;
// Beyond so many times that, it waits for the readers to let go of the WAL, so that it starts over.
constexpr int kRestart = 4;
constexpr int kIdleCheckpointPages = (1 << 20) / kLogPageBytes;
constexpr absl::Duration kIdle = absl::Seconds(1);
constexpr absl::Duration kBusyTimeout = absl::Seconds(1);
constexpr absl::Duration kWarnEvery = absl::Seconds(10);

std::string FreeSpace(const std::string& path) {
  struct statvfs space {};
  if (statvfs(path.c_str(), &space) != 0) return "unknown";
  return HumanBytes(static_cast<int64_t>(space.f_bavail * space.f_frsize));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteCommitter>> SqliteCommitter::Open(const std::string& path) {
  ASSIGN_OR_RETURN(auto db, SqliteDb::Open(path, kBusyTimeout));
  // A WAL that grew while readers held it shrinks again when it starts over.
  ASSIGN_OR_RETURN(const FileIdentity file, IdentityOf(path));
  RETURN_IF_ERROR(db->Execute("PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -8192"));
  std::unique_ptr<SqliteCommitter> made(new SqliteCommitter(std::move(db), file));
  ASSIGN_OR_RETURN(made->begin_, made->db_->Prepare("BEGIN IMMEDIATE"));
  ASSIGN_OR_RETURN(made->commit_, made->db_->Prepare("COMMIT"));
  made->thread_ = std::thread([committer = made.get()] { committer->Run(); });
  pthread_setname_np(made->thread_.native_handle(), "log-commit");
  return made;
}

SqliteCommitter::SqliteCommitter(std::unique_ptr<SqliteDb> db, const FileIdentity& file)
    : db_(std::move(db)),
      file_(file),
      reserve_(db_->path()),
      group_bytes_max_(std::min(kGroupBytesMax, static_cast<size_t>(reserve_.bytes() / 4))),
      checkpoint_pages_(
          std::min(kCheckpointPages, static_cast<int>(reserve_.bytes() / 2 / kLogPageBytes))) {
  sqlite3_wal_hook(db_->handle(), &SqliteCommitter::OnWalGrown, this);
}

SqliteCommitter::~SqliteCommitter() {
  {
    MutexLock lock(&mu_);
    stop_ = true;
    changed_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
}

void SqliteCommitter::Add(std::shared_ptr<SqliteQueue> queue) {
  MutexLock lock(&mu_);
  if (!ended_.ok()) {
    MutexLock queue_lock(&queue->mu);
    queue->status = ended_;
  }
  queues_.push_back(std::move(queue));
}

void SqliteCommitter::Remove(const SqliteQueue* queue) {
  MutexLock lock(&mu_);
  std::erase_if(queues_, [queue](const auto& other) { return other.get() == queue; });
}

void SqliteCommitter::Notice() {
  MutexLock lock(&mu_);
  if (pending_) return;
  pending_ = true;
  pending_since_ = absl::Now();
  changed_.SignalAll();
}

void SqliteCommitter::Urge() {
  MutexLock lock(&mu_);
  if (pending_ && urgent_) return;
  pending_ = true;
  urgent_ = true;
  changed_.SignalAll();
}

int SqliteCommitter::OnWalGrown(void* self, sqlite3* /*db*/, const char* /*name*/, int pages) {
  static_cast<SqliteCommitter*>(self)->wal_pages_ = pages;
  return SQLITE_OK;
}

void SqliteCommitter::Run() {
  while (true) {
    switch (WaitForWork()) {
      case Work::kStop:
        return;
      case Work::kIdle:
        Checkpoint();
        break;
      case Work::kCommit:
        CommitUntilDone(Take());
        if (wal_pages_ < wal_pages_checkpointed_) wal_pages_checkpointed_ = 0;  // it started over
        if (wal_pages_ - wal_pages_checkpointed_ >= checkpoint_pages_) Checkpoint();
        break;
    }
  }
}

SqliteCommitter::Work SqliteCommitter::WaitForWork() {
  MutexLock lock(&mu_);
  while (!stop_) {
    if (!pending_) {
      if (wal_pages_ - wal_pages_checkpointed_ < kIdleCheckpointPages) {
        changed_.Wait(&mu_);
      } else if (!changed_.WaitFor(&mu_, kIdle) && !pending_ && !stop_) {
        return Work::kIdle;
      }
      continue;
    }
    const absl::Duration left = pending_since_ + kLinger - absl::Now();
    if (urgent_ || left <= absl::ZeroDuration()) {
      pending_ = false;
      urgent_ = false;
      return Work::kCommit;
    }
    changed_.WaitFor(&mu_, left);
  }
  return Work::kStop;
}

std::vector<SqliteCommitter::Taken> SqliteCommitter::Take() {
  MutexLock lock(&mu_);
  std::vector<Taken> group;
  size_t bytes = 0;
  for (const auto& queue : queues_) {
    MutexLock queue_lock(&queue->mu);
    if (queue->blocks.empty()) continue;
    Taken taken{.queue = queue, .blocks = {}};
    while (!queue->blocks.empty() && bytes < group_bytes_max_) {
      bytes += queue->blocks.front().payload.size();
      taken.blocks.push_back(std::move(queue->blocks.front()));
      queue->blocks.pop_front();
    }
    if (!queue->blocks.empty()) pending_ = urgent_ = true;
    if (!taken.blocks.empty()) group.push_back(std::move(taken));
  }
  return group;
}

void SqliteCommitter::CommitUntilDone(const std::vector<Taken>& group) {
  if (group.empty()) return;
  Backoff backoff({.initial = absl::Milliseconds(5), .max = absl::Seconds(1), .seed = 1});
  const absl::Time started = absl::Now();
  absl::Time next_warning = absl::InfinitePast();
  bool committed = false;
  while (true) {
    SY_FAULT_POINT("eventlog.before_commit");
    absl::Status status = committed ? absl::OkStatus() : Commit(group);
    committed = status.ok();
    // Into a file without a name nothing is durable, nor will be.
    if (status.ok() || absl::IsUnavailable(status)) {
      const absl::Status same = CheckSameFile(db_->path(), file_);
      if (!same.ok()) status = same;
    }
    if (status.ok()) break;
    if (!absl::IsUnavailable(status)) return EndAll(status);
    // Other writers of the file have it for a moment each.
    const bool locked = (commit_code_ & 0xff) == SQLITE_BUSY;
    if (absl::Now() >= next_warning && !(locked && absl::Now() < started + kWarnEvery)) {
      LogWarn("eventlog", "cannot write to the log file, waiting",
              {{"path", db_->path()},
               {"free", FreeSpace(db_->path())},
               {"error", std::string(StdSv(status.message()))},
               {"next", locked ? "look which program has it open; it goes on by itself"
                               : "start the replayer, which trims the log, or make room there; it "
                                 "goes on by itself"}});
      next_warning = absl::Now() + kWarnEvery;
    }
    if (!Sleep(backoff.Next())) return;
  }
  if (next_warning != absl::InfinitePast()) {
    LogInfo("eventlog", "writing to the log file again", {{"path", db_->path()}});
  }
  SY_FAULT_POINT("eventlog.after_commit");
  Acknowledge(group);
}

absl::Status SqliteCommitter::Commit(const std::vector<Taken>& group) {
  const auto write = [&]() -> absl::Status {
    RETURN_IF_ERROR(begin_.Run());
    for (const Taken& taken : group) RETURN_IF_ERROR(Insert(taken));
    return commit_.Run();
  };
  commit_code_ = SQLITE_OK;
  RETURN_IF_ERROR(reserve_.Take());
  absl::Status status = write();
  if (status.ok()) return status;
  commit_code_ = sqlite3_errcode(db_->handle());
  db_->Rollback();
  if ((commit_code_ & 0xff) == SQLITE_FULL) DiskIsFull();
  return status;
}

// With its WAL in the file and empty, the log needs no more room to be trimmed.
void SqliteCommitter::DiskIsFull() {
  reserve_.GiveUp();
  CheckpointAs(SQLITE_CHECKPOINT_TRUNCATE);
}

absl::Status SqliteCommitter::Insert(const Taken& taken) {
  ASSIGN_OR_RETURN(TopicStatements* const statements, StatementsOf(taken.queue->topic_number));
  // Read each time: another process may write to this topic, too (a capture that was replaced and
  // does not know it yet).
  ASSIGN_OR_RETURN(const bool any, statements->next_offset.Step());
  int64_t offset = any ? statements->next_offset.ColumnInt(0) : 0;
  statements->next_offset.Reset();
  for (const SqliteBlock& block : taken.blocks) {
    statements->insert.BindInt(1, offset);
    statements->insert.BindInt(2, block.count);
    statements->insert.BindBlob(3, block.payload);
    RETURN_IF_ERROR(statements->insert.Run());
    offset += block.count;
  }
  return absl::OkStatus();
}

absl::StatusOr<SqliteCommitter::TopicStatements*> SqliteCommitter::StatementsOf(
    int64_t topic_number) {
  const auto it = statements_.find(topic_number);
  if (it != statements_.end()) return &it->second;
  const std::string table = BlocksTable(topic_number);
  TopicStatements made;
  ASSIGN_OR_RETURN(made.next_offset, db_->Prepare("SELECT first_offset + count FROM " + table +
                                                  " ORDER BY first_offset DESC LIMIT 1"));
  ASSIGN_OR_RETURN(made.insert, db_->Prepare("INSERT INTO " + table + " VALUES (?, ?, ?)"));
  return &statements_.emplace(topic_number, std::move(made)).first->second;
}

void SqliteCommitter::Acknowledge(const std::vector<Taken>& group) {
  // Readers wait for a change of attributes: SQLite writes to the WAL before the commit is
  // visible and to nothing but shared memory after it, so a watch for writes would come too soon.
  utimensat(AT_FDCWD, db_->path().c_str(), nullptr, 0);
  for (const Taken& taken : group) {
    size_t bytes = 0;
    uint64_t sequence = 0;
    for (const SqliteBlock& block : taken.blocks) {
      bytes += block.payload.size();
      sequence = std::max(sequence, block.last_sequence);
    }
    if (sequence > 0) {
      taken.queue->durable_sequence.store(sequence, std::memory_order_release);
    }
    {
      MutexLock lock(&taken.queue->mu);
      taken.queue->bytes_in_flight -= bytes;
    }
    taken.queue->progress.Notify();
  }
}

void SqliteCommitter::EndAll(const absl::Status& status) {
  LogError("eventlog", "cannot write to the log file any more",
           {{"path", db_->path()},
            {"error", std::string(StdSv(status.message()))},
            {"next", "see to the log file, then start again"}});
  MutexLock lock(&mu_);
  ended_ = status;
  for (const auto& queue : queues_) {
    {
      MutexLock queue_lock(&queue->mu);
      queue->status = status;
      queue->blocks.clear();
    }
    queue->progress.Notify();
  }
  stop_ = true;
}

bool SqliteCommitter::Sleep(absl::Duration duration) {
  const absl::Time until = absl::Now() + duration;
  MutexLock lock(&mu_);
  while (!stop_ && absl::Now() < until) changed_.WaitFor(&mu_, until - absl::Now());
  return !stop_;
}

int SqliteCommitter::CheckpointAs(int mode) {
  wal_pages_checkpointed_ = wal_pages_;
  return sqlite3_wal_checkpoint_v2(db_->handle(), nullptr, mode, nullptr, nullptr);
}

void SqliteCommitter::Checkpoint() {
  int code = CheckpointAs(wal_pages_ >= kRestart * checkpoint_pages_ ? SQLITE_CHECKPOINT_RESTART
                                                                     : SQLITE_CHECKPOINT_PASSIVE);
  if ((code & 0xff) == SQLITE_FULL) {
    reserve_.GiveUp();
    code = CheckpointAs(SQLITE_CHECKPOINT_TRUNCATE);
  }
  if (code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY) return;  // tried again later
  LogWarn("eventlog", "cannot move the log file's WAL into it, tried again later",
          {{"path", db_->path()},
           {"free", FreeSpace(db_->path())},
           {"error", std::string(StdSv(db_->Error(code, "checkpoint").message()))}});
}

}  // namespace switchyard::eventlog
