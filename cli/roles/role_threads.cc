#include "cli/roles/role_threads.h"

#include <pthread.h>

#include <thread>

#include "common/base/finding.h"
#include "common/base/log.h"
#include "operate/told.h"

namespace switchyard::cli {

absl::Status RunRoles(const std::vector<RoleThread>& roles, const Cancel& cancel) {
  std::vector<absl::Status> ends(roles.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < roles.size(); ++i) {
    threads.emplace_back([&, i] {
      pthread_setname_np(pthread_self(), roles[i].name.c_str());
      ends[i] = Annotate(roles[i].run(cancel), roles[i].name);
      if (ends[i].ok() || absl::IsCancelled(ends[i])) return;
      const Finding finding =
          FindingOf(operate::AsTold(ends[i]),
                    "mend what it names and start the program again; nothing was skipped");
      LogError(roles[i].name, "ended; " + roles[i].then,
               {{"error", finding.what}, {"next", finding.next}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  absl::Status result;
  for (const absl::Status& end : ends) {
    if (result.ok() || absl::IsCancelled(result)) result = end.ok() ? result : end;
  }
  return result;
}

}  // namespace switchyard::cli
