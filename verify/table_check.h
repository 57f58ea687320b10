// One table compared: two scans side by side, and where they differ, the rows.
//
//   TableCheck check(pair, {...}, cancel);
//   ASSIGN_OR_RETURN(CheckedTable found, check.Run(comparison));
//
// Every table has transactions of its own, over the snapshots of the pair: no lock outlasts it.
// Thread-compatible.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/pg/session.h"
#include "common/records/proof/parity_results.h"
#include "verify/comparison.h"
#include "verify/paired_snapshots.h"
#include "verify/scan.h"

namespace switchyard::verify {

struct CheckedTable {
  int64_t rows = 0;  // of both sides together, each key once
  int64_t missing = 0;
  int64_t different = 0;
  int64_t extra = 0;
};

// Takes them as they are found, some at a time.
using DifferenceSink =
    std::function<absl::Status(const std::vector<records::ParityDifference>& differences)>;

class TableCheck {
 public:
  TableCheck(const PairedSnapshots& pair, const Cancel& cancel) : pair_(pair), cancel_(cancel) {}

  // Any error: the table could not be compared, and nothing is known of it. FailedPrecondition: it
  // was emptied or rewritten since the snapshot, which shows no row of it then.
  absl::StatusOr<CheckedTable> Run(const Comparison& comparison, ScanControl& control,
                                   const DifferenceSink& sink);

 private:
  absl::Status Begin();
  void End();
  absl::Status ScanBoth(const Comparison& comparison, ScanControl& control, Scan* expected,
                        Scan* actual);
  absl::Status ScanExpected(const Comparison& comparison, Scan* scan);
  // The source's rows, some at a time, in kSourceTable.
  absl::Status EachPiece(const Comparison& comparison, const std::function<absl::Status()>& use);
  absl::Status LoadPiece(const std::string& lines);
  absl::Status CollectExpected(const Comparison& comparison, const std::vector<int>& buckets);
  absl::Status ReadDifferences(const Comparison& comparison, const DifferenceSink& sink,
                               CheckedTable* found);
  // Of both sides, while their locks are held: they are as the snapshots show them.
  absl::Status RefuseChanged(const Comparison& comparison);

  const PairedSnapshots& pair_;
  const Cancel& cancel_;
  std::unique_ptr<pg::Session> source_;
  std::unique_ptr<pg::Session> expected_;    // of the target, with the temporary tables
  std::unique_ptr<pg::Session> actual_;      // of the target
  std::unique_ptr<pg::Session> source_now_;  // outside of the snapshots
  std::unique_ptr<pg::Session> target_now_;
};

}  // namespace switchyard::verify
