#include "common/mapping/derive/blocks.h"

#include <algorithm>
#include <map>

#include "common/base/strings.h"

namespace switchyard::mapping::derive {

using std::string;
using std::vector;

// What a FROM item lets be named.
struct Builder::Shown {
  string alias;                             // "": columns that stand without a table (USING)
  vector<std::pair<string, Json>> columns;  // in the order of `*`
  bool whole_row = true;                    // alias.* is a row of a unit named `unit`
  string unit;
};

// What names mean at a place of the select: what FROM shows here, then one level out.
struct Builder::Names {
  const Names* outer = nullptr;
  vector<Shown> shown;
  struct With {
    const Json* query;
    vector<string> columns;
    bool recursive;
    const Names* names;  // where the query stands
  };
  std::map<string, With> with;
  vector<string> inside = {};  // recursive WITH queries being built
};

namespace {

absl::Status Unknown(const string& what) {
  return absl::InvalidArgumentError("it can't be read: " + what);
}

vector<string> NamesIn(const Json& list) {
  vector<string> names;
  for (const Json& each : list) names.push_back(NamePart(each));
  return names;
}

bool IsSelect(const Json& query) { return Is(query, "SelectStmt"); }

// LIMIT ALL and OFFSET 0 keep every row.
bool Limits(const Json& select) {
  const auto count = select.find("limitCount");
  if (count != select.end() && !IsNull(*count)) return true;
  const auto offset = select.find("limitOffset");
  if (offset == select.end() || IsNull(*offset)) return false;
  const Json none = {{"A_Const", {{"ival", Json::object()}}}};
  return *offset != none;
}

// What every grouping set of a GROUP BY item has: all of a plain one, nothing of ROLLUP and CUBE.
vector<Json> InEachSet(const Json& item) {
  if (Is(item, "RowExpr")) {
    const Json& args = List(Body(item), "args");
    return {args.begin(), args.end()};
  }
  if (!Is(item, "GroupingSet")) return {item};
  const string kind = Text(Body(item), "kind");
  vector<Json> common;
  if (kind != "GROUPING_SET_SETS" && kind != "GROUPING_SET_SIMPLE") return common;
  for (const Json& set : List(Body(item), "content")) {
    const vector<Json> own = InEachSet(set);
    if (&set == &List(Body(item), "content").front()) common = own;
    std::erase_if(common, [&](const Json& each) { return std::ranges::count(own, each) == 0; });
  }
  return common;
}

// Every table named in a piece of SQL, WITH queries' names left out.
void TablesIn(const Json& sql, vector<std::pair<string, string>>* tables) {
  std::set<string> with;
  Visit(sql, [&](const Json& node) {
    if (Is(node, "CommonTableExpr")) with.insert(Text(Body(node), "ctename"));
    return true;
  });
  Visit(sql, [&](const Json& node) {
    if (!Is(node, "RangeVar")) return true;
    string schema = Text(Body(node), "schemaname");
    if (schema.starts_with("pg_temp")) schema.clear();
    const string name = Text(Body(node), "relname");
    if (!schema.empty() || !with.contains(name)) tables->emplace_back(schema, name);
    return true;
  });
}

}  // namespace

class BlockBuilder {
 public:
  using Names = Builder::Names;
  using Shown = Builder::Shown;

  BlockBuilder(Builder& builder, const Names& outer) : b_(builder) { names_.outer = &outer; }

  absl::StatusOr<Block> Build(const Json& select) {
    select_ = &select;
    for (const Json& item : List(select, "fromClause")) {
      ASSIGN_OR_RETURN(const vector<Shown> shown, From(item, {}));
      names_.shown.insert(names_.shown.end(), shown.begin(), shown.end());
    }
    if (select.contains("whereClause")) {
      RETURN_IF_ERROR(AddConditions(select["whereClause"], {}, false));
    }
    RETURN_IF_ERROR(AddOutputs());
    RETURN_IF_ERROR(AddShape());
    return std::move(block_);
  }

