#include "operate/report/status.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace switchyard::operate {
namespace {

const std::vector<CopyTable> kNoTables;

int64_t Distance(Lsn from, Lsn to) {
  return to > from ? static_cast<int64_t>(to.value() - from.value()) : 0;
}

// Why capture stands still: as it said, or, where no capture has run since, as OLD shows.
std::string RefusalOf(const StreamFacts& facts) {
  const bool begun = facts.capture_state == "copying" || facts.capture_state == "streaming";
  if (!facts.refusal.empty() || !facts.source_error.empty() || !begun) return facts.refusal;
  if (facts.slot.has_value() && facts.slot->wal_status != "lost") return "";
  return absl::StrCat(facts.slot.has_value()
                          ? "its replication slot is lost, the WAL it needs is removed"
                          : "its replication slot is gone",
                      ": changes of OLD are missing; next: end every role, then run: switchyard "
                      "recopy FILE --all");
}

std::string StateOf(const StreamFacts& facts) {
  if (!facts.target_error.empty()) return "unknown";
  if (!RefusalOf(facts).empty()) return "stopped";
  const std::string state = facts.replay_state.value_or("new");
  // A capture that has begun is copying, even before the replayer has seen any of it.
  if (state == "new" && facts.capture_state.has_value()) return "copying";
  if (state == "streaming" && facts.hold.has_value()) return "held";
  return state;
}

std::string ReasonOf(const StreamFacts& facts) {
  const std::string refusal = RefusalOf(facts);
  if (refusal.empty()) return facts.stop_reason;
  if (facts.stop_reason.empty()) return "capture: " + refusal;
  return "capture: " + refusal + "\nreplay: " + facts.stop_reason;
}

std::string DoingOf(const StreamFacts& facts) {
  if (facts.replay_active != true) return "";
  if (!facts.doing.empty() || facts.open_recopies.empty()) return facts.doing;
  return "waits for the copy of " + absl::StrJoin(facts.open_recopies, ", ");
}

// How far NEW is behind. Unknown until the copy is in, and whenever one side is unknown.
void AssessLag(const StreamFacts& facts, StreamStatus* status) {
  if (!facts.source_lsn.has_value() || !facts.applied.has_value()) return;
  if (!facts.applied->valid()) return;
  status->lag_bytes = Distance(*facts.applied, *facts.source_lsn);
  if (*status->lag_bytes == 0) {
    status->lag = absl::ZeroDuration();
  } else if (facts.applied_time.has_value() && facts.source_now.has_value()) {
    // What was applied last was the end of OLD's log at that time: all that is missing is younger.
    // It grows for as long as nothing is applied.
    status->lag = std::max(*facts.source_now - *facts.applied_time, absl::ZeroDuration());
  }
}

std::optional<double> Rate(const std::optional<int64_t>& before, const std::optional<int64_t>& now,
                           absl::Duration elapsed) {
  if (!before.has_value() || !now.has_value() || elapsed <= absl::ZeroDuration()) {
    return std::nullopt;
  }
  // A counter that went back belongs to a stream that began anew.
  if (*now < *before) return std::nullopt;
  return static_cast<double>(*now - *before) / absl::ToDoubleSeconds(elapsed);
}

void AssessRates(const StreamFacts& facts, const StreamFacts& previous, StreamStatus* status) {
  if (!facts.target_now.has_value() || !previous.target_now.has_value()) return;
  const absl::Duration elapsed = *facts.target_now - *previous.target_now;
  status->rows_per_second = Rate(previous.rows, facts.rows, elapsed);
  status->transactions_per_second = Rate(previous.transactions, facts.transactions, elapsed);
}

std::optional<double> Percent(const CopyTable& table) {
  if (table.loaded) return 100.0;
  const auto part = [](int64_t done, const std::optional<int64_t>& of) -> std::optional<double> {
    if (!of.has_value() || *of <= 0) return std::nullopt;
    // Estimates are of the table's size on disk: never claim the end before it is there.
    return std::min(99.0, 100.0 * static_cast<double>(done) / static_cast<double>(*of));
  };
  const std::optional<double> by_rows = part(table.rows_loaded, table.rows_estimate);
  return by_rows.has_value() ? by_rows : part(table.bytes_loaded, table.bytes_estimate);
}

// A re-copy is loaded beside the live rows: of it there is what was read, and the request that is
// open until it is swapped in.
CopyTable AsRecopied(CopyTable table, const std::vector<std::string>& open) {
  table.loaded = table.capture_state == "done" && std::ranges::count(open, table.asked_as) == 0;
  table.rows_loaded = table.rows_captured;
  table.bytes_loaded = table.bytes_captured;
  table.started.reset();  // these are of the copy before
  table.finished.reset();
  return table;
}

CopyProgress AssessCopy(const CopyTable& table, std::optional<absl::Time> now) {
  CopyProgress progress = {.table = table.table,
                           .root = table.asked_as == table.table ? "" : table.asked_as,
                           .recopy = table.recopy,
                           .rows = table.rows_loaded,
                           .bytes = table.bytes_loaded,
                           .rows_estimate = table.rows_estimate,
                           .bytes_estimate = table.bytes_estimate,
                           .percent = Percent(table),
                           .error = table.error};
  progress.state = table.loaded                    ? "done"
                   : table.capture_state == "done" ? "loading"
                   : table.rows_loaded > 0         ? "copying"
                   : table.capture_state.empty()   ? "pending"
                                                   : table.capture_state;
  if (!table.started.has_value()) return progress;
  const std::optional<absl::Time> until = table.loaded ? table.finished : now;
  if (!until.has_value() || *until <= *table.started) return progress;
  const double seconds = absl::ToDoubleSeconds(*until - *table.started);
  progress.rows_per_second = static_cast<double>(table.rows_loaded) / seconds;
  progress.bytes_per_second = static_cast<double>(table.bytes_loaded) / seconds;
  if (!table.loaded && progress.percent.has_value() && *progress.percent > 0) {
    progress.left = absl::Seconds(seconds * (100.0 / *progress.percent - 1.0));
  }
  return progress;
}

}  // namespace

