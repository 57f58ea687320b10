// Whether an output of a select may be NULL, where that can be shown. Pure.
#pragma once

#include <optional>
#include <string>

#include "common/mapping/derive/blocks.h"

namespace switchyard::mapping::derive {

// The column by which it may ("c.email"): it may be NULL, or its row be missing, and no condition
// asks for it. Nothing where it can't be NULL, or where nothing is known.
std::optional<std::string> MayBeNull(const Query& query, size_t output, const Facts& facts);

}  // namespace switchyard::mapping::derive
