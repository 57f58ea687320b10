// Capture without its process, for tests of what comes after it: one synchronous step at a time,
// by SQL functions instead of a replication connection, through the real decoder and publisher.
//
//   ASSERT_OK_AND_ASSIGN(auto capture, SimpleCapture::Start(*old_session, {"public.users"}, log));
//   ASSERT_OK(capture->Pump());   // everything committed so far is on the log
//
// The source must be idle during Start: the copy is not taken under the slot's snapshot.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "capture/publish/publisher.h"
#include "common/catalog/catalog.h"
#include "common/eventlog/event_log.h"
#include "common/pg/session.h"

namespace switchyard::testing {

class SimpleCapture {
 public:
  struct Options {
    std::string change_topic = "test.forward.changes";
    std::string copy_topic = "test.forward.copy";
    std::string slot = "test_slot";
    int copy_chunk_rows = 100;
  };
  // Slot, publication of `catalog`'s tables, topics, Hello and the copy of every table.
  static absl::StatusOr<std::unique_ptr<SimpleCapture>> Start(pg::Session& source,
                                                              const catalog::Catalog& catalog,
                                                              eventlog::EventLog& log,
                                                              Options options);
  static absl::StatusOr<std::unique_ptr<SimpleCapture>> Start(pg::Session& source,
                                                              const catalog::Catalog& catalog,
                                                              eventlog::EventLog& log) {
    return Start(source, catalog, log, Options());
  }

  absl::Status Pump();
  // A new generation of one table on the copy topic, as of now; of a leaf that joined others, too.
  absl::Status Recopy(const std::string& table) { return RecopyTables({table}, 0); }
  // Of all leaves that there are.
  absl::Status RecopyLeaves(const std::vector<std::string>& leaves) {
    return RecopyTables(leaves, static_cast<uint32_t>(leaves.size()));
  }
  // After the topic was made anew.
  absl::Status ReopenCopyTopic(eventlog::EventLog& log);
  // Hello of the epoch on the copy topic, which names these copies as finished.
  absl::Status CopyHello(const std::map<uint32_t, uint64_t>& finished, Lsn fork = Lsn());
  // A new epoch from where the slot stands, as after a crash of capture. With `fork`: after a
  // promotion of the source, whose history left the former one there.
  absl::Status NewEpoch(Lsn fork = Lsn());
  // The first `messages` of what Pump would publish; then capture dies, and a new epoch begins.
  absl::Status DieAfter(int messages);
  // LSN of the last commit published.
  Lsn last_commit() const { return last_commit_; }

 private:
  SimpleCapture(pg::Session& source, const catalog::Catalog& catalog, Options options)
      : source_(source), catalog_(catalog), options_(std::move(options)) {}
  absl::Status BeginEpoch(Lsn fork);
  absl::Status RecopyTables(const std::vector<std::string>& tables, uint32_t partitions);
  // The points of all first, as capture does it.
  absl::Status Copy(const std::vector<const catalog::Table*>& tables, Lsn lsn, uint32_t partitions);
  absl::Status WritePoint(const catalog::Table& table, Lsn lsn, uint32_t partitions);
  absl::Status WriteRows(const catalog::Table& table);

  pg::Session& source_;
  const catalog::Catalog& catalog_;
  const Options options_;
  std::unique_ptr<eventlog::LogWriter> changes_;
  std::unique_ptr<eventlog::LogWriter> copies_;
  std::unique_ptr<capture::Publisher> publisher_;
  std::map<uint32_t, uint64_t> generations_;  // of the tables' copies
  uint64_t epoch_ = 1;
  Lsn last_commit_;
};

}  // namespace switchyard::testing
