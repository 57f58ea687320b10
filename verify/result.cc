#include "verify/result.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace switchyard::verify {

using records::Verdict;

void Conclude(size_t wanted, PassResult* result) {
  result->verdict = Verdict::kClean;
  for (const records::ParityTable& table : result->tables) {
    if (table.verdict == Verdict::kInconclusive && result->reason.empty()) {
      result->reason = absl::StrCat(table.table, ": ", table.reason);
    }
    result->verdict = std::max(result->verdict, table.verdict);
  }
  if (result->tables.size() >= wanted && wanted > 0) return;
  result->verdict = Verdict::kInconclusive;
  if (!result->reason.empty()) return;
  result->reason = wanted == 0 ? "there is no table to compare"
                               : absl::StrFormat("only %d of %d tables were compared",
                                                 result->tables.size(), wanted);
}

}  // namespace switchyard::verify
