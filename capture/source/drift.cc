#include "capture/source/drift.h"

#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "capture/source/column_drift.h"
#include "common/base/strings.h"
#include "common/pg/server_version.h"

namespace switchyard::capture {
namespace {

// $1 tables, $2 publication, $3 and $4 schemas and names of tables. Catalogue functions that would
// lock a table (pg_partition_tree) or look past the transaction's snapshot (pg_partition_root) are
// left out.
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
    -- DETACH CONCURRENTLY that was cut off has happened all the same.
    WHERE t.kind = 'p' AND (to_jsonb(i) ->> 'inhdetachpending') IS DISTINCT FROM 'true'),
  -- The types above those that are built in.
  reach(relation, type) AS (
    SELECT a.attrelid, a.atttypid FROM tree t JOIN pg_attribute a ON a.attrelid = t.oid
    WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.atttypid >= 16384
    UNION
    SELECT r.relation, inner_type.oid
    FROM reach r JOIN pg_type t ON t.oid = r.type
    CROSS JOIN LATERAL (
      SELECT t.typelem WHERE t.typelem <> 0 AND t.typlen = -1
      UNION ALL SELECT t.typbasetype WHERE t.typtype = 'd'
      UNION ALL SELECT a.atttypid FROM pg_attribute a
        WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
      UNION ALL SELECT g.rngsubtype FROM pg_range g WHERE g.rngtypid = t.oid
      UNION ALL SELECT g.rngtypid FROM pg_range g WHERE %2$s = t.oid) inner_type(oid)
    WHERE inner_type.oid >= 16384),
  part(type, position, id, name, part_type, modifier, version) AS MATERIALIZED (
    SELECT e.enumtypid, e.enumsortorder, e.oid::bigint, e.enumlabel::text, 0::oid, -1, e.xmin::text
    FROM pg_enum e WHERE e.enumtypid IN (SELECT type FROM reach)
    UNION ALL
    SELECT t.oid, a.attnum, a.attnum, a.attname, a.atttypid, a.atttypmod, ''
    FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid
    WHERE t.oid IN (SELECT type FROM reach) AND t.typtype = 'c' AND a.attnum > 0
      AND NOT a.attisdropped
    UNION ALL
    SELECT t.oid, 0, 0, '', t.typbasetype, t.typtypmod, ''
    FROM pg_type t WHERE t.oid IN (SELECT type FROM reach) AND t.typtype = 'd'
    UNION ALL
    SELECT g.rngtypid, 0, 0, '', g.rngsubtype, -1, ''
    FROM pg_range g WHERE g.rngtypid IN (SELECT type FROM reach)),
  whole(type, shape) AS MATERIALIZED (
    SELECT t.oid, jsonb_build_array(
             t.oid::bigint, s.nspname || '.' || t.typname, t.typtype::text,
             jsonb_agg(jsonb_build_array(p.id, p.name, p.part_type::bigint, p.modifier,
                                         format_type(p.part_type, p.modifier), p.version)
                       ORDER BY p.position))
    FROM part p JOIN pg_type t ON t.oid = p.type JOIN pg_namespace s ON s.oid = t.typnamespace
    GROUP BY t.oid, s.nspname, t.typname, t.typtype),
  types(relation, shapes) AS MATERIALIZED (
    SELECT r.relation, jsonb_agg(w.shape ORDER BY w.type)::text
    FROM reach r JOIN whole w ON w.type = r.type GROUP BY r.relation)
  SELECT c.oid, s.nspname, c.relname, c.relkind,
         CASE WHEN c.relispartition AND NOT EXISTS (
                     SELECT FROM pg_inherits i
                     WHERE i.inhrelid = c.oid AND to_jsonb(i) ->> 'inhdetachpending' = 'true')
              THEN coalesce(up.ids[cardinality(up.ids)], 0) ELSE 0 END,
         c.relfilenode, c.relpersistence,
         c.relreplident::text || ' ' || coalesce((
           SELECT string_agg(quote_ident(a.attname), ',' ORDER BY a.attnum)
           FROM pg_index x JOIN pg_attribute a
             ON a.attrelid = c.oid AND a.attnum = ANY(x.indkey[0:x.indnkeyatts - 1])
           WHERE x.indrelid = c.oid AND x.indisvalid AND x.indimmediate
             AND CASE c.relreplident WHEN 'd' THEN x.indisprimary WHEN 'i' THEN x.indisreplident
                 ELSE false END), ''),
         coalesce((
           SELECT p.oid || ':' || p.xmin
                  || CASE WHEN p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate
                            AND (to_jsonb(p) ->> 'pubviaroot') IS DISTINCT FROM 'true'
                          THEN ' ' ELSE '! ' END
                  || covering.rows
           FROM pg_publication p CROSS JOIN LATERAL (
             SELECT string_agg(DISTINCT r.oid || ':' || r.version, ' ') AS rows
             FROM (
               SELECT r.prpubid AS publication, r.oid,
                      r.xmin::text || CASE WHEN to_jsonb(r) ->> 'prqual' IS NOT NULL
                                             OR to_jsonb(r) ->> 'prattrs' IS NOT NULL
                                           THEN '!' ELSE '' END AS version
               FROM pg_publication_rel r
               WHERE r.prrelid = ANY(c.oid || up.ids)%1$s) r
             WHERE r.publication = p.oid) covering
           WHERE p.pubname = $2), ''),
         c.relispartition AND NOT EXISTS (
           SELECT FROM pg_inherits i
           WHERE i.inhrelid = ANY(c.oid || up.ids) AND NOT EXISTS (
             SELECT FROM pg_attribute u JOIN pg_attribute y
               ON y.attrelid = u.attrelid AND y.attnum = -1 AND y.xmin = u.xmin
                  AND y.cmin::text = u.cmin::text
             WHERE u.attrelid = i.inhrelid AND u.attnum > 0)),
         coalesce((
           SELECT jsonb_agg(jsonb_build_array(
                    a.attnum, a.attname, a.atttypid::bigint, a.atttypmod,
                    format_type(a.atttypid, a.atttypmod), a.attstorage = 'p',
                    CASE WHEN a.atthasmissing
                         THEN hashtextextended(a.attmissingval::text, 0)::text END,
                    a.xmin::text,
                    CASE WHEN a.atthasdef THEN (
                      SELECT d.oid::bigint FROM pg_attrdef d
                      WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) END,
                    a.attcollation::bigint,
                    CASE WHEN a.attgenerated <> '' THEN (
                      SELECT md5(regexp_replace(d.adbin::text, ':location -?[0-9]+', '', 'g'))
                      FROM pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) END,
                    CASE WHEN a.attgenerated <> '' THEN (
                      SELECT md5(string_agg(
                               (to_jsonb(p) - '{proowner,proacl,procost,prorows}'::text[])::text,
                               ' ' ORDER BY p.oid))
                      FROM pg_attrdef d JOIN pg_depend u
                        ON (u.classid, u.objid, u.objsubid) IN (('pg_attrdef'::regclass, d.oid, 0),
                                                               ('pg_class'::regclass, a.attrelid,
                                                                a.attnum))
                      LEFT JOIN pg_operator o
                        ON u.refclassid = 'pg_operator'::regclass AND o.oid = u.refobjid
                      JOIN pg_proc p ON p.oid = CASE WHEN u.refclassid = 'pg_proc'::regclass
                                                     THEN u.refobjid ELSE o.oprcode END
                      WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) END)
                    ORDER BY a.attnum)::text
           FROM pg_attribute a
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), ''),
         coalesce(k.shapes, ''),
         %3$s,
         EXISTS (SELECT FROM tree t WHERE t.oid = c.oid),
         c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid)
  FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
  LEFT JOIN types k ON k.relation = c.oid
  -- The tables above, the root last.
  CROSS JOIN LATERAL (
    WITH RECURSIVE above(id, depth) AS (
      SELECT i.inhparent, 1 FROM pg_inherits i
      WHERE c.relispartition AND i.inhrelid = c.oid
        AND (to_jsonb(i) ->> 'inhdetachpending') IS DISTINCT FROM 'true'
      UNION ALL
      SELECT i.inhparent, a.depth + 1
      FROM above a JOIN pg_class p ON p.oid = a.id AND p.relispartition
      JOIN pg_inherits i ON i.inhrelid = a.id
      WHERE (to_jsonb(i) ->> 'inhdetachpending') IS DISTINCT FROM 'true')
    SELECT coalesce(array_agg(a.id ORDER BY a.depth), '{}') AS ids FROM above a) AS up
  WHERE c.oid IN (SELECT oid FROM tree)
     OR (c.relkind IN ('r', 'p')
         AND (s.nspname::text, c.relname::text) IN (SELECT * FROM unnest($3::text[], $4::text[]))))";

