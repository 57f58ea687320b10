#include "operate/recopy_request.h"

#include "capture/capture.h"
#include "common/base/strings.h"

namespace switchyard::operate {
namespace {

// The result of a request that OLD knows of, until there is another.
const std::string kAsked = "asked for";

std::string Argument(const spec::TableName& table) { return table.schema + "." + table.name; }

// A copy that is under way may be of another shape: only one that begins from now on counts.
absl::Status AskOld(pg::Session& old_session, pg::Session& new_session,
                    const capture::StreamNames& names, const std::string& request,
                    const spec::TableName& table) {
  ASSIGN_OR_RETURN(const pg::Result now, old_session.Query("SELECT pg_current_wal_insert_lsn()"));
  RETURN_IF_ERROR(new_session
                      .Query("UPDATE switchyard.request SET source_lsn = $2::pg_lsn "
                             "WHERE id = $1::bigint AND state = 'open'",
                             {request, now.str(0, 0)})
                      .status());
  const absl::Status asked = capture::Capture::Recopy(old_session, names, table);
  const absl::Status noted =
      new_session
          .Query(asked.ok() ? "UPDATE switchyard.request SET result = $2 WHERE id = $1::bigint "
                              "AND state = 'open'"
                            : "UPDATE switchyard.request SET state = 'failed', result = $2, "
                              "finished_at = clock_timestamp() WHERE id = $1::bigint",
                 {request, asked.ok() ? kAsked : std::string(StdSv(asked.message()))})
          .status();
  RETURN_IF_ERROR(asked);
  return noted;
}

}  // namespace

absl::StatusOr<int64_t> RequestRecopy(pg::Session& old_session, pg::Session& new_session,
                                      const capture::StreamNames& names,
                                      const spec::TableName& table) {
  // NEW first: the position kept here must lie before the copy's own point. A request that is open
  // is taken up again; one that ended before OLD was asked is asked of OLD now.
  ASSIGN_OR_RETURN(const pg::Result request,
                   new_session.Query(R"(
    WITH asked AS (
      INSERT INTO switchyard.request (stream, kind, argument, epoch, lsn, log_offset)
      SELECT name, 'recopy', $2, epoch, lsn, log_offset FROM switchyard.stream
      WHERE name = $1 AND NOT EXISTS (SELECT FROM switchyard.request WHERE stream = $1
                                      AND kind = 'recopy' AND argument = $2 AND state = 'open')
      RETURNING id)
    SELECT id, false, pg_notify('switchyard_request', $1) FROM asked
    UNION ALL
    (SELECT id, result = $3, NULL FROM switchyard.request
     WHERE stream = $1 AND kind = 'recopy' AND argument = $2 AND state = 'open' LIMIT 1))",
                                     {names.stream, Argument(table), kAsked}));
  if (!request.boolean(0, 1)) {
    RETURN_IF_ERROR(AskOld(old_session, new_session, names, request.str(0, 0), table));
  }
  return request.i64(0, 0);
}

absl::StatusOr<std::vector<std::string>> AskForOpenCopies(pg::Session& old_session,
                                                          pg::Session& new_session,
                                                          const capture::StreamNames& names,
                                                          const mapping::Plan& plan) {
  std::vector<std::string> tables;
  for (const mapping::SourcePlan& source : plan.sources) {
    const spec::TableName table = {.schema = source.schema, .name = source.name};
    ASSIGN_OR_RETURN(const pg::Result open,
                     new_session.Query("SELECT id, result = $3 FROM switchyard.request WHERE "
                                       "stream = $1 AND kind = 'recopy' AND state = 'open' AND "
                                       "argument = $2",
                                       {names.stream, Argument(table), kAsked}));
    for (int i = 0; i < open.rows(); ++i) {
      if (open.boolean(i, 1)) continue;
      RETURN_IF_ERROR(AskOld(old_session, new_session, names, open.str(i, 0), table));
    }
    if (open.rows() > 0) tables.push_back(Argument(table));
  }
  return tables;
}

}  // namespace switchyard::operate
