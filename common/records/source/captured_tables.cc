#include "common/records/source/captured_tables.h"

#include "absl/strings/substitute.h"
#include "common/base/strings.h"

namespace switchyard::records {
namespace {

TableShape ShapeAt(const pg::Rows& rows, int row) {
  TableShape shape;
  shape.relation_id = static_cast<uint32_t>(rows.i64(row, 0));
  shape.schema = rows.str(row, 1);
  shape.name = rows.str(row, 2);
  shape.kind = rows.text(row, 3)[0];
  shape.root_id = static_cast<uint32_t>(rows.i64(row, 4));
  shape.file_node = static_cast<uint32_t>(rows.i64(row, 5));
  shape.persistence = rows.text(row, 6)[0];
  shape.replica_identity = rows.str(row, 7);
  shape.publication_row = rows.str(row, 8);
  shape.columns = rows.str(row, 9);
  shape.types = rows.str(row, 10);
  shape.links = rows.str(row, 11);
  return shape;
}

}  // namespace

absl::StatusOr<TableShapes> CapturedTables::Load() const {
  ASSIGN_OR_RETURN(const pg::Rows rows, sql_.Ask(R"(
    SELECT relation_id, schema_name, table_name, kind, root_id, file_node, persistence,
           replica_identity, publication_row, columns, types, links
    FROM switchyard.capture_table WHERE stream = $1)",
                                                 {stream_}));
  TableShapes shapes;
  for (int i = 0; i < rows.rows(); ++i) {
    TableShape shape = ShapeAt(rows, i);
    shapes.emplace(shape.relation_id, std::move(shape));
  }
  return shapes;
}

absl::Status CapturedTables::Replace(const TableShapes& shapes) const {
  RETURN_IF_ERROR(sql_.Run("DELETE FROM switchyard.capture_table WHERE stream = $1", {stream_}));
  for (const auto& [oid, shape] : shapes) {
    const absl::StatusOr<pg::Rows> kept = sql_.AskPrepared(
        "INSERT INTO switchyard.capture_table VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, "
        "$11, $12, $13)",
        {stream_, std::to_string(oid), shape.schema, shape.name, std::string(1, shape.kind),
         std::to_string(shape.root_id), std::to_string(shape.file_node),
         std::string(1, shape.persistence), shape.replica_identity, shape.publication_row,
         shape.columns, shape.types, shape.links});
    RETURN_IF_ERROR(kept.status());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<uint32_t>> CapturedTables::Named(const std::string& schema,
                                                            const std::string& name) const {
  ASSIGN_OR_RETURN(const pg::Rows rows, sql_.Ask(R"(
    SELECT relation_id FROM switchyard.capture_table
    WHERE stream = $1 AND table_name = $3 AND $2 IN ('', schema_name))",
                                                 {stream_, schema, name}));
  std::vector<uint32_t> relations;
  for (int i = 0; i < rows.rows(); ++i) {
    relations.push_back(static_cast<uint32_t>(rows.i64(i, 0)));
  }
  return relations;
}

absl::StatusOr<bool> CapturedTables::Follows(uint32_t relation_id,
                                             const std::string& display) const {
  ASSIGN_OR_RETURN(const pg::Rows rows,
                   sql_.Ask("SELECT FROM switchyard.capture_table WHERE stream = $1 AND "
                            "schema_name || '.' || table_name = $2 AND relation_id = $3::oid",
                            {stream_, display, std::to_string(relation_id)}));
  return rows.rows() > 0;
}

absl::StatusOr<std::vector<LeafTable>> CapturedTables::LeavesOf(uint32_t relation_id) const {
  ASSIGN_OR_RETURN(const pg::Rows rows, sql_.Ask(R"(
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
           8192 * (coalesce(c.relpages, 0) + coalesce(x.relpages, 0))::bigint
    FROM asked t
    LEFT JOIN pg_class c ON c.oid = t.relation_id
    LEFT JOIN pg_class x ON x.oid = c.reltoastrelid AND x.oid <> 0)",
                                                 {stream_, std::to_string(relation_id)}));
  std::vector<LeafTable> tables;
  for (int i = 0; i < rows.rows(); ++i) {
    tables.push_back({.relation_id = static_cast<uint32_t>(rows.i64(i, 0)),
                      .schema = rows.str(i, 1),
                      .name = rows.str(i, 2),
                      .rows_estimate = rows.i64(i, 3),
                      .bytes = rows.i64(i, 4)});
  }
  return tables;
}

std::string JoinCapturedSql(std::string_view copy, std::string_view table) {
  return absl::Substitute(
      "LEFT JOIN switchyard.capture_table $1 ON $1.stream = $0.stream AND $1.relation_id = "
      "$0.relation_id",
      Sv(copy), Sv(table));
}

std::string JoinCapturedRootSql(std::string_view copy, std::string_view root,
                                std::string_view root_id) {
  return absl::Substitute(
      "LEFT JOIN switchyard.capture_table $1 ON $1.stream = $0.stream AND $1.relation_id = $2",
      Sv(copy), Sv(root), Sv(root_id));
}

std::string CapturedLeavesSql(std::string_view stream, std::string_view relation_id) {
  return absl::Substitute(
      "(SELECT string_agg(leaf.relation_id::text, ',') FROM switchyard.capture_table leaf "
      "WHERE leaf.stream = $0 AND leaf.kind <> 'p' AND $1 IN (leaf.relation_id, leaf.root_id))",
      Sv(stream), Sv(relation_id));
}

std::string IsCapturedSql(std::string_view stream, std::string_view relation_id) {
  return absl::Substitute(
      "EXISTS (SELECT FROM switchyard.capture_table t WHERE t.stream = $0 AND t.relation_id = $1)",
      Sv(stream), Sv(relation_id));
}

}  // namespace switchyard::records
