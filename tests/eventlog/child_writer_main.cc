// eventlog_child_writer LOG TOPIC EPOCH LARGE_EVERY: appends until killed and writes each durable
// sequence number to standard output, 8 bytes each.
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "common/base/fault.h"
#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"
#include "tests/eventlog/child_writer.h"

namespace switchyard::eventlog {
namespace {

absl::Status AppendForEver(LogWriter& writer, uint64_t epoch, int large_every) {
  constexpr uint64_t kGroup = 7;
  uint64_t reported = 0;
  for (uint64_t i = 1;; ++i) {
    RETURN_IF_ERROR(writer.Append("key", ChildRecord(epoch, i, large_every)).status());
    if (i % kGroup == 0) writer.Nudge();
    if (i % (kGroup * kGroup) == 0) RETURN_IF_ERROR(writer.Flush(absl::Minutes(1)));
    const uint64_t durable = writer.durable_sequence();
    if (durable == reported) continue;
    reported = durable;
    if (write(STDOUT_FILENO, &durable, sizeof durable) != sizeof durable) {
      return absl::CancelledError("the test is gone");
    }
  }
}

absl::Status Run(char** argv) {
  Cancel cancel;
  ASSIGN_OR_RETURN(const auto log, OpenEventLog({.sqlite_path = argv[1]}, cancel));
  RETURN_IF_ERROR(log->CreateTopic(argv[2]));
  ASSIGN_OR_RETURN(const auto writer, log->OpenWriter(argv[2]));
  return AppendForEver(*writer, std::strtoull(argv[3], nullptr, 10), std::atoi(argv[4]));
}

}  // namespace
}  // namespace switchyard::eventlog

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  switchyard::fault::ArmFromEnvironment();
  const absl::Status status = switchyard::eventlog::Run(argv);
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}
