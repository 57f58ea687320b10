#include "cutover/traffic/switches.h"

#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/finding.h"

namespace switchyard::cutover {

absl::Status Switches::All(const std::function<absl::Status(Switch&)>& call) {
  if (static_cast<int>(switches_.size()) != expected_) {
    return Refuse(absl::StrFormat("%d traffic switches are known, %d are expected",
                                  switches_.size(), expected_),
                  "list every proxy of the application in the migration file");
  }
  std::vector<absl::Status> each(switches_.size());
  std::vector<std::thread> threads;
  threads.reserve(switches_.size());
  for (size_t i = 0; i < switches_.size(); ++i) {
    threads.emplace_back([&, i] { each[i] = call(*switches_[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  absl::Status first;
  std::string failed;
  for (size_t i = 0; i < switches_.size(); ++i) {
    if (each[i].ok()) continue;
    if (first.ok()) first = each[i];
    absl::StrAppend(&failed, failed.empty() ? "" : "; ", switches_[i]->name(), ": ",
                    each[i].message());
  }
  if (first.ok()) return first;
  return absl::Status(first.code(), failed);
}

absl::Status Switches::Verify(Side side, absl::Duration limit) {
  return All([&](Switch& one) { return one.Verify(side, limit); });
}

absl::Status Switches::Hold(int64_t epoch, absl::Duration limit) {
  absl::Status held = All([&](Switch& one) { return one.Hold(epoch, limit); });
  if (held.ok()) return held;
  const absl::Status resumed = Resume(epoch, limit);
  if (resumed.ok()) return held;
  return absl::Status(held.code(),
                      absl::StrCat(held.message(), "; and not let go again: ", resumed.message()));
}

absl::Status Switches::Flip(Side side, int64_t epoch, absl::Duration limit) {
  return All([&](Switch& one) { return one.Flip(side, epoch, limit); });
}

absl::Status Switches::Resume(int64_t epoch, absl::Duration limit) {
  return All([&](Switch& one) { return one.Resume(epoch, limit); });
}

}  // namespace switchyard::cutover
