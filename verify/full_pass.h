// Every row of every mapped table held against the source, as of one moment of both databases
// while the source is written at full speed.
//
//   PassResult result = FullPass({...}, cancel).Run(comparisons);
//
// What each table gives is stored in the target as soon as it is known (records/parity_results.h):
// a pass that was cut short goes on with the tables that are left, over snapshots of its own.
// Nothing fails: what could not be compared is inconclusive, with the reason.
// Thread-compatible.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/base/wait/cancel.h"
#include "common/pg/control_session.h"
#include "verify/comparison.h"
#include "verify/paired_snapshots.h"
#include "verify/progress.h"
#include "verify/result.h"
#include "verify/scan.h"
#include "verify/table_check.h"

namespace switchyard::verify {

struct PassOptions {
  SnapshotOptions snapshots;
  std::string fingerprint;              // of the mapping
  bool whole = true;                    // every table there is: it counts as a pass
  int64_t rows_per_second_max = 0;      // read of each database; 0: as fast as it goes
  int64_t differences_max = 1'000'000;  // stored of a table; all are counted
  // Asked once the snapshots are taken, and when all is compared: the mapping installed in the
  // target and the tables of both sides are those that the comparisons were made of.
  std::function<absl::Status()> still_the_same;
  // A pass that was cut short longer ago begins anew.
  absl::Duration resume_max = absl::Hours(24);
  // Told about once a second, by a thread of the pass.
  ProgressTeller::Told progress;
};

class FullPass {
 public:
  FullPass(PassOptions options, const Cancel& cancel);

  PassResult Run(const std::vector<Comparison>& comparisons);

 private:
  absl::Status Begin(size_t tables);
  absl::Status RunTables(const std::vector<Comparison>& comparisons, PassResult* result);
  absl::Status CheckTables(const std::vector<Comparison>& comparisons, const PairedSnapshots& pair,
                           PassResult* result);
  // What became of it, stored.
  absl::StatusOr<records::ParityTable> CheckOne(const Comparison& comparison,
                                                const PairedSnapshots& pair, TableCheck& check,
                                                ScanControl& control);
  absl::Status Store(const records::ParityTable& table, bool forgotten);
  // What a pass that was cut short had compared already.
  absl::StatusOr<std::vector<records::ParityTable>> DoneBefore();

  const PassOptions options_;
  const Cancel& cancel_;
  std::unique_ptr<pg::ControlSession> target_;
  int64_t pass_ = 0;  // 0: none has begun
};

}  // namespace switchyard::verify
