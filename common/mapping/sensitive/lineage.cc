#include "common/mapping/sensitive/lineage.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/mapping/derive/tree.h"

namespace switchyard::mapping {
namespace {

using derive::Body;
using derive::Json;
using derive::Kind;
using derive::List;
using derive::NamePart;
using derive::Text;
using std::string;
using std::vector;

constexpr char kUnnamed[] = "?column?";  // what Postgres calls an output without a name

// What Postgres may call an output (its FigureColname), as far as another part of the query may
// name it. False when that is not known.
bool AddNames(const Json& value, std::set<string>* names) {
  static const std::set<string> kNameless = {"A_Const", "BoolExpr", "NullTest", "BooleanTest",
                                             "A_Expr"};
  static const std::map<string, string> kFixed = {
      {"CoalesceExpr", "coalesce"}, {"A_ArrayExpr", "array"}, {"RowExpr", "row"}};
  const string kind = Kind(value);
  const Json& body = Body(value);
  if (kind == "ColumnRef" || kind == "FuncCall") {
    names->insert(NamePart(List(body, kind == "ColumnRef" ? "fields" : "funcname").back()));
  } else if (kind == "TypeCast") {
    names->insert(NamePart(List(body["typeName"], "names").back()));
    return AddNames(body["arg"], names);
  } else if (kind == "CollateClause" || kind == "A_Indirection") {
    return AddNames(body["arg"], names);
  } else if (kind == "CaseExpr") {
    names->insert("case");
    return !body.contains("defresult") || AddNames(body["defresult"], names);
  } else if (kind == "MinMaxExpr") {
    names->insert({"greatest", "least"});
  } else if (kind == "SubLink") {
    names->insert({kUnnamed, "array", "exists"});
    const Json& targets = List(Body(body["subselect"]), "targetList");
    if (targets.empty()) return true;
    const Json& first = Body(targets[0]);
    names->insert(Text(first, "name"));
    return AddNames(first["val"], names);
  } else if (kNameless.contains(kind)) {
    names->insert({kUnnamed, "nullif"});
  } else if (const auto fixed = kFixed.find(kind); fixed != kFixed.end()) {
    names->insert(fixed->second);
  } else {
    return false;
  }
  return true;
}

class Follower {
 public:
  // The query must outlive it.
  Follower(const Json& query, std::set<string> names) {
    lineage_.names = std::move(names);
    Find(query);
  }

  Lineage Run() {
    for (size_t before = 0; before != lineage_.names.size() && !lineage_.all;) {
      before = lineage_.names.size();
      for (const Json* select : selects_) Select(*select);
      for (const Json* range : ranges_) Range(*range);
    }
    return std::move(lineage_);
  }

  bool Computes(const Json& expression) const {
    bool found = false;
    derive::Visit(expression, [&](const Json& node) {
      if (Kind(node) != "ColumnRef") return !found;
      const Json& fields = List(Body(node), "fields");
      const string name = NamePart(fields.back());
      // A whole row may hold any of them.
      const bool row = name.empty() || (fields.size() == 1 && rows_.contains(name));
      found |= row || lineage_.names.contains(name);
      return false;
    });
    return found;
  }

 private:
  // Every select, and everything that gives a name to what a select or a function gives.
  void Find(const Json& select) {
    selects_.push_back(&select);
    for (const char* arm : {"larg", "rarg"}) {
      if (select.contains(arm)) Find(select[arm]);
    }
    for (const auto& [key, part] : select.items()) {
      if (key == "larg" || key == "rarg") continue;
      if (part.is_array()) {
        for (const Json& node : part) FindIn(node);
      } else {
        FindIn(part);
      }
    }
  }

  // withClause is no node but the content of one.
  void FindIn(const Json& node) {
    if (!node.is_object()) return;
    derive::Visit(node, [&](const Json& part) {
      const string kind = Kind(part);
      if (kind == "SelectStmt") {
        Find(Body(part));
        return false;
      }
      static const std::set<string> kRanges = {"RangeVar", "RangeSubselect",  "RangeFunction",
                                               "JoinExpr", "CommonTableExpr", "RangeTableFunc",
                                               "JsonTable"};
      if (!kRanges.contains(kind)) return true;
      ranges_.push_back(&part);
      const Json& body = Body(part);
      rows_.insert(body.contains("alias") ? Text(body["alias"], "aliasname")
                                          : Text(body, kind == "RangeVar" ? "relname" : "ctename"));
      return true;
    });
  }

  void Add(const string& name) {
    if (!name.empty()) lineage_.names.insert(name);
  }

