#include "common/mapping/own_code.h"

#include "absl/strings/str_replace.h"
#include "common/base/strings.h"

namespace switchyard::mapping {

std::string RunsOwnCodeSql(const std::vector<std::string>& tables, bool silent) {
  return absl::StrReplaceAll(
      R"(
  WITH RECURSIVE tables (oid) AS (
    SELECT name::regclass::oid FROM unnest($tables::text[]) AS n (name)
    UNION
    SELECT more.oid FROM tables t CROSS JOIN LATERAL (
      SELECT inhrelid FROM pg_inherits WHERE inhparent = t.oid
      UNION ALL
      SELECT conrelid FROM pg_constraint
      WHERE NOT $silent AND contype = 'f' AND confrelid = t.oid
        AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd'))) AS more (oid)),
  types (oid) AS (
    SELECT a.atttypid FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0
    UNION
    SELECT more.oid FROM types t JOIN pg_type y ON y.oid = t.oid CROSS JOIN LATERAL (
      SELECT y.typbasetype UNION ALL SELECT y.typelem
      UNION ALL SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = y.typrelid) AS more (oid)
    WHERE more.oid <> 0),
  parts (classid, objid) AS (
    SELECT 'pg_constraint'::regclass, oid FROM pg_constraint
    WHERE contype = 'c' AND (conrelid IN (TABLE tables) OR contypid IN (TABLE types))
    UNION ALL
    SELECT 'pg_attrdef'::regclass, oid FROM pg_attrdef WHERE adrelid IN (TABLE tables)
    UNION ALL
    SELECT 'pg_class'::regclass, indexrelid FROM pg_index WHERE indrelid IN (TABLE tables)
    UNION ALL
    SELECT 'pg_rewrite'::regclass, oid FROM pg_rewrite WHERE ev_class IN (TABLE tables)),
  called (oid) AS (
    SELECT coalesce(o.oprcode, d.refobjid) FROM parts p
    JOIN pg_depend d ON d.classid = p.classid AND d.objid = p.objid
    LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
    WHERE d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass))
  SELECT EXISTS (
      SELECT FROM pg_trigger WHERE tgrelid IN (TABLE tables) AND NOT tgisinternal
        -- The fence names all it uses.
        AND NOT EXISTS (SELECT FROM pg_proc f WHERE f.oid = tgfoid
                        AND f.pronamespace = to_regnamespace('switchyard'))
        AND CASE WHEN $silent THEN tgenabled IN ('A', 'R') ELSE tgenabled IN ('A', 'O') END)
    OR EXISTS (
      SELECT FROM called c JOIN pg_proc f ON f.oid = c.oid
      JOIN pg_language l ON l.oid = f.prolang
      WHERE f.pronamespace <> 'pg_catalog'::regnamespace AND l.lanname NOT IN ('internal', 'c')))",
      {{"$tables", QuoteLiteral(ArrayLiteral(tables))}, {"$silent", silent ? "true" : "false"}});
}

}  // namespace switchyard::mapping
