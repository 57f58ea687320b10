// Fingerprints of a plan's parts, and how the stream keeps them (records/stream_store.h).
//
// A part covers what was declared and the shape of what it is declared over, never the SQL made
// from it: another version of this program that words its statements differently has the same
// parts for the same migration file. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/mapping/plan.h"

namespace switchyard::mapping {

// FNV-1a over length-prefixed texts, so that ("ab", "c") and ("a", "bc") differ.
class Fingerprint {
 public:
  Fingerprint& Add(std::string_view text);
  Fingerprint& AddAll(const std::vector<std::string>& texts);
  std::string Hex() const;

 private:
  uint64_t hash_ = 0xcbf29ce484222325;
};

// Of the whole plan: its parts, in their order.
std::string FingerprintOf(const std::vector<PlanPart>& parts);

// One line a part: kind, fingerprint, name; the name with \n and \\ escaped.
std::string PartsToText(const std::vector<PlanPart>& parts);
// What goes behind them: one line a piece, likewise.
std::string BoundToText(const std::vector<BoundPiece>& pieces);
std::vector<BoundPiece> BoundFromText(std::string_view text);
// Of the parts alone. Empty for an empty text (a stream installed before parts were kept). DataLoss
// for any other text that PartsToText does not write.
absl::StatusOr<std::vector<PlanPart>> PartsFromText(std::string_view text);

}  // namespace switchyard::mapping
