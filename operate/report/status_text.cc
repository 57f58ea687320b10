#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "operate/report/human.h"
#include "operate/report/status.h"
#include "operate/report/table_text.h"

namespace switchyard::operate {
namespace {

constexpr char kUnknown[] = "unknown";
constexpr size_t kCopyRowsMax = 20;
// Of disk: a busy source may fill the rest within minutes.
constexpr int64_t kScarceBytes = int64_t{1} << 30;

// Colours say only what needs an eye: red for what stands still, yellow for what is not there yet.
constexpr char kRed[] = "\x1b[31m";
constexpr char kYellow[] = "\x1b[33m";
constexpr char kGreen[] = "\x1b[32m";
constexpr char kReset[] = "\x1b[0m";

std::string Colored(const std::string& text, const char* color, const StatusTextOptions& options) {
  return options.color && color != nullptr ? color + text + kReset : text;
}

const char* StateColor(const StreamStatus& status) {
  if (!status.phase.has_value() || status.phase == records::Phase::kStopped) return kRed;
  // Not where it is held.
  return status.state == ToString(records::Phase::kStreaming) ? kGreen : kYellow;
}

std::string OrUnknown(const std::optional<Lsn>& lsn) {
  return lsn.has_value() ? lsn->ToString() : kUnknown;
}

std::string LagText(const StreamStatus& status) {
  if (!status.lag_bytes.has_value()) return kUnknown;
  if (*status.lag_bytes == 0) return "none";
  return HumanBytes(*status.lag_bytes) + ", " +
         (status.lag.has_value() ? HumanDuration(*status.lag) : "time unknown");
}

std::string RateText(const StreamStatus& status) {
  if (!status.rows_per_second.has_value() || !status.transactions_per_second.has_value()) {
    return kUnknown;
  }
  return absl::StrFormat("%s rows/s, %s transactions/s",
                         HumanCount(std::llround(*status.rows_per_second)),
                         HumanCount(std::llround(*status.transactions_per_second)));
}

std::string SlotText(const StreamStatus& status) {
  if (!status.slot.has_value()) return status.source_lsn.has_value() ? "none" : kUnknown;
  const SlotFacts& slot = *status.slot;
  std::string text = slot.name + (slot.active ? ", active" : ", nobody reads it");
  if (slot.wal_status == "lost") return text + ", lost: its WAL is gone";
  absl::StrAppend(
      &text, ", keeps ",
      status.slot_retained_bytes.has_value() ? HumanBytes(*status.slot_retained_bytes) : kUnknown,
      " of WAL");
  if (!slot.bytes_to_limit.has_value()) return text + " (no limit set)";
  if (*slot.bytes_to_limit <= 0) return text + " (over the limit: may be lost at any time)";
  return text + ", " + HumanBytes(*slot.bytes_to_limit) + " to the limit";
}

std::string LogText(const StreamStatus& status, const StatusTextOptions& options) {
  const LogFacts& log = status.log;
  if (status.log_records.has_value()) {
    return *status.log_records == 0 ? "all applied"
                                    : HumanCount(*status.log_records) + " records not applied";
  }
  if (log.bytes.has_value()) {
    const std::string text = "file of " + HumanBytes(*log.bytes);
    if (!log.free_bytes.has_value()) return text;
    return text + ", " +
           Colored(HumanBytes(*log.free_bytes) + " left on its disk",
                   *log.free_bytes < kScarceBytes ? kRed : nullptr, options);
  }
  return log.error.empty() || log.unreachable ? kUnknown
                                              : absl::StrCat(kUnknown, ": ", TextOf(log.error));
}

std::string RehearsalLine(const RehearsalFacts& rehearsal, const StatusTextOptions& options) {
  std::string text = rehearsal.verdict;
  if (rehearsal.faults > 0) absl::StrAppend(&text, " (", HumanCount(rehearsal.faults), ")");
  text = Colored(text, rehearsal.verdict == "clean" ? nullptr : kRed, options);
  absl::StrAppend(&text, ", ", HumanCount(rehearsal.batches), " batches, ",
                  HumanDuration(rehearsal.age), " ago");
  if (rehearsal.this_mapping) return text;
  return text + Colored(", of another mapping", kYellow, options);
}

// What is wrong, and below it what to do.
std::string Trouble(const Finding& finding, const char* color) {
  std::string out;
  for (const auto line : absl::StrSplit(finding.what, '\n')) {
    absl::StrAppend(&out, "  ", Colored(std::string(line), color, {.color = true}), "\n");
  }
  if (!finding.next.empty()) absl::StrAppend(&out, "    next: ", finding.next, "\n");
  return out;
}

// "clean, 8 tables, 330,000 rows as of 0/5A3F1220, 3 min ago"
std::string ParityText(const ParityFacts& parity, const StatusTextOptions& options) {
  if (parity.under_way) {
    return absl::StrCat("under way or cut short, begun ", HumanDuration(parity.age), " ago");
  }
  int64_t rows = 0;
  for (const records::ParityTable& table : parity.tables) rows += table.rows;
  const bool clean = parity.verdict == records::Verdict::kClean;
  std::string text =
      clean ? records::ToString(parity.verdict)
            : Colored(records::ToString(parity.verdict), kYellow, {.color = options.color});
  absl::StrAppend(&text, ", ", parity.tables.size(),
                  parity.tables.size() == 1 ? " table, " : " tables, ", HumanCount(rows), " rows");
  if (parity.lsn.has_value()) absl::StrAppend(&text, " as of ", parity.lsn->ToString());
  return absl::StrCat(text, ", ", HumanDuration(parity.age), " ago");
}

using Rows = std::vector<std::vector<std::string>>;

Rows StreamRows(const StreamStatus& status, const StatusTextOptions& options) {
  Rows rows = {{"source", OrUnknown(status.source_lsn)},
               {"captured", OrUnknown(status.captured_lsn)},
               {"applied", OrUnknown(status.applied_lsn)},
               {"lag", LagText(status)},
               {"applying", RateText(status)}};
  if (!status.doing.empty()) rows.push_back({"replay", status.doing});
  if (!status.quarantined.has_value()) {
    rows.push_back({"quarantine", kUnknown});
  } else if (*status.quarantined == 0) {
    rows.push_back({"quarantine", "empty"});
  } else {
    rows.push_back(
        {"quarantine", Colored(HumanCount(*status.quarantined) + " rows", kRed, options)});
  }
  if (const int64_t breaches = status.breaches.value_or(0); breaches > 0) {
    const char* side = status.direction == records::Direction::kForward ? "OLD" : "NEW";
    const bool one = breaches == 1;
    rows.push_back(
        {"breach",
         Colored(absl::StrFormat("%s %s written to %s, which does not own %s", HumanCount(breaches),
                                 one ? "row was" : "rows were", side, one ? "it" : "them"),
                 kRed, options)});
    rows.push_back({"", "next: switchyard breach FILE list"});
  }
  if (status.open_requests.value_or(0) > 0) {
    rows.push_back({"requests", HumanCount(*status.open_requests) + " waiting"});
  }
  if (status.parity.has_value()) {
    rows.push_back({"parity", ParityText(*status.parity, options)});
    const Finding step = ParseFinding(status.parity->reason);
    if (!step.what.empty()) rows.push_back({"", step.what});
    if (!step.next.empty()) rows.push_back({"", "next: " + step.next});
  }
  if (status.rehearsal.has_value()) {
    rows.push_back({"rehearsed", RehearsalLine(*status.rehearsal, options)});
    if (!status.rehearsal->this_mapping) {
      rows.push_back({"", "next: switchyard check FILE --rehearse"});
    }
  }
  rows.push_back({"log", LogText(status, options)});
  rows.push_back({"slot", SlotText(status)});
  for (const std::string& transaction : status.slot_waits_for) {
    rows.push_back({"", Colored("waits for " + transaction, kYellow, options)});
  }
  for (const CopyProgress& copy : status.copy) {
    if (copy.error.empty()) continue;
    rows.push_back({"can't copy", Colored(copy.table + ": " + copy.error.what, kYellow, options)});
    if (!copy.error.next.empty()) rows.push_back({"", "next: " + copy.error.next});
  }
  for (const Suspect& suspect : status.suspects) {
    rows.push_back({"suspect", Colored(suspect.table + ": " + suspect.reason, kYellow, options)});
    if (!suspect.next_step.empty()) rows.push_back({"", "next: " + suspect.next_step});
  }
  return rows;
}

std::string OfEstimate(const std::string& done, const std::optional<std::string>& estimate) {
  return estimate.has_value() ? done + " of ~" + *estimate : done;
}

std::vector<std::string> CopyRow(const CopyProgress& copy) {
  std::optional<std::string> rows_estimate;
  if (copy.state != "done" && copy.rows_estimate.has_value()) {
    rows_estimate = HumanCount(*copy.rows_estimate);
  }
  std::string rate;
  if (copy.state != "pending" && copy.rows_per_second.has_value() &&
      copy.bytes_per_second.has_value()) {
    rate = absl::StrFormat("%s rows/s, %s/s", HumanCount(std::llround(*copy.rows_per_second)),
                           HumanBytes(std::llround(*copy.bytes_per_second)));
  }
  const std::string left = copy.state == "done"      ? ""
                           : copy.left.has_value()   ? HumanDuration(*copy.left) + " left"
                           : copy.state == "pending" ? ""
                                                     : "time left unknown";
  return {copy.table,
          copy.state + (copy.recopy ? " again" : ""),
          copy.percent.has_value() ? absl::StrFormat("%.0f%%", *copy.percent) : "",
          OfEstimate(HumanCount(copy.rows), rows_estimate) + " rows",
          HumanBytes(copy.bytes),
          rate,
          left};
}

void AddEstimate(const std::optional<int64_t>& more, std::optional<int64_t>* sum) {
  *sum = sum->has_value() && more.has_value() ? std::optional(**sum + *more) : std::nullopt;
}

// What one of several partitions, or tables, adds to what is shown of all.
void Add(const CopyProgress& part, CopyProgress* sum) {
  if (part.state != sum->state) sum->state = "copying";
  sum->rows += part.rows;
  sum->bytes += part.bytes;
  AddEstimate(part.rows_estimate, &sum->rows_estimate);
  AddEstimate(part.bytes_estimate, &sum->bytes_estimate);
  sum->percent.reset();
  if (sum->state == "done") {
    sum->percent = 100;
  } else if (sum->rows_estimate.value_or(0) > 0) {
    sum->percent = std::min(
        99.0, 100.0 * static_cast<double>(sum->rows) / static_cast<double>(*sum->rows_estimate));
  }
  sum->rows_per_second.reset();  // parts run side by side, or one after the other
  sum->left.reset();
}

// Each partitioned table once.
std::vector<CopyProgress> Folded(const std::vector<CopyProgress>& copies) {
  std::vector<CopyProgress> folded;
  std::map<std::pair<std::string, bool>, std::pair<size_t, int>> roots;  // its place, partitions
  for (const CopyProgress& copy : copies) {
    if (copy.root.empty()) {
      folded.push_back(copy);
      continue;
    }
    const auto [it, is_new] = roots.try_emplace({copy.root, copy.recopy}, folded.size(), 1);
    if (is_new) {
      folded.push_back(copy);
    } else {
      Add(copy, &folded[it->second.first]);
      ++it->second.second;
    }
    folded[it->second.first].table =
        absl::StrFormat("%s (%d partitions)", copy.root, it->second.second);
  }
  return folded;
}

// Finished tables are only news while others are not, and while there is room.
std::string CopyText(const StreamStatus& status, size_t rows_max) {
  std::vector<CopyProgress> copies = Folded(status.copy);
  const auto is_done = [](const CopyProgress& copy) { return copy.state == "done"; };
  const int64_t done = std::ranges::count_if(copies, is_done);
  if (done == static_cast<int64_t>(copies.size())) return "";
  CopyProgress all;
  for (const CopyProgress& copy : copies) Add(copy, &all);
  std::string out = absl::StrFormat("  copy, %d of %d tables done, %s rows, %s", done,
                                    copies.size(), HumanCount(all.rows), HumanBytes(all.bytes));
  if (status.copy_rows_per_second.has_value()) {
    absl::StrAppend(&out, ", ", HumanCount(std::llround(*status.copy_rows_per_second)), " rows/s");
  }
  if (status.copy_left.has_value()) {
    absl::StrAppend(&out, ", about ", HumanDuration(*status.copy_left), " left");
  }
  out += "\n";
  if (copies.size() > rows_max) {
    std::stable_partition(copies.begin(), copies.end(), [](const CopyProgress& copy) {
      return copy.state != "done" && copy.state != "pending";
    });
  }
  Rows rows;
  for (const CopyProgress& copy : copies) {
    if (rows.size() < rows_max) rows.push_back(CopyRow(copy));
  }
  out += AlignColumns(rows,
                      {Align::kLeft, Align::kLeft, Align::kRight, Align::kRight, Align::kRight,
                       Align::kRight, Align::kRight},
                      4);
  if (copies.size() <= rows_max) return out;
  return out + absl::StrFormat("    and %d more tables\n", copies.size() - rows_max);
}

std::string StreamText(const StreamStatus& status, const StatusTextOptions& options) {
  std::string out = status.stream + "  " + Colored(status.state, StateColor(status), options);
  if (status.epoch.has_value()) absl::StrAppend(&out, "  epoch ", *status.epoch);
  out += "\n";
  for (const Finding& reason : status.reasons) out += Trouble(reason, nullptr);
  if (const Finding missing = MissingRoles(status); !missing.empty()) {
    out += Trouble(missing, options.color ? kYellow : nullptr);
  }
  for (const Finding& error : status.errors) out += Trouble(error, options.color ? kRed : nullptr);
  // Colours count as width: only the last column, which nothing follows, may hold them.
  out += AlignColumns(StreamRows(status, options), {Align::kLeft, Align::kLeft}, 2);
  size_t rows_max = kCopyRowsMax;
  if (options.lines_max > 0) {
    // Beside those stand a title and a last line that counts what was left out.
    const auto room = options.lines_max - std::ranges::count(out, '\n') - 2;
    rows_max = std::min(rows_max, static_cast<size_t>(std::max<int64_t>(room, 1)));
  }
  return out + CopyText(status, rows_max);
}

// "NEW owns since 2026-11-30 12:00:05 UTC, epoch 7"
std::string OwnerText(const OwnerFacts& owner) {
  std::string text = owner.owner == records::Side::kOld ? "OLD owns" : "NEW owns";
  if (owner.since.has_value()) {
    absl::StrAppend(&text, " since ",
                    absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", *owner.since, absl::UTCTimeZone()),
                    ", epoch ", owner.epoch);
  }
  return text + "\n";
}

}  // namespace

std::string StatusText(const StatusReport& report, const StatusTextOptions& options) {
  std::string out = report.owner ? OwnerText(*report.owner) : "";
  for (const StreamStatus& status : report.streams) {
    if (!out.empty()) out += "\n";
    out += StreamText(status, options);
  }
  return out;
}

}  // namespace switchyard::operate