  void AddTarget(const Json& target) {
    const string name = Text(Body(target), "name");
    if (!name.empty()) return Add(name);
    lineage_.all |= !AddNames(Body(target)["val"], &lineage_.names);
  }

  void Select(const Json& select) {
    if (select.contains("larg")) return SetOperation(select);
    const vector<bool> sensitive = Outputs(select);
    const Json& targets = List(select, "targetList");
    for (size_t i = 0; i < sensitive.size(); ++i) {
      if (!sensitive[i]) continue;
      if (i < targets.size()) {
        AddTarget(targets[i]);
      } else {
        Add(absl::StrCat("column", i + 1));
      }
    }
  }

  static bool IsStar(const Json& target) {
    const Json& value = Body(target)["val"];
    return Kind(value) == "ColumnRef" && NamePart(List(Body(value), "fields").back()).empty();
  }

  // Of each output, a star among them not: what it gives keeps its name.
  vector<bool> Outputs(const Json& select) const {
    vector<bool> outputs;
    for (const Json& target : List(select, "targetList")) {
      outputs.push_back(!IsStar(target) && Computes(Body(target)["val"]));
    }
    for (const Json& row : List(select, "valuesLists")) {
      const Json& items = List(Body(row), "items");
      if (outputs.size() < items.size()) outputs.resize(items.size());
      for (size_t i = 0; i < items.size(); ++i) outputs[i] = outputs[i] || Computes(items[i]);
    }
    return outputs;
  }

  static void Leaves(const Json& select, vector<const Json*>* leaves) {
    if (!select.contains("larg")) return leaves->push_back(&select);
    Leaves(select["larg"], leaves);
    Leaves(select["rarg"], leaves);
  }

  // Its columns have the names of the first arm.
  void SetOperation(const Json& select) {
    vector<const Json*> leaves;
    Leaves(select, &leaves);
    const Json& names = List(*leaves[0], "targetList");
    for (const Json* leaf : leaves) {
      const Json& targets = List(*leaf, "targetList");
      const bool star = std::ranges::any_of(targets, IsStar) || std::ranges::any_of(names, IsStar);
      const vector<bool> outputs = Outputs(*leaf);
      for (size_t i = 0; i < outputs.size(); ++i) {
        if (!outputs[i]) continue;
        if (star) {
          lineage_.all = true;  // which name it gets can't be told
          return;
        }
        if (i >= names.size()) {
          Add(absl::StrCat("column", i + 1));
          continue;
        }
        AddTarget(names[i]);
      }
      // A star in a further arm gives its columns the names of other ones.
      if (leaf != leaves[0] && std::ranges::any_of(targets, IsStar)) lineage_.all = true;
    }
  }

  // Which columns get the further names is not followed: all of them.
  void Range(const Json& range) {
    const string kind = Kind(range);
    const Json& body = Body(range);
    if (kind == "RangeTableFunc" || kind == "JsonTable") {
      lineage_.all = true;
      return;
    }
    for (const Json& name : List(body, "aliascolnames")) Add(NamePart(name));
    const Json& alias = body.contains("alias") ? body["alias"] : body;
    for (const Json& name : List(alias, "colnames")) Add(NamePart(name));
    if (kind != "RangeFunction" || !Computes(range)) return;
    Add(Text(alias, "aliasname"));
    for (const Json& column : List(body, "coldeflist")) Add(Text(Body(column), "colname"));
    derive::Visit(range, [&](const Json& node) {
      if (Kind(node) == "FuncCall") Add(NamePart(List(Body(node), "funcname").back()));
      return true;
    });
    // A function's OUT columns have names that the text does not show.
    lineage_.all |= List(alias, "colnames").empty() && List(body, "coldeflist").empty();
  }

  vector<const Json*> selects_, ranges_;
  std::set<string> rows_;  // what a whole row is called
  Lineage lineage_;
};

}  // namespace

absl::StatusOr<Lineage> FollowNames(const string& query, const std::set<string>& names) {
  ASSIGN_OR_RETURN(const Json select, derive::ParseSelect(query));
  return Follower(select, names).Run();
}

absl::StatusOr<bool> ComputesFrom(const string& expression, const std::set<string>& names) {
  ASSIGN_OR_RETURN(const Lineage lineage, FollowNames("SELECT (" + expression + "\n)", names));
  // The one output has a name only if it is computed from one.
  ASSIGN_OR_RETURN(const Json select, derive::ParseSelect("SELECT (" + expression + "\n)"));
  return lineage.all || Follower(select, lineage.names).Computes(select["targetList"][0]);
}

}  // namespace switchyard::mapping
