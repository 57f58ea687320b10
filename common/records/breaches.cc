#include "common/records/breaches.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"

namespace switchyard::records {
namespace {

constexpr char kSelect[] =
    "SELECT id, lsn, source, operation, coalesce(key::text, ''), coalesce(before::text, ''), "
    "coalesce(after::text, ''), (extract(epoch FROM seen_at) * 1000000)::bigint "
    "FROM switchyard.breach WHERE stream = $1 AND state = 'open' ";

absl::StatusOr<Breach> ReadBreach(const pg::Rows& rows, int at) {
  Breach breach = {.id = rows.i64(at, 0),
                   .source = rows.str(at, 2),
                   .operation = rows.str(at, 3),
                   .key = rows.str(at, 4),
                   .before = rows.str(at, 5),
                   .after = rows.str(at, 6),
                   .seen = absl::FromUnixMicros(rows.i64(at, 7))};
  ASSIGN_OR_RETURN(breach.lsn, Lsn::Parse(rows.text(at, 1)));
  return breach;
}

}  // namespace

std::string_view ToString(BreachState state) {
  switch (state) {
    case BreachState::kOpen:
      return "open";
    case BreachState::kApplied:
      return "applied";
    case BreachState::kUndone:
      return "undone";
  }
  SY_CHECK(false);
  return "";
}

absl::Status AddBreaches(const pg::Sql& sql, const std::string& stream, const std::string& source,
                         Lsn lsn, const BreachRowsSql& rows) {
  return sql.Run(
      absl::StrCat("INSERT INTO switchyard.breach (stream, lsn, source, operation, key, before, "
                   "after) SELECT $1, $2::pg_lsn, $3, CASE sy_s.sy__op WHEN 'I' THEN 'insert' "
                   "WHEN 'D' THEN 'delete' ELSE 'update' END, ",
                   rows.key, ", ", rows.before, ", ", rows.after, " FROM ", rows.rows,
                   " WHERE sy_s.sy__op <> 'P' ORDER BY sy_s.sy__ord"),
      {stream, lsn.ToString(), source});
}

absl::Status AddTruncateBreach(const pg::Sql& sql, const std::string& stream,
                               const std::string& source, Lsn lsn) {
  return sql.Run(
      "INSERT INTO switchyard.breach (stream, lsn, source, operation) "
      "VALUES ($1, $2::pg_lsn, $3, 'truncate')",
      {stream, lsn.ToString(), source});
}

absl::StatusOr<int64_t> CountBreaches(const pg::Sql& sql, const std::string& stream) {
  ASSIGN_OR_RETURN(const pg::Rows there,
                   sql.Ask("SELECT to_regclass('switchyard.breach') IS NOT NULL"));
  if (!there.boolean(0, 0)) return 0;
  ASSIGN_OR_RETURN(
      const pg::Rows count,
      sql.Ask("SELECT count(*) FROM switchyard.breach WHERE stream = $1 AND state = 'open'",
              {stream}));
  return count.i64(0, 0);
}

absl::StatusOr<std::vector<Breach>> OpenBreaches(const pg::Sql& sql, const std::string& stream,
                                                 int64_t limit) {
  ASSIGN_OR_RETURN(const pg::Rows rows,
                   sql.Ask(absl::StrCat(kSelect, "ORDER BY id LIMIT $2::bigint"),
                           {stream, std::to_string(limit)}));
  std::vector<Breach> breaches;
  for (int i = 0; i < rows.rows(); ++i) {
    ASSIGN_OR_RETURN(Breach breach, ReadBreach(rows, i));
    breaches.push_back(std::move(breach));
  }
  return breaches;
}

absl::StatusOr<std::optional<Breach>> FindOpenBreach(const pg::Sql& sql, const std::string& stream,
                                                     int64_t id) {
  ASSIGN_OR_RETURN(const pg::Rows rows, sql.Ask(absl::StrCat(kSelect, "AND id = $2::bigint"),
                                                {stream, std::to_string(id)}));
  if (rows.rows() == 0) return std::nullopt;
  return ReadBreach(rows, 0);
}

absl::Status CloseBreach(const pg::Sql& sql, const std::string& stream, int64_t id,
                         BreachState state) {
  ASSIGN_OR_RETURN(const pg::Rows closed,
                   sql.Ask("UPDATE switchyard.breach SET state = $3, closed_at = "
                           "clock_timestamp() WHERE stream = $1 AND id = $2::bigint AND "
                           "state = 'open'",
                           {stream, std::to_string(id), std::string(ToString(state))}));
  if (closed.affected() == 1) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("no open breach of stream ", stream, " has id ", id));
}

}  // namespace switchyard::records
