#include "operate/check/rehearse/meeting_values.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/mapping/derive/tree.h"
#include "common/mapping/sql_analysis.h"

namespace switchyard::operate {

using mapping::SourceIndex;
namespace derive = mapping::derive;
using derive::Json;

namespace {

// Expressions that meet, by their names: united where they are compared.
class Classes {
 public:
  void Unite(const std::string& a, const std::string& b) {
    const std::string to = Root(a);
    parent_[Root(b)] = to;
  }
  void AddSide(const std::string& name, const Side& side) {
    Root(name);
    sides_[name] = side;
  }
  std::vector<std::vector<Side>> All() {
    std::map<std::string, std::set<Side>> grouped;
    for (const auto& [name, side] : sides_) grouped[Root(name)].insert(side);
    std::vector<std::vector<Side>> all;
    for (const auto& [root, sides] : grouped) {
      if (sides.size() > 1) all.emplace_back(sides.begin(), sides.end());
    }
    return all;
  }

 private:
  std::string Root(const std::string& name) {
    std::string at = name;
    for (auto up = parent_.emplace(at, at).first; up->second != at; up = parent_.find(at)) {
      at = up->second;
    }
    return at;
  }
  std::map<std::string, std::string> parent_;
  std::map<std::string, Side> sides_;
};

class Finder {
 public:
  explicit Finder(const mapping::Plan& plan) : plan_(plan) {}

  MeetingValues Run() {
    for (const mapping::MappingPlan& mapping : plan_.mappings) {
      if (mapping.row_local) continue;
      const std::string& ddl = mapping.keyed.view_ddl;  // CREATE VIEW ... AS select
      if (const size_t select = ddl.find(" AS "); select != std::string::npos) {
        Look(ddl.substr(select + 4), "", {}, mapping);
      }
      for (const mapping::PlanRule& rule : mapping.rules) {
        const std::string name = rule.table.substr(rule.table.rfind('.') + 1);
        const bool query = mapping::LooksLikeQuery(rule.touches);
        Look(query ? rule.touches : "SELECT " + rule.touches, name, mapping.keyed.scope_columns,
             mapping);
      }
    }
    found_.classes = classes_.All();
    return std::move(found_);
  }

 private:
  // `row`: the table whose changed row a rule is over. `scope`: what its outputs are values of.
  void Look(const std::string& sql, const std::string& row, const std::vector<std::string>& scope,
            const mapping::MappingPlan& mapping) {
    const absl::StatusOr<Json> select = derive::ParseSelect(sql);
    if (!select.ok()) return;
    units_.clear();
    if (!row.empty()) units_[row].insert(row);
    derive::Visit(*select, [&](const Json& node) {
      if (derive::Is(node, "RangeVar")) AddUnit(derive::Body(node));
      return true;
    });
    derive::Visit(*select, [&](const Json& node) {
      if (derive::Is(node, "A_Expr")) Compared(node);
      return true;
    });
    Outputs(*select, scope, mapping);
  }

  void AddUnit(const Json& relation) {
    const std::string name = derive::Text(relation, "relname");
    const auto alias = relation.find("alias");
    // OLD's tables have no schema, or that of the mirror.
    const std::string schema = derive::Text(relation, "schemaname");
    const bool of_old = schema.empty() || schema == plan_.mirror_schema;
    units_[alias == relation.end() ? name : derive::Text(*alias, "aliasname")].insert(
        of_old ? name : absl::StrCat(schema, ".", name));
  }

  // Of each arm of a union.
  void Outputs(const Json& select, const std::vector<std::string>& scope,
               const mapping::MappingPlan& mapping) {
    for (const char* arm : {"larg", "rarg"}) {
      if (select.contains(arm)) Outputs(select[arm], scope, mapping);
    }
    const Json& targets = derive::List(select, "targetList");
    for (size_t i = 0; i < targets.size() && i < scope.size(); ++i) {
      const auto value = derive::Body(targets[i]).find("val");
      if (value == derive::Body(targets[i]).end()) continue;
      for (const std::string& name : NamesOf(*value)) {
        classes_.Unite(absl::StrCat(mapping.display, ".", scope[i]), name);
      }
    }
  }

