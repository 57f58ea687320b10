#include "common/mapping/install/analyze.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/log.h"
#include "common/base/strings.h"

namespace switchyard::mapping {
namespace {

// From here on there is a right to it: MAINTAIN.
constexpr int64_t kMaintain = 170000;

struct Forbidden {
  std::vector<std::string> tables;
  std::string remedy;
};

absl::StatusOr<Forbidden> FindForbidden(pg::Session& session,
                                        const std::vector<std::string>& tables) {
  ASSIGN_OR_RETURN(const pg::Result rows, session.Query(R"(
    SELECT t.name, quote_ident(current_user), current_setting('server_version_num')::bigint
    FROM unnest(string_to_array($1, E'\n')) AS t (name)
    JOIN pg_class c ON c.oid = t.name::regclass
    JOIN pg_database d ON d.datname = current_database()
    WHERE NOT (pg_has_role(c.relowner, 'USAGE') OR pg_has_role(d.datdba, 'USAGE')
               OR CASE WHEN current_setting('server_version_num')::int >= 170000
                       THEN has_table_privilege(c.oid, 'MAINTAIN') ELSE false END)
    GROUP BY 1 ORDER BY 1)",
                                                        {absl::StrJoin(tables, "\n")}));
  Forbidden forbidden;
  for (int i = 0; i < rows.rows(); ++i) forbidden.tables.push_back(rows.str(i, 0));
  if (forbidden.tables.empty()) return forbidden;
  const std::string list = absl::StrJoin(forbidden.tables, ", ");
  forbidden.remedy =
      rows.i64(0, 2) >= kMaintain
          ? absl::StrCat("GRANT MAINTAIN ON ", list, " TO ", Sv(rows.text(0, 1)), ";")
          : absl::StrCat("their owner runs, once the copy is through: ANALYZE ", list, ";");
  return forbidden;
}

}  // namespace

absl::StatusOr<Analyzer> Analyzer::Make(pg::Session& session,
                                        const std::vector<std::string>& tables) {
  ASSIGN_OR_RETURN(Forbidden forbidden, FindForbidden(session, tables));
  if (!forbidden.tables.empty()) {
    LogWarn("mapping", "tables are filled without statistics: only their owner may make them",
            {{"tables", absl::StrJoin(forbidden.tables, ", ")}, {"next", forbidden.remedy}});
  }
  return Analyzer(session, std::move(forbidden.tables));
}

absl::Status Analyzer::Analyze(const std::string& table) {
  if (std::ranges::count(forbidden_, table) > 0) return absl::OkStatus();
  return session_.Execute("ANALYZE " + table);
}

absl::StatusOr<std::string> AnalyzeNote(pg::Session& session,
                                        const std::vector<std::string>& tables) {
  ASSIGN_OR_RETURN(const Forbidden forbidden, FindForbidden(session, tables));
  if (forbidden.tables.empty()) return std::string();
  return absl::StrCat(
      "this role may not analyze after the copy: ", absl::StrJoin(forbidden.tables, ", "),
      ". Statements that read them may be slow until autovacuum has; ", forbidden.remedy);
}

}  // namespace switchyard::mapping
