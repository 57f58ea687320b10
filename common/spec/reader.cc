#include "common/spec/reader.h"

#include <algorithm>
#include <map>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/strings.h"
#include "common/spec/sql_syntax.h"
#include "common/spec/text_file.h"
#include "common/spec/values.h"

namespace switchyard::spec {
namespace {

constexpr size_t kNameBytesMax = 63;
constexpr size_t kWordAnchorsMax = size_t{16} << 10;  // bytes of a value

std::string_view KindName(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::kNull:
      return "nothing";
    case Node::Kind::kScalar:
      return "a plain value";
    case Node::Kind::kList:
      return "a list";
    case Node::Kind::kMap:
      return "a map";
  }
  return "";
}

std::vector<std::string> VisibleNames(const std::vector<KeyReader>& keys) {
  std::vector<std::string> names;
  for (const KeyReader& key : keys) {
    if (!key.hidden) names.emplace_back(key.name);
  }
  return names;
}

}  // namespace

const Node* PresentKeys::Find(std::string_view key) const {
  const auto it =
      std::find_if(keys_.begin(), keys_.end(), [&](const Node* node) { return node->text == key; });
  return it == keys_.end() ? nullptr : *it;
}

bool PresentKeys::Meant(std::string_view key) const {
  return any_meant_ || std::find(meant_.begin(), meant_.end(), key) != meant_.end();
}

PresentKeys Reader::Map(const Node& node, std::string_view what,
                        const std::vector<KeyReader>& keys) {
  PresentKeys present;
  if (node.kind != Node::Kind::kMap) {
    AddFault(node, absl::StrCat(Sv(what), " must be a map, not ", Sv(KindName(node.kind))));
    return present;
  }
  Entries(node, what, [&](const Node& key, const Node& value) {
    const auto reader = std::find_if(keys.begin(), keys.end(),
                                     [&](const KeyReader& k) { return k.name == key.text; });
    if (reader == keys.end()) return UnknownKey(key, what, VisibleNames(keys), &present);
    present.Add(&key);
    reader->read(value);
  });
  for (const KeyReader& key : keys) {
    if (!key.required || present.Has(key.name) || present.Meant(key.name)) continue;
    AddFault(node, absl::StrCat(Sv(what), " has no \"", Sv(key.name), "\""));
  }
  return present;
}

void Reader::UnknownKey(const Node& key, std::string_view what,
                        const std::vector<std::string>& known, PresentKeys* present) {
  if (key.text == "<<") {
    present->AllowMissing();
    return AddFault(key, "merge keys (<<) don't work here; write the keys out");
  }
  const std::string nearest = NearestWord(key.text, known);
  const std::string message = absl::StrCat("unknown key \"", key.text, "\" in ", Sv(what));
  if (nearest.empty()) {
    return AddFault(key, absl::StrCat(message, "; known keys: ", absl::StrJoin(known, ", ")));
  }
  AddFault(key, absl::StrCat(message, "; did you mean \"", nearest, "\"?"));
  present->AddMeant(nearest);
}

void Reader::Entries(const Node& node, std::string_view what,
                     absl::FunctionRef<void(const Node& key, const Node& value)> each) {
  if (node.kind != Node::Kind::kMap) {
    return AddFault(node, absl::StrCat(Sv(what), " must be a map, not ", Sv(KindName(node.kind))));
  }
  std::map<std::string_view, const Node*> seen;
  for (size_t i = 0; i < node.keys.size(); ++i) {
    const Node& key = node.keys[i];
    const auto [first, is_new] = seen.emplace(key.text, &key);
    if (is_new) {
      each(key, node.values[i]);
    } else {
      AddFault(key, absl::StrFormat("key \"%s\" stands in %s twice; first on line %d", key.text,
                                    what, At(*first->second).line));
    }
  }
}