 private:
  absl::Status AddConditions(const Json& sql, const Path& path, bool both_sides) {
    ASSIGN_OR_RETURN(const Json resolved, Resolve(sql, path));
    for (Json& part : Conjuncts(resolved)) {
      block_.conditions.push_back({.sql = std::move(part), .path = path, .both_sides = both_sides});
    }
    return absl::OkStatus();
  }

  absl::StatusOr<vector<Shown>> From(const Json& item, const Path& path) {
    const string kind = Kind(item);
    if (kind == "RangeVar") return FromTable(Body(item), path);
    if (kind == "RangeSubselect") return FromQuery(Body(item), path);
    if (kind == "RangeFunction") return FromFunction(Body(item), path);
    if (kind == "JoinExpr") return FromJoin(Body(item), path);
    return Unknown(kind + " in FROM");
  }

  Unit& AddUnit(Unit::Kind kind, const string& alias, const Path& path) {
    block_.units.push_back({.name = b_.NewUnit(), .alias = alias, .kind = kind, .path = path});
    return block_.units.back();
  }

  // What a unit shows under its alias; an alias may rename its first columns.
  static Shown Show(const Unit& unit, const vector<string>& columns,
                    const vector<string>& renamed) {
    Shown shown{.alias = unit.alias, .unit = unit.name};
    for (size_t i = 0; i < columns.size(); ++i) {
      shown.columns.emplace_back(i < renamed.size() ? renamed[i] : columns[i],
                                 Column(unit.name, columns[i]));
    }
    return shown;
  }

  absl::StatusOr<vector<Shown>> FromTable(const Json& item, const Path& path) {
    const string name = Text(item, "relname");
    string schema = Text(item, "schemaname");
    if (schema.starts_with("pg_temp")) schema.clear();
    const Json alias = item.value("alias", Json::object());
    const string shown_as = alias.contains("aliasname") ? Text(alias, "aliasname") : name;
    const vector<string> renamed = NamesIn(List(alias, "colnames"));
    if (schema.empty()) {
      for (const Names* names = &names_; names != nullptr; names = names->outer) {
        const auto with = names->with.find(name);
        if (with != names->with.end()) return FromWith(name, with->second, shown_as, renamed, path);
      }
    }
    if (schema == "switchyard" && name == "id_map" && b_.facts_.ids.empty()) {
      return Unknown("the map of ids without a rule under ids");
    }
    const auto& tables = schema.empty() ? b_.facts_.old_tables : b_.facts_.new_tables;
    const auto facts = tables.find(schema.empty() ? name : schema + "." + name);
    if (facts == tables.end())
      return Unknown("table " + (schema.empty() ? "" : schema + ".") + name);
    Unit& unit = AddUnit(Unit::Kind::kTable, shown_as, path);
    unit.schema = schema;
    unit.table = name;
    for (const ColumnFacts& column : facts->second.columns) unit.columns.push_back(column.name);
    return vector<Shown>{Show(unit, unit.columns, renamed)};
  }

  absl::StatusOr<vector<Shown>> FromWith(const string& name, const Names::With& with,
                                         const string& alias, const vector<string>& renamed,
                                         const Path& path) {
    QueryPtr query;
    vector<std::pair<string, string>> tables;
    bool itself = false;
    if (with.recursive) {
      TablesIn(*with.query, &tables);
      itself = std::erase(tables, std::pair<string, string>("", name)) > 0;
    }
    if (itself) {
      auto recursive = std::make_shared<Query>();
      recursive->kind = Query::Kind::kRecursive;
      recursive->name = name;
      recursive->tables = tables;
      recursive->columns = with.columns;
      const Json* first = with.query;
      while (first->contains("larg")) first = &(*first)["larg"];
      for (size_t i = recursive->columns.size(); i < List(*first, "targetList").size(); ++i) {
        recursive->columns.push_back(OutputName(List(*first, "targetList")[i]));
      }
      query = recursive;
    } else {
      ASSIGN_OR_RETURN(query, b_.BuildQuery(*with.query, *with.names));
    }
    Unit& unit = AddUnit(Unit::Kind::kQuery, alias, path);
    unit.query = query;
    unit.columns = query->columns;
    for (size_t i = 0; i < with.columns.size() && i < unit.columns.size(); ++i) {
      unit.columns[i] = with.columns[i];
    }
    return vector<Shown>{Show(unit, unit.columns, renamed)};
  }

