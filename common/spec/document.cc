#include "common/spec/document.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "common/base/strings.h"
#include "common/spec/text_file.h"

namespace switchyard::spec {
namespace {

constexpr size_t kWhole = std::string_view::npos;

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool IsContinuationByte(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// What building the tree found wrong.
struct TreeError {
  size_t offset;
  std::string message;
};

// Builds the tree from the parser's events. The limits end also what would never end by itself:
// yaml-cpp 0.7 emits events without consuming input for some broken files.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::string_view text) : text_(text) {}

  Node TakeRoot() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node node;
    node.offset = OffsetOf(mark);
    Count(node.offset, 1);
    Emit(std::move(node), anchor, 1);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const size_t offset = OffsetOf(mark);
    const auto it = anchors_.find(anchor);
    if (it == anchors_.end()) Fail(offset, "an anchor can't stand inside what it names");
    Count(offset, it->second.size);
    Node node = it->second.node;
    // A scalar's own place stays: what points inside its text needs it.
    if (node.kind != Node::Kind::kScalar) node.offset = offset;
    Emit(std::move(node), 0, it->second.size);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                const std::string& value) override {
    Node node;
    node.kind = Node::Kind::kScalar;
    node.offset = OffsetOf(mark);
    node.text = value;
    if (value.find('\0') != std::string::npos) Fail(node.offset, "holds a NUL character");
    Count(node.offset, 1);
    Emit(std::move(node), anchor, 1);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    Open(Node::Kind::kList, mark, anchor);
  }
  void OnSequenceEnd() override { Close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    Open(Node::Kind::kMap, mark, anchor);
  }
  void OnMapEnd() override { Close(); }

 private:
  struct Frame {
    Node node;
    YAML::anchor_t anchor;
    size_t nodes_before;
  };
  struct Anchored {
    Node node;
    size_t size;
  };

  void Open(Node::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    Frame frame = {.node = {}, .anchor = anchor, .nodes_before = nodes_};
    frame.node.kind = kind;
    frame.node.offset = OffsetOf(mark);
    if (open_.size() >= kDocumentDepthMax) Fail(frame.node.offset, "nested too deeply");
    Count(frame.node.offset, 1);
    open_.push_back(std::move(frame));
  }

  void Close() {
    Frame frame = std::move(open_.back());
    open_.pop_back();
    Emit(std::move(frame.node), frame.anchor, nodes_ - frame.nodes_before);
  }

  // Puts a finished node where it belongs.
  void Emit(Node node, YAML::anchor_t anchor, size_t size) {
    if (anchor != 0) anchors_[anchor] = {node, size};
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Node& parent = open_.back().node;
    if (parent.kind == Node::Kind::kMap && parent.keys.size() == parent.values.size()) {
      if (node.kind != Node::Kind::kScalar) Fail(node.offset, "a key must be a plain word");
      parent.keys.push_back(std::move(node));
      return;
    }
    if (node.kind == Node::Kind::kNull) {
      // yaml-cpp gives an empty value the place of what follows it.
      const size_t before =
          parent.kind == Node::Kind::kMap ? parent.keys.back().offset : parent.offset;
      node.text = WrittenNull(before, node.offset);
      node.offset = before;
    }
    parent.values.push_back(std::move(node));
  }

  std::string WrittenNull(size_t before, size_t offset) const {
    if (offset < before || offset >= text_.size()) return "";
    if (text_.substr(before, offset - before).find('\n') != kWhole) return "";
    const std::string_view rest = text_.substr(offset);
    if (rest[0] == '~') return "~";
    if (absl::StartsWithIgnoreCase(Sv(rest), "null")) return std::string(rest.substr(0, 4));
    return "";
  }

  void Count(size_t offset, size_t nodes) {
    nodes_ += nodes;
    if (nodes_ > kDocumentNodesMax) Fail(offset, "too many values");
  }

  size_t OffsetOf(const YAML::Mark& mark) const {
    return mark.pos < 0 ? 0 : std::min(static_cast<size_t>(mark.pos), text_.size());
  }

  [[noreturn]] static void Fail(size_t offset, std::string message) {
    throw TreeError{offset, std::move(message)};
  }

