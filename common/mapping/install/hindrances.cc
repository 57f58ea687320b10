#include "common/mapping/install/hindrances.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/finding.h"
#include "common/base/strings.h"

namespace switchyard::mapping {
namespace {

// Where NEW's own path is set, so that nothing is looked for in it: the types of arguments are
// those of pg_catalog's functions and operators. The columns of a table are no hindrance, but seen
// as well.
//
// Switchyard's own triggers are no hindrance to it. Of a partitioned table each partition has the
// root's triggers once more.
constexpr char kFound[] = R"(
  WITH role AS (
    SELECT (CASE coalesce(nullif($2, ''), current_setting('session_replication_role'))
            WHEN 'replica' THEN 'R' ELSE 'O' END)::"char" AS fires)
  SELECT t.tgrelid, t.oid::text || '/' || p.xmin::text, 't', t.tgname, t.tgtype::int4 & 4 <> 0,
         t.tgtype::int4 & 8 <> 0, t.tgtype::int4 & 16 <> 0, role.fires = 'R', p.oid,
         CASE WHEN t.tgtype::int4 & 2 = 2 THEN 'BEFORE ' ELSE 'AFTER ' END,
         CASE WHEN t.tgtype::int4 & 1 = 1 THEN 'row' ELSE 'statement' END,
         t.tgtype::int4 & 32 <> 0
  FROM role CROSS JOIN pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  WHERE t.tgrelid = ANY($1::oid[]) AND NOT t.tgisinternal
    AND t.tgparentid = 0::oid AND n.nspname <> 'switchyard' AND t.tgenabled IN ('A', role.fires)
  UNION ALL
  SELECT r.ev_class, r.oid::text, 'r', r.rulename, r.ev_type = '3', r.ev_type = '4',
         r.ev_type = '2', role.fires = 'R', 0, '', '', false
  FROM role CROSS JOIN pg_catalog.pg_rewrite r
  WHERE r.ev_class = ANY($1::oid[]) AND r.ev_type <> '1' AND r.ev_enabled IN ('A', role.fires)
  UNION ALL
  SELECT c.oid, c.oid::text, 'u', c.relname, false, false, false, false, 0, '', '', false
  FROM pg_catalog.pg_class c
  WHERE c.oid = ANY($1::oid[]) AND c.relkind = 'r' AND c.relpersistence = 'u'
  UNION ALL
  SELECT c.oid, c.relname::text || '/' || md5(string_agg(
           a.attnum::text || ' ' || a.attname::text || ' ' || a.atttypid::text || ' ' ||
           a.atttypmod::text || ' ' || a.attgenerated::text, ',' ORDER BY a.attnum)),
         'c', c.relname, false, false, false, false, 0, '', '', false
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
  WHERE c.oid = ANY($1::oid[]) AND a.attnum > 0::int2 GROUP BY c.oid, c.relname
  ORDER BY 1, 2)";

// What the source of functions $1 says of tables $2: which of them they write, and whether they
// write anything that can't be told, by EXECUTE or in functions they call.
constexpr char kWrites[] = R"(
  WITH tables AS (
    SELECT n.nspname::text || '.' || c.relname::text AS display,
      '\m(insert\s+into|update|delete\s+from|merge\s+into|truncate|copy)\s+(table\s+)?'
      '(only\s+)?("?' || regexp_replace(n.nspname::text, '(\W)', '\\\1', 'g') || '"?\s*\.\s*)?"?'
      || regexp_replace(c.relname::text, '(\W)', '\\\1', 'g') || '("|\M)' AS write
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = ANY($2::oid[])),
  code AS (
    SELECT p.oid, regexp_replace(p.prosrc, '--[^\n]*', '', 'g') AS text
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE p.oid = ANY($1::oid[]) AND l.lanname NOT IN ('internal', 'c'))
  SELECT c.oid, coalesce(string_agg(DISTINCT t.display, ', '), ''),
         c.text ~* '\m(execute|perform|call)\M'
  FROM code c LEFT JOIN tables t ON c.text ~* t.write
  GROUP BY c.oid, c.text)";

// Those of $1, an array of quoted names, and their partitions.
constexpr char kParts[] = R"(
  WITH RECURSIVE tables(root, oid) AS (
    SELECT name, name::regclass::oid FROM unnest($1::text[]) AS n(name)
    UNION
    SELECT t.root, i.inhrelid FROM tables t
    JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relispartition)
  SELECT t.root, t.oid, n.nspname, c.relname FROM tables t
  JOIN pg_catalog.pg_class c ON c.oid = t.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace ORDER BY 1, 2)";

