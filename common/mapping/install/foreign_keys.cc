#include "common/mapping/install/foreign_keys.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/strings.h"

namespace switchyard::mapping {
namespace {

// The tables of $1, an array of quoted names, with their partitions: each with its root.
constexpr char kTables[] = R"(
  WITH RECURSIVE named AS (
    SELECT name::regclass::oid AS oid FROM unnest($1::text[]) AS n(name)),
  tables(root, oid) AS (
    SELECT oid, oid FROM named
    UNION
    SELECT t.root, i.inhrelid FROM tables t JOIN pg_inherits i ON i.inhparent = t.oid
    JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition),
  names AS (
    SELECT DISTINCT t.root, t.oid, s.nspname || '.' || c.relname AS display,
           quote_ident(s.nspname) || '.' || quote_ident(c.relname) AS quoted
    FROM tables t JOIN pg_class c ON c.oid = t.root JOIN pg_namespace s ON s.oid = c.relnamespace))";

std::string TargetArray(const Plan& plan) {
  std::set<std::string> quoted;
  for (const MappingPlan& mapping : plan.mappings) {
    std::string literal = "\"";
    for (const char c : mapping.target) {
      if (c == '"' || c == '\\') literal += '\\';
      literal += c;
    }
    quoted.insert(literal + "\"");
  }
  return absl::StrCat("{", absl::StrJoin(quoted, ","), "}");
}

// The table of a constraint, with what is below it, when it is itself a part of a mapped one.
std::string PartsOf(const std::string& side, const std::string& oid) {
  return absl::StrCat("CASE WHEN ", side, ".root <> ", oid, R"( THEN (
      WITH RECURSIVE part AS (
        SELECT )",
                      oid, R"( AS oid
        UNION SELECT i.inhrelid FROM part JOIN pg_inherits i ON i.inhparent = part.oid)
      SELECT string_agg(part.oid::text, ', ') FROM part) END)");
}

// As Reference::operators has it.
std::string OperatorSql(const std::string& oid) {
  return "(SELECT 'OPERATOR(' || quote_ident(os.nspname) || '.' || o.oprname || ')' "
         "FROM pg_operator o JOIN pg_namespace os ON os.oid = o.oprnamespace WHERE o.oid = " +
         oid + ")";
}

// A key of a partitioned table is there once more for each partition, as a child of it.
absl::Status LoadReferences(pg::Session& session, const std::string& targets, TargetRules* rules) {
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      session.Query(
          absl::StrCat(kTables, R"(
    SELECT f.oid, f.conname, n.nspname, f.condeferrable, f.confdeltype, f.confupdtype,
           coalesce(child.display, cs.nspname || '.' || cc.relname),
           coalesce(child.quoted, quote_ident(cs.nspname) || '.' || quote_ident(cc.relname)),
           coalesce(parent.display, ps.nspname || '.' || pc.relname),
           ca.attname, pa.attname,
           coalesce(parent.quoted, quote_ident(ps.nspname) || '.' || quote_ident(pc.relname)),
           f.confmatchtype = 'f',
           CASE WHEN ca.attcollation <> pa.attcollation
                THEN quote_ident(ls.nspname) || '.' || quote_ident(l.collname) END,
           EXISTS (SELECT FROM pg_index i WHERE i.indrelid = f.conrelid AND i.indisvalid
                     AND i.indpred IS NULL
                     AND f.conkey <@ (i.indkey::int2[])[0:cardinality(f.conkey) - 1]),
           )",
                       PartsOf("child", "f.conrelid"), ", ", PartsOf("parent", "f.confrelid"), ", ",
                       OperatorSql("k.equal"), ", ", OperatorSql("k.child_equal"), R"(
    FROM pg_constraint f
    JOIN pg_namespace n ON n.oid = f.connamespace
    JOIN pg_class cc ON cc.oid = f.conrelid JOIN pg_namespace cs ON cs.oid = cc.relnamespace
    JOIN pg_class pc ON pc.oid = f.confrelid JOIN pg_namespace ps ON ps.oid = pc.relnamespace
    LEFT JOIN names child ON child.oid = f.conrelid
    LEFT JOIN names parent ON parent.oid = f.confrelid
    CROSS JOIN LATERAL unnest(f.conkey, f.confkey, f.conpfeqop, f.conffeqop)
      WITH ORDINALITY AS k(child, parent, equal, child_equal, position)
    JOIN pg_attribute ca ON ca.attrelid = f.conrelid AND ca.attnum = k.child
    JOIN pg_attribute pa ON pa.attrelid = f.confrelid AND pa.attnum = k.parent
    LEFT JOIN pg_collation l ON l.oid = pa.attcollation
    LEFT JOIN pg_namespace ls ON ls.oid = l.collnamespace
    WHERE f.contype = 'f' AND f.conparentid = 0
      AND coalesce((to_jsonb(f) ->> 'conenforced')::boolean, true)  -- since Postgres 18
      AND (child.oid IS NOT NULL OR parent.oid IS NOT NULL)
    ORDER BY n.nspname, f.conname, f.oid, k.position)"),
          {targets}));
  std::string last;
  for (int i = 0; i < rows.rows(); ++i) {
    if (rows.text(i, 0) != last) {
      rules->references.push_back({.name = rows.str(i, 1),
                                   .schema = rows.str(i, 2),
                                   .child = rows.str(i, 6),
                                   .parent = rows.str(i, 8),
                                   .child_quoted = rows.str(i, 7),
                                   .parent_quoted = rows.str(i, 11),
                                   .child_parts = rows.str(i, 15),
                                   .parent_parts = rows.str(i, 16),
                                   .deferrable = rows.boolean(i, 3),
                                   .indexed = rows.boolean(i, 14),
                                   .full = rows.boolean(i, 12),
                                   .on_delete = rows.text(i, 4)[0],
                                   .on_update = rows.text(i, 5)[0]});
    }
    last = rows.str(i, 0);
    rules->references.back().columns.push_back(rows.str(i, 9));
    rules->references.back().referenced.push_back(rows.str(i, 10));
    rules->references.back().collations.push_back(rows.is_null(i, 13) ? "" : rows.str(i, 13));
    rules->references.back().operators.push_back(rows.is_null(i, 17) ? "" : rows.str(i, 17));
    rules->references.back().child_operators.push_back(rows.is_null(i, 18) ? "" : rows.str(i, 18));
  }
  return absl::OkStatus();
}