void Reader::List(const Node& node, std::string_view what,
                  absl::FunctionRef<void(const Node& item)> each) {
  if (node.kind == Node::Kind::kScalar) return each(node);
  if (node.kind != Node::Kind::kList) {
    return AddFault(node, absl::StrCat(Sv(what), " must be a list, not ", Sv(KindName(node.kind))));
  }
  for (const Node& item : node.values) each(item);
}

bool Reader::Text(const Node& node, std::string_view what, std::string_view expected,
                  std::string* out) {
  if (node.kind == Node::Kind::kScalar && !node.text.empty()) {
    *out = node.text;
    return true;
  }
  const bool empty = node.kind == Node::Kind::kNull || node.kind == Node::Kind::kScalar;
  AddFault(node, absl::StrCat(Sv(what), empty ? " is empty; it must be " : " must be ",
                              Sv(expected), empty ? "" : ", not ",
                              empty ? absl::string_view() : Sv(KindName(node.kind))));
  return false;
}

bool Reader::String(const Node& node, std::string_view what, std::string* out) {
  return Text(node, what, "text", out);
}

bool Reader::Bool(const Node& node, std::string_view what, bool* out) {
  std::string text;
  if (!Text(node, what, "true or false", &text)) return false;
  if (text == "true" || text == "false") {
    *out = text == "true";
    return true;
  }
  AddFault(node, absl::StrCat(Sv(what), " is \"", text, "\"; it must be true or false"));
  return false;
}

bool Reader::Int64(const Node& node, std::string_view what, int64_t min, int64_t max,
                   int64_t* out) {
  const std::string expected = absl::StrFormat("a whole number, %d..%d", min, max);
  std::string text;
  if (!Text(node, what, expected, &text)) return false;
  int64_t value = 0;
  if (absl::SimpleAtoi(text, &value) && value >= min && value <= max) {
    *out = value;
    return true;
  }
  AddFault(node, absl::StrCat(Sv(what), " is \"", text, "\"; it must be ", expected));
  return false;
}

bool Reader::Size(const Node& node, std::string_view what, int64_t min, int64_t max, int64_t* out) {
  const std::string expected = absl::StrCat("a size with its unit (64KiB, 16MiB, 1GiB), ",
                                            FormatSize(min), "..", FormatSize(max));
  std::string text;
  if (!Text(node, what, expected, &text)) return false;
  const std::optional<int64_t> value = ParseSize(text);
  if (value.has_value() && *value >= min && *value <= max) {
    *out = *value;
    return true;
  }
  AddFault(node, absl::StrCat(Sv(what), " is \"", text, "\"; it must be ", expected));
  return false;
}

bool Reader::Duration(const Node& node, std::string_view what, absl::Duration min,
                      absl::Duration max, absl::Duration* out) {
  const std::string expected =
      absl::StrCat("a time with its unit (500ms, 10s, 1m30s), ", absl::FormatDuration(min), "..",
                   absl::FormatDuration(max));
  std::string text;
  if (!Text(node, what, expected, &text)) return false;
  const std::optional<absl::Duration> value = ParseDurationText(text);
  if (value.has_value() && *value >= min && *value <= max) {
    *out = *value;
    return true;
  }
  AddFault(node, absl::StrCat(Sv(what), " is \"", text, "\"; it must be ", expected));
  return false;
}

bool Reader::Identifier(const Node& node, std::string_view what, std::string* out) {
  std::string text;
  if (!Text(node, what, "a name", &text)) return false;
  if (text.size() > kNameBytesMax) {
    AddFault(node, absl::StrFormat("%s \"%s\" is %d bytes long; Postgres' names hold at most %d",
                                   what, text, text.size(), kNameBytesMax));
    return false;
  }
  *out = text;
  return true;
}

bool Reader::Table(const Node& node, std::string_view what, TableName* out) {
  std::string text;
  if (!Text(node, what, "a table's name", &text)) return false;
  std::optional<TableName> name = ParseTableName(text);
  if (!name.has_value()) {
    AddFault(node, absl::StrCat(Sv(what), " is \"", text,
                                "\"; it must be a table, as in users or public.users (each part at "
                                "most 63 bytes; one that holds a dot goes in double quotes)"));
    return false;
  }
  *out = *std::move(name);
  return true;
}

