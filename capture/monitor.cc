#include "capture/monitor.h"

#include <algorithm>
#include <utility>

#include "capture/publish/message_table.h"
#include "capture/publish/publisher.h"
#include "capture/source/mark_publication.h"
#include "capture/source/source_state.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/base/wait/retry.h"
#include "common/pg/server_version.h"
#include "common/records/source/capture_streams.h"
#include "common/records/source/capture_suspects.h"

namespace switchyard::capture {
absl::Status CheckDrift(pg::Session& session, const records::Stream& stream,
                        const LeftOut& left_out, TableShapes* shapes) {
  ASSIGN_OR_RETURN(const ShapeSnapshot now, LoadShapes(session, stream.publication, *shapes));
  const std::vector<Drift> drifts = CompareShapes(*shapes, now, left_out);
  TableShapes next = NextBaseline(*shapes, now);
  const bool changed = next != *shapes;
  if (changed) {
    RETURN_IF_ERROR(
        session.InTransaction([&] { return RecordShapes(session, stream.name, next, drifts); }));
  } else {
    RETURN_IF_ERROR(records::CaptureSuspects(session, stream.name).Note(drifts));
  }
  *shapes = std::move(next);
  for (const Drift& drift : drifts) {
    if (!changed) break;  // told before
    LogWarn("capture", "table is suspect",
            {{"stream", stream.name},
             {"table", drift.schema + "." + drift.name},
             {"reason", drift.reason},
             {"next", drift.next_step}});
  }
  return records::CaptureStreams(session, stream.name).NoteLook();
}

Monitor::Monitor(const MonitorOptions& options, TableShapes shapes)
    : options_(options),
      shapes_(std::move(shapes)),
      last_activity_ns_(absl::GetCurrentTimeNanos()) {}

void Monitor::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Monitor::Stop() {
  cancel_.Request();
  if (thread_.joinable()) thread_.join();
}

absl::Status Monitor::fault() const {
  MutexLock lock(&fault_mu_);
  return fault_;
}

absl::Status Monitor::LookForMark(pg::Session& session) {
  ASSIGN_OR_RETURN(const auto faults, FindMarkFaults(session, options_.stream));
  MutexLock lock(&fault_mu_);
  fault_.Update(FaultsToStatus(faults));
  return absl::OkStatus();
}

absl::Status Monitor::Look(pg::Session& session) {
  RETURN_IF_ERROR(LookForMark(session));
  MutexLock lock(&mu_);
  RETURN_IF_ERROR(CheckDrift(session, options_.stream, options_.left_out, &shapes_));
  if (session.server_version() >= pg::kNoticesPartitions) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Lsn changed, LastPartitionChange(session, options_.stream.name));
  partition_change_ = changed.value();
  return absl::OkStatus();
}

absl::StatusOr<bool> Monitor::LookFor(pg::Session& session, uint32_t relation_id) {
  MutexLock lock(&mu_);
  RETURN_IF_ERROR(CheckDrift(session, options_.stream, options_.left_out, &shapes_));
  return shapes_.contains(relation_id);
}

void Monitor::Run() {
  Backoff backoff(Backoff::Options{});
  while (!cancel_.requested()) {
    const absl::Status ended = RunConnected();
    if (cancel_.requested()) return;
    LogWarn(
        "capture", "the source could not be checked, will be tried again",
        {{"stream", options_.stream.name},
         {"error", std::string(ended.message())},
         {"next", IsRetryable(ended) ? "wait" : "switchyard check FILE names what is missing"}});
    cancel_.WaitFor(backoff.Next());
  }
}

absl::Status Monitor::RunConnected() {
  ASSIGN_OR_RETURN(const auto session,
                   // The look at the catalogue would be compiled each time, longer than it runs.
                   pg::Session::Connect({.dsn = options_.dsn,
                                         .application_name = options_.application_name,
                                         .settings = {{"jit", "off"}, kCommitLocally}},
                                        cancel_));
  absl::Time next_check = absl::InfinitePast();
  absl::Time next_heartbeat = absl::InfinitePast();
  while (true) {
    const absl::Time now = absl::Now();
    if (now >= next_check) {
      RETURN_IF_ERROR(Look(*session));
      next_check = now + options_.drift_check_interval;
    }
    const absl::Time idle_at =
        absl::FromUnixNanos(last_activity_ns_.load()) + options_.heartbeat_interval;
    next_heartbeat = std::max(next_heartbeat, idle_at);
    if (now >= next_heartbeat) {
      RETURN_IF_ERROR(EmitMessage(*session, options_.stream.name, kHeartbeatPrefix, ""));
      next_heartbeat = now + options_.heartbeat_interval;
    }
    if (!cancel_.WaitFor(std::min(next_check, next_heartbeat) - now)) return cancel_.status();
  }
}

}  // namespace switchyard::capture
