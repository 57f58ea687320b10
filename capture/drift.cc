#include "capture/drift.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "common/base/strings.h"

namespace switchyard::capture {
namespace {

// $1 tables, $2 publication, $3 and $4 schemas and names of tables. Catalogue functions that would
// lock a table (pg_partition_tree among them) are left out.
//
// A partition made by CREATE TABLE ... PARTITION OF never held a row that was not published. One
// that was attached may have; ATTACH writes all its pg_attribute rows anew, so a column still as
// old as the system columns tells the two apart.
constexpr char kShapesSql[] = R"(
  WITH RECURSIVE tree(oid, kind) AS (
    SELECT c.oid, c.relkind FROM pg_class c WHERE c.oid = ANY($1::oid[])
    UNION
    SELECT c.oid, c.relkind
    FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid JOIN pg_class c ON c.oid = i.inhrelid
    WHERE t.kind = 'p')
  SELECT c.oid, s.nspname, c.relname, c.relkind,
         CASE WHEN c.relispartition THEN coalesce(pg_partition_root(c.oid)::oid, 0) ELSE 0 END,
         c.relfilenode, c.relpersistence,
         c.relreplident::text || ' ' || coalesce((
           SELECT string_agg(quote_ident(a.attname), ',' ORDER BY a.attnum)
           FROM pg_index x JOIN pg_attribute a
             ON a.attrelid = c.oid AND a.attnum = ANY(x.indkey[0:x.indnkeyatts - 1])
           WHERE x.indrelid = c.oid AND x.indisvalid AND x.indimmediate
             AND CASE c.relreplident WHEN 'd' THEN x.indisprimary WHEN 'i' THEN x.indisreplident
                 ELSE false END), ''),
         coalesce((
           SELECT p.oid || ':' || p.xmin || ' '
                  || string_agg(r.oid || ':' || r.xmin, ' ' ORDER BY r.oid)
           FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
           WHERE p.pubname = $2 AND (r.prrelid = c.oid OR r.prrelid IN (
             SELECT a.relid FROM pg_partition_ancestors(c.oid) a))
           GROUP BY p.oid, p.xmin), ''),
         c.relispartition AND NOT EXISTS (
           SELECT FROM pg_partition_ancestors(c.oid) above
           JOIN pg_inherits i ON i.inhrelid = above.relid
           WHERE NOT EXISTS (
             SELECT FROM pg_attribute u JOIN pg_attribute y
               ON y.attrelid = u.attrelid AND y.attnum = -1 AND y.xmin = u.xmin
                  AND y.cmin::text = u.cmin::text
             WHERE u.attrelid = i.inhrelid AND u.attnum > 0)),
         EXISTS (SELECT FROM tree t WHERE t.oid = c.oid)
  FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
  WHERE c.oid IN (SELECT oid FROM tree)
     OR (c.relkind IN ('r', 'p')
         AND (s.nspname::text, c.relname::text) IN (SELECT * FROM unnest($3::text[], $4::text[]))))";

constexpr char kRenamedTo[] = "renamed to ";

// A partitioned table within a tree holds nothing and is published by its root.
bool IsMiddle(const TableShape& shape) { return shape.kind == 'p' && shape.root_id != 0; }

TableShape ShapeOf(const pg::Result& rows, int row) {
  TableShape shape;
  shape.relation_id = static_cast<uint32_t>(rows.i64(row, 0));
  shape.schema = rows.str(row, 1);
  shape.name = rows.str(row, 2);
  shape.kind = rows.text(row, 3)[0];
  const auto root = static_cast<uint32_t>(rows.i64(row, 4));
  shape.root_id = root == shape.relation_id ? 0 : root;
  shape.file_node = static_cast<uint32_t>(rows.i64(row, 5));
  shape.persistence = rows.text(row, 6)[0];
  shape.replica_identity = rows.str(row, 7);
  shape.publication_row = rows.str(row, 8);
  shape.born_partition = rows.boolean(row, 9);
  return shape;
}

// The table that a person knows, and that the mapping names.
const TableShape& Mapped(const TableShapes& shapes, const TableShape& shape) {
  const auto root = shapes.find(shape.root_id);
  return root == shapes.end() ? shape : root->second;
}

// "d id" -> "DEFAULT (id)".
std::string IdentityText(std::string_view identity) {
  const std::string_view columns = identity.substr(std::min<size_t>(2, identity.size()));
  switch (identity.empty() ? 'n' : identity[0]) {
    case 'f':
      return "FULL";
    case 'd':
      return columns.empty() ? "DEFAULT without a primary key"
                             : absl::StrFormat("DEFAULT (%s)", columns);
    case 'i':
      return columns.empty() ? "an index that is gone" : absl::StrFormat("INDEX (%s)", columns);
    default:
      return "NOTHING";
  }
}

Drift Renamed(const TableShape& before, const TableShape& now) {
  return {.relation_id = before.relation_id,
          .schema = before.schema,
          .name = before.name,
          .reason = kRenamedTo + now.Display(),
          .next_step = absl::StrFormat("rename it back, which clears this, or name %s in the "
                                       "migration file and run: switchyard resume FILE",
                                       now.Display()),
          .renamed_to = now.Display()};
}

class Comparison {
 public:
  Comparison(const TableShapes& before, const ShapeSnapshot& after)
      : before_(before), after_(after) {}