  absl::StatusOr<vector<Shown>> FromQuery(const Json& item, const Path& path) {
    const Json alias = item.value("alias", Json::object());
    const string name = Text(alias, "aliasname");
    const vector<string> renamed = NamesIn(List(alias, "colnames"));
    if (!IsSelect(item["subquery"])) return Unknown("a sub-query");
    const Json& select = Body(item["subquery"]);
    const bool lateral = item.value("lateral", false);
    if (select.contains("valuesLists")) {
      Json body = item;
      ASSIGN_OR_RETURN(body["subquery"]["SelectStmt"]["valuesLists"],
                       Resolve(select["valuesLists"], path));
      body["lateral"] = true;
      Unit& unit = AddUnit(Unit::Kind::kBody, name, path);
      unit.body = {{"RangeSubselect", std::move(body)}};
      const Json& row = List(select, "valuesLists").at(0);
      const size_t width = List(Body(row), "items").size();
      for (size_t i = 0; i < width; ++i) {
        unit.columns.push_back(i < renamed.size() ? renamed[i] : absl::StrCat("column", i + 1));
      }
      return vector<Shown>{Show(unit, unit.columns, {})};
    }
    Names level{.outer = names_.outer};
    if (lateral) level = names_;
    ASSIGN_OR_RETURN(const QueryPtr query, b_.BuildQuery(select, level));
    Unit& unit = AddUnit(Unit::Kind::kQuery, name, path);
    unit.query = query;
    unit.columns = query->columns;
    return vector<Shown>{Show(unit, unit.columns, renamed)};
  }

  absl::StatusOr<vector<Shown>> FromFunction(const Json& item, const Path& path) {
    const Json alias = item.value("alias", Json::object());
    Json body = item;
    ASSIGN_OR_RETURN(body["functions"], Resolve(item["functions"], path));
    body["lateral"] = true;
    Unit& unit = AddUnit(Unit::Kind::kBody, Text(alias, "aliasname"), path);
    unit.columns = NamesIn(List(alias, "colnames"));
    for (const Json& definition : List(item, "coldeflist")) {
      unit.columns.push_back(Text(Body(definition), "colname"));
    }
    if (unit.columns.empty()) unit.columns = {unit.alias};
    unit.body = {{"RangeFunction", std::move(body)}};
    return vector<Shown>{Show(unit, unit.columns, {})};
  }

  absl::StatusOr<vector<Shown>> FromJoin(const Json& item, const Path& path) {
    const string type = Text(item, "jointype");
    const auto nullable = [&](bool is) {
      Path inner = path;
      if (is) inner.push_back(b_.NewGroup());
      return inner;
    };
    const Path left_path = nullable(type == "JOIN_RIGHT" || type == "JOIN_FULL");
    const Path right_path = nullable(type == "JOIN_LEFT" || type == "JOIN_FULL");
    ASSIGN_OR_RETURN(vector<Shown> left, From(item["larg"], left_path));
    // A lateral item on the right sees what stands on the left.
    const vector<Shown> before = names_.shown;
    names_.shown.insert(names_.shown.end(), left.begin(), left.end());
    ASSIGN_OR_RETURN(vector<Shown> right, From(item["rarg"], right_path));
    names_.shown = before;
    Path on = type == "JOIN_RIGHT" ? left_path : right_path;
    if (type == "JOIN_FULL") on.push_back(left_path.back());
    ASSIGN_OR_RETURN(vector<Shown> shown, Merge(item, type, on, std::move(left), std::move(right)));
    if (item.contains("quals")) {
      names_.shown.insert(names_.shown.end(), shown.begin(), shown.end());
      const absl::Status added = AddConditions(item["quals"], on, type == "JOIN_FULL");
      names_.shown = before;
      RETURN_IF_ERROR(added);
    }
    return Renamed(item, std::move(shown));
  }

