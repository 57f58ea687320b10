// Order of mappings that read each other's tables. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

namespace switchyard {

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

// Nodes that need each other in a circle, each the next and the last the first. There must be one.
inline std::vector<int> FindCircle(const std::vector<std::vector<int>>& needs) {
  // What can be placed leads to no circle; every other node needs one that can't be placed.
  std::vector<bool> placed(needs.size(), false);
  const auto open_need = [&](size_t i) {
    const auto need = std::ranges::find_if(needs[i], [&](int n) { return !placed[n]; });
    return need == needs[i].end() ? -1 : *need;
  };
  for (size_t round = 0; round < needs.size(); ++round) {
    for (size_t i = 0; i < needs.size(); ++i) placed[i] = placed[i] || open_need(i) < 0;
  }
  std::vector<int> path;
  int node = static_cast<int>(std::ranges::find(placed, false) - placed.begin());
  auto seen = path.end();
  for (; (seen = std::ranges::find(path, node)) == path.end(); node = open_need(node)) {
    path.push_back(node);
  }
  return {seen, path.end()};
}

}  // namespace switchyard
