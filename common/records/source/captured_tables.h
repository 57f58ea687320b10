// The tables that capture follows, as they were when it last looked at them:
// switchyard.capture_table, in the source. What logical replication does not show is noticed by
// comparing (capture/source/drift.h).
//
// Thread safety: as the session, which must outlive it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/pg/rows.h"

namespace switchyard::records {

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
  std::string columns, types;  // see capture/source/column_drift.h
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

// A table that holds rows, and how many, as of its last ANALYZE: asking for the real size would
// wait for locks.
struct LeafTable {
  uint32_t relation_id = 0;
  std::string schema, name;
  int64_t rows_estimate = -1;  // -1: unknown
  int64_t bytes = 0;
};

class CapturedTables {
 public:
  static constexpr char kTable[] = "capture_table";

  CapturedTables(pg::Sql sql, std::string stream)
      : sql_(std::move(sql)), stream_(std::move(stream)) {}

  absl::StatusOr<TableShapes> Load() const;
  // These instead of all there were; to be called in a transaction.
  absl::Status Replace(const TableShapes& shapes) const;

  // Those of that name; `schema` may be empty, which is any.
  absl::StatusOr<std::vector<uint32_t>> Named(const std::string& schema,
                                              const std::string& name) const;
  // Whether that table is followed under that name ("schema.name").
  absl::StatusOr<bool> Follows(uint32_t relation_id, const std::string& display) const;
  // The table itself, or all leaves of a partitioned one, those born since it was last looked at
  // included. None: it is not followed.
  absl::StatusOr<std::vector<LeafTable>> LeavesOf(uint32_t relation_id) const;

 private:
  const pg::Sql sql_;
  const std::string stream_;
};

// SQL: joins to `copy`, which has stream and relation_id, what is known of its table as `table` and
// of the topmost table that is partitioned, where `root_id` (an expression) says which, as `root`.
std::string JoinCapturedSql(std::string_view copy, std::string_view table);
std::string JoinCapturedRootSql(std::string_view copy, std::string_view root,
                                std::string_view root_id);
// SQL: the oids of the tables that hold the rows of a table, "1,2", as a scalar; of expressions.
std::string CapturedLeavesSql(std::string_view stream, std::string_view relation_id);
// SQL: a condition that the table is followed.
std::string IsCapturedSql(std::string_view stream, std::string_view relation_id);

}  // namespace switchyard::records
