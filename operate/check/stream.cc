#include "operate/check/stream.h"

#include <filesystem>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "capture/capture.h"
#include "capture/publish/log_coverage.h"
#include "capture/source/source_state.h"
#include "capture/stream_check.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/pg/replication/timeline.h"
#include "common/pg/server_version.h"
#include "common/records/source/capture_streams.h"
#include "operate/log_options.h"

namespace switchyard::operate {
namespace {

// A capture that ended in the evening is started again in the morning.
constexpr int64_t kNightHours = 12;

void AddLoss(const absl::Status& status, CheckReport* report) {
  if (status.ok()) return;
  Finding finding = FindingOf(status, "");
  report->faults.push_back({.where = CheckFault::Where::kOld,
                            .message = std::move(finding.what),
                            .remedy = std::move(finding.next)});
}

// Settings under which OLD gives the slot up while nobody reads it.
absl::Status WarnOfShortKeeping(pg::Session& session, const std::string& slot,
                                CheckReport* report) {
  // Of this setting only: the others' units are none of interval, and a planner may try them first.
  ASSIGN_OR_RETURN(const pg::Result idle, session.Query(absl::StrFormat(R"(
    SELECT k.kept::text FROM pg_settings s
    CROSS JOIN LATERAL (SELECT CASE s.name WHEN 'idle_replication_slot_timeout'
                                 THEN (s.setting || ' ' || s.unit)::interval END AS kept) AS k
    WHERE s.name = 'idle_replication_slot_timeout' AND s.setting <> '0'
      AND k.kept < interval '%d hours')",
                                                                        kNightHours)));
  for (int i = 0; i < idle.rows(); ++i) {
    report->warnings.push_back(absl::StrFormat(
        "OLD: idle_replication_slot_timeout is %s: once capture is away for longer, slot %s is "
        "lost and everything is copied again; set it to 0 or to days",
        idle.str(i, 0), slot));
  }
  if (session.server_version() < pg::kCountsWal) return absl::OkStatus();
  // What a night writes is guessed from what was written since the statistics began.
  ASSIGN_OR_RETURN(const pg::Result kept, session.Query(absl::StrFormat(R"(
    SELECT pg_size_pretty(k.bytes), pg_size_pretty(n.bytes)
    FROM pg_stat_wal w
    CROSS JOIN LATERAL (SELECT CASE name WHEN 'max_slot_wal_keep_size'
                               THEN pg_size_bytes(setting || unit)::numeric END AS bytes
                        FROM pg_settings
                        WHERE name = 'max_slot_wal_keep_size' AND setting <> '-1') AS k
    CROSS JOIN LATERAL (SELECT w.wal_bytes * 3600 * %d / greatest(1,
                          extract(epoch FROM clock_timestamp() - w.stats_reset))
                          AS bytes) AS n
    WHERE k.bytes < n.bytes)",
                                                                        kNightHours)));
  for (int i = 0; i < kept.rows(); ++i) {
    report->warnings.push_back(absl::StrFormat(
        "OLD: max_slot_wal_keep_size is %s, and at its usual rate OLD writes %s in %d hours: once "
        "capture is away for long enough, slot %s is lost and everything is copied again; set it "
        "to -1, or to what the disk can hold",
        kept.str(i, 0), kept.str(i, 1), kNightHours, slot));
  }
  return absl::OkStatus();
}

// OLD was promoted: where the histories part, and how far the log went. A log that is away or gone
// is told of elsewhere.
absl::Status CheckPromotion(const spec::MigrationFile& file, const records::Stream& stream,
                            const records::CaptureStream& record, const catalog::Catalog& catalog,
                            const Cancel& cancel, CheckReport* report) {
  ASSIGN_OR_RETURN(const pg::TimelineEnds ends,
                   pg::LoadTimelineEnds(
                       {.dsn = file.old_db.Connection(), .timeline = catalog.timeline}, cancel));
  const absl::StatusOr<Lsn> fork = capture::FindFork(stream, record, catalog, ends);
  AddLoss(fork.status(), report);
  const std::string& path = file.log.sqlite_path;
  if (!fork.ok() || (!path.empty() && !std::filesystem::exists(path))) return absl::OkStatus();
  const auto log = OpenLog(file, cancel);
  if (!log.ok()) return absl::OkStatus();
  const auto coverage =
      capture::FindLogCoverage(**log, stream.change_topic, cancel, absl::Seconds(1));
  if (!coverage.ok()) return absl::OkStatus();
  AddLoss(capture::CheckFork(stream, record, catalog, *fork, *coverage), report);
  return absl::OkStatus();
}

// A pooler lets a session through, and no replication connection. One that is under way needs no
// proof, and another may be one too many for max_wal_senders.
absl::Status CheckReplicates(const spec::MigrationFile& file, const records::Stream& stream,
                             pg::Session& session, const Cancel& cancel, CheckReport* report) {
  ASSIGN_OR_RETURN(const pg::Result may,
                   session.Query("SELECT rolreplication OR rolsuper, EXISTS (SELECT FROM "
                                 "pg_replication_slots WHERE slot_name = $1 AND active) "
                                 "FROM pg_roles WHERE rolname = current_user",
                                 {stream.slot}));
  if (may.rows() == 0 || !may.boolean(0, 0) || may.boolean(0, 1)) return absl::OkStatus();
  const auto connected = pg::Session::Connect({.dsn = file.old_db.Connection(),
                                               .application_name = "switchyard check",
                                               .replication = true},
                                              cancel);
  const absl::Status identified =
      connected.ok() ? (*connected)->Query("IDENTIFY_SYSTEM").status() : connected.status();
  if (identified.ok() || absl::IsCancelled(identified)) return identified;
  report->faults.push_back(
      {.where = CheckFault::Where::kOld,
       .message =
           absl::StrCat("sessions come through, but no replication connection, which capture "
                        "needs: ",
                        identified.message()),
       .remedy = "give `old` a connection string that leads to the server itself: a pooler carries "
                 "no replication connections. There, pg_hba.conf has to let the role in, and "
                 "max_wal_senders leave room for two"});
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckStream(const spec::MigrationFile& file, const records::Stream& stream,
                         const catalog::Catalog& catalog, const Cancel& cancel,
                         pg::Session& old_session, CheckReport* report) {
  RETURN_IF_ERROR(WarnOfShortKeeping(old_session, stream.slot, report));
  RETURN_IF_ERROR(CheckReplicates(file, stream, old_session, cancel, report));
  const records::CaptureStreams streams(old_session, stream.name);
  // Where it can't be read, what is missing is told with the rights.
  ASSIGN_OR_RETURN(const bool readable, streams.MayRead());
  if (!readable) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto record, streams.Load());
  if (!record.has_value() || record->state == records::CaptureStream::State::kCreating) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const auto slot, capture::LoadSlot(old_session, stream.slot));
  const absl::Status history = capture::CheckHistory(stream, *record, catalog, slot);
  AddLoss(history, report);
  if (!history.ok()) return absl::OkStatus();  // the slot went with it
  const absl::Status usable = capture::CheckSlot(stream, slot, catalog);
  AddLoss(usable, report);
  if (!usable.ok() || record->timeline == catalog.timeline) return absl::OkStatus();
  return CheckPromotion(file, stream, *record, catalog, cancel, report);
}

}  // namespace switchyard::operate