// Before Postgres 13 each partition is published by its own name, wherever it hangs.
constexpr char kLinks[] = R"(
         CASE WHEN c.relispartition THEN coalesce((
           SELECT string_agg(i.inhrelid || ':' || i.xmin, ' ' ORDER BY i.inhrelid)
           FROM pg_inherits i WHERE i.inhrelid = ANY(c.oid || up.ids)), '') ELSE '' END)";

// Since Postgres 15 a publication may name schemas.
constexpr char kPublishedSchemas[] = R"(
             UNION ALL
             SELECT n.pnpubid, n.oid, n.xmin::text
             FROM pg_publication_namespace n JOIN pg_class k ON k.relnamespace = n.pnnspid
             WHERE k.oid = ANY(c.oid || up.ids))";

// Another table has the name that the mapping gives.
constexpr char kTakeItUp[] =
    "if the mapping means the new table: (1) run, as OLD's owner, what `switchyard check "
    "--print-setup FILE` prints; (2) end capture and start it again, so that it follows the new "
    "table; (3) end the replayer and run: switchyard resume FILE; (4) start it again: the new "
    "table is copied";

constexpr char kWasAttached[] = " was attached: rows it had before were not captured";
// What a reason ends with that says so of a partition.
constexpr char kRowsLeft[] = "its rows left without a DELETE";
constexpr char kWasAway[] = "detached and attached again: what changed meanwhile was not captured";
constexpr char kUnpublished[] = "not in the publication: its changes are not captured";
// Before Postgres 13 each new partition needs it.
constexpr char kPublishIt[] =
    "run, as OLD's owner, what `switchyard check --print-setup FILE` prints; then ";

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
  shape.columns = rows.str(row, 10);
  shape.types = rows.str(row, 11);
  shape.links = rows.str(row, 12);
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

