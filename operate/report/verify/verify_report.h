// What `verify` prints. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/base/lsn.h"
#include "common/records/proof/parity_results.h"

namespace switchyard::operate {

struct VerifyReport {
  std::string stream;
  records::Verdict verdict = records::Verdict::kInconclusive;
  std::string reason;  // of inconclusive, with the next step
  std::string fingerprint;
  std::optional<Lsn> lsn;  // of OLD: both were seen as of it
  absl::Duration held;     // for how long the replayer was, for that
  absl::Duration took;
  std::vector<records::ParityTable> tables;
  std::vector<records::ParityDifference> differences;  // some of each table
  std::vector<std::string> left_out;                   // what is not compared, a line each
  std::optional<int64_t> quarantined;                  // rows and scopes that wait there
  std::vector<std::string> repairs;                    // --repair: what was asked for
};

// Of --show.
struct DifferencesReport {
  std::string stream;
  std::string table;
  std::vector<records::ParityTable> results;  // one for each part of it that a mapping owns
  std::vector<records::ParityDifference> differences;
};

std::string VerifyText(const VerifyReport& report);
// The words of message VerifyResult in proto/control.proto.
std::string VerifyJson(const VerifyReport& report);
std::string DifferencesText(const DifferencesReport& report);
std::string DifferencesJson(const DifferencesReport& report);

}  // namespace switchyard::operate
