#include "replayer/target/quarantine/careful_rows.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/mapping/sql/sql_builder.h"

namespace switchyard::replayer {
namespace {

// A row that is refused costs a look at a piece for each of its bisections.
constexpr int64_t kPieceRows = 10'000;
constexpr char kNumbered[] = "pg_temp.sy_numbered";

absl::Status MakeIfMissing(pg::Session& session, const std::string& table, const std::string& ddl) {
  ASSIGN_OR_RETURN(const pg::Result there,
                   session.Query("SELECT to_regclass($1) IS NOT NULL",
                                 {absl::StrCat("pg_temp.", QuoteIdentifier(table))}));
  return there.boolean(0, 0) ? absl::OkStatus() : session.Execute(ddl);
}

}  // namespace

absl::Status WriteRowsCarefully(TableWriter& writer, Quarantine& quarantine,
                                mapping::MappingIndex mapping, const std::string& table, Lsn lsn) {
  pg::Session& session = writer.stage().session();
  const mapping::MappingPlan& plan = writer.stage().plan().mappings[mapping];
  const mapping::SourcePlan& source = writer.stage().plan().sources[plan.source];
  RETURN_IF_ERROR(MakeIfMissing(session, source.stage, source.stage_ddl));
  RETURN_IF_ERROR(MakeIfMissing(session, plan.write.taken_table, plan.write.taken_table_ddl));
  std::vector<std::string> names;
  for (const mapping::StageColumn& column : source.columns) names.push_back(column.name);
  const std::string columns = mapping::JoinQuoted(names);
  RETURN_IF_ERROR(session.Execute(absl::StrCat(
      "DROP TABLE IF EXISTS ", kNumbered, "; CREATE TEMP TABLE sy_numbered ON COMMIT DROP AS ",
      "SELECT row_number() OVER () AS sy__n, ", columns, " FROM ", table,
      "; CREATE INDEX ON pg_temp.sy_numbered (sy__n)")));
  ASSIGN_OR_RETURN(const pg::Result count,
                   session.Query(absl::StrCat("SELECT count(*) FROM ", kNumbered)));
  const changes::TableChanges rows{.source = plan.source};
  for (int64_t from = 0; from < count.i64(0, 0); from += kPieceRows) {
    RETURN_IF_ERROR(session.Execute(
        absl::StrCat("TRUNCATE pg_temp.", QuoteIdentifier(source.stage), "; INSERT INTO pg_temp.",
                     QuoteIdentifier(source.stage), " (sy__op, sy__ord, ", columns,
                     ") SELECT 'I', sy__n - ", from, ", ", columns, " FROM ", kNumbered,
                     " WHERE sy__n > ", from, " AND sy__n <= ", from + kPieceRows)));
    RETURN_IF_ERROR(
        quarantine.WriteCarefully(rows, mapping, lsn, [](Moment) { return absl::OkStatus(); }));
  }
  return writer.stage().ClearStage(plan.source);
}

}  // namespace switchyard::replayer
