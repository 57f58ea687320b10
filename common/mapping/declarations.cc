#include <algorithm>
#include <set>

#include "absl/strings/str_format.h"
#include "common/base/strings.h"
#include "common/mapping/compilation.h"

namespace switchyard::mapping {
namespace {

using std::set;
using std::string;
using std::vector;

class Declarations {
 public:
  explicit Declarations(Compilation& compilation) : c_(compilation) {}

  void Read() {
    AddSources();
    for (const spec::Mapping& mapping : c_.direction.mappings) AddDraft(mapping);
  }

 private:
  void AddSources() {
    for (const spec::Mapping& mapping : c_.direction.mappings) {
      if (mapping.copy) c_.SourceFor(*mapping.copy, mapping.at);
      for (const spec::FromRule& rule : mapping.from) {
        if (rule.table.schema.empty()) c_.SourceFor(rule.table, rule.at);
      }
      for (const spec::TableName& table : mapping.static_tables) {
        if (table.schema.empty()) c_.SourceFor(table, mapping.at);
      }
    }
  }

  void AddDraft(const spec::Mapping& mapping) {
    Draft draft{.spec = &mapping};
    draft.target = c_.input.target->Find(
        mapping.target.schema.empty() ? "public" : mapping.target.schema, mapping.target.name);
    if (draft.target == nullptr) {
      const string near = NearestWord(mapping.target.ToString(), c_.input.target_names);
      c_.Fault(mapping.at, absl::StrCat("the target has no table ", mapping.target.ToString(),
                                        near.empty() ? ": create it before the migration starts"
                                                     : "; did you mean " + near + "?"));
      return;
    }
    draft.key = KeyOf(*draft.target, false);
    if (draft.key.empty()) {
      const bool deferrable = !KeyOf(*draft.target, true).empty();
      c_.Fault(mapping.at,
               draft.target->Display() +
                   (deferrable ? " has a deferrable key only: Postgres can't insert or update by "
                                 "it in one statement. Make it NOT DEFERRABLE"
                               : " has no primary key and no unique NOT NULL key: rows could not "
                                 "be found again. Add one"));
      return;
    }
    for (const spec::FromRule& rule : mapping.from) draft.from.push_back(rule);
    if (mapping.copy) AddCopyColumns(*mapping.copy, &draft);
    c_.drafts.push_back(std::move(draft));
  }

  void AddCopyColumns(const spec::TableName& from, Draft* draft) {
    const spec::Mapping& mapping = *draft->spec;
    draft->source = c_.SourceFor(from, mapping.at);
    if (draft->source < 0) return;
    const Table& table = *c_.sources[draft->source].table;
    set<string> assigned;
    for (const auto& [column, sql] : mapping.set) assigned.insert(column);
    for (const Column& column : table.columns) {
      if (column.generated || std::ranges::count(mapping.drop, column.name) > 0 ||
          c_.Ignored(table, column.name)) {
        continue;
      }
      string name = column.name;
      for (const auto& [old_name, new_name] : mapping.rename) {
        if (old_name == column.name) name = new_name;
      }
      if (assigned.contains(name)) continue;
      const Column* target = draft->target->FindColumn(name);
      if (target == nullptr) {
        c_.Fault(
            mapping.at,
            absl::StrFormat("%s.%s has no column of that name in %s: list it under drop, or give "
                            "its new name under rename",
                            table.name, column.name, draft->target->Display()));
        continue;
      }
      if (target->generated) continue;
      draft->assignments.push_back({.column = name, .sql = PlainSql(column, *target), .plain = 0});
      c_.plain_names[{&mapping, name}] = column.name;
      c_.read_columns[{&mapping, name}] = {column.name};
    }
    for (const auto& [column, sql] : mapping.set) {
      draft->assignments.push_back({.column = column, .sql = sql});
    }
    CheckNames(mapping, table, *draft);
  }

  // A plain copy; through text where the types are different user types.
  static string PlainSql(const Column& column, const Column& target) {
    const string name = QuoteIdentifier(column.name);
    // The stage has the source's user types in a schema of their own, so even equal names differ.
    const bool through_text = column.user_type || (target.user_type && column.type != target.type);
    return through_text ? "CAST(CAST(" + name + " AS text) AS " + target.type + ")" : name;
  }

  void CheckNames(const spec::Mapping& mapping, const Table& table, const Draft& draft) {
    for (const string& column : mapping.drop) RequireSourceColumn(mapping, table, column, "drop");
    for (const auto& [old_name, new_name] : mapping.rename) {
      RequireSourceColumn(mapping, table, old_name, "rename");
    }
    for (const Assignment& a : draft.assignments) {
      if (draft.target->FindColumn(a.column) == nullptr) {
        c_.Fault(mapping.at,
                 absl::StrFormat("%s has no column %s", draft.target->Display(), a.column));
      }
    }
  }

  void RequireSourceColumn(const spec::Mapping& mapping, const Table& table, const string& column,
                           const char* key) {
    if (table.FindColumn(column) != nullptr) return;
    vector<string> known;
    for (const Column& c : table.columns) known.push_back(c.name);
    const string near = NearestWord(column, known);
    c_.Fault(mapping.at, absl::StrFormat("%s: %s has no column %s%s", key, table.name, column,
                                         near.empty() ? "" : "; did you mean " + near + "?"));
  }

  Compilation& c_;
};

}  // namespace

void ReadDeclarations(Compilation* compilation) { Declarations(*compilation).Read(); }

}  // namespace switchyard::mapping
