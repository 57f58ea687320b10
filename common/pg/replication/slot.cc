#include "common/pg/replication/slot.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/pg/error.h"
#include "common/pg/libpq.h"

namespace switchyard::pg {
namespace {

// More would not help the reader of an error line.
constexpr size_t kBlockersShownMax = 5;

// Every transaction that has written holds a lock on its own number; that much every role may see.
constexpr char kBlockersSql[] = R"(
SELECT l.pid, NULL AS gid, coalesce(a.datname, ''), coalesce(a.application_name, ''),
       coalesce(round(extract(epoch FROM clock_timestamp() - a.xact_start) * 1000), 0)::bigint AS ms
FROM (SELECT DISTINCT pid FROM pg_locks
      WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock' AND granted
        AND pid IS NOT NULL AND pid <> pg_backend_pid()) l
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE a.xact_start IS NULL OR a.xact_start <= clock_timestamp() - $1::bigint * interval '1 ms'
UNION ALL
SELECT 0, gid, database, '',
       round(extract(epoch FROM clock_timestamp() - prepared) * 1000)::bigint
FROM pg_prepared_xacts
WHERE prepared <= clock_timestamp() - $1::bigint * interval '1 ms'
ORDER BY ms DESC)";

// What blocked a creation that was given up after `waited`; for the text of the error.
std::string DescribeBlockers(const SlotOptions& options, const Cancel& cancel,
                             absl::Duration waited) {
  const auto session = Session::Connect({.dsn = options.dsn,
                                         .application_name = options.application_name,
                                         .connect_timeout = options.connect_timeout},
                                        cancel);
  if (!session.ok()) return "which ones could not be learned";
  const auto blockers = FindSlotBlockers(**session, waited);
  if (!blockers.ok()) return "which ones could not be learned";
  if (blockers->empty()) return "they have ended by now";
  std::vector<std::string> shown;
  shown.reserve(kBlockersShownMax);
  for (const SlotBlocker& blocker : *blockers) {
    if (shown.size() == kBlockersShownMax) break;
    shown.push_back(blocker.ToString());
  }
  std::string text = absl::StrJoin(shown, ", ");
  if (blockers->size() > shown.size()) {
    absl::StrAppend(&text, " and ", blockers->size() - shown.size(), " more");
  }
  return text + ". Wait for them or end them (pg_terminate_backend, ROLLBACK PREPARED)";
}

absl::StatusOr<Lsn> ColumnLsn(const Result& result, int column) {
  return Lsn::Parse(result.text(0, column));
}

}  // namespace

std::string SlotBlocker::ToString() const {
  if (pid == 0) {
    return absl::StrFormat("prepared transaction %s (database %s, prepared %s ago)",
                           QuoteLiteral(gid), database,
                           absl::FormatDuration(absl::Trunc(age, absl::Seconds(1))));
  }
  if (age == absl::ZeroDuration()) return absl::StrFormat("pid %d", pid);
  return absl::StrFormat("pid %d (%s, database %s, open for %s)", pid,
                         application_name.empty() ? "no application name" : application_name,
                         database, absl::FormatDuration(absl::Trunc(age, absl::Seconds(1))));
}

absl::StatusOr<std::vector<SlotBlocker>> FindSlotBlockers(Session& session, absl::Duration age) {
  ASSIGN_OR_RETURN(const Result result,
                   session.Query(kBlockersSql, {absl::StrCat(absl::ToInt64Milliseconds(age))}));
  std::vector<SlotBlocker> blockers;
  blockers.reserve(static_cast<size_t>(result.rows()));
  for (int row = 0; row < result.rows(); ++row) {
    blockers.push_back({.pid = static_cast<int>(result.i64(row, 0)),
                        .gid = result.str(row, 1),
                        .database = result.str(row, 2),
                        .application_name = result.str(row, 3),
                        .age = absl::Milliseconds(result.i64(row, 4))});
  }
  return blockers;
}

absl::StatusOr<std::unique_ptr<CreatedSlot>> CreateLogicalSlotOn(std::unique_ptr<Session> walsender,
                                                                 const SlotOptions& options) {
  const auto result = walsender->QueryWithin(
      options.timeout,
      absl::StrFormat("CREATE_REPLICATION_SLOT %s %sLOGICAL pgoutput %s",
                      QuoteIdentifier(options.slot), options.temporary ? "TEMPORARY " : "",
                      options.failover ? "(SNAPSHOT 'export', FAILOVER true)" : "EXPORT_SNAPSHOT"));
  if (absl::IsDeadlineExceeded(result.status())) return result.status();
  if (!result.ok()) return internal::AsPrecondition(result.status());
  if (result->rows() != 1 || result->columns() < 3) {
    return Refuse("CREATE_REPLICATION_SLOT gave no row", kAskTheServerItself);
  }
  ASSIGN_OR_RETURN(const Lsn consistent_point, ColumnLsn(*result, 1));
  return std::make_unique<CreatedSlot>(std::move(walsender), consistent_point, result->str(0, 2));
}

absl::StatusOr<std::unique_ptr<CreatedSlot>> CreateLogicalSlot(const SlotOptions& options,
                                                               const Cancel& cancel) {
  ASSIGN_OR_RETURN(auto session, Session::Connect({.dsn = options.dsn,
                                                   .application_name = options.application_name,
                                                   .connect_timeout = options.connect_timeout,
                                                   .replication = true},
                                                  cancel));
  auto created = CreateLogicalSlotOn(std::move(session), options);
  if (!absl::IsDeadlineExceeded(created.status())) return created;
  return absl::UnavailableError(absl::StrFormat(
      "the replication slot %s was not created within %s: it waits for transactions that began "
      "before; %s",
      options.slot, absl::FormatDuration(options.timeout),
      DescribeBlockers(options, cancel, options.timeout)));
}

absl::Status SetSlotFailover(const SlotOptions& options, bool failover, const Cancel& cancel) {
  ASSIGN_OR_RETURN(const auto session,
                   Session::Connect({.dsn = options.dsn,
                                     .application_name = options.application_name,
                                     .connect_timeout = options.connect_timeout,
                                     .replication = true},
                                    cancel));
  const auto altered = session->QueryWithin(
      options.timeout, absl::StrFormat("ALTER_REPLICATION_SLOT %s (FAILOVER %s)",
                                       QuoteIdentifier(options.slot), failover ? "true" : "false"));
  if (absl::IsDeadlineExceeded(altered.status())) {  // it waits for whoever has the slot
    return absl::UnavailableError(absl::StrFormat("replication slot %s is in use", options.slot));
  }
  return altered.ok() ? absl::OkStatus() : internal::AsPrecondition(altered.status());
}

absl::Status DropSlot(Session& session, const std::string& slot) {
  return session
      .Query(
          "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
          "WHERE slot_name = $1",
          {slot})
      .status();
}

}  // namespace switchyard::pg
