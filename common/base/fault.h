// Named fault points: places where a test may kill, or fail, the process. Free when off.
//
//   SY_FAULT_POINT("replayer.before_commit");
//
// The environment variable SWITCHYARD_FAULT="name[:N]" ends the process by SIGKILL at the Nth
// (default first) pass of that point. Several are separated by commas.
#pragma once

#include <atomic>
#include <string_view>

namespace switchyard::fault {

namespace internal {
extern std::atomic<bool> armed;
void Hit(std::string_view name);
}  // namespace internal

// Reads SWITCHYARD_FAULT; called once by main.
void ArmFromEnvironment();

}  // namespace switchyard::fault

#define SY_FAULT_POINT(name)                                                    \
  do {                                                                          \
    if (::switchyard::fault::internal::armed.load(std::memory_order_relaxed)) { \
      ::switchyard::fault::internal::Hit(name);                                 \
    }                                                                           \
  } while (false)