std::string ArrayOf(const std::vector<std::string>& oids) {
  return absl::StrCat("{", absl::StrJoin(oids, ","), "}");
}

absl::StatusOr<pg::Result> Find(pg::Session& session, const std::vector<std::string>& oids,
                                Hindrances::Role role) {
  const char* named = role == Hindrances::Role::kReplica  ? "replica"
                      : role == Hindrances::Role::kOrigin ? "origin"
                                                          : "";
  return session.QueryPrepared(kFound, {ArrayOf(oids), named});
}

// What the function of a trigger writes, by OID.
struct Writes {
  std::string tables;
  bool others = false;
};

using WritesByFunction = std::map<std::string, Writes>;

absl::StatusOr<WritesByFunction> LoadWrites(pg::Session& session, const pg::Result& found,
                                            const std::vector<std::string>& tables) {
  WritesByFunction writes;
  std::vector<std::string> functions;
  for (int i = 0; i < found.rows(); ++i) {
    if (found.text(i, 2) == "t") functions.push_back(found.str(i, 8));
  }
  if (functions.empty()) return writes;
  ASSIGN_OR_RETURN(const pg::Result rows,
                   session.Query(kWrites, {ArrayOf(functions), ArrayOf(tables)}));
  for (int i = 0; i < rows.rows(); ++i) {
    writes[rows.str(i, 0)] = {.tables = rows.str(i, 1), .others = rows.boolean(i, 2)};
  }
  return writes;
}

// It decides what becomes of a row that is written.
bool IsInTheWay(const pg::Result& found, int row) {
  return found.text(row, 2) != "t" ||
         (found.text(row, 9) == "BEFORE " && found.text(row, 10) == "row");
}

std::string EventsOf(const pg::Result& found, int row) {
  std::vector<std::string> events;
  if (found.boolean(row, 4)) events.emplace_back("INSERT");
  if (found.boolean(row, 5)) events.emplace_back("DELETE");
  if (found.boolean(row, 6)) events.emplace_back("UPDATE");
  if (found.boolean(row, 11)) events.emplace_back("TRUNCATE");
  return absl::StrJoin(events, " OR ");
}

std::string TargetNames(const Plan& plan) {
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

// A trigger or rule that fires in a session like Switchyard's is to fire for the application alone
// where Postgres can tell the two apart.
Hindrance Describe(const pg::Result& found, int row, const std::string& table,
                   const std::string& shown, const std::string& quoted) {
  const char kind = found.text(row, 2)[0];
  const std::string name = found.str(row, 3);
  const std::string alter = absl::StrCat("ALTER TABLE ", quoted);
  const char* enable = found.boolean(row, 7) ? " ENABLE" : " DISABLE";
  Hindrance one{.table = table};
  if (kind == 't') {
    one.what = absl::StrCat("trigger ", name, " of ", shown, " (", found.str(row, 9),
                            EventsOf(found, row), ", for each ", found.str(row, 10), ")");
    one.remedy = absl::StrCat(alter, enable, " TRIGGER ", QuoteIdentifier(name));
  } else if (kind == 'r') {
    one.what = absl::StrCat("rule ", name, " of ", shown, " (ON ", EventsOf(found, row), ")");
    one.remedy = absl::StrCat(alter, enable, " RULE ", QuoteIdentifier(name));
    one.refusal =
        "rewrites what Switchyard writes there: rows would be left out or changed without an error";
  } else {
    one.what = absl::StrCat("table ", shown, " is UNLOGGED");
    one.remedy = absl::StrCat(alter, " SET LOGGED");
    one.refusal = "and empty after a crash of NEW's server, which nobody would notice";
  }
  return one;
}

std::string Remedies(const std::vector<Hindrance>& all) {
  return absl::StrJoin(
      all, "; ", [](std::string* out, const Hindrance& one) { absl::StrAppend(out, one.remedy); });
}

std::string Names(const std::vector<Hindrance>& all) {
  return absl::StrJoin(
      all, ", ", [](std::string* out, const Hindrance& one) { absl::StrAppend(out, one.what); });
}

std::string HowTo(const std::vector<Hindrance>& all) {
  const bool switched = std::ranges::any_of(all, [](const Hindrance& one) {
    return absl::StrContains(one.remedy, " ENABLE ") || absl::StrContains(one.remedy, " DISABLE ");
  });
  return absl::StrCat(
      "in NEW, as the owner of the table: ", Remedies(all),
      switched ? " (a plain ENABLE is for the application's sessions alone; what is disabled is to "
                 "be enabled again before they come)"
               : "",
      ". Then start replay again; a re-copy that failed of it is asked for again");
}

}  // namespace