Drift Renamed(const TableShape& before, const TableShape& now, const ShapeSnapshot& after) {
  const bool replaced = after.namesakes.contains(before.Display());
  return {.relation_id = before.relation_id,
          .schema = before.schema,
          .name = before.name,
          .reason = records::kRenamedTo + now.Display() +
                    (replaced ? ", and another table has its name" : ""),
          .next_step = replaced
                           ? std::string(kTakeItUp)
                           : absl::StrFormat("rename it back, which clears this, or name %s in "
                                             "the migration file and run: switchyard resume FILE",
                                             now.Display()),
          .renamed_to = now.Display()};
}

class Comparison {
 public:
  Comparison(const TableShapes& before, const ShapeSnapshot& after, const LeftOut& left_out)
      : before_(before), after_(after), left_out_(left_out) {}

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
  // What the mapping was compiled for is not what is there any more.
  static std::string ResumeAndRecopy(const TableShape& mapped) {
    return absl::StrFormat(
        "end the replayer, %s, and start it again: the table is copied "
        "again as it is now; should it be suspect even then: switchyard recopy FILE %s",
        records::kResumeStep, mapped.Display());
  }

  static std::string MendSet(const TableShape& mapped) {
    return absl::StrFormat(
        "look at it on OLD (\\d %1$s); where NEW has a plain column for it, mend what the "
        "migration file says of it under set, end the replayer, %2$s, and start it "
        "again; should the file be right as it is: switchyard recopy FILE %1$s",
        mapped.Display(), records::kResumeStep);
  }

  void Gone(const TableShape& shape);
  void Same(const TableShape& before, const TableShape& now);
  void NewIdentity(const TableShape& mapped, const std::string& where, const TableShape& before,
                   const TableShape& now);
  void NewLeaf(const TableShape& shape);
  void OwnColumns(const TableShape& shape);
  // The columns of a root that mappings read; "" where none of them is generated.
  const std::string& ComputedBy(const TableShape& root);
  void Values(const TableShape& mapped, const std::string& where, const TableShape& before,
              const TableShape& now);
  bool RootHas(const std::vector<std::string>& changes, const TableShape& before) const;

