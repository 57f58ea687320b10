// What a pass over a mapping found. Plain values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/base/lsn.h"
#include "common/records/proof/parity_results.h"

namespace switchyard::verify {

struct PassResult {
  records::Verdict verdict = records::Verdict::kInconclusive;
  std::string reason;                        // of inconclusive, with the next step
  std::vector<records::ParityTable> tables;  // in the order they were compared
  std::optional<Lsn> lsn;                    // of the snapshots, once there were some
  absl::Duration held;                       // for how long the replayer was, for that
};

// The worst of the tables' verdicts; inconclusive with the reason of the first one that is, or
// where fewer than `wanted` were compared.
void Conclude(size_t wanted, PassResult* result);

}  // namespace switchyard::verify
