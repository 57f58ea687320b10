#include "common/base/fault.h"

#include <csignal>
#include <cstdlib>
#include <map>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/base/mutex.h"
#include "common/base/strings.h"

namespace switchyard::fault {
namespace {

Mutex mu;
std::map<std::string, int, std::less<>>& Countdown() {
  static std::map<std::string, int, std::less<>> countdown;
  return countdown;
}

}  // namespace

namespace internal {

std::atomic<bool> armed = false;

void Hit(std::string_view name) {
  MutexLock lock(&mu);
  const auto it = Countdown().find(name);
  if (it != Countdown().end() && --it->second == 0) raise(SIGKILL);
}

}  // namespace internal

void ArmFromEnvironment() {
  const char* value = std::getenv("SWITCHYARD_FAULT");
  if (value == nullptr || *value == '\0') return;
  MutexLock lock(&mu);
  for (const auto piece : absl::StrSplit(value, ',')) {
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(piece, absl::MaxSplits(':', 1));
    int pass = 1;
    if (!parts.second.empty() && !absl::SimpleAtoi(parts.second, &pass)) pass = 1;
    Countdown()[parts.first] = pass;
  }
  internal::armed = true;
}

}  // namespace switchyard::fault
