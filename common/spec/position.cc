#include "common/spec/position.h"

#include <algorithm>

namespace switchyard::spec {

Position Place::At(std::string_view value, size_t offset) const {
  const auto after = std::ranges::upper_bound(anchors, offset, {}, &Anchor::offset);
  if (after == anchors.begin()) return {};
  const Anchor& anchor = *(after - 1);
  Position at = anchor.at;
  for (size_t i = anchor.offset; i < std::min(offset, value.size()); ++i) {
    // Continuation bytes of UTF-8 belong to the character before them.
    if ((static_cast<unsigned char>(value[i]) & 0xC0) != 0x80) ++at.column;
  }
  return at;
}

}  // namespace switchyard::spec
