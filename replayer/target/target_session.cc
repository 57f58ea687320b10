#include "replayer/target/target_session.h"

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/pg/error.h"
#include "replayer/write/ordered_writer.h"

namespace switchyard::replayer {

namespace {

constexpr int kLockWaitMilliseconds = 300;

}  // namespace

absl::StatusOr<std::unique_ptr<pg::Session>> OpenTarget(const PgTargetOptions& options,
                                                        const Cancel& cancel, bool* silent) {
  pg::SessionOptions session_options{.dsn = options.dsn, .application_name = "switchyard replay"};
  session_options.settings = {
      {"synchronous_commit", options.synchronous_commit ? "on" : "off"},
      // What a batch touches is looked up by index, whatever size the planner thinks it has.
      {"enable_hashjoin", "off"},
      {"enable_mergejoin", "off"},
      {"random_page_cost", "1.1"},
      {"jit", "off"},
      {"work_mem", "64MB"},
  };
  ASSIGN_OR_RETURN(auto session, pg::Session::Connect(session_options, cancel));
  // A pooler may give a server's session that had temporary tables before: it keeps what it has.
  const absl::Status buffers = session->Execute("SET temp_buffers = '32MB'");
  if (pg::StatusSqlState(buffers) != "22023") RETURN_IF_ERROR(buffers);
  bool silenced = false;
  if (options.replica_role) {
    ASSIGN_OR_RETURN(silenced, SilenceTriggers(*session));
  }
  if (silent != nullptr) *silent = silenced;
  return session;
}

std::string ReplayLockName(std::string_view stream) {
  return absl::StrCat("switchyard replay ", Sv(stream));
}

absl::StatusOr<std::unique_ptr<pg::Session>> OpenExclusively(const PgTargetOptions& options,
                                                             const Cancel& cancel, bool* silent) {
  ASSIGN_OR_RETURN(auto session, OpenTarget(options, cancel, silent));
  // The server may take a moment to end a session that was closed: this one's own, before a
  // restart.
  RETURN_IF_ERROR(session->Execute(absl::StrCat("SET lock_timeout = ", kLockWaitMilliseconds)));
  const absl::Status locked = session
                                  ->Query("SELECT pg_advisory_lock(hashtextextended($1, 7))",
                                          {ReplayLockName(options.stream)})
                                  .status();
  if (pg::StatusSqlState(locked) == "55P03") {
    return absl::AlreadyExistsError(absl::StrCat("a replayer works on stream ", options.stream));
  }
  RETURN_IF_ERROR(locked);
  RETURN_IF_ERROR(session->Execute("SET lock_timeout = 0"));
  return session;
}

absl::Status FreezeTemporaryTables(pg::Session& session, int64_t age_max) {
  ASSIGN_OR_RETURN(
      const pg::Result oldest,
      session.QueryPrepared("SELECT coalesce(max(greatest(age(relfrozenxid), "
                            "mxid_age(relminmxid))), 0) FROM pg_catalog.pg_class "
                            "WHERE relnamespace = pg_my_temp_schema() AND relfrozenxid <> '0'"));
  if (oldest.i64(0, 0) <= age_max) return absl::OkStatus();
  ASSIGN_OR_RETURN(const pg::Result tables,
                   session.Query("SELECT string_agg('pg_temp.' || quote_ident(relname), ', ') "
                                 "FROM pg_catalog.pg_class "
                                 "WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'"));
  return Annotate(session.Execute("VACUUM (FREEZE) " + tables.str(0, 0)), "temporary tables");
}

}  // namespace switchyard::replayer