absl::Status LoadUnique(pg::Session& session, const std::string& targets, TargetRules* rules) {
  ASSIGN_OR_RETURN(const pg::Result rows, session.Query(absl::StrCat(kTables, R"(
    SELECT n.display, i.indimmediate, x.relname, s.nspname
    FROM names n JOIN pg_index i ON i.indrelid = n.oid JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_namespace s ON s.oid = x.relnamespace
    WHERE (i.indisunique OR i.indisexclusion) AND i.indislive
      AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid)
    ORDER BY 1, i.indisprimary DESC, 3)"),
                                                        {targets}));
  for (int i = 0; i < rows.rows(); ++i) {
    if (rows.boolean(i, 1)) {
      rules->unique_at_once[rows.str(i, 0)].push_back(rows.str(i, 2));
    } else {
      rules->unique_deferrable[rows.str(i, 0)].push_back(
          QuoteQualified(rows.str(i, 3), rows.str(i, 2)));
    }
  }
  return absl::OkStatus();
}

// Those of a schema that the role may not use can't be named by it.
absl::Status LoadDeferrable(pg::Session& session, const std::string& targets, TargetRules* rules) {
  ASSIGN_OR_RETURN(const pg::Result rows, session.Query(absl::StrCat(kTables, R"(
    SELECT DISTINCT s.nspname, f.conname
    FROM pg_constraint f JOIN pg_namespace s ON s.oid = f.connamespace
    WHERE f.condeferrable AND has_schema_privilege(s.oid, 'USAGE')
      AND EXISTS (SELECT FROM names n WHERE n.oid IN (f.conrelid, f.confrelid)) ORDER BY 1, 2)"),
                                                        {targets}));
  for (int i = 0; i < rows.rows(); ++i) {
    rules->deferrable.push_back(QuoteQualified(rows.str(i, 0), rows.str(i, 1)));
  }
  return absl::OkStatus();
}

absl::Status LoadTriggers(pg::Session& session, const std::string& targets, TargetRules* rules) {
  ASSIGN_OR_RETURN(const pg::Result rows, session.Query(absl::StrCat(kTables, R"(
    SELECT DISTINCT n.display || ': ' || t.tgname, t.tgenabled
    FROM names n JOIN pg_trigger t ON t.tgrelid = n.oid
    WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' ORDER BY 1)"),
                                                        {targets}));
  for (int i = 0; i < rows.rows(); ++i) {
    const char enabled = rows.text(i, 1)[0];  // 'O' origin, 'R' replica, 'A' always
    if (enabled != 'R') rules->triggers.push_back(rows.str(i, 0));
    if (enabled != 'O') rules->replica_triggers.push_back(rows.str(i, 0));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TargetRules> LoadTargetRules(pg::Session& session, const Plan& plan) {
  TargetRules rules;
  const std::string targets = TargetArray(plan);
  ASSIGN_OR_RETURN(const pg::Result role, session.Query("SELECT quote_ident(current_user)"));
  rules.role = role.str(0, 0);
  RETURN_IF_ERROR(LoadReferences(session, targets, &rules));
  RETURN_IF_ERROR(LoadUnique(session, targets, &rules));
  RETURN_IF_ERROR(LoadDeferrable(session, targets, &rules));
  RETURN_IF_ERROR(LoadTriggers(session, targets, &rules));
  return rules;
}

}  // namespace switchyard::mapping
