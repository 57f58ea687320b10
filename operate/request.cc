#include "operate/request.h"

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/strings.h"

namespace switchyard::operate {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(100);

}  // namespace

absl::StatusOr<int64_t> Submit(pg::ControlSession& session, const Request& request) {
  ASSIGN_OR_RETURN(const pg::Rows row,
                   session.Query(R"(
    WITH asked AS (INSERT INTO switchyard.request (stream, kind, argument) VALUES ($1, $2, $3)
                   RETURNING id)
    SELECT id, pg_notify('switchyard_request', $1) FROM asked)",
                                 {request.stream, request.kind, request.argument}));
  return row.i64(0, 0);
}

absl::StatusOr<std::string> AwaitAnswer(pg::ControlSession& session, int64_t id,
                                        absl::Duration timeout, const Cancel& cancel) {
  const absl::Time deadline = absl::Now() + timeout;
  while (true) {
    ASSIGN_OR_RETURN(const pg::Rows row,
                     session.Query("SELECT state, result FROM switchyard.request WHERE id = $1",
                                   {std::to_string(id)}));
    const std::string state = row.rows() == 0 ? "" : row.str(0, 0);
    if (state == "done") return row.str(0, 1);
    if (state == "failed") return absl::FailedPreconditionError(row.str(0, 1));
    if (absl::Now() >= deadline) {
      return absl::DeadlineExceededError(absl::StrFormat(
          "not done within %s: no replayer runs, or it is still at it. The request stays; what "
          "holds it up shows: switchyard status FILE",
          absl::FormatDuration(timeout)));
    }
    if (!cancel.WaitFor(kPoll)) return cancel.status();
  }
}

absl::Status RequireStream(pg::ControlSession& session, const std::string& stream) {
  ASSIGN_OR_RETURN(const pg::Rows there, session.Query(R"(
    SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
                   WHERE s.nspname = 'switchyard' AND c.relname = 'stream'))"));
  if (there.boolean(0, 0)) {
    ASSIGN_OR_RETURN(const pg::Rows row,
                     session.Query("SELECT FROM switchyard.stream WHERE name = $1", {stream}));
    if (row.rows() > 0) return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("stream ", stream, " has not begun in NEW; start it with: switchyard run FILE"));
}

}  // namespace switchyard::operate
