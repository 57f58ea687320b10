#include "cutover/postgres/holders.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/strings.h"
#include "common/pg/control_session.h"

namespace switchyard::cutover {
namespace {}  // namespace

absl::StatusOr<std::vector<Holder>> FindHolders(pg::ControlSession& session,
                                                const std::string& migration, int own_pid,
                                                absl::Duration limit) {
  ASSIGN_OR_RETURN(const pg::Rows rows, session.Query(R"(
    SELECT coalesce(l.pid, 0), min(l.relation::regclass::text),
           coalesce(x.gid, a.query, ''),
           coalesce(extract(epoch FROM clock_timestamp() - coalesce(x.prepared, a.xact_start)) *
                    1000, 0)::bigint
    FROM pg_locks l
    LEFT JOIN pg_stat_activity a ON a.pid = l.pid
    -- A prepared transaction has the lock of its own id beside the others.
    LEFT JOIN pg_locks own ON l.pid IS NULL AND own.pid IS NULL AND own.granted AND
         own.locktype = 'transactionid' AND own.virtualtransaction = l.virtualtransaction
    LEFT JOIN pg_prepared_xacts x ON x.transaction = own.transactionid
    WHERE l.locktype = 'relation' AND l.granted AND l.pid IS DISTINCT FROM $2::int
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND l.relation IN (SELECT switchyard.fence_tables($1))
      AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')
    GROUP BY l.pid, l.virtualtransaction, x.gid, x.prepared, a.query, a.xact_start
    ORDER BY 4 DESC LIMIT 20)",
                                                      {migration, std::to_string(own_pid)},
                                                      {.statement_timeout = limit}));
  std::vector<Holder> holders;
  for (int i = 0; i < rows.rows(); ++i) {
    holders.push_back({.pid = rows.i64(i, 0),
                       .table = rows.str(i, 1),
                       .what = rows.str(i, 2),
                       .age = absl::Milliseconds(rows.i64(i, 3))});
  }
  return holders;
}

std::string ToString(const std::vector<Holder>& holders) {
  std::vector<std::string> texts;
  for (const Holder& holder : holders) {
    const std::string who = holder.pid == 0
                                ? absl::StrCat("prepared transaction '", holder.what, "'")
                                : absl::StrCat("pid ", holder.pid);
    const std::string runs =
        holder.pid == 0 ? "" : absl::StrCat(" (", Sv(CutUtf8(holder.what, 80)), ")");
    texts.push_back(absl::StrFormat("%s on %s for %s%s", who, holder.table,
                                    absl::FormatDuration(holder.age), runs));
  }
  return absl::StrJoin(texts, ", ");
}

absl::StatusOr<absl::Duration> LeastDeadlockTimeout(const pg::Sql& sql) {
  ASSIGN_OR_RETURN(const pg::Rows row, sql.Ask(R"(
    SELECT ceil(extract(epoch FROM min(CASE WHEN value ~ '^[0-9.]+$' THEN value || 'ms' ELSE value
                                       END::interval)) * 1000000)::bigint
    FROM (SELECT setting FROM pg_settings WHERE name = 'deadlock_timeout'
          UNION ALL
          SELECT split_part(config, '=', 2) FROM pg_db_role_setting s
          CROSS JOIN LATERAL unnest(s.setconfig) AS config
          WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database
                                      WHERE datname = current_database()))
            AND config LIKE 'deadlock_timeout=%') AS known (value))"));
  return absl::Microseconds(row.i64(0, 0));
}

}  // namespace switchyard::cutover
