#include <algorithm>
#include <set>

#include "absl/strings/str_format.h"
#include "common/base/strings.h"
#include "common/mapping/compile/compilation.h"

namespace switchyard::mapping {
namespace {

using std::string;
using std::vector;

class Declarations {
 public:
  explicit Declarations(Compilation& compilation) : compilation_(compilation) {}

  void Read() {
    AddSources();
    for (const spec::Mapping& mapping : compilation_.direction.mappings) AddDraft(mapping);
    for (const spec::SensitiveColumn& column : compilation_.direction.sensitive) Require(column);
  }

 private:
  void AddSources() {
    if (compilation_.direction.takes_pairs) AddPairs();
    for (const spec::IdMapRule& rule : compilation_.direction.id_maps)
      compilation_.AddSource(rule.table, rule.at);
    for (const spec::Mapping& mapping : compilation_.direction.mappings) {
      const auto place = [&](const string& key) {
        const auto at = mapping.places.find(key);
        return at == mapping.places.end() ? mapping.at : at->second.Begin();
      };
      if (mapping.copy) compilation_.AddSource(*mapping.copy, place("copy"));
      for (const spec::FromRule& rule : mapping.from) {
        if (rule.table.schema.empty()) compilation_.AddSource(rule.table, rule.at);
      }
      for (const spec::TableName& table : mapping.static_tables) {
        if (table.schema.empty())
          compilation_.AddSource(table, place("static." + table.ToString()));
      }
      // One that is not there is the select's fault, which has its place.
      for (const spec::TableName& table : mapping.reads) {
        if (table.schema.empty() && compilation_.ResolveSource(table) != nullptr) {
          compilation_.AddSource(table, place("select"));
        }
      }
    }
  }

  void AddPairs() {
    const spec::TableName map = spec::IdMapTable();
    const spec::Position at = compilation_.direction.id_maps.empty()
                                  ? spec::Position()
                                  : compilation_.direction.id_maps.front().at;
    if (compilation_.ResolveSource(map) != nullptr) return compilation_.AddSource(map, at);
    compilation_.Fault(at, absl::StrCat("the source has no table ", map.ToString(),
                                        ", whose pairs of ids are taken over: run there what "
                                        "`switchyard check FILE --print-setup` prints"));
  }

  // One that is misspelt would be shown.
  void Require(const spec::SensitiveColumn& sensitive) {
    const spec::TableName& name = sensitive.table;
    const bool of_source = name.schema.empty();
    const SourceIndex source = of_source ? compilation_.FindSource(name) : SourceIndex();
    const catalog::Table* table = source.valid() ? compilation_.sources[source].table : nullptr;
    if (!of_source) table = compilation_.input.target->Find(name.schema, name.name);
    if (table == nullptr) {
      return compilation_.Fault(
          sensitive.at,
          absl::StrCat(
              "sensitive: ", of_source ? "no mapping reads a table " : "no mapping fills a table ",
              name.ToString(), of_source ? " of the source" : " of the target"));
    }
    if (table->FindColumn(sensitive.column) != nullptr) return;
    compilation_.Fault(
        sensitive.at,
        absl::StrCat("sensitive: ", table->Display(), " has no column ", sensitive.column,
                     DidYouMean(sensitive.column, ColumnNames(*table))));
  }

  static const char* WhyNoKey(const catalog::Table& target) {
    if (target.kind != 'r' && target.kind != 'p') {
      return " is not a table; only tables can be filled";
    }
    return KeyOf(target, Keys::kDeferrableToo).empty()
               ? " has no primary key and no unique NOT NULL key: rows could not be found again. "
                 "Add one"
               : " has a deferrable key only: Postgres can't insert or update by it in one "
                 "statement. Make it NOT DEFERRABLE";
  }

  void AddDraft(const spec::Mapping& mapping) {
    Draft draft{.spec = &mapping};
    const string schema = mapping.target.schema.empty() ? "public" : mapping.target.schema;
    draft.display = schema + "." + mapping.target.name;
    draft.target = compilation_.input.target->Find(schema, mapping.target.name);
    if (draft.target == nullptr) {
      compilation_.Fault(
          mapping, "table",
          absl::StrCat("the target has no table ", mapping.target.ToString(),
                       DidYouMean(mapping.target.ToString(), compilation_.input.target_names,
                                  ": create it before the migration starts")));
    } else {
      draft.key = KeyOf(*draft.target, Keys::kAtOnce);
      if (draft.key.empty())
        compilation_.Fault(mapping, "table", draft.display + WhyNoKey(*draft.target));
    }
    draft.from = mapping.from;
    for (const spec::FromRule& rule : mapping.from) {
      draft.blind |= rule.table.schema.empty() && !compilation_.FindSource(rule.table).valid();
    }
    for (const spec::TableName& table : mapping.static_tables) {
      draft.blind |= table.schema.empty() && !compilation_.FindSource(table).valid();
    }
    if (mapping.copy) AddCopyColumns(*mapping.copy, &draft);
    compilation_.drafts.push_back(std::move(draft));
  }

