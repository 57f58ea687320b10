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

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "capture/source/source_setup.h"
#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/catalog/catalog.h"
#include "common/pg/session.h"

namespace switchyard::capture {

struct TableShape {
  uint32_t relation_id = 0;
  std::string schema, name;
  char kind = 'r';
  uint32_t root_id = 0;    // topmost partitioned table; 0 when none
  uint32_t file_node = 0;  // changes when the table is rewritten or truncated
  char persistence = 'p';
  std::string replica_identity;  // "d id", "f", "i region,id", "n"
  // oid and xmin of the publication and of its rows that cover the table; "" when none does. With
  // kNarrow when rows, columns or operations are left out, or partitions come as their root.
  std::string publication_row;
  static constexpr char kNarrow = '!';
  std::string columns, types;  // see column_drift.h
  // Of a partition: oid and xmin of each link up to the root, which ATTACH makes anew. "" of a
  // shape that was recorded without, and before Postgres 13.
  std::string links;
  // A partition that was one from its birth on: no row can have come in unseen. Not recorded.
  bool born_partition = false;
  bool has_children = false;  // by INHERITS: their rows show as its own. Not recorded

  std::string Display() const { return schema + "." + name; }
  bool has_identity() const { return replica_identity[0] == 'f' || replica_identity.size() > 2; }
  friend bool operator==(const TableShape&, const TableShape&) = default;
};

using TableShapes = std::map<uint32_t, TableShape>;  // by relation_id

// Begins the reason of a table that has another name than the mapping says. No copy settles it.
inline constexpr char kRenamedTo[] = "renamed to ";

// One table that changed in a way the stream does not show.
struct Drift {
  uint32_t relation_id = 0;  // the mapped table: a leaf's root
  std::string schema, name;
  std::string reason;  // "rewritten (file 16401 became 16420)"
  std::string next_step;
  std::string renamed_to;  // when that is what happened
};

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

// switchyard.capture_table.
absl::StatusOr<TableShapes> LoadRecordedShapes(pg::Session& session, const std::string& stream);
// Makes tables suspect. What is suspect already for the same reason is suspect as of now.
absl::Status RecordSuspects(pg::Session& session, const std::string& stream,
                            const std::vector<Drift>& drifts);
// When a partition was last seen to have been attached or detached; 0/0: never. The changes of such
// a partition come as they should, and as nobody else's, on a connection that began at or after it
// (kNoticesPartitions).
absl::StatusOr<Lsn> LastPartitionChange(pg::Session& session, const std::string& stream);
// Replaces what was recorded, and records the suspects; to be called in a transaction.
absl::Status RecordShapes(pg::Session& session, const std::string& stream,
                          const TableShapes& shapes, const std::vector<Drift>& drifts);

}  // namespace switchyard::capture
