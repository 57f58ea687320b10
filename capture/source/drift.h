// What logical replication does not show: a table rewritten, made unlogged, taken out of the
// publication and put back, a partition attached or detached, a replica identity changed, a table
// renamed or dropped, columns that change names or are made again, types that change in place.
// Capture compares the shape of its tables in the catalogue at start and every few seconds; a
// difference makes the table suspect.
//
//   ASSIGN_OR_RETURN(ShapeSnapshot now, LoadShapes(*session, publication, before));
//   for (const Drift& drift : CompareShapes(before, now)) ...
//
// Reading takes no lock on the tables and never waits for one. Thread safety: plain values, and
// functions over a session.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "capture/source/source_setup.h"
#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/catalog/catalog.h"
#include "common/pg/session.h"
#include "common/records/source/capture_suspects.h"
#include "common/records/source/captured_tables.h"

namespace switchyard::capture {

using records::Drift;
using records::TableShape;
using records::TableShapes;

struct ShapeSnapshot {
  TableShapes tables;  // of the known tables that are still there, and every leaf below them
  // Tables now found under the name of a known one that is gone: name -> oid.
  std::map<std::string, uint32_t> namesakes;
};

// The shapes as they are now of tables known before.
absl::StatusOr<ShapeSnapshot> LoadShapes(pg::Session& session, const std::string& publication,
                                         const TableShapes& known);
// The same for the tables of a catalogue, of which nothing is known yet. Inside a transaction with
// an imported snapshot it shows the shapes as of that snapshot.
absl::StatusOr<TableShapes> LoadFirstShapes(pg::Session& session, const std::string& publication,
                                            const catalog::Catalog& catalog);

// Whether nobody reads that column of a mapped table, so that it may become what it will.
using LeftOut = std::function<bool(const spec::TableName& table, const std::string& column)>;

// Pure. `after` was loaded with `before` as what is known. Null `left_out`: every column is read.
std::vector<Drift> CompareShapes(const TableShapes& before, const ShapeSnapshot& after,
                                 const LeftOut& left_out = nullptr);

// What is to be compared next time: `after` without the partitions that were detached.
TableShapes NextBaseline(const TableShapes& before, const ShapeSnapshot& after);

// When a partition was last seen to have been attached or detached; 0/0: never. The changes of such
// a partition come as they should, and as nobody else's, on a connection that began at or after it
// (kNoticesPartitions).
absl::StatusOr<Lsn> LastPartitionChange(pg::Session& session, const std::string& stream);
// Replaces what was recorded, and records the suspects; to be called in a transaction.
absl::Status RecordShapes(pg::Session& session, const std::string& stream,
                          const TableShapes& shapes, const std::vector<Drift>& drifts);

}  // namespace switchyard::capture
