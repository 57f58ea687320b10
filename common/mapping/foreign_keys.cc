#include "common/mapping/foreign_keys.h"

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

// A key of a partitioned table is there once more for each partition, as a child of it.
absl::Status LoadReferences(pg::Session& session, const std::string& targets, TargetRules* rules) {
  ASSIGN_OR_RETURN(const pg::Result rows, session.Query(absl::StrCat(kTables, R"(
    SELECT f.oid, f.conname, n.nspname, f.condeferrable, f.confdeltype, f.confupdtype,
           coalesce(child.display, cs.nspname || '.' || cc.relname),
           coalesce(child.quoted, quote_ident(cs.nspname) || '.' || quote_ident(cc.relname)),
           coalesce(parent.display, ps.nspname || '.' || pc.relname),
           ca.attname, pa.attname
    FROM pg_constraint f
    JOIN pg_namespace n ON n.oid = f.connamespace
    JOIN pg_class cc ON cc.oid = f.conrelid JOIN pg_namespace cs ON cs.oid = cc.relnamespace
    JOIN pg_class pc ON pc.oid = f.confrelid JOIN pg_namespace ps ON ps.oid = pc.relnamespace
    LEFT JOIN names child ON child.oid = f.conrelid
    LEFT JOIN names parent ON parent.oid = f.confrelid
    CROSS JOIN LATERAL unnest(f.conkey, f.confkey) WITH ORDINALITY AS k(child, parent, position)
    JOIN pg_attribute ca ON ca.attrelid = f.conrelid AND ca.attnum = k.child
    JOIN pg_attribute pa ON pa.attrelid = f.confrelid AND pa.attnum = k.parent
    WHERE f.contype = 'f' AND f.conparentid = 0
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
                                   .deferrable = rows.boolean(i, 3),
                                   .on_delete = rows.text(i, 4)[0],
                                   .on_update = rows.text(i, 5)[0]});
    }
    last = rows.str(i, 0);
    rules->references.back().columns.push_back(rows.str(i, 9));
    rules->references.back().referenced.push_back(rows.str(i, 10));
  }
  return absl::OkStatus();
}

absl::Status LoadUnique(pg::Session& session, const std::string& targets, TargetRules* rules) {
  ASSIGN_OR_RETURN(const pg::Result rows, session.Query(absl::StrCat(kTables, R"(
    SELECT n.display, i.indimmediate,
           CASE WHEN i.indimmediate THEN x.relname
                ELSE quote_ident(s.nspname) || '.' || quote_ident(x.relname) END
    FROM names n JOIN pg_index i ON i.indrelid = n.oid JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_namespace s ON s.oid = x.relnamespace
    WHERE (i.indisunique OR i.indisexclusion) AND i.indislive
      AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid)
    ORDER BY 1, i.indisprimary DESC, 3)"),
                                                        {targets}));
  for (int i = 0; i < rows.rows(); ++i) {
    auto& lists = rows.boolean(i, 1) ? rules->unique_at_once : rules->unique_deferrable;
    lists[rows.str(i, 0)].push_back(rows.str(i, 2));
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
  RETURN_IF_ERROR(LoadTriggers(session, targets, &rules));
  return rules;
}

}  // namespace switchyard::mapping