  void Compared(const Json& node) {
    const Json& body = derive::Body(node);
    const auto left = body.find("lexpr");
    const auto right = body.find("rexpr");
    if (left == body.end() || right == body.end()) return;
    if (derive::IsEquality(node) && !derive::IsConstant(*left) && !derive::IsConstant(*right)) {
      for (const std::string& one : NamesOf(*left)) {
        for (const std::string& other : NamesOf(*right)) classes_.Unite(one, other);
      }
      return;
    }
    for (const Side& side : SidesOf(node)) {
      found_.conditions.insert(side);
      derive::Visit(node, [&](const Json& inner) {
        if (!derive::Is(inner, "A_Const")) return true;
        const auto text = derive::Body(inner).find("sval");
        if (text != derive::Body(inner).end()) {
          found_.constants.insert({side.source, side.column, derive::Text(*text, "sval")});
        }
        return false;
      });
    }
  }

  // What an expression may be called: of OLD's column, or "schema.table.column" of NEW's.
  std::vector<std::string> NamesOf(const Json& node) {
    std::vector<std::string> names;
    for (const Side& side : SidesOf(node)) {
      names.push_back(absl::StrCat(side.source.value(), ".", side.column, " ", side.sql));
      classes_.AddSide(names.back(), side);
    }
    if (!derive::Is(node, "ColumnRef")) return names;
    for (const auto& [table, column] : TablesOf(node)) {
      if (table.find('.') != std::string::npos) names.push_back(absl::StrCat(table, ".", column));
    }
    return names;
  }

  // The tables that a column may be of.
  std::vector<std::pair<std::string, std::string>> TablesOf(const Json& reference) const {
    std::vector<std::pair<std::string, std::string>> tables;
    const Json& fields = derive::List(derive::Body(reference), "fields");
    if (fields.empty()) return tables;
    const std::string column = derive::NamePart(fields.back());
    for (const auto& [unit, names] : units_) {
      if (fields.size() > 1 && derive::NamePart(fields[fields.size() - 2]) != unit) continue;
      for (const std::string& name : names) tables.emplace_back(name, column);
    }
    return tables;
  }

  // The expression over each single column of OLD that it may be over; none where it has several.
  std::vector<Side> SidesOf(const Json& node) const {
    std::optional<Json> only;
    bool several = false;
    derive::Visit(node, [&](const Json& inner) {
      if (derive::Is(inner, "SubLink")) several = true;
      if (derive::Is(inner, "ColumnRef")) {
        several |= only && *only != inner;
        only = inner;
      }
      return !several;
    });
    std::vector<Side> sides;
    if (several || !only) return sides;
    for (const auto& [table, column] : TablesOf(*only)) {
      for (const SourceIndex s : plan_.source_indices()) {
        if (plan_.sources[s].alias != table) continue;
        const auto& columns = plan_.sources[s].columns;
        const auto at = std::ranges::find(columns, column, &mapping::StageColumn::name);
        if (at == columns.end()) continue;
        const std::string sql = OverBareColumn(node, column);
        if (!sql.empty()) sides.push_back({s, static_cast<int>(at - columns.begin()), sql});
      }
    }
    return sides;
  }

  static std::string OverBareColumn(const Json& node, const std::string& column) {
    Json bare;
    bare["ColumnRef"]["fields"].push_back(derive::Name(column));
    const Json changed = derive::Rewrite(node, [&](const Json& inner) -> std::optional<Json> {
      if (!derive::Is(inner, "ColumnRef")) return std::nullopt;
      return bare;
    });
    Json target;
    target["ResTarget"]["val"] = changed;
    Json select = {{"limitOption", "LIMIT_OPTION_DEFAULT"}, {"op", "SETOP_NONE"}};
    select["targetList"].push_back(target);
    const absl::StatusOr<std::string> text = derive::Deparse(select);
    constexpr size_t kSelect = 7;  // "SELECT "
    return text.ok() && text->size() > kSelect ? text->substr(kSelect) : std::string();
  }

  const mapping::Plan& plan_;
  std::map<std::string, std::set<std::string>> units_;  // of one statement: alias -> tables
  Classes classes_;
  MeetingValues found_;
};

}  // namespace

MeetingValues FindMeetingValues(const mapping::Plan& plan) { return Finder(plan).Run(); }

}  // namespace switchyard::operate
