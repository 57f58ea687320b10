// Group commit for all writers of one SQLite log file in this process.
//
// Writers copy records into their queue; one thread takes everything queued, writes it as blocks
// in one transaction and then advances the durable sequence of each queue. While a commit runs the
// next group gathers, so the more comes in, the larger the groups.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/base/wait/retry.h"
#include "common/eventlog/sqlite_db.h"
#include "common/eventlog/sqlite_file.h"
#include "common/eventlog/sqlite_reserve.h"
#include "common/eventlog/wake.h"

namespace switchyard::eventlog {

// A block being filled, or waiting to be committed.
struct SqliteBlock {
  int64_t count = 0;
  uint64_t last_sequence = 0;  // of the last record that ends in this block, 0 if none does
  std::string payload;
};

// What one writer has appended and is not durable yet. Thread-safe through `mu`.
struct SqliteQueue {
  explicit SqliteQueue(int64_t number) : topic_number(number) {}

  const int64_t topic_number;
  Mutex mu;
  std::deque<SqliteBlock> blocks ABSL_GUARDED_BY(mu);  // the last one is being filled
  size_t bytes_in_flight ABSL_GUARDED_BY(mu) = 0;      // in `blocks` or being committed
  absl::Status status ABSL_GUARDED_BY(mu);             // why the writer ended
  std::atomic<uint64_t> durable_sequence = 0;
  Wake progress;  // notified when something became durable or the writer ended
};

class SqliteCommitter {
 public:
  // Opens a connection of its own and starts the thread.
  static absl::StatusOr<std::unique_ptr<SqliteCommitter>> Open(const std::string& path);
  // Stops at the next commit; what is queued after it is given up.
  ~SqliteCommitter();
  SqliteCommitter(const SqliteCommitter&) = delete;
  SqliteCommitter& operator=(const SqliteCommitter&) = delete;

  void Add(std::shared_ptr<SqliteQueue> queue);
  void Remove(const SqliteQueue* queue);

  // A queue that was empty has something: commit it soon, together with what follows.
  void Notice();
  // Commit now.
  void Urge();

 private:
  // Taken out of a queue, in order. The queue is shared because its writer may go meanwhile.
  struct Taken {
    std::shared_ptr<SqliteQueue> queue;
    std::deque<SqliteBlock> blocks;
  };
  struct TopicStatements {
    SqliteStatement next_offset;
    SqliteStatement insert;
  };
  enum class Work { kStop, kCommit, kIdle };

  SqliteCommitter(std::unique_ptr<SqliteDb> db, const FileIdentity& file);
  static int OnWalGrown(void* self, sqlite3* db, const char* name, int pages);

  void Run();
  Work WaitForWork();
  std::vector<Taken> Take();
  void CommitUntilDone(const std::vector<Taken>& group);
  absl::Status Commit(const std::vector<Taken>& group);
  absl::Status Insert(const Taken& taken);
  absl::StatusOr<TopicStatements*> StatementsOf(int64_t topic_number);
  void Acknowledge(const std::vector<Taken>& group);
  void EndAll(const absl::Status& status);
  // False when stopped.
  bool Sleep(absl::Duration duration);
  void Checkpoint();
  int CheckpointAs(int mode);
  void DiskIsFull();

  // Used by the thread only, after Open.
  const std::unique_ptr<SqliteDb> db_;
  const FileIdentity file_;
  const SqliteReserve reserve_;
  // What is in the WAL alone fits into the reserve.
  const size_t group_bytes_max_;
  const int checkpoint_pages_;
  int commit_code_ = 0;  // SQLite's, of the last commit
  SqliteStatement begin_;
  SqliteStatement commit_;
  std::map<int64_t, TopicStatements> statements_;
  int wal_pages_ = 0;               // in the WAL after the last commit
  int wal_pages_checkpointed_ = 0;  // of those, when the last checkpoint was tried

  Mutex mu_;
  CondVar changed_;
  std::vector<std::shared_ptr<SqliteQueue>> queues_ ABSL_GUARDED_BY(mu_);
  bool pending_ ABSL_GUARDED_BY(mu_) = false;
  absl::Time pending_since_ ABSL_GUARDED_BY(mu_);
  bool urgent_ ABSL_GUARDED_BY(mu_) = false;
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status ended_ ABSL_GUARDED_BY(mu_);  // the error that ended the thread
  std::thread thread_;
};

}  // namespace switchyard::eventlog
