#include "operate/workers.h"

#include "absl/strings/str_cat.h"
#include "capture/source/source_state.h"
#include "replayer/target/target_session.h"

namespace switchyard::operate {
namespace {

// Of the advisory lock that `condition` names.
std::string HolderSql(const char* from, const char* condition) {
  return absl::StrCat(
      "SELECT l.pid, (extract(epoch FROM a.backend_start) * 1000000)::bigint, "
      "(extract(epoch FROM a.xact_start) * 1000000)::bigint, coalesce(a.application_name, '') "
      "FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid",
      from,
      " WHERE l.locktype = 'advisory' AND l.granted "
      "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND ",
      condition);
}

template <typename Session>
absl::StatusOr<std::optional<Worker>> Ask(Session& session, const std::string& sql,
                                          const std::vector<pg::Param>& names) {
  ASSIGN_OR_RETURN(const auto row, session.Query(sql, names));
  if (row.rows() == 0) return std::nullopt;
  Worker worker = {.pid = row.i64(0, 0)};
  if (!row.is_null(0, 1)) worker.since = absl::FromUnixMicros(row.i64(0, 1));
  if (!row.is_null(0, 2)) worker.transaction_began = absl::FromUnixMicros(row.i64(0, 2));
  worker.application_name = row.str(0, 3);
  return worker;
}

// capture::TryLockStream.
template <typename Session>
absl::StatusOr<std::optional<Worker>> AskCapture(Session& session, const std::string& stream) {
  return Ask(session,
             HolderSql("",
                       "l.objsubid = 2 AND l.classid::bigint = hashtext($1)::bigint & 4294967295 "
                       "AND l.objid::bigint = hashtext($2)::bigint & 4294967295"),
             {capture::kStreamLockSpace, stream});
}

// replayer::OpenExclusively.
template <typename Session>
absl::StatusOr<std::optional<Worker>> AskReplay(Session& session, const std::string& stream) {
  return Ask(session,
             HolderSql(", hashtextextended($1, 7) AS key",
                       "l.objsubid = 1 AND l.classid::bigint = (key >> 32) & 4294967295 "
                       "AND l.objid::bigint = key & 4294967295"),
             {replayer::ReplayLockName(stream)});
}

}  // namespace

std::string Worker::ToString() const {
  return absl::StrCat("pid ", pid,
                      since.has_value() ? absl::FormatTime(", since %Y-%m-%d %H:%M:%S UTC", *since,
                                                           absl::UTCTimeZone())
                                        : "");
}

absl::StatusOr<std::optional<Worker>> CaptureAtWork(pg::Session& old_session,
                                                    const std::string& stream) {
  return AskCapture(old_session, stream);
}

absl::StatusOr<std::optional<Worker>> CaptureAtWork(pg::ControlSession& old_session,
                                                    const std::string& stream) {
  return AskCapture(old_session, stream);
}

absl::StatusOr<std::optional<Worker>> ReplayAtWork(pg::Session& new_session,
                                                   const std::string& stream) {
  return AskReplay(new_session, stream);
}

absl::StatusOr<std::optional<Worker>> ReplayAtWork(pg::ControlSession& new_session,
                                                   const std::string& stream) {
  return AskReplay(new_session, stream);
}

}  // namespace switchyard::operate
