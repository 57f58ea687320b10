// Where something stands in a text file.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::spec {

// 1-based; 0 when unknown. Columns count characters.
struct Position {
  int line = 0;
  int column = 0;
  friend auto operator<=>(const Position&, const Position&) = default;
};

// Where a value stands, such as a piece of SQL, so that a fault found later can be pointed at one
// of its characters.
struct Place {
  // Where the byte at `offset` of the value stands; what follows it up to the next anchor follows
  // it in the file too.
  struct Anchor {
    size_t offset = 0;
    Position at;
  };

  std::string file;             // empty: the migration file itself
  std::vector<Anchor> anchors;  // by offset; empty when unknown

  // Of the byte at `offset` of `value`, which is the value this place is of.
  Position At(std::string_view value, size_t offset) const;
  Position Begin() const { return anchors.empty() ? Position() : anchors.front().at; }
};

}  // namespace switchyard::spec
