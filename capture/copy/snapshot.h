// One moment of the source, kept while tables are copied as of it.
//
//   ASSIGN_OR_RETURN(Snapshot snapshot, Snapshot::Take({.dsn = dsn, .slot = ...}, cancel));
//   ASSIGN_OR_RETURN(auto tables, DescribeTables(snapshot, oids));
//   // in other sessions: SET TRANSACTION SNAPSHOT snapshot.name()
//
// A keeper transaction imports the snapshot of a logical slot's creation and exports it again, so
// that the slot's own connection can go. Commits with a LSN below lsn() are in it; all others come
// through the slot (or, for the short-lived slot of a re-copy, through the stream's own slot).
//
// Thread-compatible; name() and lsn() may be read by other threads while it lives.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/catalog/catalog.h"
#include "common/pg/replication/slot.h"
#include "common/pg/session.h"
#include "proto/event.pb.h"

namespace switchyard::capture {

class Snapshot {
 public:
  // By way of a slot that is made now: kept when it is not temporary. The errors are those of
  // pg::CreateLogicalSlot.
  static absl::StatusOr<Snapshot> Take(const pg::SlotOptions& options, const Cancel& cancel);

  Lsn lsn() const { return lsn_; }
  const std::string& name() const { return name_; }
  int64_t time_us() const { return time_us_; }  // Unix microseconds, clock of the source
  // The keeper: queries of the catalogue see it as of the snapshot.
  pg::Session& session() { return *session_; }

 private:
  Snapshot(std::unique_ptr<pg::Session> session, Lsn lsn, std::string name, int64_t time_us)
      : session_(std::move(session)), lsn_(lsn), name_(std::move(name)), time_us_(time_us) {}

  std::unique_ptr<pg::Session> session_;
  Lsn lsn_;
  std::string name_;
  int64_t time_us_;
};

// A table to copy, as of a snapshot.
struct CopyTable {
  event::v1::Relation relation;  // without generated columns
  uint32_t file_node = 0;        // pg_class.relfilenode
};

struct Leaf {
  uint32_t root_id = 0;
  catalog::Table table;  // its name and size
};

// The partitions, at the end of their trees, that these tables have in the snapshot. Takes no lock.
absl::StatusOr<std::vector<Leaf>> LoadLeaves(Snapshot& snapshot,
                                             const std::set<uint32_t>& root_ids);

// Those of `relation_ids` that exist in the snapshot. Takes no lock on them.
absl::StatusOr<std::vector<CopyTable>> DescribeTables(Snapshot& snapshot,
                                                      const std::vector<uint32_t>& relation_ids);

}  // namespace switchyard::capture