  const TableShapes& before_;
  const ShapeSnapshot& after_;
  const LeftOut& left_out_;
  std::map<uint32_t, std::string> computed_;  // by root
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
        kTakeItUp);
  }
}

void Comparison::Same(const TableShape& before, const TableShape& now) {
  const TableShape& mapped = Mapped(before_, before);
  const std::string where =
      &mapped == &before ? "" : absl::StrFormat("partition %s: ", before.Display());
  // Nobody names a partition; by whatever name, its changes are known by its root.
  if (&mapped == &before && before.Display() != now.Display()) {
    drifts_.push_back(Renamed(before, now, after_));
  }
  const bool concerns = before_.contains(before.root_id) || after_.tables.contains(now.root_id);
  if (before.root_id != now.root_id && concerns) {
    Add(mapped,
        now.root_id == 0 ? where + "detached: its rows left without a DELETE"
                         : where + "attached to another partitioned table",
        Recopy(mapped));
    // What else is new of a partition that left concerns nobody here.
    if (before_.contains(before.root_id)) return;
  } else if (&mapped != &before && !before.links.empty() && before.links != now.links) {
    Add(mapped, where + kWasAway, Recopy(mapped));
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
  if (now.has_children) {
    Add(mapped,
        where + "others inherit from it: their rows show as its own, and are not captured with it",
        absl::StrFormat("take their rows in, or ALTER TABLE ... NO INHERIT %s, which clears this "
                        "once it is copied again: switchyard recopy FILE %s",
                        QuoteQualified(now.schema, now.name), mapped.Display()));
  }
  Values(mapped, where, before, now);
  OwnColumns(now);
  if (before.replica_identity != now.replica_identity) {
    NewIdentity(mapped, where, before, now);
  }
  const bool unpublished = now.kind == 'r' && now.publication_row.empty();
  if (absl::StrContains(now.publication_row, TableShape::kNarrow)) {
    return Add(mapped,
               where +
                   "its publication leaves rows, columns or operations out, or publishes "
                   "partitions as their root",
               "check FILE names it, with the statement that ends it; then " + Recopy(mapped));
  }
  if (before.publication_row != now.publication_row || unpublished) {
    Add(mapped,
        where + (now.publication_row.empty() ? kUnpublished
                                             : "its publication was altered or made again"),
        now.publication_row.empty() ? kPublishIt + Recopy(mapped) : Recopy(mapped));
  }
}

void Append(const std::vector<std::string>& more, std::vector<std::string>* changes) {
  changes->insert(changes->end(), more.begin(), more.end());
}

std::vector<std::string> ShapeChanges(const TableShape& before, const TableShape& now) {
  std::vector<std::string> changes = ColumnChanges(before.columns, now.columns);
  Append(TypeChanges(before.types, now.types), &changes);
  Append(ExpressionChanges(before.columns, now.columns), &changes);
  return changes;
}

// What was done to a partitioned table was done to each of its partitions.
bool Comparison::RootHas(const std::vector<std::string>& changes, const TableShape& before) const {
  const auto root = before_.find(before.root_id);
  const auto now = after_.tables.find(before.root_id);
  return root != before_.end() && now != after_.tables.end() &&
         ShapeChanges(root->second, now->second) == changes;
}

void Comparison::Values(const TableShape& mapped, const std::string& where,
                        const TableShape& before, const TableShape& now) {
  const bool new_file = before.file_node != now.file_node;
  std::vector<std::string> changes = ShapeChanges(before, now);
  if (RootHas(changes, before)) changes.clear();
  const std::vector<std::string> computed = ExpressionChanges(before.columns, now.columns);
  const std::string next_step = changes.empty()    ? Recopy(mapped)
                                : computed.empty() ? ResumeAndRecopy(mapped)
                                                   : MendSet(mapped);
  if (new_file && !ValuesWereKept(before.columns, now.columns)) {
    changes.emplace(changes.begin(),
                    "rewritten: its rows may have other values than the stream showed");
  } else if (!new_file && changes.empty()) {
    changes = MissingValueChanges(before.columns, now.columns);
  }
  if (!changes.empty()) Add(mapped, where + absl::StrJoin(changes, "; "), next_step);
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

const std::string& Comparison::ComputedBy(const TableShape& root) {
  const auto [it, is_new] = computed_.try_emplace(root.relation_id);
  if (!is_new || !HasGenerated(root.columns)) return it->second;
  it->second = root.columns;
  if (left_out_ == nullptr) return it->second;
  it->second = WithoutColumns(root.columns, [&](const std::string& column) {
    return left_out_({root.schema, root.name}, column);
  });
  return it->second;
}

// One expression stands for the whole table in the migration file: rows of a partition that has its
// own are wrong for as long as it has, whatever was copied meanwhile.
void Comparison::OwnColumns(const TableShape& shape) {
  const TableShape& mapped = Mapped(after_.tables, shape);
  if (&mapped == &shape) return;
  const std::string& columns = ComputedBy(mapped);
  if (columns.empty()) return;
  const std::vector<std::string> own = OwnExpressions(columns, shape.columns);
  if (own.empty()) return;
  Add(mapped, absl::StrFormat("partition %s: %s", shape.Display(), absl::StrJoin(own, "; ")),
      absl::StrFormat("on OLD, detach %s, have it compute the column as %s does (DROP COLUMN, ADD "
                      "COLUMN ... GENERATED), and attach it again; then %s",
                      shape.Display(), mapped.Display(), Recopy(mapped)));
}

void Comparison::NewLeaf(const TableShape& shape) {
  const TableShape& mapped = Mapped(after_.tables, shape);
  OwnColumns(shape);
  if (!shape.born_partition) {
    Add(mapped, absl::StrFormat("partition %s%s", shape.Display(), kWasAttached), Recopy(mapped));
  }
  if (shape.kind == 'r' && shape.publication_row.empty()) {
    Add(mapped, absl::StrFormat("partition %s: %s", shape.Display(), kUnpublished),
        kPublishIt + Recopy(mapped));
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
  const int version = session.server_version();
  const std::string sql =
      absl::StrFormat(kShapesSql, version >= 150000 ? kPublishedSchemas : "",
                      version >= pg::kMultiranges ? "g.rngmultitypid" : "0::oid",
                      version >= pg::kPublishesRoots ? kLinks : "''");
  ASSIGN_OR_RETURN(const pg::Result rows,
                   session.Query(sql, {ArrayLiteral(oids), publication, ArrayLiteral(schemas),
                                       ArrayLiteral(names)}));
  ShapeSnapshot snapshot;
  for (int i = 0; i < rows.rows(); ++i) {
    TableShape shape = ShapeOf(rows, i);
    shape.has_children = rows.boolean(i, 14);
    if (!rows.boolean(i, 13)) {
      snapshot.namesakes[shape.Display()] = shape.relation_id;
    } else if (!IsMiddle(shape)) {
      snapshot.tables.emplace(shape.relation_id, std::move(shape));
    }
  }
  return snapshot;
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

std::vector<Drift> CompareShapes(const TableShapes& before, const ShapeSnapshot& after,
                                 const LeftOut& left_out) {
  if (left_out == nullptr) return Comparison(before, after, left_out).Run();
  TableShapes read = before;
  for (auto& [oid, shape] : read) {
    const auto now = after.tables.find(oid);
    if (now == after.tables.end() || now->second.columns == shape.columns) continue;
    const TableShape& mapped = Mapped(before, shape);
    shape.columns = WithoutColumns(shape.columns, [&](const std::string& column) {
      return left_out({mapped.schema, mapped.name}, column);
    });
  }
  return Comparison(read, after, left_out).Run();
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

absl::StatusOr<Lsn> LastPartitionChange(pg::Session& session, const std::string& stream) {
  return records::CaptureSuspects(session, stream).LastSeen({kWasAttached, kRowsLeft, kWasAway});
}

absl::Status RecordShapes(pg::Session& session, const std::string& stream,
                          const TableShapes& shapes, const std::vector<Drift>& drifts) {
  RETURN_IF_ERROR(records::CaptureSuspects(session, stream).Note(drifts));
  return records::CapturedTables(session, stream).Replace(shapes);
}

}  // namespace switchyard::capture