absl::StatusOr<Hindrances> Hindrances::Load(pg::Session& session, const Plan& plan, Role role) {
  Hindrances found;
  std::map<std::string, std::string> display;  // by quoted name
  for (const MappingPlan& mapping : plan.mappings) display[mapping.target] = mapping.display;
  ASSIGN_OR_RETURN(const pg::Result parts, session.Query(kParts, {TargetNames(plan)}));
  std::map<std::string, int> row_of;  // by OID
  std::vector<std::string> oids;
  for (int i = 0; i < parts.rows(); ++i) {
    found.parts_[display[parts.str(i, 0)]].push_back(parts.str(i, 1));
    row_of[parts.str(i, 1)] = i;
    oids.push_back(parts.str(i, 1));
  }
  ASSIGN_OR_RETURN(const pg::Result rows, Find(session, oids, role));
  ASSIGN_OR_RETURN(WritesByFunction writes, LoadWrites(session, rows, oids));
  for (int i = 0; i < rows.rows(); ++i) {
    const int part = row_of[rows.str(i, 0)];
    found.ids_[display[parts.str(part, 0)]].insert(rows.str(i, 1));
    if (rows.text(i, 2) == "c") continue;
    Hindrance one = Describe(rows, i, display[parts.str(part, 0)],
                             parts.str(part, 2) + "." + parts.str(part, 3),
                             QuoteQualified(parts.str(part, 2), parts.str(part, 3)));
    const Writes& does = writes[rows.str(i, 8)];
    if (!does.tables.empty()) {
      one.refusal =
          absl::StrCat("writes into ", does.tables,
                       ", which Switchyard fills: with what Switchyard writes there as "
                       "well, rows would be there twice, gone or changed without an error");
    }
    if (IsInTheWay(rows, i) || !one.refusal.empty()) {
      found.tables_.insert(one.table);
      found.all_.push_back(std::move(one));
    } else if (does.others) {
      found.beside_.push_back(std::move(one));
    }
  }
  return found;
}

std::vector<Hindrance> Hindrances::Of(const std::string& table) const {
  std::vector<Hindrance> of;
  for (const Hindrance& one : all_) {
    if (one.table == table) of.push_back(one);
  }
  return of;
}

absl::StatusOr<bool> Hindrances::StillSo(pg::Session& session,
                                         const std::set<std::string>& tables) const {
  std::vector<std::string> oids;
  std::set<std::string> known;
  for (const std::string& table : tables) {
    const auto parts = parts_.find(table);
    if (parts != parts_.end()) oids.insert(oids.end(), parts->second.begin(), parts->second.end());
    const auto ids = ids_.find(table);
    if (ids != ids_.end()) known.insert(ids->second.begin(), ids->second.end());
  }
  if (oids.empty()) return true;
  ASSIGN_OR_RETURN(const pg::Result rows, Find(session, oids, Role::kSession));
  std::set<std::string> there;
  for (int i = 0; i < rows.rows(); ++i) there.insert(rows.str(i, 1));
  return there == known;
}

absl::Status RefuseHindrances(const Hindrances& hindrances) {
  std::vector<Hindrance> refused;
  std::vector<std::string> reasons;
  for (const Hindrance& one : hindrances.all()) {
    if (one.refusal.empty()) continue;
    refused.push_back(one);
    reasons.push_back(absl::StrCat(one.what, " ", one.refusal));
  }
  if (refused.empty()) return absl::OkStatus();
  return Refuse(absl::StrCat("NEW's ", absl::StrJoin(reasons, "; ")), HowTo(refused));
}

std::string MayWriteBeside(const Hindrance& one) {
  return absl::StrCat(
      "NEW: ", one.what,
      " fires for what Switchyard writes, and may write by itself what can't be told from here. "
      "Were "
      "that a table that a mapping fills, NEW would be wrong until verify finds it. If so, or if "
      "what "
      "it writes is not to be written twice: ",
      one.remedy);
}

absl::Status NotAsWritten(const Hindrances& hindrances, const std::string& table, int64_t not_so,
                          int64_t rows) {
  const std::vector<Hindrance> here = hindrances.Of(table);
  return Refuse(
      absl::StrFormat("NEW's %s does not hold what was written to it: %d of %d rows were left out, "
                      "kept or changed by its %s. Nothing of it was committed",
                      table, not_so, rows, Names(here)),
      HowTo(here));
}

}  // namespace switchyard::mapping
