#include "operate/mend/quarantine.h"

#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/mapping/sensitive/sensitive.h"
#include "common/records/quarantine_entries.h"
#include "common/records/stream/stream.h"
#include "operate/connect.h"
#include "operate/request.h"
#include "operate/workers.h"

namespace switchyard::operate {
namespace {

absl::Status NoEntry(const std::string& stream, int64_t id) {
  return absl::NotFoundError(
      absl::StrFormat("the quarantine of %s holds no entry %d (any more); look with: switchyard "
                      "quarantine FILE list",
                      stream, id));
}

// What was stored before a column was declared sensitive is not shown either.
QuarantineEntry ToReport(const mapping::Sensitive& sensitive,
                         const records::QuarantineEntry& entry) {
  const std::string table = entry.target.substr(0, entry.target.find(" where "));
  const pg::ErrorFields shown = sensitive.Shown(
      table, {.sqlstate = entry.sqlstate, .detail = entry.detail, .primary = entry.error});
  const bool patched = !entry.there.empty();
  return {.id = entry.id,
          .table = entry.target,
          .scope = entry.scope,
          .operation = records::ToString(entry.operation),
          .lsn = entry.lsn,
          .sqlstate = entry.sqlstate,
          .error = shown.primary,
          .events = entry.events,
          .first_seen = entry.first_seen,
          .last_seen = entry.last_seen,
          .image = patched ? "" : entry.image,
          .before = patched ? "" : entry.before,
          .detail = shown.detail,
          .rows_before = patched ? entry.before : "",
          .rows_after = patched ? entry.image : "",
          .rows_there = entry.there};
}

// NEW, where the stream has begun.
absl::StatusOr<std::unique_ptr<pg::ControlSession>> ConnectToStream(const spec::MigrationFile& file,
                                                                    const std::string& stream,
                                                                    const Cancel& cancel) {
  ASSIGN_OR_RETURN(auto session, ConnectControl(file.new_db, "new", cancel));
  RETURN_IF_ERROR(RequireStream(*session, stream));
  return session;
}

std::string StreamOf(const spec::MigrationFile& file) { return records::ForwardOf(file).name; }

}  // namespace

absl::StatusOr<QuarantineReport> ListQuarantine(const spec::MigrationFile& file, int64_t limit,
                                                const Cancel& cancel) {
  const std::string stream = StreamOf(file);
  ASSIGN_OR_RETURN(const auto session, ConnectToStream(file, stream, cancel));
  const mapping::Sensitive sensitive(file.forward);
  ASSIGN_OR_RETURN(const auto page,
                   records::QuarantineEntries(*session, stream).List(limit, sensitive.All()));
  QuarantineReport report = {.stream = stream, .total = page.total};
  for (const auto& entry : page.entries) report.entries.push_back(ToReport(sensitive, entry));
  return report;
}

absl::StatusOr<QuarantineReport> ShowQuarantine(const spec::MigrationFile& file, int64_t id,
                                                const Cancel& cancel) {
  const std::string stream = StreamOf(file);
  ASSIGN_OR_RETURN(const auto session, ConnectToStream(file, stream, cancel));
  const mapping::Sensitive sensitive(file.forward);
  ASSIGN_OR_RETURN(const auto entry,
                   records::QuarantineEntries(*session, stream).Find(id, sensitive.All()));
  if (!entry.has_value()) return NoEntry(stream, id);
  return QuarantineReport{.stream = stream, .total = 1, .entries = {ToReport(sensitive, *entry)}};
}

absl::StatusOr<QuarantineRetryReport> RetryQuarantine(const spec::MigrationFile& file,
                                                      std::optional<int64_t> id,
                                                      absl::Duration wait, const Cancel& cancel) {
  QuarantineRetryReport retry = {.stream = StreamOf(file)};
  ASSIGN_OR_RETURN(const auto session, ConnectToStream(file, retry.stream, cancel));
  if (id.has_value()) {
    ASSIGN_OR_RETURN(const bool there, records::QuarantineEntries(*session, retry.stream).Has(*id));
    if (!there) return NoEntry(retry.stream, *id);
  }
  records::Requests requests(*session, retry.stream);
  ASSIGN_OR_RETURN(retry.request, requests.Submit(records::RequestKind::kQuarantineRetry,
                                                  id ? std::to_string(*id) : ""));
  ASSIGN_OR_RETURN(const auto replay, ReplayAtWork(*session, retry.stream));
  if (!replay.has_value()) {
    return WithNextStep(
        absl::DeadlineExceededError("no replayer runs: it is asked for, and done once one does"),
        "what keeps it from running shows switchyard status FILE, then start it again");
  }
  ASSIGN_OR_RETURN(retry.answer, AwaitAnswer(requests, retry.request, wait, cancel));
  retry.nothing_left = absl::EndsWith(retry.answer, " 0 left");
  return retry;
}

}  // namespace switchyard::operate