bool Reader::EnvironmentName(const Node& node, std::string_view what, std::string* out) {
  std::string text;
  if (!Text(node, what, "the name of an environment variable", &text)) return false;
  if (!IsEnvironmentName(text)) {
    // The text may well be the secret itself: it is not repeated.
    AddFault(node, absl::StrCat(Sv(what),
                                " must be the name of an environment variable (letters, "
                                "digits, _), never the secret itself"));
    return false;
  }
  *out = text;
  return true;
}

bool Reader::Sql(const Node& node, std::string_view what, bool query, std::string* out) {
  std::string text;
  const bool is_null = node.kind == Node::Kind::kNull && absl::EqualsIgnoreCase(node.text, "null");
  if (is_null) {
    text = node.text;
  } else if (!Text(node, what, "SQL", &text)) {
    return false;
  }
  const std::optional<SqlProblem> problem = query ? CheckQuery(text) : CheckExpression(text);
  if (problem.has_value()) {
    const size_t offset = is_null ? node.offset : document_.OffsetInScalar(node, problem->offset);
    AddFaultIn(file_, document_.At(offset), absl::StrCat(Sv(what), ": ", problem->message));
    return false;
  }
  *out = query ? WithoutSemicolon(text) : text;
  return true;
}

bool Reader::Expression(const Node& node, std::string_view what, std::string* out) {
  return Sql(node, what, /*query=*/false, out);
}

bool Reader::Query(const Node& node, std::string_view what, std::string* out) {
  return Sql(node, what, /*query=*/true, out);
}

bool Reader::ExpressionOrQuery(const Node& node, std::string_view what, std::string* out) {
  if (Sql(node, what, StartsQuery(node.text), out)) return true;
  std::string& told = faults_->back().message;
  if (told.ends_with(kNotOneExpression)) {
    absl::StrAppend(&told, ", or a query that gives them: SELECT ", node.text);
  }
  return false;
}

std::optional<std::string> Reader::SqlFile(const Node& node, std::string_view what,
                                           const std::string& path, size_t bytes_max) {
  absl::StatusOr<std::string> sql = ReadTextFile(path, bytes_max);
  if (!sql.ok()) {
    AddFault(node, absl::StrCat(Sv(what), ": ", sql.status().message(),
                                absl::IsNotFound(sql.status()) ? kWriteFile : ""));
    return std::nullopt;
  }
  if (const size_t bad = FirstBadByte(*sql); bad != std::string::npos) {
    AddFaultIn(path, PositionOf(*sql, bad), "not UTF-8 text");
    return std::nullopt;
  }
  return *std::move(sql);
}

Place Reader::PlaceOf(const Node& node) const {
  Place place{.anchors = {{.offset = 0, .at = At(node)}}};
  if (node.kind != Node::Kind::kScalar) return place;
  place.anchors[0].at = document_.At(document_.OffsetInScalar(node, 0));
  // YAML may fold lines anywhere between two words; long texts are written as blocks, line by line.
  const bool by_word = node.text.size() <= kWordAnchorsMax;
  for (size_t i = 1; i < node.text.size(); ++i) {
    const char before = node.text[i - 1];
    if (before != '\n' && !(by_word && before == ' ')) continue;
    place.anchors.push_back({.offset = i, .at = document_.At(document_.OffsetInScalar(node, i))});
  }
  return place;
}

void Reader::AddFault(const Node& node, std::string message) {
  AddFaultIn(file_, At(node), std::move(message));
}

void Reader::AddFaultIn(const std::string& file, Position at, std::string message) {
  faults_->push_back(Fault{.at = at, .file = file, .message = std::move(message)});
}

}  // namespace switchyard::spec