  // What both sides show, columns of USING merged.
  absl::StatusOr<vector<Shown>> Merge(const Json& item, const string& type, const Path& on,
                                      vector<Shown> left, vector<Shown> right) {
    Shown merged{.whole_row = false};
    for (const Json& name_node : List(item, "usingClause")) {
      const string name = NamePart(name_node);
      const std::optional<Json> l = Find(left, name);
      const std::optional<Json> r = Find(right, name);
      if (!l || !r) return Unknown("column " + name + " of USING");
      block_.conditions.push_back(
          {.sql = {{"A_Expr",
                    {{"kind", "AEXPR_OP"}, {"name", {Name("=")}}, {"lexpr", *l}, {"rexpr", *r}}}},
           .path = on,
           .both_sides = type == "JOIN_FULL"});
      const Json both = {{"CoalesceExpr", {{"args", {*l, *r}}}}};
      merged.columns.emplace_back(name, type == "JOIN_FULL"    ? both
                                        : type == "JOIN_RIGHT" ? *r
                                                               : *l);
    }
    vector<Shown> all;
    if (!merged.columns.empty()) {
      for (auto* side : {&left, &right}) {
        for (Shown& each : *side) {
          if (!each.alias.empty()) continue;
          std::erase_if(each.columns, [&](const auto& column) {
            return std::ranges::any_of(merged.columns,
                                       [&](const auto& m) { return m.first == column.first; });
          });
        }
      }
      all.push_back(merged);
    }
    all.insert(all.end(), left.begin(), left.end());
    all.insert(all.end(), right.begin(), right.end());
    return all;
  }

  // A join with an alias shows all its columns under that, merged ones first.
  static vector<Shown> Renamed(const Json& item, vector<Shown> shown) {
    if (!item.contains("alias")) return shown;
    const vector<string> renamed = NamesIn(List(item["alias"], "colnames"));
    std::set<string> merged;
    for (const Json& name : List(item, "usingClause")) merged.insert(NamePart(name));
    Shown one{.alias = Text(item["alias"], "aliasname"), .whole_row = false};
    for (const Shown& each : shown) {
      for (const auto& [name, sql] : each.columns) {
        if (!each.alias.empty() && merged.contains(name)) continue;
        const size_t at = one.columns.size();
        one.columns.emplace_back(at < renamed.size() ? renamed[at] : name, sql);
      }
    }
    return {one};
  }

  // A bare name: a merged column, else the only one of that name.
  static std::optional<Json> Find(const vector<Shown>& shown, const string& name) {
    for (const bool merged : {true, false}) {
      for (const Shown& each : shown) {
        if (each.alias.empty() != merged) continue;
        for (const auto& [column, sql] : each.columns) {
          if (column == name) return sql;
        }
      }
    }
    return std::nullopt;
  }

  absl::StatusOr<Json> FindColumn(const Json& fields) {
    const string last = Is(fields.back(), "A_Star") ? "*" : NamePart(fields.back());
    for (const Names* names = &names_; names != nullptr; names = names->outer) {
      if (fields.size() == 1) {
        if (const auto found = Find(names->shown, last)) return *found;
        // A unit's name alone is its row.
        for (const Shown& each : names->shown) {
          if (each.alias == last && each.whole_row) return Column(each.unit, "*");
        }
        continue;
      }
      const string alias = NamePart(fields[fields.size() - 2]);
      for (const Shown& each : names->shown) {
        if (each.alias != alias) continue;
        if (last == "*" && each.whole_row) return Column(each.unit, "*");
        for (const auto& [column, sql] : each.columns) {
          if (column == last) return sql;
        }
      }
    }
    return Unknown("column " + last);
  }

