// The tables that a session which applies changes makes for itself. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/mapping/plan.h"

namespace switchyard::mapping {

// Their CREATE statements.
std::vector<std::string> TemporaryTables(const Plan& plan);

}  // namespace switchyard::mapping
