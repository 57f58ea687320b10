// Which outputs of a block still say where a changed row is, once the block has combined rows. Pure.
#pragma once

#include <vector>

#include "common/mapping/derive/blocks.h"

namespace switchyard::mapping::derive {

// Where the changed row stands: in one of the block's tables, or outside.
enum class Row { kBelow, kBeside };

// The outputs, closed (tree.h) where they are of no use to find a scope by.
std::vector<Json> OutputsOf(const Block& block, const Facts& facts, Row row);

}  // namespace switchyard::mapping::derive
