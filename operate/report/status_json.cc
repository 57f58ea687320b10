#include <cmath>
#include <nlohmann/json.hpp>

#include "common/base/finding.h"
#include "operate/report/status.h"

namespace switchyard::operate {
namespace {

using nlohmann::ordered_json;

template <typename T>
ordered_json OrNull(const std::optional<T>& value) {
  return value.has_value() ? ordered_json(*value) : ordered_json(nullptr);
}

ordered_json OrNull(const std::optional<Lsn>& lsn) {
  return lsn.has_value() ? ordered_json(lsn->ToString()) : ordered_json(nullptr);
}

// Milliseconds are enough, and keep the text short.
ordered_json OrNull(const std::optional<absl::Duration>& duration) {
  if (!duration.has_value()) return nullptr;
  return std::round(absl::ToDoubleSeconds(*duration) * 1000) / 1000;
}

ordered_json OneDecimal(const std::optional<double>& value) {
  return value.has_value() ? ordered_json(std::round(*value * 10) / 10) : ordered_json(nullptr);
}

ordered_json SlotJson(const StreamStatus& status) {
  if (!status.slot.has_value()) return nullptr;
  return {{"name", status.slot->name},
          {"active", status.slot->active},
          {"wal_status", status.slot->wal_status},
          {"retained_bytes", OrNull(status.slot_retained_bytes)},
          {"bytes_to_limit", OrNull(status.slot->bytes_to_limit)}};
}

ordered_json LogJson(const StreamStatus& status) {
  return {{"records_to_apply", OrNull(status.log_records)},
          {"bytes", OrNull(status.log.bytes)},
          {"free_bytes", OrNull(status.log.free_bytes)},
          {"error", TextOf(status.log.error)}};
}

ordered_json ParityJson(const std::optional<ParityFacts>& parity) {
  if (!parity.has_value()) return nullptr;
  ordered_json tables = ordered_json::array();
  for (const records::ParityTable& table : parity->tables) {
    tables.push_back({{"table", table.table},
                      {"verdict", records::ToString(table.verdict)},
                      {"rows", table.rows},
                      {"lsn", table.lsn.ToString()}});
  }
  return {{"verdict", parity->under_way ? "" : records::ToString(parity->verdict)},
          {"under_way", parity->under_way},
          {"reason", parity->reason},
          {"fingerprint", parity->fingerprint},
          {"lsn", OrNull(parity->lsn)},
          {"age_seconds", OrNull(std::optional(parity->age))},
          {"tables", std::move(tables)}};
}

ordered_json RehearsalJson(const StreamStatus& status) {
  if (!status.rehearsal.has_value()) return nullptr;
  return {{"verdict", status.rehearsal->verdict},
          {"batches", status.rehearsal->batches},
          {"faults", status.rehearsal->faults},
          {"seed", status.rehearsal->seed},
          {"age_seconds", std::round(absl::ToDoubleSeconds(status.rehearsal->age))},
          {"this_mapping", status.rehearsal->this_mapping}};
}

ordered_json CopyJson(const CopyProgress& copy) {
  return {{"table", copy.table},
          {"state", copy.state},
          {"recopy", copy.recopy},
          {"rows", copy.rows},
          {"rows_estimate", OrNull(copy.rows_estimate)},
          {"bytes", copy.bytes},
          {"bytes_estimate", OrNull(copy.bytes_estimate)},
          {"percent", OneDecimal(copy.percent)},
          {"rows_per_second", OneDecimal(copy.rows_per_second)},
          {"bytes_per_second", OneDecimal(copy.bytes_per_second)},
          {"seconds_left", OrNull(copy.left)},
          {"error", TextOf(copy.error)},
          {"next", copy.error.next}};
}

std::string StepOf(const Finding& finding) { return finding.next; }

std::string LinesOf(const std::vector<Finding>& findings, std::string (*of)(const Finding&)) {
  std::string lines;
  for (const Finding& finding : findings) lines += (lines.empty() ? "" : "\n") + of(finding);
  return lines;
}

ordered_json StreamJson(const StreamStatus& status) {
  ordered_json suspects = ordered_json::array();
  for (const Suspect& suspect : status.suspects) {
    suspects.push_back({{"table", suspect.table},
                        {"reason", suspect.reason},
                        {"next", suspect.next_step},
                        {"lacks", suspect.lacks},
                        {"rows", OrNull(suspect.rows)},
                        {"first_lsn", OrNull(suspect.first_lsn)}});
  }
  ordered_json copy = ordered_json::array();
  ordered_json errors = ordered_json::array();
  for (const Finding& error : status.errors) errors.push_back(TextOf(error));
  for (const CopyProgress& progress : status.copy) copy.push_back(CopyJson(progress));
  return {{"stream", status.stream},
          {"state", status.state},
          {"reason", LinesOf(status.reasons, &TextOf)},
          {"next", LinesOf(status.reasons, &StepOf)},
          {"doing", status.doing},
          {"epoch", OrNull(status.epoch)},
          {"source_lsn", OrNull(status.source_lsn)},
          {"captured_lsn", OrNull(status.captured_lsn)},
          {"applied_lsn", OrNull(status.applied_lsn)},
          {"lag_bytes", OrNull(status.lag_bytes)},
          {"lag_seconds", OrNull(status.lag)},
          {"rows_per_second", OneDecimal(status.rows_per_second)},
          {"transactions_per_second", OneDecimal(status.transactions_per_second)},
          {"capture_active", OrNull(status.capture_active)},
          {"replayer_active", OrNull(status.replayer_active)},
          {"quarantined", OrNull(status.quarantined)},
          {"breaches", OrNull(status.breaches)},
          {"open_requests", OrNull(status.open_requests)},
          {"rehearsal", RehearsalJson(status)},
          {"log", LogJson(status)},
          {"slot", SlotJson(status)},
          {"slot_waits_for", status.slot_waits_for},
          {"suspects", std::move(suspects)},
          {"parity", ParityJson(status.parity)},
          {"copy", std::move(copy)},
          {"copy_rows_per_second", OneDecimal(status.copy_rows_per_second)},
          {"copy_seconds_left", OrNull(status.copy_left)},
          {"errors", std::move(errors)}};
}

}  // namespace

std::string StatusJson(const StatusReport& report, bool compact) {
  ordered_json streams = ordered_json::array();
  for (const StreamStatus& status : report.streams) streams.push_back(StreamJson(status));
  ordered_json object = {{"migration", report.migration}};
  object["owner"] = nullptr;
  object["epoch"] = nullptr;
  if (report.owner.has_value()) {
    object["owner"] = std::string(records::ToString(report.owner->owner));
    object["epoch"] = report.owner->epoch;
  }
  object["streams"] = std::move(streams);
  return object.dump(compact ? -1 : 2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace switchyard::operate
