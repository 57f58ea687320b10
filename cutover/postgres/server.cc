#include "cutover/postgres/server.h"

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/pg/server_version.h"
#include "common/records/cutover/ownership.h"
#include "common/records/source/capture_messages.h"

namespace switchyard::cutover {
namespace {

// Between two looks at the standbys, of whom the server notifies nobody.
constexpr absl::Duration kLook = absl::Milliseconds(5);

}  // namespace

std::string MarkerContent(const std::string& migration, int64_t epoch) {
  return absl::StrCat(migration, " ", epoch);
}

absl::StatusOr<History> PgServer::ReadHistory(absl::Duration limit) {
  History history;
  RETURN_IF_ERROR(link_.Run(limit, [&](pg::ControlTransaction& tx) -> absl::Status {
    ASSIGN_OR_RETURN(const records::ServerHistory here, records::HistoryOf(tx));
    history = {here.system_identifier, here.timeline};
    return absl::OkStatus();
  }));
  return history;
}

absl::StatusOr<Lsn> PgServer::WriteMarker(int64_t epoch, absl::Duration limit) {
  const absl::Time deadline = absl::Now() + limit;
  const std::string content = MarkerContent(options_.migration, epoch);
  ASSIGN_OR_RETURN(pg::ControlSession * session, link_.Session());
  const bool shown = session->server_version() >= pg::kSendsMessages;
  RETURN_IF_ERROR(link_.Run(limit, [&](pg::ControlTransaction& tx) -> absl::Status {
    if (!shown) return records::WriteMessage(tx, options_.stream, kMarkerPrefix, content);
    return tx.Execute("SELECT pg_logical_emit_message(true, $1, $2)", {kMarkerPrefix, content});
  }));
  Lsn after;
  RETURN_IF_ERROR(
      link_.Run(deadline - absl::Now(), [&](pg::ControlTransaction& tx) -> absl::Status {
        ASSIGN_OR_RETURN(const pg::Rows row, tx.Query("SELECT pg_current_wal_insert_lsn()"));
        ASSIGN_OR_RETURN(after, Lsn::Parse(row.text(0, 0)));
        return absl::OkStatus();
      }));
  return after;
}

absl::StatusOr<std::string> PgServer::Behind(Lsn lsn, absl::Duration limit) {
  std::string behind;
  RETURN_IF_ERROR(link_.Run(limit, [&](pg::ControlTransaction& tx) -> absl::Status {
    // Logical walsenders have a slot that says so; a standby without a slot has none.
    ASSIGN_OR_RETURN(const pg::Rows row,
                     tx.Query(R"(
      WITH standbys AS (
        SELECT coalesce(r.application_name, 'pid ' || r.pid || ', not shown to this role,') AS name,
               r.flush_lsn FROM pg_stat_replication r
        LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid
        WHERE coalesce(s.slot_type, 'physical') = 'physical'
          AND r.state IS DISTINCT FROM 'backup'
          AND coalesce(r.application_name <> ALL ($3::text[]), true))
      SELECT string_agg(name || CASE WHEN flush_lsn IS NULL THEN ' is not there'
                        ELSE ' is ' || pg_wal_lsn_diff($1::pg_lsn, flush_lsn) || ' bytes behind' END,
                        ', ' ORDER BY name)
      FROM (SELECT name, flush_lsn FROM standbys WHERE flush_lsn IS NULL OR flush_lsn < $1::pg_lsn
            UNION ALL
            SELECT name, NULL FROM unnest($2::text[]) AS e (name)
            WHERE name NOT IN (SELECT name FROM standbys)) AS late)",
                              {lsn.ToString(), ArrayLiteral(options_.expected_standbys),
                               ArrayLiteral(options_.excluded_standbys)}));
    behind = row.str(0, 0);
    return absl::OkStatus();
  }));
  return behind;
}

absl::Status PgServer::AwaitStandbys(absl::Duration limit) {
  const absl::Time deadline = absl::Now() + limit;
  Lsn committed;
  RETURN_IF_ERROR(link_.Run(limit, [&](pg::ControlTransaction& tx) -> absl::Status {
    ASSIGN_OR_RETURN(const pg::Rows row, tx.Query("SELECT pg_current_wal_flush_lsn()"));
    ASSIGN_OR_RETURN(committed, Lsn::Parse(row.text(0, 0)));
    return absl::OkStatus();
  }));
  while (true) {
    ASSIGN_OR_RETURN(const std::string behind, Behind(committed, limit));
    if (behind.empty()) return absl::OkStatus();
    if (absl::Now() + kLook >= deadline) {
      return absl::DeadlineExceededError(
          absl::StrCat("standbys that may be promoted lack the last commits: ", behind));
    }
    if (!cancel_.WaitFor(kLook)) return cancel_.status();
  }
}

}  // namespace switchyard::cutover
