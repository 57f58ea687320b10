#include "operate/check/rehearse/meeting_values.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

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
        Look(ddl.substr(select + 4), "", {}, mapping);  // its outputs have names
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
    const auto queries = Queries(*select);
    derive::Visit(*select, [&](const Json& node) {
      if (derive::Is(node, "RangeVar")) AddUnit(derive::Body(node));
      return true;
    });
    for (const auto& [name, query] : queries) Outputs(query, NamesOfOutputs(query), name);
    derive::Visit(*select, [&](const Json& node) {
      if (derive::Is(node, "A_Expr")) Compared(node);
      return true;
    });
    Outputs(*select, scope.empty() ? NamesOfOutputs(*select) : scope, mapping.display);
  }

  // Sub-queries in FROM and WITH, which have columns as tables of NEW have, by such names.
  std::vector<std::pair<std::string, Json>> Queries(const Json& select) {
    std::vector<std::pair<std::string, Json>> queries;
    with_.clear();
    derive::Visit(select, [&](const Json& node) {
      const Json& body = derive::Body(node);
      if (derive::Is(node, "RangeSubselect") && body.contains("alias")) {
        const std::string alias = derive::Text(body["alias"], "aliasname");
        units_[alias].insert("(query)." + alias);
        queries.emplace_back("(query)." + alias, derive::Body(body.at("subquery")));
      } else if (derive::Is(node, "CommonTableExpr")) {
        const std::string name = derive::Text(body, "ctename");
        with_.insert(name);
        queries.emplace_back("(with)." + name, derive::Body(body.at("ctequery")));
      }
      return true;
    });
    return queries;
  }

  // Of the first arm of a union; "" where it says none.
  static std::vector<std::string> NamesOfOutputs(const Json& select) {
    if (select.contains("larg")) return NamesOfOutputs(select["larg"]);
    std::vector<std::string> names;
    for (const Json& target : derive::List(select, "targetList")) {
      const Json& body = derive::Body(target);
      std::string name = derive::Text(body, "name");
      const auto value = body.find("val");
      if (name.empty() && value != body.end() && derive::Is(*value, "ColumnRef")) {
        const Json& fields = derive::List(derive::Body(*value), "fields");
        if (!fields.empty()) name = derive::NamePart(fields.back());
      }
      names.push_back(std::move(name));
    }
    return names;
  }

  void AddUnit(const Json& relation) {
    const std::string name = derive::Text(relation, "relname");
    const auto alias = relation.find("alias");
    // OLD's tables have no schema, or that of the mirror.
    const std::string schema = derive::Text(relation, "schemaname");
    const bool of_old = schema.empty() || schema == plan_.mirror_schema;
    const bool with = schema.empty() && with_.contains(name);
    units_[alias == relation.end() ? name : derive::Text(*alias, "aliasname")].insert(
        with     ? "(with)." + name
        : of_old ? name
                 : absl::StrCat(schema, ".", name));
  }

  // Of each arm of a union; `names` of the outputs, columns of `table`.
  void Outputs(const Json& select, const std::vector<std::string>& names,
               const std::string& table) {
    for (const char* arm : {"larg", "rarg"}) {
      if (select.contains(arm)) Outputs(select[arm], names, table);
    }
    const Json& targets = derive::List(select, "targetList");
    for (size_t i = 0; i < targets.size() && i < names.size(); ++i) {
      const auto value = derive::Body(targets[i]).find("val");
      if (names[i].empty() || value == derive::Body(targets[i]).end()) continue;
      for (const std::string& name : NamesOf(*value)) {
        classes_.Unite(absl::StrCat(table, ".", names[i]), name);
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
        for (std::string& text : AtTheBoundary(derive::Body(inner))) {
          found_.constants.insert({side.source, side.column, std::move(text)});
        }
        return false;
      });
    }
  }

  // A text, or a number and those beside it.
  static std::vector<std::string> AtTheBoundary(const Json& constant) {
    if (const auto text = constant.find("sval"); text != constant.end()) {
      return {derive::Text(*text, "sval")};
    }
    const auto number = constant.find("ival");
    if (number == constant.end()) return {};
    const int64_t value = number->value("ival", int64_t{0});  // left out where it is 0
    return {std::to_string(value - 1), std::to_string(value), std::to_string(value + 1)};
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
  std::set<std::string> with_;                          // its CTEs
  Classes classes_;
  MeetingValues found_;
};

}  // namespace

MeetingValues FindMeetingValues(const mapping::Plan& plan) { return Finder(plan).Run(); }

}  // namespace switchyard::operate