  // Names replaced by (unit, column), sub-queries by links or units. `path`: of the place.
  absl::StatusOr<Json> Resolve(const Json& sql, const Path& path) {
    absl::Status failed;
    Json resolved = Rewrite(sql, [&](const Json& node) -> std::optional<Json> {
      if (!failed.ok()) return Json::object();
      absl::StatusOr<Json> instead = Json();
      if (Is(node, "ColumnRef")) {
        instead = FindColumn(List(Body(node), "fields"));
      } else if (Is(node, "SubLink")) {
        instead = ResolveLink(Body(node), path);
      } else {
        return std::nullopt;
      }
      if (!instead.ok()) failed = instead.status();
      return instead.ok() ? *std::move(instead) : Json::object();
    });
    RETURN_IF_ERROR(failed);
    return resolved;
  }

  absl::StatusOr<Json> ResolveLink(const Json& link, const Path& path) {
    const string kind = Text(link, "subLinkType");
    if (kind == "EXPR_SUBLINK") return ResolveScalar(link, path);
    ASSIGN_OR_RETURN(const QueryPtr query, b_.BuildQuery(Body(link["subselect"]), names_));
    Json test;
    if (link.contains("testexpr")) {
      ASSIGN_OR_RETURN(test, Resolve(link["testexpr"], path));
    }
    const auto [op, schema] = Qualified(List(link, "operName"));
    b_.links_.push_back({.kind = kind,
                         .query = query,
                         .test = test,
                         .equality = op.empty() || (op == "=" && schema.empty())});
    return Json{{"Link", {{"id", b_.links_.size() - 1}, {"test", test}}}};
  }

  // A scalar sub-select is LEFT JOIN LATERAL (...) ON true; the same text is the same unit.
  absl::StatusOr<Json> ResolveScalar(const Json& link, const Path& path) {
    const string text = link.dump();
    const auto known = scalars_.find(text);
    if (known != scalars_.end()) return known->second;
    ASSIGN_OR_RETURN(const QueryPtr query, b_.BuildQuery(Body(link["subselect"]), names_));
    Path inner = path;
    inner.push_back(b_.NewGroup());
    Unit& unit = AddUnit(Unit::Kind::kQuery, "", inner);
    unit.query = query;
    unit.columns = query->columns;
    return scalars_[text] = Column(unit.name, unit.columns.at(0));
  }

 public:
  static string OutputName(const Json& target) {
    const Json& body = Body(target);
    if (body.contains("name")) return Text(body, "name");
    const Json& value = body["val"];
    if (Is(value, "ColumnRef")) return NamePart(List(Body(value), "fields").back());
    return "?column?";
  }

 private:
  absl::Status AddOutputs() {
    for (const Json& target : List(*select_, "targetList")) {
      ASSIGN_OR_RETURN(Json sql, Resolve(Body(target)["val"], {}));
      block_.outputs.push_back({.name = OutputName(target), .sql = std::move(sql)});
    }
    return absl::OkStatus();
  }

  absl::Status AddShape() {
    const Json& select = *select_;
    block_.limited = Limits(select);
    for (const Json& each : List(select, "groupClause")) {
      ASSIGN_OR_RETURN(const Json sql, Resolve(each, {}));
      block_.grouped = true;
      block_.grouping_sets |= Is(sql, "GroupingSet");
      for (Json& common : InEachSet(sql)) block_.group_by.push_back(std::move(common));
    }
    if (select.contains("distinctClause")) {
      vector<Json> on;
      for (const Json& each : List(select, "distinctClause")) {
        if (!each.is_object() || each.empty()) continue;  // DISTINCT alone
        ASSIGN_OR_RETURN(Json sql, Resolve(each, {}));
        on.push_back(std::move(sql));
      }
      block_.distinct = on.empty();
      if (!on.empty()) block_.distinct_on = std::move(on);
    }
    for (const char* key :
         {"havingClause", "sortClause", "groupClause", "limitCount", "limitOffset"}) {
      if (!select.contains(key)) continue;
      ASSIGN_OR_RETURN(Json sql, Resolve(select[key], {}));
      if (string(key) == "havingClause") block_.grouped = true;
      if (string(key) == "sortClause") {
        for (const Json& each : sql) block_.order_by.push_back(Body(each)["node"]);
      }
      NoteCalls(sql);
      block_.others.push_back(std::move(sql));
    }
    for (const Json& window : List(select, "windowClause")) {
      ASSIGN_OR_RETURN(Json sql, Resolve(Body(window), {}));
      const string name = Text(sql, "name");
      block_.windows[name] = std::move(sql);
    }
    for (const auto& [name, window] : block_.windows) block_.others.push_back(window);
    for (const Output& output : block_.outputs) NoteCalls(output.sql);
    return absl::OkStatus();
  }

