// One run of the simulation: operators that cut over and go back, a standby driver, and what of
// them and of the servers fails, all from one seed.
#pragma once

#include <cstdint>
#include <string>

#include "tests/cutover/sim_world.h"

namespace switchyard::cutover {

struct SimResult {
  std::string violation;  // empty: every promise held
  int cutovers = 0;       // changes of owner
  int rollbacks = 0;
  int undone = 0;
  int ambiguous = 0;
  int takeovers = 0;
};

SimResult RunSimulation(uint64_t seed, Planted planted);

}  // namespace switchyard::cutover
