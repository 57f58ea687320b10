// Places in a Plan, of a source and of a mapping: neither can be taken for the other, nor for a
// plain number.
//
//   for (const MappingIndex mapping : plan.mapping_indices()) Use(plan.mappings[mapping]);
#pragma once

#include <compare>
#include <concepts>
#include <cstddef>

namespace switchyard::mapping {

struct SourcePlan;
struct MappingPlan;

template <typename Of>
class PlanIndex {
 public:
  constexpr PlanIndex() = default;  // of nothing
  constexpr explicit PlanIndex(std::integral auto place) : place_(static_cast<int>(place)) {}

  constexpr bool valid() const { return place_ >= 0; }
  constexpr int value() const { return place_; }
  // To be a subscript.
  constexpr operator int() const { return place_; }  // NOLINT(google-explicit-constructor)

  friend constexpr bool operator==(PlanIndex, PlanIndex) = default;
  friend constexpr auto operator<=>(PlanIndex, PlanIndex) = default;

 private:
  int place_ = -1;
};

using SourceIndex = PlanIndex<SourcePlan>;
using MappingIndex = PlanIndex<MappingPlan>;
bool operator==(SourceIndex, MappingIndex) = delete;

// All there are, in the order of the plan.
template <typename Of>
class PlanIndices {
 public:
  class Iterator {
   public:
    constexpr explicit Iterator(size_t place) : place_(place) {}
    constexpr PlanIndex<Of> operator*() const { return PlanIndex<Of>(place_); }
    constexpr Iterator& operator++() {
      ++place_;
      return *this;
    }
    friend constexpr bool operator==(Iterator, Iterator) = default;

   private:
    size_t place_;
  };

  constexpr explicit PlanIndices(size_t count) : count_(count) {}
  constexpr Iterator begin() const { return Iterator(0); }
  constexpr Iterator end() const { return Iterator(count_); }

 private:
  size_t count_;
};

}  // namespace switchyard::mapping
