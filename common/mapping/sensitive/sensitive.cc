#include "common/mapping/sensitive/sensitive.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/mapping/sensitive/lineage.h"
#include "common/mapping/sql_analysis.h"

namespace switchyard::mapping {
namespace {

using std::set;
using std::string;

constexpr char kAny[] = "*";

string Display(const spec::TableName& table) { return table.schema + "." + table.name; }

class Closure {
 public:
  explicit Closure(const spec::Direction& direction) : direction_(direction) {
    for (const spec::SensitiveColumn& column : direction.sensitive) {
      if (column.table.schema.empty()) {
        source_[Meant(column.table).name].insert(column.column);
      } else {
        target_[Display(column.table)].insert(column.column);
      }
    }
  }

  // What each table of NEW has of them, until nothing is added any more: mappings read each other.
  std::map<string, set<string>> Run() {
    for (size_t before = 0, now = 1; before != now;) {
      before = Size();
      for (const spec::Mapping& mapping : direction_.mappings) Follow(mapping);
      now = Size();
    }
    std::map<string, set<string>> all = target_;
    for (const spec::Mapping& mapping : direction_.mappings) {
      set<string>& names = all[Display(mapping.target)];
      for (const string& name : Inputs(mapping)) names.insert(name);
    }
    std::erase_if(all, [](const auto& table) { return table.second.empty(); });
    return all;
  }

  // As a mirror names its tables: by name or alias.
  std::map<string, set<string>> OfOld() const {
    std::map<string, set<string>> all = source_;
    for (const auto& [alias, table] : direction_.aliases) Add(source_, table.name, &all[alias]);
    return all;
  }

 private:
  spec::TableName Meant(const spec::TableName& written) const {
    const auto alias = direction_.aliases.find(written.name);
    return written.schema.empty() && alias != direction_.aliases.end() ? alias->second : written;
  }

  size_t Size() const {
    size_t size = 0;
    for (const auto& [table, names] : target_) size += names.size();
    return size;
  }

  void Add(const std::map<string, set<string>>& of, const string& table, set<string>* names) const {
    const auto found = of.find(table);
    if (found != of.end()) names->insert(found->second.begin(), found->second.end());
  }

  // Of the tables that SQL of a mapping names.
  void AddRead(const spec::TableName& table, set<string>* names) const {
    if (table.schema.empty()) return Add(source_, Meant(table).name, names);
    Add(target_, Display(table), names);
  }

  set<string> Inputs(const spec::Mapping& mapping) const {
    set<string> names;
    if (mapping.copy) Add(source_, Meant(*mapping.copy).name, &names);
    for (const spec::TableName& table : mapping.reads) AddRead(table, &names);
    return names;
  }

  void Follow(const spec::Mapping& mapping) {
    set<string>& outputs = target_[Display(mapping.target)];
    const set<string> inputs = Inputs(mapping);
    if (mapping.copy) return FollowCopy(mapping, inputs, &outputs);
    if (inputs.empty()) return;
    const auto lineage = FollowNames(mapping.select, inputs);
    if (!lineage.ok() || lineage->all || inputs.contains(kAny)) {
      outputs.insert(kAny);
    } else {
      outputs.insert(lineage->names.begin(), lineage->names.end());
    }
  }

  void FollowCopy(const spec::Mapping& mapping, const set<string>& inputs, set<string>* outputs) {
    for (const string& name : inputs) {
      const bool set_otherwise = std::ranges::any_of(
          mapping.set, [&](const auto& column) { return column.first == name; });
      if (!set_otherwise) outputs->insert(name);
    }
    for (const auto& [from, to] : mapping.rename) {
      if (inputs.contains(from)) outputs->insert(to);
    }
    for (const auto& [column, sql] : mapping.set) {
      set<string> names = inputs;
      const absl::StatusOr<ExpressionShape> shape = AnalyzeExpression(sql);
      if (shape.ok()) {
        for (const RelationRef& read : shape->relations) {
          AddRead({.schema = read.schema, .name = read.name}, &names);
        }
      }
      if (names.empty()) continue;
      const absl::StatusOr<bool> computed = ComputesFrom(sql, names);
      if (!computed.ok() || *computed || names.contains(kAny)) outputs->insert(column);
    }
  }

  const spec::Direction& direction_;
  std::map<string, set<string>> source_;  // by name alone: two schemas may have one each
  std::map<string, set<string>> target_;
};

// Whether a list of columns, or of expressions over them, names one of these.
bool NamesOne(std::string_view list, const set<string>& names) {
  string word;
  for (const char c : string(list) + " ") {
    const bool part = absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' ||
                      static_cast<unsigned char>(c) >= 0x80;
    if (part) {
      word += c;
      continue;
    }
    if (names.contains(word)) return true;
    word.clear();
  }
  // Quoted names may hold anything.
  return std::ranges::any_of(names, [&](const string& name) {
    return absl::StrContains(Sv(list), QuoteIdentifier(name));
  });
}

// "Key (email)=(a@x) already exists.": the only DETAIL whose shape says which columns it quotes.
string ShownDetail(const string& detail, const set<string>& names) {
  constexpr char kLeftOut[] = "left out: it may quote sensitive columns";
  if (detail.empty()) return detail;
  const size_t between = detail.find(")=(");
  if (!detail.starts_with("Key (") || between == string::npos) return kLeftOut;
  const std::string_view columns = std::string_view(detail).substr(5, between - 5);
  if (!names.contains(kAny) && !NamesOne(columns, names)) return detail;
  return absl::StrCat("Key (", Sv(columns), ")=(...)", detail.substr(detail.rfind(')') + 1));
}

}  // namespace

Sensitive::Sensitive(const spec::Direction& direction) {
  if (direction.sensitive.empty()) return;
  Closure closure(direction);
  names_ = closure.Run();
  old_names_ = closure.OfOld();
}

const set<string>& Sensitive::Names(const string& table) const {
  static const set<string> kNone;
  const auto found = names_.find(table);
  return found == names_.end() ? kNone : found->second;
}

pg::ErrorFields Sensitive::Shown(const string& table, const pg::ErrorFields& error) const {
  const set<string>& names = Names(table);
  if (names.empty()) return error;
  pg::ErrorFields shown = error;
  // Of class 42 a row is refused only for an object that one of its values names.
  shown.primary = error.sqlstate.starts_with("42") ? "a value names an object that is not there"
                                                   : pg::TextWithoutValues(error);
  shown.detail = ShownDetail(error.detail, names);
  shown.context.clear();
  return shown;
}

std::vector<string> Sensitive::All() const {
  std::vector<string> all;
  for (const auto& [table, names] : names_) {
    for (const string& name : names) all.push_back(table + "|" + name);
  }
  return all;
}

std::vector<string> Sensitive::AllWithMirror(const string& mirror_schema) const {
  std::vector<string> all = All();
  for (const auto& [table, names] : old_names_) {
    for (const string& name : names) {
      all.push_back(absl::StrCat(mirror_schema, ".", table, "|", name));
    }
  }
  return all;
}

}  // namespace switchyard::mapping
