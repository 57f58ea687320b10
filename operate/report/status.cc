#include "operate/report/status.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "operate/report/human.h"

namespace switchyard::operate {
namespace {

int64_t Distance(Lsn from, Lsn to) {
  return to > from ? static_cast<int64_t>(to.value() - from.value()) : 0;
}

// Why capture stands still: as it said, or, where no capture has run since, as OLD shows.
Finding RefusalOf(const StreamFacts& facts) {
  const bool begun = facts.capture_state == "copying" || facts.capture_state == "streaming";
  if (!facts.refusal.empty() || !facts.source_error.empty() || !begun) return facts.refusal;
  if (facts.slot.has_value() && facts.slot->wal_status != "lost") return {};
  return {absl::StrCat(facts.slot.has_value()
                           ? "its replication slot is lost, the WAL it needs is removed"
                           : "its replication slot is gone",
                       ": changes of OLD are missing"),
          kCopyAllAnew};
}

// nullopt: NEW could not be asked.
std::optional<records::Phase> PhaseOf(const StreamFacts& facts) {
  if (!facts.target_error.empty()) return std::nullopt;
  if (!RefusalOf(facts).empty()) return records::Phase::kStopped;
  const records::Phase phase = facts.replay_phase.value_or(records::Phase::kNew);
  // A capture that has begun is copying, even before the replayer has seen any of it.
  if (phase == records::Phase::kNew && facts.capture_state.has_value()) {
    return records::Phase::kCopying;
  }
  return phase;
}

std::string StateOf(const StreamFacts& facts) {
  const std::optional<records::Phase> phase = PhaseOf(facts);
  if (!phase.has_value()) return "unknown";
  return phase == records::Phase::kStreaming && facts.hold.has_value() ? "held" : ToString(*phase);
}

Finding Of(std::string_view whom, const Finding& finding) {
  return {absl::StrCat(Sv(whom), finding.what), finding.next};
}

std::vector<Finding> ReasonsOf(const StreamFacts& facts) {
  std::vector<Finding> reasons;
  const Finding refusal = RefusalOf(facts);
  if (!refusal.empty()) reasons.push_back(Of("capture: ", refusal));
  if (!facts.stop_reason.empty()) {
    reasons.push_back(Of(refusal.empty() ? "" : "replay: ", facts.stop_reason));
  }
  return reasons;
}

// "step 3 of 7: derives public.users, for 12 s, about 31 s left"
std::string StepOf(const StreamFacts& facts) {
  std::string text = absl::StrCat("step ", facts.step, " of ", facts.steps, ": ", facts.step_work);
  if (!facts.step_transaction.has_value() || !facts.target_now.has_value()) return text;
  const absl::Duration spent = *facts.target_now - *facts.step_transaction;
  absl::StrAppend(&text, ", for ", HumanDuration(spent));
  // Of the first step nothing can be said of the others, and of the last one nothing of itself.
  if (facts.step < 2 || facts.step == facts.steps) return text;
  // This one is taken to be half done, and the others to be like those before.
  const absl::Duration left = spent / (facts.step - 0.5) * (facts.steps - facts.step + 0.5);
  return absl::StrCat(text, ", about ", HumanDuration(left), " left");
}

std::string DoingOf(const StreamFacts& facts) {
  if (facts.replay_active != true) return "";
  if (facts.step > 0) {
    return absl::StrCat(facts.doing, facts.doing.empty() ? "" : "; ", StepOf(facts));
  }
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
  table.worked = absl::ZeroDuration();
  return table;
}

// From its begin to its end a table also waits for others, which is no work. Of a re-copy only what
// moves now is known. `seconds`: since the table's rows were counted as `before`.
void SetRate(const CopyTable& table, const CopyTable* before, double seconds,
             CopyProgress* progress) {
  int64_t rows = table.rows_loaded;
  int64_t bytes = table.bytes_loaded;
  if (table.worked > absl::ZeroDuration()) {
    seconds = absl::ToDoubleSeconds(table.worked);
  } else if (table.recopy && !table.loaded && before != nullptr && rows >= before->rows_loaded) {
    rows -= before->rows_loaded;
    bytes -= before->bytes_loaded;
  } else {
    return;
  }
  if (seconds <= 0) return;
  progress->rows_per_second = static_cast<double>(rows) / seconds;
  progress->bytes_per_second = static_cast<double>(bytes) / seconds;
}

CopyProgress AssessCopy(const CopyTable& table, std::optional<absl::Time> now,
                        const CopyTable* before, double seconds) {
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
  SetRate(table, before, seconds, &progress);
  if (table.loaded || progress.percent.value_or(0) <= 0) return progress;
  const double rest = 100.0 / *progress.percent - 1.0;
  if (table.worked > absl::ZeroDuration()) {
    progress.left = table.worked * rest;
  } else if (table.started.has_value() && now.has_value() && *now > *table.started) {
    progress.left = (*now - *table.started) * rest;
  }
  return progress;
}

CopyTable AsShown(const CopyTable& table, const StreamFacts& facts) {
  return table.recopy ? AsRecopied(table, facts.open_recopies) : table;
}

void AssessCopies(const StreamFacts& facts, const StreamFacts* previous, StreamStatus* status) {
  if (!facts.target_error.empty()) return;  // how much is loaded only NEW can say
  double seconds = 0;
  if (previous != nullptr && facts.target_now.has_value() && previous->target_now.has_value()) {
    seconds = absl::ToDoubleSeconds(*facts.target_now - *previous->target_now);
  }
  for (const CopyTable& table : facts.copy) {
    if (table.gone) continue;
    std::optional<CopyTable> before;
    if (previous != nullptr) {
      const auto at = std::ranges::find(previous->copy, table.table, &CopyTable::table);
      if (at != previous->copy.end()) before = AsShown(*at, *previous);
    }
    status->copy.push_back(
        AssessCopy(AsShown(table, facts), facts.target_now, before ? &*before : nullptr, seconds));
  }
}

// Of the initial copy as a whole, by what it did since it began.
void AssessWholeCopy(const StreamFacts& facts, StreamStatus* status) {
  std::optional<absl::Time> began;
  int64_t rows = 0;
  std::optional<int64_t> estimate = 0;
  for (const CopyTable& table : facts.copy) {
    if (table.gone || table.recopy) continue;
    rows += table.rows_loaded;
    const std::optional<int64_t> expected = table.loaded ? table.rows_loaded : table.rows_estimate;
    estimate = estimate && expected ? std::optional(*estimate + *expected) : std::nullopt;
    if (table.started.has_value()) began = std::min(*table.started, began.value_or(*table.started));
  }
  const bool copying = status->phase == records::Phase::kCopying;
  if (!copying || !began || !facts.target_now || *facts.target_now <= *began) return;
  const double seconds = absl::ToDoubleSeconds(*facts.target_now - *began);
  const bool all_loaded = std::ranges::all_of(facts.copy, &CopyTable::loaded);
  if (rows == 0 || all_loaded) return;
  status->copy_rows_per_second = static_cast<double>(rows) / seconds;
  if (estimate.has_value() && *estimate > rows) {
    status->copy_left =
        absl::Seconds(static_cast<double>(*estimate - rows) / *status->copy_rows_per_second);
  }
}

bool IsFoundDifferent(const StreamStatus& status) {
  return status.parity.has_value() && !status.parity->under_way &&
         status.parity->verdict == records::Verdict::kDifferent;
}

}  // namespace

bool NeedsAPerson(const StreamStatus& status) {
  return status.phase == records::Phase::kStopped || !status.suspects.empty() ||
         status.quarantined.value_or(0) > 0 || status.breaches.value_or(0) > 0 ||
         IsFoundDifferent(status) || !MissingRoles(status).empty() ||
         std::ranges::any_of(status.copy,
                             [](const CopyProgress& copy) { return !copy.error.empty(); });
}

Finding MissingRoles(const StreamStatus& status) {
  const bool no_capture = status.capture_active == false;
  const bool no_replay = status.replayer_active == false;
  if (!no_capture && !no_replay) return {};
  const std::string what =
      no_capture && no_replay ? "no role runs: nothing is captured, nothing is applied"
      : no_capture            ? "no capture runs: OLD keeps the WAL of its changes until one does"
                              : "no replayer runs: nothing is applied";
  // What is said of a stop comes first.
  if (status.phase == records::Phase::kStopped) return {.what = what, .next = ""};
  return {what, absl::StrCat("switchyard ",
                             no_capture && no_replay ? "run"
                             : no_capture            ? "capture"
                                                     : "replay",
                             " FILE")};
}

StreamStatus Assess(const StreamFacts& facts, const StreamFacts* previous) {
  StreamStatus status = {
      .stream = facts.stream,
      .direction = facts.direction,
      .phase = PhaseOf(facts),
      .state = StateOf(facts),
      .reasons = ReasonsOf(facts),
      .doing = DoingOf(facts),
      .epoch = facts.capture_epoch.has_value() ? facts.capture_epoch : facts.replay_epoch,
      .source_lsn = facts.source_lsn,
      .capture_active = facts.capture_active,
      .replayer_active = facts.replay_active,
      .quarantined = facts.quarantined,
      .breaches = facts.breaches,
      .open_requests = facts.open_requests,
      .rehearsal = facts.rehearsal,
      .slot = facts.slot,
      .slot_waits_for = facts.slot_waits_for,
      .suspects = facts.suspects,
      .parity = facts.parity,
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
  AssessCopies(facts, previous, &status);
  AssessWholeCopy(facts, &status);
  const bool forward = facts.direction == records::Direction::kForward;
  for (const auto& [side, error] :
       {std::pair(forward ? "old: " : "new: ", facts.source_error),
        std::pair(forward ? "new: " : "old: ", facts.target_error),
        std::pair("log: ", facts.log.unreachable ? facts.log.error : facts.log.full)}) {
    if (!error.empty()) status.errors.push_back(Of(side, error));
  }
  return status;
}

}  // namespace switchyard::operate
