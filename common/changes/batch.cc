#include "common/changes/batch.h"

#include <algorithm>

namespace switchyard::changes {
namespace {

bool NeedsEscape(char c) { return c == '\\' || c == '\n' || c == '\t' || c == '\r'; }

}  // namespace

void Arena::Grow(size_t bytes) {
  block_size_ = std::max(kBlock, bytes);
  blocks_.push_back(std::make_unique_for_overwrite<char[]>(block_size_));
  total_ += static_cast<int64_t>(block_size_);
  used_ = 0;
}

void AppendCopyText(std::string_view text, std::string* out) {
  size_t begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (!NeedsEscape(c)) continue;
    out->append(text, begin, i - begin);
    out->push_back('\\');
    out->push_back(c == '\n' ? 'n' : c == '\t' ? 't' : c == '\r' ? 'r' : '\\');
    begin = i + 1;
  }
  out->append(text, begin);
}

void AppendCopyField(const Value& value, std::string* out) {
  if (value.size < 0) {
    out->append("\\N", 2);
  } else {
    AppendCopyText(value.text(), out);
  }
}

}  // namespace switchyard::changes
