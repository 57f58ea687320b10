// Every world that can be reached within bounds, looked at.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tests/model/world.h"

namespace switchyard::model {

struct Found {
  std::string fault;               // empty: the rules hold
  std::vector<std::string> trace;  // the shortest way to it
  size_t worlds = 0;
  size_t unattended = 0;  // both sides closed, and no driver at work
};

// Breadth first, so that a trace is a shortest one. Beside Fault(): "stuck" is a world from which
// none with one writable side, or a driver that calls for a person, can be reached any more.
Found Search(const Rules& rules, const Bounds& bounds);

}  // namespace switchyard::model