  void NoteCalls(const Json& sql) {
    Visit(sql, [&](const Json& node) {
      if (!Is(node, "FuncCall")) return true;
      const Json& call = Body(node);
      if (call.contains("over")) {
        block_.partitions.push_back(PartitionOf(call["over"]));
      } else {
        const auto facts = b_.facts_.functions.find(Qualified(List(call, "funcname")).first);
        block_.aggregates |= call.contains("agg_star") || call.contains("agg_filter") ||
                             (facts != b_.facts_.functions.end() && facts->second.aggregate);
      }
      return true;
    });
  }

  vector<Json> PartitionOf(const Json& window) {
    const Json& list = List(window, "partitionClause");
    if (!list.empty()) return {list.begin(), list.end()};
    const string base = window.contains("refname") ? Text(window, "refname") : Text(window, "name");
    const auto named = block_.windows.find(base);
    return named == block_.windows.end() || base.empty() || &named->second == &window
               ? vector<Json>{}
               : PartitionOf(named->second);
  }

  Builder& b_;
  Names names_;
  const Json* select_ = nullptr;
  Block block_;
  std::map<string, Json> scalars_;
};

absl::StatusOr<QueryPtr> Builder::Build(const Json& select) { return BuildQuery(select, Names{}); }

absl::StatusOr<QueryPtr> Builder::BuildQuery(const Json& select, const Names& names) {
  // A level of names for WITH; each of its queries sees those before it.
  Names level{.outer = &names};
  std::vector<std::unique_ptr<Names>> before;
  if (select.contains("withClause")) {
    const bool recursive = select["withClause"].value("recursive", false);
    for (const Json& each : List(select["withClause"], "ctes")) {
      const Json& with = Body(each);
      if (!IsSelect(with["ctequery"])) return Unknown("WITH of something else than a SELECT");
      before.push_back(std::make_unique<Names>(level));
      level.with[Text(with, "ctename")] = {.query = &Body(with["ctequery"]),
                                           .columns = NamesIn(List(with, "aliascolnames")),
                                           .recursive = recursive,
                                           .names = before.back().get()};
    }
  }
  auto query = std::make_shared<Query>();
  const string op = Text(select, "op");
  if (op.empty() || op == "SETOP_NONE") {
    if (select.contains("valuesLists")) return Unknown("VALUES as a query");
    BlockBuilder builder(*this, level);
    ASSIGN_OR_RETURN(query->block, builder.Build(select));
    for (const Output& output : query->block.outputs) query->columns.push_back(output.name);
    return query;
  }
  query->kind = op == "SETOP_UNION"    ? Query::Kind::kUnion
                : op == "SETOP_EXCEPT" ? Query::Kind::kExcept
                                       : Query::Kind::kIntersect;
  query->limited = Limits(select);
  query->distinct = !select.value("all", false);
  ASSIGN_OR_RETURN(query->left, BuildQuery(select["larg"], level));
  ASSIGN_OR_RETURN(query->right, BuildQuery(select["rarg"], level));
  query->columns = query->left->columns;
  return query;
}

}  // namespace switchyard::mapping::derive
