// One of the two databases of a migration, as the cutover speaks of them.
#pragma once

#include <string_view>

namespace switchyard::cutover {

enum class Side { kOld, kNew };

constexpr Side Other(Side side) { return side == Side::kOld ? Side::kNew : Side::kOld; }
constexpr std::string_view Name(Side side) { return side == Side::kOld ? "OLD" : "NEW"; }

}  // namespace switchyard::cutover