StreamStatus Assess(const StreamFacts& facts, const StreamFacts* previous) {
  StreamStatus status = {
      .stream = facts.stream,
      .state = StateOf(facts),
      .reason = ReasonOf(facts),
      .doing = DoingOf(facts),
      .epoch = facts.capture_epoch.has_value() ? facts.capture_epoch : facts.replay_epoch,
      .source_lsn = facts.source_lsn,
      .replayer_active = facts.replay_active,
      .quarantined = facts.quarantined,
      .open_requests = facts.open_requests,
      .slot = facts.slot,
      .slot_waits_for = facts.slot_waits_for,
      .suspects = facts.suspects,
      .log = facts.log};
  if (facts.applied.has_value() && facts.applied->valid()) status.applied_lsn = facts.applied;
  if (facts.slot.has_value()) {
    if (facts.slot->confirmed_flush.valid()) {
      // The slot hears of it a moment later than the log; what NEW has was on the log.
      status.captured_lsn = std::max(facts.slot->confirmed_flush, facts.applied.value_or(Lsn()));
    }
    if (facts.slot->restart.valid() && facts.source_lsn.has_value()) {
      status.slot_retained_bytes = Distance(facts.slot->restart, *facts.source_lsn);
    }
  }
  AssessLag(facts, &status);
  if (facts.log.next_offset.has_value() && facts.applied_offset.has_value()) {
    status.log_records = std::max<int64_t>(0, *facts.log.next_offset - *facts.applied_offset);
  }
  if (previous != nullptr) AssessRates(facts, *previous, &status);
  // How much is loaded only NEW can say.
  for (const CopyTable& table : facts.target_error.empty() ? facts.copy : kNoTables) {
    if (table.gone) continue;
    status.copy.push_back(AssessCopy(table.recopy ? AsRecopied(table, facts.open_recopies) : table,
                                     facts.target_now));
  }
  for (const auto& [side, error] :
       {std::pair("old: ", facts.source_error), std::pair("new: ", facts.target_error),
        std::pair("log: ", facts.log.unreachable ? facts.log.error : facts.log.full)}) {
    if (!error.empty()) status.errors.push_back(side + error);
  }
  return status;
}

}  // namespace switchyard::operate
