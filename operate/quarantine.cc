#include "operate/quarantine.h"

#include <memory>

#include "absl/strings/str_format.h"
#include "capture/source_setup.h"
#include "common/base/strings.h"
#include "operate/connect.h"
#include "operate/request.h"
#include "operate/workers.h"

namespace switchyard::operate {
namespace {

absl::Status RequireEntry(pg::ControlSession& session, const std::string& stream, int64_t id) {
  ASSIGN_OR_RETURN(const pg::Rows row,
                   session.Query("SELECT FROM switchyard.quarantine WHERE stream = $1 AND id = $2",
                                 {stream, std::to_string(id)}));
  if (row.rows() > 0) return absl::OkStatus();
  return absl::NotFoundError(
      absl::StrFormat("the quarantine of %s holds no entry %d (any more); look with: switchyard "
                      "quarantine FILE list",
                      stream, id));
}

// All, or the one of `id` with its rows.
absl::StatusOr<QuarantineReport> Load(pg::ControlSession& session, const std::string& stream,
                                      std::optional<int64_t> id, int64_t limit) {
  QuarantineReport report = {.stream = stream};
  ASSIGN_OR_RETURN(const pg::Rows rows,
                   session.Query(R"(
    SELECT id, target, scope, operation, lsn, sqlstate, error, events,
           (extract(epoch FROM first_seen) * 1000000)::bigint,
           (extract(epoch FROM last_seen) * 1000000)::bigint, count(*) OVER (),
           CASE WHEN id = $3 THEN image END, CASE WHEN id = $3 THEN before END,
           CASE WHEN id = $3 THEN detail END
    FROM switchyard.quarantine WHERE stream = $1 AND ($3::bigint IS NULL OR id = $3)
    ORDER BY id LIMIT $2::bigint)",
                                 {stream, std::to_string(limit),
                                  id.has_value() ? pg::Param(std::to_string(*id)) : std::nullopt}));
  for (int i = 0; i < rows.rows(); ++i) {
    report.entries.push_back({.id = rows.i64(i, 0),
                              .table = rows.str(i, 1),
                              .scope = rows.str(i, 2),
                              .operation = rows.str(i, 3),
                              .lsn = rows.str(i, 4),
                              .sqlstate = rows.str(i, 5),
                              .error = rows.str(i, 6),
                              .events = rows.i64(i, 7),
                              .first_seen = absl::FromUnixMicros(rows.i64(i, 8)),
                              .last_seen = absl::FromUnixMicros(rows.i64(i, 9)),
                              .image = rows.str(i, 11),
                              .before = rows.str(i, 12),
                              .detail = rows.str(i, 13)});
    report.total = rows.i64(i, 10);
  }
  return report;
}

// NEW, where the stream has begun.
absl::StatusOr<std::unique_ptr<pg::ControlSession>> ConnectToStream(const spec::MigrationFile& file,
                                                                    const std::string& stream,
                                                                    const Cancel& cancel) {
  ASSIGN_OR_RETURN(auto session, ConnectControl(file.new_db, "new", cancel));
  RETURN_IF_ERROR(RequireStream(*session, stream));
  return session;
}

std::string StreamOf(const spec::MigrationFile& file) {
  return capture::NamesOf(file.name, "forward").stream;
}

}  // namespace

absl::StatusOr<QuarantineReport> ListQuarantine(const spec::MigrationFile& file, int64_t limit,
                                                const Cancel& cancel) {
  const std::string stream = StreamOf(file);
  ASSIGN_OR_RETURN(const auto session, ConnectToStream(file, stream, cancel));
  return Load(*session, stream, {}, limit);
}

absl::StatusOr<QuarantineReport> ShowQuarantine(const spec::MigrationFile& file, int64_t id,
                                                const Cancel& cancel) {
  const std::string stream = StreamOf(file);
  ASSIGN_OR_RETURN(const auto session, ConnectToStream(file, stream, cancel));
  RETURN_IF_ERROR(RequireEntry(*session, stream, id));
  return Load(*session, stream, id, 1);
}

absl::StatusOr<QuarantineRetry> RetryQuarantine(const spec::MigrationFile& file,
                                                std::optional<int64_t> id, absl::Duration wait,
                                                const Cancel& cancel) {
  QuarantineRetry retry = {.stream = StreamOf(file)};
  ASSIGN_OR_RETURN(const auto session, ConnectToStream(file, retry.stream, cancel));
  if (id.has_value()) RETURN_IF_ERROR(RequireEntry(*session, retry.stream, *id));
  records::Requests requests(*session, retry.stream);
  ASSIGN_OR_RETURN(retry.request, requests.Submit(records::RequestKind::kQuarantineRetry,
                                                  id ? std::to_string(*id) : ""));
  ASSIGN_OR_RETURN(const auto replay, ReplayAtWork(*session, retry.stream));
  if (!replay.has_value()) {
    return absl::DeadlineExceededError(
        "no replayer runs: it is asked for, and done once one does; next: what keeps it from "
        "running shows switchyard status FILE, then start it again");
  }
  ASSIGN_OR_RETURN(retry.answer, AwaitAnswer(requests, retry.request, wait, cancel));
  return retry;
}

}  // namespace switchyard::operate
