// Where a select picks or orders rows by something that several of them may share. Pure.
//
// Each function of such a select may be immutable, and its result is still no function of the rows:
// which of the rows comes first is the executor's choice, and may be another one in the copy, in
// the stream and for parity. Only what the known keys leave open is told of; where nothing is known
// of the rows (arms of UNION ALL, functions, recursion), nothing is.
#pragma once

#include <string>
#include <vector>

#include "common/mapping/derive/blocks.h"

namespace switchyard::mapping::derive {

// Sentences for people: what picks, and what to end its ORDER BY in.
std::vector<std::string> TiesIn(const Query& query, const std::vector<Link>& links,
                                const Facts& facts);

}  // namespace switchyard::mapping::derive
