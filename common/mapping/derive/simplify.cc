#include "common/mapping/derive/simplify.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace switchyard::mapping::derive {
namespace {

using std::string;
using std::vector;

class Simplifier {
 public:
  Simplifier(const Facts& facts, const std::function<bool(const ColumnName&)>& never_null)
      : facts_(facts), never_null_(never_null) {}

  Json Run(const Json& sql) const {
    if (!sql.is_structured()) return sql;
    // A sub-query's inside is another place.
    if (Is(sql, "Link") || Is(sql, "Closed")) return sql;
    Json out = sql;
    for (auto& each : out) {
      if (each.is_structured()) each = Run(each);
    }
    return out.is_object() ? Node(std::move(out)) : out;
  }

 private:
  Json Node(Json node) const {
    const string kind = Kind(node);
    if (kind == "TypeCast" || kind == "CollateClause") {
      return IsNull(Body(node).value("arg", Json())) ? Null() : node;
    }
    if (kind == "FuncCall") return Call(std::move(node));
    if (kind == "A_Expr") return Operator(std::move(node));
    if (kind == "BoolExpr") return Connective(std::move(node));
    if (kind == "CoalesceExpr") return Coalesce(std::move(node));
    if (kind == "NullTest") return NullTest(std::move(node));
    if (kind == "BooleanTest") return BooleanTest(std::move(node));
    if (kind == "CaseExpr") return Case(std::move(node));
    return node;
  }

  bool NeverNull(const Json& sql) const {
    if (IsConstant(sql)) return true;
    const auto column = AsColumn(sql);
    return column && column->column != "*" && never_null_(*column);
  }

  Json Call(Json node) const {
    const Json& call = Body(node);
    const auto facts = facts_.functions.find(Qualified(List(call, "funcname")).first);
    if (facts == facts_.functions.end() || !facts->second.strict || facts->second.aggregate ||
        facts->second.returns_set || call.contains("over") || call.value("func_variadic", false)) {
      return node;
    }
    const Json& arguments = List(call, "args");
    return std::ranges::any_of(arguments, IsNull) ? Null() : node;
  }

  Json Operator(Json node) const {
    const Json& body = Body(node);
    const Json left = body.value("lexpr", Json());
    const Json right = body.value("rexpr", Json());
    const string kind = Text(body, "kind");
    const bool null = IsNull(left) || IsNull(right);
    if (kind == "AEXPR_DISTINCT" || kind == "AEXPR_NOT_DISTINCT") {
      if (!null) return node;
      const bool distinct = kind == "AEXPR_DISTINCT";
      return Run({{"NullTest",
                   {{"arg", IsNull(left) ? right : left},
                    {"nulltesttype", distinct ? "IS_NOT_NULL" : "IS_NULL"}}}});
    }
    if (kind == "AEXPR_NULLIF") return IsNull(left) ? Null() : IsNull(right) ? left : node;
    if (kind != "AEXPR_OP" && kind != "AEXPR_OP_ANY" && kind != "AEXPR_OP_ALL") return node;
    const auto [name, schema] = Qualified(List(body, "name"));
    if (!schema.empty() && schema != "pg_catalog") return node;
    if (kind == "AEXPR_OP") {
      if (null && facts_.strict_operators.contains(name)) return Null();
      if (IsEquality(node) && TextConstant(left) && TextConstant(right)) {
        return Bool(*TextConstant(left) == *TextConstant(right));
      }
      return node;
    }
    // NULL = ANY (an array that has something in it).
    const bool some = Is(right, "A_ArrayExpr") && !List(Body(right), "elements").empty();
    return some && IsNull(left) && facts_.strict_operators.contains(name) ? Null() : node;
  }

  static std::optional<string> TextConstant(const Json& sql) {
    if (!Is(sql, "TypeCast")) return std::nullopt;
    const Json& cast = Body(sql);
    if (Qualified(List(cast["typeName"], "names")).first != "text" || !Is(cast["arg"], "A_Const") ||
        !Body(cast["arg"]).contains("sval")) {
      return std::nullopt;
    }
    return Text(Body(cast["arg"])["sval"], "sval");
  }

  Json Connective(Json node) const {
    const string op = Text(Body(node), "boolop");
    vector<Json> left;
    bool null = false;
    if (op == "NOT_EXPR") {
      const Json& inner = List(Body(node), "args").at(0);
      if (IsNull(inner)) return Null();
      if (const auto value = AsBool(inner)) return Bool(!*value);
      return node;
    }
    const bool deciding = op == "OR_EXPR";  // the value that decides alone
    for (const Json& each : List(Body(node), "args")) {
      const auto value = AsBool(each);
      if (value && *value == deciding) return Bool(deciding);
      if (value) continue;
      if (IsNull(each)) {
        null = true;
      } else {
        left.push_back(each);
      }
    }
    if (left.empty()) return null ? Null() : Bool(!deciding);
    if (null) left.push_back(Null());
    if (left.size() == 1) return left.front();
    return BoolExpr(op, std::move(left));
  }

  Json Coalesce(Json node) const {
    vector<Json> arguments;
    for (const Json& each : List(Body(node), "args")) {
      if (IsNull(each) || std::ranges::count(arguments, each) > 0) continue;
      arguments.push_back(each);
      if (NeverNull(each)) break;
    }
    if (arguments.empty()) return Null();
    if (arguments.size() == 1) return arguments.front();
    return {{"CoalesceExpr", {{"args", arguments}}}};
  }

  Json NullTest(Json node) const {
    const Json& argument = Body(node)["arg"];
    const bool wanted = Text(Body(node), "nulltesttype") == "IS_NULL";
    if (IsNull(argument)) return Bool(wanted);
    if (NeverNull(argument)) return Bool(!wanted);
    return node;
  }

  Json BooleanTest(Json node) const {
    const Json& argument = Body(node)["arg"];
    const auto value = AsBool(argument);
    if (!value && !IsNull(argument)) return node;
    const string test = Text(Body(node), "booltesttype");
    const bool negated = test.starts_with("IS_NOT_");
    const string what = test.substr(negated ? 7 : 3);
    const bool holds = what == "UNKNOWN" ? !value : value && *value == (what == "TRUE");
    return Bool(holds != negated);
  }

  Json Case(Json node) const {
    if (Body(node).contains("arg")) return node;
    vector<Json> whens;
    std::optional<Json> otherwise;
    for (const Json& each : List(Body(node), "args")) {
      const Json& condition = Body(each)["expr"];
      const auto value = AsBool(condition);
      if (IsNull(condition) || (value && !*value)) continue;
      if (value) {
        otherwise = Body(each)["result"];
        break;
      }
      whens.push_back(each);
    }
    if (!otherwise) otherwise = Body(node).value("defresult", Null());
    if (whens.empty()) return *otherwise;
    if (IsNull(*otherwise) &&
        std::ranges::all_of(whens, [](const Json& each) { return IsNull(Body(each)["result"]); })) {
      return Null();
    }
    return {{"CaseExpr", {{"args", whens}, {"defresult", *otherwise}}}};
  }

  const Facts& facts_;
  const std::function<bool(const ColumnName&)>& never_null_;
};

}  // namespace

Json Simplify(const Json& sql, const Facts& facts,
              const std::function<bool(const ColumnName&)>& never_null) {
  return Simplifier(facts, never_null).Run(sql);
}

}  // namespace switchyard::mapping::derive
