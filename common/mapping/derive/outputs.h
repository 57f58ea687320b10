// Which outputs of a block still say where a changed row is, once the block has combined rows.
// Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/mapping/derive/blocks.h"

namespace switchyard::mapping::derive {

// Where the changed row stands: in one of the block's tables, or outside.
enum class Row { kBelow, kBeside };

// The outputs, closed (tree.h) where they are of no use to find a scope by.
std::vector<Json> OutputsOf(const Block& block, const Facts& facts, Row row);

// Why an output of the block is no use as a scope to a changed row below it.
struct Closure {
  enum class Kind {
    kValue,  // what it is made of can't be followed
    kAlike,  // the row changes others that are alike in something else
    kAll,    // it may change every other row
  };
  Kind kind;
  std::string why;      // one line
  std::string instead;  // kAll: what would do, as a sentence's beginning
};
// Nothing when it is of use.
std::optional<Closure> WhyClosed(const Block& block, const Output& output, const Facts& facts);
// The rows of a set operation under LIMIT: the same of each output.
Closure BelowLimit(const std::string& output);

}  // namespace switchyard::mapping::derive