  std::vector<Drift> Run() {
    for (const auto& [oid, shape] : before_) {
      const auto now = after_.tables.find(oid);
      if (now == after_.tables.end()) {
        Gone(shape);
      } else {
        Same(shape, now->second);
      }
    }
    for (const auto& [oid, shape] : after_.tables) {
      if (!before_.contains(oid)) NewLeaf(shape);
    }
    return std::move(drifts_);
  }

 private:
  void Add(const TableShape& mapped, std::string reason, std::string next_step) {
    drifts_.push_back({.relation_id = mapped.relation_id,
                       .schema = mapped.schema,
                       .name = mapped.name,
                       .reason = std::move(reason),
                       .next_step = std::move(next_step)});
  }
  static std::string Recopy(const TableShape& mapped) {
    return absl::StrFormat("copy it again: switchyard recopy FILE %s", mapped.Display());
  }

  void Gone(const TableShape& shape);
  void Same(const TableShape& before, const TableShape& now);
  void NewIdentity(const TableShape& mapped, const std::string& where, const TableShape& before,
                   const TableShape& now);
  void NewLeaf(const TableShape& shape);

  const TableShapes& before_;
  const ShapeSnapshot& after_;
  std::vector<Drift> drifts_;
};

void Comparison::Gone(const TableShape& shape) {
  const TableShape& mapped = Mapped(before_, shape);
  if (&mapped != &shape) {
    Add(mapped,
        absl::StrFormat("partition %s was dropped or detached: its rows left without a DELETE",
                        shape.Display()),
        Recopy(mapped));
    return;
  }
  const auto namesake = after_.namesakes.find(shape.Display());
  if (namesake == after_.namesakes.end()) {
    Add(mapped, absl::StrFormat("dropped (it was relation %d)", shape.relation_id),
        "take it out of the migration file and run: switchyard resume FILE");
  } else {
    Add(mapped,
        absl::StrFormat("dropped and made again: relation %d became %d, which is another table",
                        shape.relation_id, namesake->second),
        "run, as its owner, what `switchyard check --print-setup FILE` prints, end capture and "
        "replay, and begin the stream anew: switchyard recopy FILE --all");
  }
}

void Comparison::Same(const TableShape& before, const TableShape& now) {
  const TableShape& mapped = Mapped(before_, before);
  const std::string where =
      &mapped == &before ? "" : absl::StrFormat("partition %s: ", before.Display());
  // Nobody names a partition; by whatever name, its changes are known by its root.
  if (&mapped == &before && before.Display() != now.Display()) {
    drifts_.push_back(Renamed(before, now));
  }
  if (before.root_id != now.root_id) {
    Add(mapped,
        now.root_id == 0 ? where + "detached: its rows left without a DELETE"
                         : where + "attached to another partitioned table",
        Recopy(mapped));
    // What else is new of a partition that left concerns nobody here.
    if (before_.contains(before.root_id)) return;
  }
  // What is not captured is suspect for as long as it is not, whatever was copied meanwhile.
  if (before.persistence != now.persistence || now.persistence == 'u') {
    Add(mapped,
        where + (now.persistence == 'u' ? "unlogged: its changes are not captured"
                                        : "made logged: changes before that were not captured"),
        now.persistence == 'u'
            ? absl::StrFormat("ALTER TABLE %s SET LOGGED; then %s",
                              QuoteQualified(now.schema, now.name), Recopy(mapped))
            : Recopy(mapped));
  }
  if (before.file_node != now.file_node) {
    Add(mapped,
        absl::StrFormat("%srewritten or truncated (file %d became %d)", where, before.file_node,
                        now.file_node),
        "a clean parity pass clears it (VACUUM FULL and TRUNCATE are harmless); otherwise " +
            Recopy(mapped));
  }
  if (before.replica_identity != now.replica_identity) {
    NewIdentity(mapped, where, before, now);
  }
  const bool unpublished = now.kind == 'r' && now.publication_row.empty();
  if (before.publication_row != now.publication_row || unpublished) {
    Add(mapped,
        where + (now.publication_row.empty()
                     ? "not in the publication: its changes are not captured"
                     : "its publication was altered or made again"),
        now.publication_row.empty() ? "add it to the publication; then " + Recopy(mapped)
                                    : Recopy(mapped));
  }
}

void Comparison::NewIdentity(const TableShape& mapped, const std::string& where,
                             const TableShape& before, const TableShape& now) {
  const std::string change =
      absl::StrFormat("%sreplica identity changed from %s to %s", where,
                      IdentityText(before.replica_identity), IdentityText(now.replica_identity));
  if (now.has_identity()) {
    Add(mapped, change, "set it back, or check the migration file; then " + Recopy(mapped));
    return;
  }
  Add(mapped,
      change + ": its UPDATEs and DELETEs fail on the source for as long as it is published",
      absl::StrFormat("set it back, or ALTER TABLE %s REPLICA IDENTITY FULL; then %s",
                      QuoteQualified(now.schema, now.name), Recopy(mapped)));
}

void Comparison::NewLeaf(const TableShape& shape) {
  const TableShape& mapped = Mapped(after_.tables, shape);
  if (!shape.born_partition) {
    Add(mapped,
        absl::StrFormat("partition %s was attached: rows it had before were not captured",
                        shape.Display()),
        Recopy(mapped));
  }
  if (!shape.has_identity()) {
    Add(mapped,
        absl::StrFormat("new partition %s has no usable replica identity: its UPDATEs and DELETEs "
                        "fail on the source",
                        shape.Display()),
        absl::StrFormat("ALTER TABLE %s REPLICA IDENTITY FULL;",
                        QuoteQualified(shape.schema, shape.name)));
  }
}

absl::StatusOr<ShapeSnapshot> Load(pg::Session& session, const std::string& publication,
                                   const std::vector<std::string>& oids,
                                   const std::vector<std::string>& schemas,
                                   const std::vector<std::string>& names) {
  ASSIGN_OR_RETURN(const pg::Result rows,
                   session.Query(kShapesSql, {ArrayLiteral(oids), publication,
                                              ArrayLiteral(schemas), ArrayLiteral(names)}));
  ShapeSnapshot snapshot;
  for (int i = 0; i < rows.rows(); ++i) {
    TableShape shape = ShapeOf(rows, i);
    if (!rows.boolean(i, 10)) {
      snapshot.namesakes[shape.Display()] = shape.relation_id;
    } else if (!IsMiddle(shape)) {
      snapshot.tables.emplace(shape.relation_id, std::move(shape));
    }
  }
  return snapshot;
}

// A table is known by its oid, so nothing is lost while it has another name: with an earlier one
// again it is no longer suspect of what came after.
absl::StatusOr<bool> ClearRenames(pg::Session& session, const std::string& stream,
                                  const Drift& drift) {
  if (drift.renamed_to.empty()) return false;
  ASSIGN_OR_RETURN(const pg::Result cleared,
                   session.Query(R"(
    WITH open AS (
      SELECT id, schema_name || '.' || table_name AS was FROM switchyard.capture_suspect
      WHERE stream = $1 AND relation_id = $2 AND cleared_at IS NULL AND starts_with(reason, $3))
    UPDATE switchyard.capture_suspect SET cleared_at = now()
    WHERE id IN (SELECT id FROM open)
      AND id >= (SELECT min(id) FROM open WHERE was = $4))",
                                 {stream, std::to_string(drift.relation_id),
                                  std::string(kRenamedTo), drift.renamed_to}));
  return cleared.affected() > 0;
}