  std::string_view text_;
  Node root_;
  std::vector<Frame> open_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  size_t nodes_ = 0;
};

// What helps most often when the YAML itself is broken.
std::string WithHint(const std::string& message, std::string_view text, size_t offset) {
  const size_t begin = text.rfind('\n', offset == 0 ? 0 : offset - 1);
  const std::string_view line =
      text.substr(begin == kWhole ? 0 : begin + 1, text.find('\n', offset) - begin - 1);
  std::string out = "not valid YAML: " + message;
  if (absl::EndsWith(message, "flow not found")) out += ": a { or [ was opened and not closed";
  if (line.find('\t') != kWhole) {
    out += " (indent with spaces, YAML allows no tabs)";
  } else if (line.find('\'') != kWhole || line.find(": ") != kWhole) {
    out += " (put SQL that holds quotes, ': ' or ' #' into double quotes or after a '|')";
  }
  return out;
}

// How the scalar that begins at `offset` is written.
struct ScalarStyle {
  char quote = 0;      // '"', '\'', or 0
  size_t content = 0;  // offset of the first byte after the quote or the block's header line
};

ScalarStyle StyleAt(std::string_view text, size_t offset) {
  const char first = offset < text.size() ? text[offset] : '\0';
  if (first == '"' || first == '\'') return {.quote = first, .content = offset + 1};
  if (first != '|' && first != '>') return {.content = offset};
  const size_t end = text.find('\n', offset);
  return {.content = end == kWhole ? text.size() : end + 1};
}

}  // namespace

Position PositionOf(std::string_view text, size_t offset) {
  offset = std::min(offset, text.size());
  Position at = {.line = 1, .column = 1};
  for (size_t i = 0; i < offset; ++i) {
    if (text[i] == '\n') {
      ++at.line;
      at.column = 1;
    } else if (!IsContinuationByte(text[i])) {
      ++at.column;
    }
  }
  return at;
}

Position Document::At(size_t offset) const { return PositionOf(text, offset); }

// Walks value and source side by side: runs of blanks match each other, since YAML folds lines and
// strips indentation; the first byte that does not match ends the attempt.
size_t Document::OffsetInScalar(const Node& scalar, size_t value_offset) const {
  const ScalarStyle style = StyleAt(text, scalar.offset);
  const std::string& value = scalar.text;
  size_t at = style.content;
  for (size_t i = 0; i < value.size(); ++i) {
    if (IsSpace(value[i])) {
      if (i == value_offset) return at;
      while (i + 1 < value.size() && i + 1 <= value_offset && IsSpace(value[i + 1])) ++i;
      if (i == value_offset) return at;
      while (at < text.size() && IsSpace(text[at])) ++at;
      continue;
    }
    while (at < text.size() && IsSpace(text[at])) ++at;
    if (style.quote == '"' && at < text.size() && text[at] == '\\') ++at;
    if (style.quote == '\'' && value[i] == '\'' && at < text.size()) ++at;  // written twice
    if (at >= text.size() || text[at] != value[i]) return scalar.offset;
    if (i == value_offset) return at;
    ++at;
  }
  return std::min(at, text.size());
}

bool ParseDocument(std::string text, Document* document, DocumentProblem* problem) {
  if (absl::StartsWith(text, "\xEF\xBB\xBF")) text.erase(0, 3);
  document->text = std::move(text);
  const std::string_view content = document->text;
  if (content.size() > kDocumentBytesMax) {
    *problem = {0, absl::StrFormat("the file is %d bytes long, the limit is %d", content.size(),
                                   kDocumentBytesMax)};
    return false;
  }
  if (const size_t bad = FirstBadByte(content); bad != kWhole) {
    *problem = {bad, "not UTF-8 text"};
    return false;
  }
  try {
    std::istringstream stream(document->text);
    YAML::Parser parser(stream);
    TreeBuilder builder(content);
    if (!parser.HandleNextDocument(builder)) {
      *problem = {0, "the file is empty"};
      return false;
    }
    document->root = builder.TakeRoot();
    TreeBuilder rest(content);
    if (parser.HandleNextDocument(rest)) {
      *problem = {rest.TakeRoot().offset, "the file goes on after its YAML document has ended"};
      return false;
    }
    return true;
  } catch (const TreeError& error) {
    *problem = {error.offset, error.message};
  } catch (const YAML::Exception& error) {
    const size_t offset =
        error.mark.is_null() ? 0 : std::min<size_t>(error.mark.pos, content.size());
    *problem = {offset, WithHint(error.msg, content, offset)};
  }
  return false;
}

}  // namespace switchyard::spec
