#include "tests/model/search.h"

#include <algorithm>
#include <deque>

#include "absl/container/flat_hash_map.h"

namespace switchyard::model {
namespace {

struct Visit {
  World world;
  int64_t from = -1;
  std::string step;
};

bool Ambiguous(const World& world) {
  return std::any_of(world.drivers.begin(), world.drivers.end(), [](const Driver& driver) {
    return driver.state.result == cutover::Result::kAmbiguous;
  });
}

bool Unattended(const World& world) {
  return !OldAccepts(world) && !NewAccepts(world) && world.old_lock < 0 && world.new_lock < 0 &&
         world.commands[0].kind == Kind::kNone && world.drivers[0].idle && world.drivers[1].idle;
}

// The end of the bounds proves nothing either way.
bool Good(const World& world, const Bounds& bounds) {
  return OldAccepts(world) != NewAccepts(world) || Ambiguous(world) ||
         world.new_row.epoch >= bounds.epochs - 1;
}

class Searcher {
 public:
  Searcher(const Rules& rules, const Bounds& bounds) : rules_(rules), bounds_(bounds) {}

  Found Run() {
    Found found;
    Reach(Begin(bounds_), -1, "");
    for (size_t i = 0; i < visits_.size(); ++i) {
      const World world = visits_[i].world;
      found.unattended += Unattended(world) ? 1 : 0;
      if (const char* fault = Fault(world, bounds_); fault != nullptr) {
        return Ended(std::move(found), fault, i);
      }
      for (Successor& next : Successors(world, rules_, bounds_)) {
        const size_t to = Reach(next.second, static_cast<int64_t>(i), std::move(next.first));
        edges_.emplace_back(static_cast<uint32_t>(i), static_cast<uint32_t>(to));
      }
    }
    const int64_t stuck = Stuck();
    if (stuck >= 0) return Ended(std::move(found), "stuck", static_cast<size_t>(stuck));
    found.worlds = visits_.size();
    return found;
  }

 private:
  size_t Reach(const World& world, int64_t from, std::string step) {
    const auto [place, added] = index_.try_emplace(Pack(world), visits_.size());
    if (added) visits_.push_back({.world = world, .from = from, .step = std::move(step)});
    return place->second;
  }

  Found Ended(Found found, std::string fault, size_t at) const {
    found.fault = std::move(fault);
    found.worlds = visits_.size();
    for (auto i = static_cast<int64_t>(at); visits_[i].from >= 0; i = visits_[i].from) {
      found.trace.push_back(visits_[i].step);
    }
    std::reverse(found.trace.begin(), found.trace.end());
    return found;
  }

  // Walks the edges backward from every good world; the first that is not met, or -1.
  int64_t Stuck() {
    std::sort(edges_.begin(), edges_.end(),
              [](const auto& a, const auto& b) { return a.second < b.second; });
    std::vector<bool> met(visits_.size(), false);
    std::deque<uint32_t> queue;
    for (uint32_t i = 0; i < visits_.size(); ++i) {
      if (!Good(visits_[i].world, bounds_)) continue;
      met[i] = true;
      queue.push_back(i);
    }
    for (; !queue.empty(); queue.pop_front()) {
      const auto into =
          std::equal_range(edges_.begin(), edges_.end(), std::pair(0U, queue.front()),
                           [](const auto& a, const auto& b) { return a.second < b.second; });
      for (auto edge = into.first; edge != into.second; ++edge) {
        if (met[edge->first]) continue;
        met[edge->first] = true;
        queue.push_back(edge->first);
      }
    }
    const auto first = std::find(met.begin(), met.end(), false);
    return first == met.end() ? -1 : first - met.begin();
  }

  const Rules rules_;
  const Bounds bounds_;
  std::deque<Visit> visits_;
  absl::flat_hash_map<std::string, size_t> index_;
  std::vector<std::pair<uint32_t, uint32_t>> edges_;
};

}  // namespace

Found Search(const Rules& rules, const Bounds& bounds) { return Searcher(rules, bounds).Run(); }

}  // namespace switchyard::model