absl::Status ReplaceShapes(pg::Session& session, const std::string& stream,
                           const TableShapes& shapes) {
  RETURN_IF_ERROR(
      session.Query("DELETE FROM switchyard.capture_table WHERE stream = $1", {stream}).status());
  for (const auto& [oid, shape] : shapes) {
    RETURN_IF_ERROR(
        session
            .QueryPrepared(
                "INSERT INTO switchyard.capture_table VALUES ($1, $2, $3, $4, $5, $6, "
                "$7, $8, $9, $10)",
                {stream, std::to_string(oid), shape.schema, shape.name, std::string(1, shape.kind),
                 std::to_string(shape.root_id), std::to_string(shape.file_node),
                 std::string(1, shape.persistence), shape.replica_identity, shape.publication_row})
            .status());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ShapeSnapshot> LoadShapes(pg::Session& session, const std::string& publication,
                                         const TableShapes& known) {
  std::vector<std::string> oids;
  std::vector<std::string> schemas;
  std::vector<std::string> names;
  for (const auto& [oid, shape] : known) {
    oids.push_back(std::to_string(oid));
    schemas.push_back(shape.schema);
    names.push_back(shape.name);
  }
  return Load(session, publication, oids, schemas, names);
}

absl::StatusOr<TableShapes> LoadFirstShapes(pg::Session& session, const std::string& publication,
                                            const catalog::Catalog& catalog) {
  std::vector<std::string> oids;
  for (const catalog::Table& table : catalog.tables) oids.push_back(std::to_string(table.oid));
  ASSIGN_OR_RETURN(ShapeSnapshot snapshot, Load(session, publication, oids, {}, {}));
  return std::move(snapshot.tables);
}

std::vector<Drift> CompareShapes(const TableShapes& before, const ShapeSnapshot& after) {
  return Comparison(before, after).Run();
}

TableShapes NextBaseline(const TableShapes& before, const ShapeSnapshot& after) {
  TableShapes next = after.tables;
  std::erase_if(next, [&](const auto& item) {
    const auto was = before.find(item.first);
    return was != before.end() && before.contains(was->second.root_id) &&
           item.second.root_id != was->second.root_id;
  });
  for (auto& [oid, shape] : next) shape.born_partition = false;  // of no interest twice
  return next;
}

absl::StatusOr<TableShapes> LoadRecordedShapes(pg::Session& session, const std::string& stream) {
  ASSIGN_OR_RETURN(const pg::Result rows, session.Query(R"(
    SELECT relation_id, schema_name, table_name, kind, root_id, file_node, persistence,
           replica_identity, publication_row, false
    FROM switchyard.capture_table WHERE stream = $1)",
                                                        {stream}));
  TableShapes shapes;
  for (int i = 0; i < rows.rows(); ++i) {
    TableShape shape = ShapeOf(rows, i);
    shapes.emplace(shape.relation_id, std::move(shape));
  }
  return shapes;
}

absl::Status RecordSuspects(pg::Session& session, const std::string& stream,
                            const std::vector<Drift>& drifts) {
  for (const Drift& drift : drifts) {
    ASSIGN_OR_RETURN(const bool renamed_back, ClearRenames(session, stream, drift));
    if (renamed_back) continue;
    RETURN_IF_ERROR(session
                        .Query(R"(
      INSERT INTO switchyard.capture_suspect
        (stream, relation_id, schema_name, table_name, reason, next_step, seen_lsn)
      VALUES ($1, $2, $3, $4, $5, $6, pg_current_wal_insert_lsn())
      ON CONFLICT (stream, relation_id, reason) WHERE cleared_at IS NULL
      DO UPDATE SET seen_lsn = excluded.seen_lsn, seen_at = now())",
                               {stream, std::to_string(drift.relation_id), drift.schema, drift.name,
                                drift.reason, drift.next_step})
                        .status());
  }
  return absl::OkStatus();
}

absl::Status RecordShapes(pg::Session& session, const std::string& stream,
                          const TableShapes& shapes, const std::vector<Drift>& drifts) {
  RETURN_IF_ERROR(RecordSuspects(session, stream, drifts));
  return ReplaceShapes(session, stream, shapes);
}

}  // namespace switchyard::capture
