// What of a derived table is to be computed again, of the rows that were found to differ. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/records/proof/parity_results.h"

namespace switchyard::verify {

// Values of `scope_columns` in either image, as JSON objects of texts; each once.
std::vector<std::string> ScopesOf(const std::vector<records::ParityDifference>& differences,
                                  const std::vector<std::string>& scope_columns);

}  // namespace switchyard::verify
