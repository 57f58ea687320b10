#include "common/mapping/compile/index_words.h"

#include <algorithm>
#include <optional>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/mapping/derive/tree.h"

namespace switchyard::mapping {
namespace {

using derive::Json;
using std::set;
using std::string;
using std::vector;

constexpr size_t kExpressionsMax = 24;

class Words {
 public:
  explicit Words(const Source& source) : source_(source) {}

  void AddOf(const string& select) {
    const absl::StatusOr<Json> tree = derive::ParseSelect(select);
    if (!tree.ok()) return;
    derive::Visit(*tree, [&](const Json& node) {
      if (!derive::Is(node, "RangeVar")) return true;
      const Json& body = derive::Body(node);
      if (derive::Text(body, "relname") != source_.alias || body.contains("schemaname"))
        return true;
      units_.insert(body.contains("alias") ? derive::Text(body["alias"], "aliasname")
                                           : source_.alias);
      return true;
    });
    derive::Visit(*tree, [&](const Json& node) {
      if (derive::IsEquality(node)) {
        Add(derive::Body(node)["lexpr"]);
        Add(derive::Body(node)["rexpr"]);
      }
      return true;
    });
    derive::Visit(*tree, [&](const Json& node) {
      if (derive::Is(node, "ResTarget")) Add(derive::Body(node)["val"]);
      return true;
    });
  }

  vector<string> Take() { return std::move(words_); }

 private:
  bool Has(const string& column) const { return source_.table->FindColumn(column) != nullptr; }

  // Its columns are all of the source, and there are some.
  void Add(const Json& expression) {
    bool any = false;
    bool others = false;
    derive::Visit(expression, [&](const Json& node) {
      others |= derive::Is(node, "SubLink");
      if (!derive::Is(node, "ColumnRef")) return !others;
      const Json& fields = derive::List(derive::Body(node), "fields");
      const string column = derive::NamePart(fields.back());
      const bool unit = fields.size() == 1 || units_.contains(derive::NamePart(fields[0]));
      any = true;
      others |= !unit || fields.size() > 2 || column.empty() || !Has(column);
      return false;
    });
    if (!any || others || words_.size() >= kExpressionsMax) return;
    const Json bare = derive::Rewrite(expression, [](const Json& node) -> std::optional<Json> {
      if (!derive::Is(node, "ColumnRef")) return std::nullopt;
      const Json& fields = derive::List(derive::Body(node), "fields");
      return Json::object(
          {{"ColumnRef", Json::object({{"fields", Json::array({fields.back()})}})}});
    });
    absl::StatusOr<Json> select = derive::ParseSelect("SELECT 1");
    if (!select.ok()) return;
    (*select)["targetList"][0]["ResTarget"]["val"] = bare;
    const absl::StatusOr<string> text = derive::Deparse(*select);
    constexpr std::string_view kSelect = "SELECT ";
    if (!text.ok() || !text->starts_with(kSelect)) return;
    string word = text->substr(kSelect.size());
    if (std::ranges::count(words_, word) == 0) words_.push_back(std::move(word));
  }

  const Source& source_;
  set<string> units_;  // what the query calls it
  vector<string> words_;
};

}  // namespace

vector<string> OwnExpressions(const Draft& draft, const Source& source) {
  Words words(source);
  for (const spec::FromRule& rule : draft.from) {
    const bool own = rule.table.schema.empty() && rule.table.name == source.alias;
    if (own && !LooksLikeQuery(rule.touches)) words.AddOf("SELECT " + rule.touches);
  }
  for (const spec::FromRule& rule : draft.from) {
    if (LooksLikeQuery(rule.touches)) words.AddOf(rule.touches);
  }
  if (!draft.spec->copy) words.AddOf(draft.spec->select);
  return words.Take();
}

string WithoutQualifier(const string& text, const string& alias) {
  const string prefix = alias + ".";
  string out;
  for (size_t at = 0; at < text.size();) {
    const bool within =
        at > 0 && (absl::ascii_isalnum(static_cast<unsigned char>(text[at - 1])) ||
                   text[at - 1] == '_' || text[at - 1] == '.' || text[at - 1] == '"');
    if (!within && text.compare(at, prefix.size(), prefix) == 0) {
      at += prefix.size();
      continue;
    }
    out += text[at++];
  }
  return out;
}

}  // namespace switchyard::mapping
