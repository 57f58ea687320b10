#include "replayer/target/breach.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/finding.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/records/breaches.h"
#include "replayer/target/entry_json.h"

namespace switchyard::replayer {
namespace {

using mapping::SourcePlan;

records::BreachRowsSql RowsOf(const SourcePlan& source) {
  records::BreachRowsSql sql = {
      .rows = "pg_temp." + QuoteIdentifier(source.stage) + " AS sy_s",
      .key = "CASE sy_s.sy__op WHEN 'I' THEN " + NewKeyJson(source) + " ELSE " +
             OldKeyJson(source) + " END",
      .before = "NULL::jsonb",
      .after = "CASE WHEN sy_s.sy__op <> 'D' THEN " + ImageJson(source) + " END"};
  if (!source.mirrored) return sql;
  std::vector<std::string> same;
  for (size_t i = 0; i < source.key.size(); ++i) {
    same.push_back(absl::StrCat("sy_t.", QuoteIdentifier(source.columns[source.key[i]].name),
                                " = sy_s.sy__k", i));
  }
  absl::StrAppend(&sql.rows, " LEFT JOIN ", source.mirror.target, " AS sy_t ON ",
                  absl::StrJoin(same, " AND "));
  sql.before = absl::StrCat("CASE WHEN sy_t.", QuoteIdentifier(source.columns[source.key[0]].name),
                            " IS NOT NULL THEN ", MirrorJson(source), " END");
  return sql;
}

}  // namespace

absl::Status StoreBreaches(pg::Session& session, const mapping::Plan& plan,
                           const std::string& stream, const changes::Batch& batch,
                           int64_t open_max) {
  for (const changes::TableChanges& table : batch.tables) {
    const SourcePlan& source = plan.sources[table.source];
    const std::string name = source.schema + "." + source.name;
    if (table.truncated) {
      RETURN_IF_ERROR(records::AddTruncateBreach(session, stream, name, batch.lsn));
    }
    RETURN_IF_ERROR(records::AddBreaches(session, stream, name, batch.lsn, RowsOf(source)));
    LogError("replayer", "somebody wrote to the side that does not own",
             {{"stream", stream},
              {"table", name},
              {"rows", std::to_string(table.changes.size())},
              {"lsn", batch.lsn.ToString()},
              {"next", "find out who, then: switchyard breach FILE list"}});
  }
  ASSIGN_OR_RETURN(const int64_t open, records::CountBreaches(session, stream));
  if (open <= open_max) return absl::OkStatus();
  return Refuse(absl::StrFormat("%d rows were written on the side that does not own, more than "
                                "replay.quarantine_max (%d)",
                                open, open_max),
                "end what writes there, decide on each (switchyard breach FILE list), or raise "
                "replay.quarantine_max; then start the replayer again");
}

}  // namespace switchyard::replayer
