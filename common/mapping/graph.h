// Order of mappings that read each other's tables. Pure.
#pragma once

#include <optional>
#include <vector>

namespace switchyard::mapping {

// An order in which every node comes after all it needs, otherwise as given; nullopt when there is
// a cycle. needs[i] lists the nodes that i reads.
inline std::optional<std::vector<int>> TopologicalOrder(
    const std::vector<std::vector<int>>& needs) {
  std::vector<int> order;
  std::vector<bool> placed(needs.size(), false);
  while (order.size() < needs.size()) {
    bool progress = false;
    for (size_t i = 0; i < needs.size(); ++i) {
      if (placed[i]) continue;
      bool ready = true;
      for (const int need : needs[i]) ready &= placed[need];
      if (!ready) continue;
      placed[i] = true;
      progress = true;
      order.push_back(static_cast<int>(i));
    }
    if (!progress) return std::nullopt;
  }
  return order;
}

}  // namespace switchyard::mapping
