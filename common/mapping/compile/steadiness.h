// Whether a function gives the same answer for the same arguments at any time, in any session.
// Internal to the compiler. Pure.
//
// A row is computed in the copy, in the stream, at each later change and again for parity: what
// answers otherwise in one of them would leave NEW different for ever.
#pragma once

#include <string>

#include "common/mapping/compile/probe/probe.h"

namespace switchyard::mapping {

// What is wrong with it and what to do, as the end of a fault; empty when it is steady. STABLE
// functions of Postgres are so where nothing but the settings decides that each session fixes
// (pg::kTextFormSettings), or types that the mirror has, too.
std::string WhyUnsteady(const Probe::Function& function);

}  // namespace switchyard::mapping