  void AddCopyColumns(const spec::TableName& from, Draft* draft) {
    const spec::Mapping& mapping = *draft->spec;
    draft->source = compilation_.FindSource(from);
    if (!draft->source.valid()) {
      draft->blind = true;
    } else {
      const catalog::Table& table = *compilation_.sources[draft->source].table;
      for (const string& column : mapping.drop) RequireColumn(mapping, table, column, "drop.");
      for (const auto& [old_name, new_name] : mapping.rename) {
        RequireColumn(mapping, table, old_name, "rename.");
      }
      for (const catalog::Column& column : table.columns) AddCopied(table, column, draft);
    }
    for (const auto& [column, sql] : mapping.set) {
      draft->assignments.push_back({.column = column, .sql = sql});
      if (draft->target == nullptr || draft->target->FindColumn(column) != nullptr) continue;
      compilation_.Fault(mapping, "set." + column,
                         absl::StrCat(draft->display, " has no column ", column,
                                      DidYouMean(column, ColumnNames(*draft->target))));
    }
  }

  // Since Postgres 16 a partition may compute a column in another way than its table.
  void RefuseOwnExpressions(const catalog::Table& table, const catalog::Column& column,
                            const string& name, Draft* draft) {
    for (const catalog::Table& leaf : compilation_.input.source->tables) {
      const catalog::Column* own =
          leaf.root_oid != table.oid ? nullptr : leaf.FindColumn(column.name);
      if (own == nullptr || own->generated_sql.empty() || column.generated_sql.empty() ||
          own->generated_sql == column.generated_sql) {
        continue;
      }
      compilation_.Fault(
          *draft->spec, "set." + name,
          absl::StrFormat("partition %s computes %s as (%s), its table as (%s): what is set "
                          "here can't be true of the rows of both; have both compute it alike",
                          leaf.Display(), column.name, own->generated_sql, column.generated_sql));
    }
  }

  // The column as it is carried over, unless the mapping says otherwise.
  void AddCopied(const catalog::Table& table, const catalog::Column& column, Draft* draft) {
    const spec::Mapping& mapping = *draft->spec;
    if (std::ranges::count(mapping.drop, column.name) > 0 ||
        compilation_.Ignored(table, column.name) || draft->target == nullptr) {
      return;
    }
    string name = column.name;
    string key = "copy";
    for (const auto& [old_name, new_name] : mapping.rename) {
      if (old_name != column.name) continue;
      name = new_name;
      key = "rename." + old_name;
    }
    for (const auto& [set_column, sql] : mapping.set) {
      if (set_column == name) return RefuseOwnExpressions(table, column, name, draft);
    }
    const catalog::Column* target = draft->target->FindColumn(name);
    if (column.generated) {
      if (target == nullptr || target->generated) return;  // nobody misses it, or NEW computes it
      return compilation_.Fault(
          mapping, key,
          absl::StrFormat("%s.%s is generated, so OLD's log does not carry it, and "
                          "%s.%s would never be filled: set: {%s: %s}, or drop: [%s]",
                          table.name, column.name, draft->display, name, name,
                          YamlText(column.generated_sql), column.name));
    }
    if (target == nullptr) {
      const vector<string> known = ColumnNames(*draft->target);
      return compilation_.Fault(
          mapping, key,
          key == "copy"
              ? absl::StrFormat("%s.%s has no column of that name in %s: list it under drop, or "
                                "give its new name under rename%s",
                                table.name, column.name, draft->display, DidYouMean(name, known))
              : absl::StrCat(draft->display, " has no column ", name, DidYouMean(name, known)));
    }
    if (target->generated) return;
    const auto [other, is_new] =
        compilation_.plain_names.emplace(std::pair(&mapping, name), column.name);
    if (!is_new) {
      return compilation_.Fault(
          mapping, "rename." + (key == "copy" ? other->second : column.name),
          absl::StrFormat("%s.%s is filled twice: from %s.%s and from %s.%s. List one "
                          "of them under drop",
                          draft->display, name, table.name, other->second, table.name,
                          column.name));
    }
    draft->assignments.push_back({.column = name, .sql = PlainSql(column, *target), .plain = 0});
    compilation_.read_columns[{&mapping, name}] = {column.name};
  }

  // Between quotes, as a value of the migration file.
  static string YamlText(const string& sql) {
    string text = "\"";
    for (const char c : sql) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    return text + "\"";
  }

  // A plain copy; through text where the types are different user types.
  static string PlainSql(const catalog::Column& column, const catalog::Column& target) {
    const string name = QuoteIdentifier(column.name);
    // The stage has the source's user types in a schema of their own, so even equal names differ.
    const bool through_text = column.user_type || (target.user_type && column.type != target.type);
    if (!through_text) return name;
    const string cast = "CAST(CAST(" + name + " AS text) AS " + target.type + ")";
    if (target.type != "regclass") return cast;
    // Its cast looks a name up, where those of its kin read what the type writes: "-" for none.
    return "CASE CAST(" + name + " AS text) WHEN '-' THEN CAST(CAST(0 AS oid) AS regclass) ELSE " +
           cast + " END";
  }

  void RequireColumn(const spec::Mapping& mapping, const catalog::Table& table,
                     const string& column, const string& key) {
    if (table.FindColumn(column) != nullptr) return;
    compilation_.Fault(mapping, key + column,
                       absl::StrCat(table.name, " has no column ", column,
                                    DidYouMean(column, ColumnNames(table))));
  }

  Compilation& compilation_;
};

}  // namespace

void ReadDeclarations(Compilation* compilation) { Declarations(*compilation).Read(); }

}  // namespace switchyard::mapping
