#include "capture/copy/snapshot.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "capture/publish/replica_identity.h"
#include "common/base/strings.h"

namespace switchyard::capture {
namespace {

using event::v1::Relation;

// The functions that tell of a partition tree tell of it as it is now, whatever the snapshot.
constexpr char kLeavesSql[] = R"(
  WITH RECURSIVE tree(root, oid, kind) AS (
    SELECT c.oid, c.oid, c.relkind FROM pg_class c WHERE c.oid = ANY($1::oid[])
    UNION ALL
    SELECT t.root, c.oid, c.relkind
    FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid JOIN pg_class c ON c.oid = i.inhrelid
    WHERE t.kind = 'p' AND (to_jsonb(i) ->> 'inhdetachpending') IS DISTINCT FROM 'true')
  SELECT t.root, c.oid, s.nspname, c.relname, c.reltuples::bigint,
         -- As of the last ANALYZE: asking for the real ones would wait for locks.
         8192 * (c.relpages + coalesce(x.relpages, 0))::bigint
  FROM tree t JOIN pg_class c ON c.oid = t.oid JOIN pg_namespace s ON s.oid = c.relnamespace
  LEFT JOIN pg_class x ON x.oid = c.reltoastrelid AND x.oid <> 0
  WHERE t.kind = 'r' AND t.oid <> t.root ORDER BY c.oid)";

// One row per column, or one with NULLs for a table without any.
constexpr char kDescribeSql[] = R"(
  WITH RECURSIVE up(oid, above) AS (
    SELECT oid, oid FROM unnest($1::oid[]) AS wanted(oid)
    UNION ALL
    SELECT u.oid, i.inhparent
    FROM up u JOIN pg_inherits i ON i.inhrelid = u.above
    JOIN pg_class p ON p.oid = i.inhparent AND p.relkind = 'p')
  SELECT c.oid, s.nspname, c.relname, c.relreplident, c.relfilenode,
         coalesce(root.oid, 0), coalesce(root_schema.nspname, ''), coalesce(root.relname, ''),
         a.attname, a.atttypid, a.atttypmod,
         c.relreplident = 'f' OR EXISTS (
           SELECT FROM pg_index i
           WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
             AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident
                 ELSE false END
             AND a.attnum = ANY(i.indkey[0:i.indnkeyatts - 1])),
         a.attnum, coalesce(in_root.attnum, 0)
  FROM unnest($1::oid[]) WITH ORDINALITY AS wanted(oid, position)
  JOIN pg_class c ON c.oid = wanted.oid
  JOIN pg_namespace s ON s.oid = c.relnamespace
  LEFT JOIN up ON up.oid = c.oid AND up.above <> c.oid
    AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = up.above)
  LEFT JOIN pg_class root ON root.oid = up.above
  LEFT JOIN pg_namespace root_schema ON root_schema.oid = root.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    AND a.attgenerated = ''
  LEFT JOIN pg_attribute in_root ON in_root.attrelid = root.oid AND in_root.attname = a.attname
    AND NOT in_root.attisdropped
  ORDER BY wanted.position, a.attnum)";

void DescribeTable(const pg::Result& rows, int row, CopyTable* table) {
  Relation& relation = table->relation;
  relation.set_relation_id(static_cast<uint32_t>(rows.i64(row, 0)));
  relation.set_schema(rows.str(row, 1));
  relation.set_name(rows.str(row, 2));
  relation.set_replica_identity(ReplicaIdentityOf(rows.text(row, 3).front()));
  relation.set_root_relation_id(static_cast<uint32_t>(rows.i64(row, 5)));
  relation.set_root_schema(rows.str(row, 6));
  relation.set_root_name(rows.str(row, 7));
  table->file_node = static_cast<uint32_t>(rows.i64(row, 4));
}

}  // namespace

absl::StatusOr<Snapshot> Snapshot::Take(const pg::SlotOptions& options, const Cancel& cancel) {
  // Connected first: nothing may fail for want of a connection once the slot exists.
  ASSIGN_OR_RETURN(auto session, pg::Session::Connect({.dsn = options.dsn,
                                                       .application_name = options.application_name,
                                                       .connect_timeout = options.connect_timeout},
                                                      cancel));
  ASSIGN_OR_RETURN(const auto slot, pg::CreateLogicalSlot(options, cancel));
  RETURN_IF_ERROR(session->Begin("ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  RETURN_IF_ERROR(
      session->Execute(absl::StrCat("SET TRANSACTION SNAPSHOT ", QuoteLiteral(slot->snapshot()))));
  ASSIGN_OR_RETURN(const pg::Result exported,
                   session->Query("SELECT pg_export_snapshot(), (extract(epoch FROM "
                                  "clock_timestamp()) * 1000000)::bigint"));
  return Snapshot(std::move(session), slot->consistent_point(), exported.str(0, 0),
                  exported.i64(0, 1));
}

absl::StatusOr<std::vector<Leaf>> LoadLeaves(Snapshot& snapshot,
                                             const std::set<uint32_t>& root_ids) {
  const std::string oids = absl::StrCat("{", absl::StrJoin(root_ids, ","), "}");
  ASSIGN_OR_RETURN(const pg::Result rows, snapshot.session().Query(kLeavesSql, {oids}));
  std::vector<Leaf> leaves;
  for (int i = 0; i < rows.rows(); ++i) {
    Leaf& leaf = leaves.emplace_back();
    leaf.root_id = static_cast<uint32_t>(rows.i64(i, 0));
    leaf.table.oid = static_cast<uint32_t>(rows.i64(i, 1));
    leaf.table.schema = rows.str(i, 2);
    leaf.table.name = rows.str(i, 3);
    leaf.table.rows_estimate = rows.i64(i, 4);
    leaf.table.bytes = rows.i64(i, 5);
  }
  return leaves;
}

absl::StatusOr<std::vector<CopyTable>> DescribeTables(Snapshot& snapshot,
                                                      const std::vector<uint32_t>& relation_ids) {
  const std::string oids = absl::StrCat("{", absl::StrJoin(relation_ids, ","), "}");
  ASSIGN_OR_RETURN(const pg::Result rows, snapshot.session().Query(kDescribeSql, {oids}));
  std::vector<CopyTable> tables;
  for (int i = 0; i < rows.rows(); ++i) {
    const auto oid = static_cast<uint32_t>(rows.i64(i, 0));
    if (tables.empty() || tables.back().relation.relation_id() != oid) {
      DescribeTable(rows, i, &tables.emplace_back());
    }
    if (rows.is_null(i, 8)) continue;
    event::v1::Column* column = tables.back().relation.add_columns();
    column->set_name(rows.str(i, 8));
    column->set_type_oid(static_cast<uint32_t>(rows.i64(i, 9)));
    column->set_type_modifier(static_cast<int32_t>(rows.i64(i, 10)));
    column->set_in_identity(rows.boolean(i, 11));
    column->set_attnum(static_cast<int32_t>(rows.i64(i, 12)));
    column->set_root_attnum(static_cast<int32_t>(rows.i64(i, 13)));
  }
  return tables;
}

}  // namespace switchyard::capture
