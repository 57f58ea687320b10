// A YAML text as a plain tree that knows where everything stands. yaml-cpp and its exceptions end
// in document.cc.
//
//   Document document;
//   if (!ParseDocument(text, &document, &problem)) ... problem.offset, problem.message
//   Position at = document.At(document.root.offset);
//
// Thread safety: plain values.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/spec/position.h"

namespace switchyard::spec {

struct Node {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  // kScalar: the value. kNull: how the null was written ("NULL", "~"), empty when nothing was.
  std::string text;
  size_t offset = 0;         // byte offset in the text; of a null, where its key stands
  std::vector<Node> keys;    // kMap, in file order, duplicates kept; every key is a scalar
  std::vector<Node> values;  // kMap: beside `keys`; kList: the items
};

struct Document {
  std::string text;
  Node root;

  // Line and column (in characters, not bytes) of a byte offset.
  Position At(size_t offset) const;
  // Byte offset in `text` of the byte at `value_offset` of a scalar's value; where the scalar
  // begins when quoting or escapes make it uncertain.
  size_t OffsetInScalar(const Node& scalar, size_t value_offset) const;
};

struct DocumentProblem {
  size_t offset = 0;
  std::string message;
};

inline constexpr size_t kDocumentBytesMax = size_t{1} << 20;
inline constexpr size_t kDocumentNodesMax = 100'000;  // anchors may repeat what they name
inline constexpr int kDocumentDepthMax = 32;

// False with `problem` filled when the text is no UTF-8 YAML of one document within the limits.
bool ParseDocument(std::string text, Document* document, DocumentProblem* problem);

// Line and column of a byte offset in any text.
Position PositionOf(std::string_view text, size_t offset);

}  // namespace switchyard::spec
