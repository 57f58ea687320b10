#include "common/records/cutover/lease.h"

namespace switchyard::records {
namespace {

// The lock of the session that holds it.
constexpr char kLock[] = "hashtextextended('switchyard lease ' || $1, 0)";

}  // namespace

absl::StatusOr<Lease::Held> Lease::Take(const std::string& holder) const {
  ASSIGN_OR_RETURN(
      const pg::Rows locked,
      sql_.Ask(std::string("SELECT pg_try_advisory_lock(") + kLock + ")", {migration_}));
  if (locked.boolean(0, 0)) {
    RETURN_IF_ERROR(
        sql_.Run("INSERT INTO switchyard.lease (migration, holder) VALUES ($1, $2) "
                 "ON CONFLICT (migration) DO UPDATE SET holder = excluded.holder, "
                 "since = clock_timestamp(), released_at = NULL",
                 {migration_, holder}));
    return Held{.taken = true, .holder = holder};
  }
  ASSIGN_OR_RETURN(const pg::Rows row,
                   sql_.Ask("SELECT holder, (extract(epoch FROM since) * 1000000)::bigint "
                            "FROM switchyard.lease WHERE migration = $1 AND released_at IS NULL",
                            {migration_}));
  // It is being taken: its row is not committed yet.
  if (row.rows() == 0) return Held{.holder = "another session, which begins", .since = absl::Now()};
  return Held{.holder = row.str(0, 0), .since = absl::FromUnixMicros(row.i64(0, 1))};
}

absl::Status Lease::Release() const {
  RETURN_IF_ERROR(
      sql_.Run("UPDATE switchyard.lease SET released_at = clock_timestamp() WHERE migration = $1",
               {migration_}));
  return sql_.Run(std::string("SELECT pg_advisory_unlock(") + kLock + ")", {migration_});
}

absl::Status Lease::AskAbort(int64_t epoch, const std::string& by) const {
  return sql_.Run(
      "INSERT INTO switchyard.lease (migration, holder, released_at, abort_epoch, abort_by, "
      "abort_at) VALUES ($1, '', clock_timestamp(), $2::bigint, $3, clock_timestamp()) "
      "ON CONFLICT (migration) DO UPDATE SET abort_epoch = excluded.abort_epoch, "
      "abort_by = excluded.abort_by, abort_at = excluded.abort_at",
      {migration_, std::to_string(epoch), by});
}

absl::StatusOr<std::string> Lease::AbortAskedBy(int64_t epoch) const {
  ASSIGN_OR_RETURN(
      const pg::Rows row,
      sql_.Ask("SELECT abort_by || ', ' || to_char(abort_at, 'YYYY-MM-DD HH24:MI:SS') "
               "FROM switchyard.lease WHERE migration = $1 AND abort_epoch >= $2::bigint",
               {migration_, std::to_string(epoch)}));
  return row.rows() == 0 ? "" : row.str(0, 0);
}

}  // namespace switchyard::records
