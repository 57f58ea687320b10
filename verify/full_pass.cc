#include "verify/full_pass.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/fault.h"
#include "common/base/finding.h"
#include "common/base/strings.h"

namespace switchyard::verify {
namespace {

using records::ParityDifference;
using records::ParityTable;
using records::Verdict;

int64_t RowsOfBothSides(const Comparison& comparison) {
  return 2 * std::max<int64_t>(comparison.rows_estimate, 0);
}

}  // namespace

FullPass::FullPass(PassOptions options, const Cancel& cancel)
    : options_(std::move(options)), cancel_(cancel) {}

PassResult FullPass::Run(const std::vector<Comparison>& comparisons) {
  PassResult result;
  absl::Status status = Begin(comparisons.size());
  if (status.ok()) status = RunTables(comparisons, &result);
  if (!status.ok()) result.reason = std::string(StdSv(status.message()));
  Conclude(comparisons.size(), &result);
  if (!status.ok()) result.verdict = Verdict::kInconclusive;
  // One that was told to end is gone on with by the next.
  if (pass_ == 0 || cancel_.requested()) return result;
  const absl::Status stored = records::ParityResults(*target_, options_.snapshots.stream)
                                  .End(pass_, result.verdict, result.reason);
  if (stored.ok()) return result;
  result.verdict = Verdict::kInconclusive;
  result.reason = absl::StrCat("the result could not be stored in NEW: ", stored.message());
  return result;
}

absl::Status FullPass::Begin(size_t tables) {
  ASSIGN_OR_RETURN(target_, pg::ControlSession::Connect({.dsn = options_.snapshots.target,
                                                         .application_name = "switchyard verify"},
                                                        cancel_));
  ASSIGN_OR_RETURN(const pg::Rows locked,
                   target_->Query("SELECT pg_try_advisory_lock(hashtextextended($1, 7))",
                                  {absl::StrCat("switchyard verify ", options_.snapshots.stream)}));
  if (!locked.boolean(0, 0)) {
    return Refuse(
        absl::StrCat("stream ", options_.snapshots.stream, " is being verified by somebody else"),
        "wait until that is done");
  }
  if (!options_.whole) return absl::OkStatus();
  ASSIGN_OR_RETURN(
      pass_, records::ParityResults(*target_, options_.snapshots.stream)
                 .Begin(options_.fingerprint, static_cast<int64_t>(tables), options_.resume_max));
  return absl::OkStatus();
}

absl::Status FullPass::RunTables(const std::vector<Comparison>& comparisons, PassResult* result) {
  ASSIGN_OR_RETURN(const auto pair, PairedSnapshots::Take(options_.snapshots, cancel_));
  result->lsn = pair->lsn();
  result->held = pair->held();
  RETURN_IF_ERROR(options_.still_the_same());
  RETURN_IF_ERROR(CheckTables(comparisons, *pair, result));
  return options_.still_the_same();
}

absl::Status FullPass::CheckTables(const std::vector<Comparison>& comparisons,
                                   const PairedSnapshots& pair, PassResult* result) {
  int64_t rows_all = 0;
  for (const Comparison& comparison : comparisons) rows_all += RowsOfBothSides(comparison);
  ProgressTeller teller(static_cast<int>(comparisons.size()), rows_all, options_.progress);
  TableCheck check(pair, cancel_);
  ASSIGN_OR_RETURN(const std::vector<ParityTable> before, DoneBefore());
  for (const Comparison& comparison : comparisons) {
    const auto done = std::ranges::find_if(before, [&](const ParityTable& table) {
      return table.table == comparison.table && table.owns == comparison.owns;
    });
    if (done != before.end()) {
      result->tables.push_back(*done);
      continue;
    }
    ScanControl control{.cancel = cancel_, .rows_per_second_max = options_.rows_per_second_max};
    teller.Begin(comparison.table, static_cast<int>(result->tables.size()) + 1,
                 RowsOfBothSides(comparison), control.rows);
    absl::StatusOr<ParityTable> table = CheckOne(comparison, pair, check, control);
    teller.End();
    RETURN_IF_ERROR(table.status());
    result->tables.push_back(*std::move(table));
    SY_FAULT_POINT("verify.table_done");
  }
  return absl::OkStatus();
}

absl::StatusOr<ParityTable> FullPass::CheckOne(const Comparison& comparison,
                                               const PairedSnapshots& pair, TableCheck& check,
                                               ScanControl& control) {
  ParityTable table{.table = comparison.table,
                    .owns = comparison.owns,
                    .pass = pass_,
                    .fingerprint = options_.fingerprint,
                    .sources = comparison.sources,
                    .lsn = pair.lsn()};
  records::ParityResults results(*target_, options_.snapshots.stream);
  int64_t stored = 0;
  bool forgotten = false;
  const auto sink = [&](const std::vector<ParityDifference>& differences) -> absl::Status {
    if (!forgotten) RETURN_IF_ERROR(results.Forget(table));
    forgotten = true;
    const int64_t left = std::max<int64_t>(options_.differences_max - stored, 0);
    std::vector<ParityDifference> taken = differences;
    if (static_cast<int64_t>(taken.size()) > left) taken.resize(static_cast<size_t>(left));
    stored += static_cast<int64_t>(taken.size());
    return results.AddDifferences(table, taken);
  };
  const absl::StatusOr<CheckedTable> found = check.Run(comparison, control, sink);
  RETURN_IF_ERROR(cancel_.status());
  if (found.ok()) {
    table.rows = found->rows;
    table.missing = found->missing;
    table.different = found->different;
    table.extra = found->extra;
    const bool equal = found->missing + found->different + found->extra == 0;
    table.verdict = equal ? Verdict::kClean : Verdict::kDifferent;
  } else {
    table.reason = std::string(StdSv(found.status().message()));
  }
  table.compared = absl::Now();
  RETURN_IF_ERROR(Store(table, forgotten));
  return table;
}

absl::Status FullPass::Store(const ParityTable& table, bool forgotten) {
  return target_->InTransaction([&](pg::ControlTransaction& tx) -> absl::Status {
    records::ParityResults results(tx, options_.snapshots.stream);
    if (!forgotten) RETURN_IF_ERROR(results.Forget(table));
    return results.Add(table);
  });
}

absl::StatusOr<std::vector<ParityTable>> FullPass::DoneBefore() {
  std::vector<ParityTable> done;
  if (pass_ == 0) return done;
  ASSIGN_OR_RETURN(done, records::ParityResults(*target_, options_.snapshots.stream).Tables());
  std::erase_if(done, [&](const ParityTable& table) {
    return table.pass != pass_ || table.verdict == Verdict::kInconclusive;
  });
  return done;
}

}  // namespace switchyard::verify
