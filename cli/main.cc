#include <iostream>

#include "cli/program.h"
#include "cli/signals.h"
#include "common/base/fault.h"
#include "common/base/wait/cancel.h"

int main(int argc, char** argv) {
  switchyard::fault::ArmFromEnvironment();
  switchyard::Cancel cancel;
  const switchyard::cli::SignalThread signals(cancel, {});
  return static_cast<int>(switchyard::cli::RunProgram(argc, argv, cancel, std::cout, std::cerr));
}
