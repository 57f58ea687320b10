#include "common/mapping/derive/search.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <tuple>

#include "absl/strings/str_join.h"
#include "common/base/strings.h"

namespace switchyard::mapping::derive {
namespace {

using std::string;
using std::vector;

constexpr size_t kFurtherUnitsMax = 6;
constexpr size_t kLookupsMax = 64;
constexpr size_t kUnitsMax = 60;  // bits of a set

// A type, and whether its equal values are one value; types of a family compare with each other.
struct ValueKind {
  string family;
  bool same_value = false;
};

class Types {
 public:
  Types(const Candidate& candidate, const Facts& facts) : candidate_(candidate), facts_(facts) {}

  ValueKind OfType(string type, bool deterministic) const {
    if (const size_t modifier = type.find('('); modifier != string::npos) {
      const size_t end = type.find(')');
      type.erase(modifier, end == string::npos ? string::npos : end - modifier + 1);
    }
    for (const char* each : {"smallint", "integer", "bigint", "int2", "int4", "int8"}) {
      if (type == each) return {.family = "integer", .same_value = true};
    }
    for (const char* each : {"text", "character varying", "varchar"}) {
      if (type == each) {
        return {.family = deterministic ? "text" : "text, compared by its collation",
                .same_value = deterministic};
      }
    }
    static const std::set<string> kSame = {"uuid",        "boolean",
                                           "bool",        "bytea",
                                           "date",        "timestamp without time zone",
                                           "timestamp",   "timestamp with time zone",
                                           "timestamptz", "time without time zone"};
    return {.family = type, .same_value = kSame.contains(type) || facts_.enums.contains(type)};
  }

  std::optional<ValueKind> Of(const Json& sql) const {
    if (const auto column = AsColumn(sql)) return OfColumn(*column);
    const string kind = Kind(sql);
    if (kind == "TypeCast") return OfCast(Body(sql)["typeName"]);
    if (kind == "CollateClause") {
      const string name = Qualified(List(Body(sql), "collname")).first;
      if (name != "C" && name != "POSIX" && name != "default") return std::nullopt;
      auto of = Of(Body(sql)["arg"]);
      if (of && of->family.starts_with("text"))
        of = ValueKind{.family = "text", .same_value = true};
      return of;
    }
    if (kind == "A_Const") {
      if (Body(sql).contains("ival")) return ValueKind{.family = "integer", .same_value = true};
      if (Body(sql).contains("boolval")) return ValueKind{.family = "boolean", .same_value = true};
      return std::nullopt;
    }
    if (kind == "CoalesceExpr") return OfAll(List(Body(sql), "args"));
    if (kind == "FuncCall") return OfCall(Body(sql));
    if (kind == "A_Expr") return OfOperator(Body(sql));
    return std::nullopt;
  }

 private:
  std::optional<ValueKind> OfColumn(const ColumnName& column) const {
    const Unit* unit = candidate_.Find(column.unit);
    if (unit == nullptr || unit->kind != Unit::Kind::kTable) return std::nullopt;
    const auto& tables = unit->schema.empty() ? facts_.old_tables : facts_.new_tables;
    const auto table =
        tables.find(unit->schema.empty() ? unit->table : unit->schema + "." + unit->table);
    if (table == tables.end()) return std::nullopt;
    for (const ColumnFacts& each : table->second.columns) {
      if (each.name == column.column) return OfType(each.type, each.deterministic);
    }
    return std::nullopt;
  }

  std::optional<ValueKind> OfCast(const Json& type) const {
    if (type.contains("arrayBounds") || type.value("setof", false)) return std::nullopt;
    const auto [name, schema] = Qualified(List(type, "names"));
    if (schema.empty() || schema == "pg_catalog") return OfType(name, true);
    return OfType(schema + "." + name, true);
  }

  std::optional<ValueKind> OfAll(const Json& arguments) const {
    std::optional<ValueKind> all;
    for (const Json& each : arguments) {
      const auto of = Of(each);
      if (!of || (all && all->family != of->family)) return std::nullopt;
      all = of;
    }
    return all;
  }

  std::optional<ValueKind> OfCall(const Json& call) const {
    const auto facts = facts_.functions.find(Qualified(List(call, "funcname")).first);
    if (facts == facts_.functions.end() || facts->second.result.empty()) return std::nullopt;
    ValueKind of = OfType(facts->second.result, true);
    if (of.family != "text") return of;
    // The collation comes from what it is made of.
    for (const Json& each : List(call, "args")) {
      const auto part = Of(each);
      if (part && part->family.starts_with("text,")) return std::nullopt;
    }
    return of;
  }

  std::optional<ValueKind> OfOperator(const Json& body) const {
    if (Text(body, "kind") != "AEXPR_OP" || !body.contains("lexpr")) return std::nullopt;
    const string op = Qualified(List(body, "name")).first;
    const auto left = Of(body["lexpr"]);
    const auto right = Of(body.value("rexpr", Json()));
    if (op == "||" && left && right && left->family == "text" && right->family == "text") {
      return left;
    }
    if ((op == "+" || op == "-" || op == "*") && left && right && left->family == "integer" &&
        right->family == "integer") {
      return left;
    }
    return std::nullopt;
  }

  const Candidate& candidate_;
  const Facts& facts_;
};

// Expressions that the usable conditions say are equal.
class Classes {
 public:
  explicit Classes(const vector<Json>& conditions) {
    for (const Json& each : conditions) {
      if (IsEquality(each)) Join(Body(each)["lexpr"], Body(each)["rexpr"]);
    }
  }

  // All expressions equal to this one, itself first.
  vector<Json> EqualTo(const Json& sql) const {
    vector<Json> all = {sql};
    for (const vector<Json>& each : classes_) {
      if (std::ranges::count(each, sql) == 0) continue;
      for (const Json& other : each) {
        if (other != sql) all.push_back(other);
      }
    }
    return all;
  }
  const vector<vector<Json>>& all() const { return classes_; }

 private:
  void Join(const Json& a, const Json& b) {
    if (a == b) return;
    vector<Json> joined;
    const auto add = [&](const Json& sql) {
      if (std::ranges::count(joined, sql) == 0) joined.push_back(sql);
    };
    for (const Json& each : {a, b}) {
      add(each);
      for (auto it = classes_.begin(); it != classes_.end();) {
        if (std::ranges::count(*it, each) == 0) {
          ++it;
          continue;
        }
        for (const Json& other : *it) add(other);
        it = classes_.erase(it);
      }
    }
    classes_.push_back(std::move(joined));
  }

  vector<vector<Json>> classes_;
};

// Two sets of units that a condition, or an argument, brings together.
struct Tie {
  uint64_t units = 0;
  bool equality = false;
  bool derived = false;
};

class Searcher {
 public:
  Searcher(const vector<ScopeColumn>& scope, const Facts& facts) : scope_(scope), facts_(facts) {}

  absl::StatusOr<vector<Lookup>> Run(const Candidate& candidate) {
    RETURN_IF_ERROR(Step(candidate, 0));
    return std::move(found_);
  }

 private:
  static absl::Status Refused(const string& why) { return absl::UnimplementedError(Sv(why)); }

  absl::Status Step(Candidate candidate, int depth) {
    if (found_.size() > kLookupsMax || depth > 40 || ++steps_ > 2'000) {
      return Refused("there are too many cases to look up one by one");
    }
    if (!candidate.refused.empty()) return Refused(candidate.refused);
    if (!Settle(&candidate, facts_)) return absl::OkStatus();
    for (const ScopeColumn& each : scope_) {
      if (IsNull(candidate.outputs[each.output])) return absl::OkStatus();
    }
    const vector<Json> usable = Usable(candidate);
    const Classes classes(usable);
    const Types types(candidate, facts_);
    ASSIGN_OR_RETURN(const vector<Json> values, Values(candidate, classes, types));
    ASSIGN_OR_RETURN(const std::set<string> chosen, Connect(candidate, values, classes, types));
    return SettleOpen(candidate, chosen, usable, classes, types, values, depth);
  }

  // Conditions that hold for certain when the row's chain is whole, and say something.
  static vector<Json> Usable(const Candidate& candidate) {
    vector<Json> usable;
    for (const Condition& each : candidate.conditions) {
      const bool matched = std::ranges::all_of(
          each.path, [&](int group) { return candidate.matched.contains(group); });
      if (matched && !Contains(each.sql, "Link") && !Contains(each.sql, "Closed") &&
          std::ranges::count(usable, each.sql) == 0) {
        usable.push_back(each.sql);
      }
    }
    return usable;
  }

  // The scope's values, over the row alone as far as equalities allow.
  absl::StatusOr<vector<Json>> Values(const Candidate& candidate, const Classes& classes,
                                      const Types& types) const {
    vector<Json> values;
    for (const ScopeColumn& each : scope_) {
      const Json& value = candidate.outputs[each.output];
      if (const auto why = WhyClosed(value)) return Refused(*why);
      if (Contains(value, "Link")) return Refused("the scope is the value of a sub-query");
      const auto as_scope = types.OfType(each.facts.type, each.facts.deterministic);
      values.push_back(OverRow(candidate, value, classes, types, &as_scope));
    }
    return values;
  }

  static bool IsOverRow(const Candidate& candidate, const Json& sql) {
    const std::set<string> units = UnitsOf(sql);
    return units == std::set<string>{candidate.row};
  }

  // The value, or its largest parts, replaced by what is equal and of the row alone. As a whole the
  // scope's own comparison counts; inside an expression equal must mean the same value.
  Json OverRow(const Candidate& candidate, const Json& sql, const Classes& classes,
               const Types& types, const ValueKind* scope) const {
    if (!sql.is_structured()) return sql;
    const std::set<string> units = UnitsOf(sql);
    if (units.empty() || units == std::set<string>{candidate.row}) return sql;
    if (sql.is_object()) {
      const auto own = types.Of(sql);
      for (const Json& each : classes.EqualTo(sql)) {
        if (!IsOverRow(candidate, each)) continue;
        const auto of = types.Of(each);
        if (!of || !own || of->family != own->family) continue;
        if (scope != nullptr ? of->family == scope->family : of->same_value && own->same_value) {
          return each;
        }
      }
    }
    if (AsColumn(sql)) return sql;
    Json out = sql;
    for (auto& each : out) {
      if (each.is_structured()) each = OverRow(candidate, each, classes, types, nullptr);
    }
    return out;
  }

  // Units that may stand in a look-up, by bit.
  struct Board {
    vector<const Unit*> units;
    uint64_t BitOf(const string& unit) const {
      for (size_t i = 0; i < units.size(); ++i) {
        if (units[i]->name == unit) return uint64_t{1} << i;
      }
      return 0;
    }
    uint64_t BitsOf(const std::set<string>& names) const {
      uint64_t bits = 0;
      for (const string& each : names) bits |= BitOf(each);
      return bits;
    }
  };

  static void AddReferences(const Query& query, const Candidate& candidate,
                            std::set<string>* units) {
    if (query.left != nullptr) AddReferences(*query.left, candidate, units);
    if (query.right != nullptr) AddReferences(*query.right, candidate, units);
    const auto add = [&](const Json& sql) {
      for (const string& unit : UnitsOf(sql)) units->insert(unit);
      // A unit that was poured stands for those of its columns.
      Visit(sql, [&](const Json& node) {
        const auto column = AsColumn(node);
        const auto instead = column ? candidate.replaced.find(*column) : candidate.replaced.end();
        if (instead != candidate.replaced.end()) {
          for (const string& unit : UnitsOf(instead->second)) units->insert(unit);
        }
        return true;
      });
    };
    for (const Condition& each : query.block.conditions) add(each.sql);
    for (const Output& each : query.block.outputs) add(each.sql);
    for (const Unit& each : query.block.units) {
      add(each.body);
      if (each.query != nullptr) AddReferences(*each.query, candidate, units);
    }
  }

  vector<Tie> TiesOf(const Candidate& candidate, const Board& board, const Classes& classes,
                     const Types& types) const {
    vector<Tie> ties;
    for (const Condition& each : candidate.conditions) {
      if (Contains(each.sql, "Link") || Contains(each.sql, "Closed")) continue;
      const uint64_t bits = board.BitsOf(UnitsOf(each.sql));
      if (std::popcount(bits) > 1)
        ties.push_back({.units = bits, .equality = IsEquality(each.sql)});
    }
    for (const Unit* unit : board.units) {
      std::set<string> names;
      if (unit->kind == Unit::Kind::kBody) names = UnitsOf(unit->body);
      if (unit->kind == Unit::Kind::kQuery) AddReferences(*unit->query, candidate, &names);
      const uint64_t bits = board.BitsOf(names) | board.BitOf(unit->name);
      if (std::popcount(bits) > 1) ties.push_back({.units = bits});
    }
    // What is equal through others: saves a unit in between.
    for (const Json& each : Derived(candidate, classes, types)) {
      ties.push_back({.units = board.BitsOf(UnitsOf(each)), .equality = true, .derived = true});
    }
    return ties;
  }

  // e = r for each e of one other unit that equals an expression r of the row.
  static vector<Json> Derived(const Candidate& candidate, const Classes& classes,
                              const Types& types) {
    vector<Json> all;
    for (const vector<Json>& each : classes.all()) {
      for (const Json& r : each) {
        if (!IsOverRow(candidate, r)) continue;
        for (const Json& e : each) {
          if (UnitsOf(e).size() != 1 || IsOverRow(candidate, e)) continue;
          const auto left = types.Of(e);
          const auto right = types.Of(r);
          if (!left || !right || left->family != right->family || !left->same_value) continue;
          all.push_back(
              {{"A_Expr",
                {{"kind", "AEXPR_OP"}, {"name", {Name("=")}}, {"lexpr", e}, {"rexpr", r}}}});
        }
      }
    }
    return all;
  }

  // Bits of `among` that hang together with `from`.
  static uint64_t Reached(uint64_t from, uint64_t among, const vector<Tie>& ties, bool equal_only) {
    uint64_t reached = from;
    for (uint64_t before = 0; before != reached;) {
      before = reached;
      for (const Tie& tie : ties) {
        if ((tie.units & ~among) != 0 || (tie.units & reached) == 0) continue;
        if (!equal_only || tie.equality) reached |= tie.units;
      }
    }
    return reached;
  }

  static int Pieces(uint64_t among, const vector<Tie>& ties) {
    int pieces = 0;
    for (uint64_t left = among; left != 0; ++pieces) {
      left &= ~Reached(left & (~left + 1), among, ties, true);
    }
    return pieces;
  }

  absl::StatusOr<std::set<string>> Connect(const Candidate& candidate, const vector<Json>& values,
                                           const Classes& classes, const Types& types) const {
    Board board;
    for (const Unit& each : candidate.units) board.units.push_back(&each);
    if (board.units.size() > kUnitsMax) return Refused("it joins too many tables");
    std::set<string> needed_names = {candidate.row};
    for (const Json& each : values) {
      for (const string& unit : UnitsOf(each)) needed_names.insert(unit);
    }
    const uint64_t row = board.BitOf(candidate.row);
    const uint64_t needed = board.BitsOf(needed_names);
    const vector<Tie> ties = TiesOf(candidate, board, classes, types);
    // Sets grown from the needed units, one unit at a time, along ties.
    std::set<uint64_t> level = {needed};
    std::optional<std::tuple<int, int, int, uint64_t>> best;
    const auto judge = [&](uint64_t set) {
      if (Reached(row, set, ties, false) != set) return;
      int nullable = 0;
      for (size_t i = 0; i < board.units.size(); ++i) {
        nullable += (set >> i & 1) != 0 && Nullable(candidate, *board.units[i]);
      }
      const std::tuple<int, int, int, uint64_t> key{Pieces(set, ties) - 1, nullable,
                                                    std::popcount(set), set};
      if (!best || key < *best) best = key;
    };
    size_t found_at = kFurtherUnitsMax + 1;
    for (size_t further = 0; further <= kFurtherUnitsMax && further <= found_at + 1; ++further) {
      for (const uint64_t set : level) judge(set);
      if (best && found_at > kFurtherUnitsMax) found_at = further;
      if (best && std::get<0>(*best) == 0 && std::get<1>(*best) == 0) break;
      std::set<uint64_t> next;
      for (const uint64_t set : level) {
        for (const Tie& tie : ties) {
          if ((tie.units & set) == 0) continue;
          const uint64_t grown = set | tie.units;
          if (grown == set) continue;
          // A tie of several units at once is grown to as a whole.
          next.insert(grown);
        }
      }
      if (next.size() > 20'000) break;
      level = std::move(next);
      if (level.empty()) break;
    }
    if (!best ||
        static_cast<size_t>(std::popcount(std::get<3>(*best) & ~needed)) > kFurtherUnitsMax) {
      return absl::NotFoundError(Unconnected(candidate));
    }
    std::set<string> chosen;
    for (size_t i = 0; i < board.units.size(); ++i) {
      if ((std::get<3>(*best) >> i & 1) != 0) chosen.insert(board.units[i]->name);
    }
    return chosen;
  }

  string Unconnected(const Candidate& candidate) const {
    const Unit* row = candidate.Find(candidate.row);
    vector<string> beside;
    for (const Unit& each : candidate.units) {
      if (each.name != candidate.row && !each.alias.empty()) beside.push_back(each.alias);
    }
    const string alias = row == nullptr ? "it" : row->alias;
    return absl::StrCat(alias, " stands ",
                        beside.empty() ? "" : "beside " + absl::StrJoin(beside, ", ") + " ",
                        "without a condition that leads to the scope: every change of ", alias,
                        " would touch everything. If it never changes, list it under static");
  }

  static bool Nullable(const Candidate& candidate, const Unit& unit) {
    return std::ranges::any_of(unit.path,
                               [&](int group) { return !candidate.matched.contains(group); });
  }

  absl::Status SettleOpen(const Candidate& candidate, const std::set<string>& chosen,
                          const vector<Json>& usable, const Classes& classes, const Types& types,
                          const vector<Json>& values, int depth) {
    for (const string& name : chosen) {
      const Unit* unit = candidate.Find(name);
      for (const int group : unit->path) {
        if (candidate.matched.contains(group)) continue;
        Candidate matched = candidate;
        matched.matched.insert(group);
        RETURN_IF_ERROR(Step(std::move(matched), depth + 1));
        return Step(WithNobody(candidate, group), depth + 1);
      }
    }
    for (const string& name : chosen) {
      const Unit* unit = candidate.Find(name);
      if (unit->kind != Unit::Kind::kQuery) continue;
      const vector<const Block*> arms = ArmsOf(*unit->query);
      if (arms.empty()) {
        return Refused(
            absl::StrCat("the way to the scope leads through the recursive query ", unit->alias));
      }
      for (const Block* arm : arms) {
        RETURN_IF_ERROR(Step(Pour(candidate, *unit, *arm, facts_), depth + 1));
      }
      return absl::OkStatus();
    }
    return Finish(candidate, chosen, usable, classes, types, values, depth);
  }

  absl::Status Finish(const Candidate& candidate, const std::set<string>& chosen,
                      const vector<Json>& usable, const Classes& classes, const Types& types,
                      const vector<Json>& values, int depth) {
    const auto within = [&](const Json& sql) {
      const std::set<string> units = UnitsOf(sql);
      return !units.empty() && std::ranges::includes(chosen, units);
    };
    Lookup lookup{.row = candidate.row, .values = values};
    Board board;
    for (const Unit& each : candidate.units) {
      if (!chosen.contains(each.name)) continue;
      board.units.push_back(&each);
      if (each.name != candidate.row) lookup.units.push_back(each);
    }
    vector<Tie> ties;
    for (const Json& each : usable) {
      if (!within(each)) continue;
      lookup.conditions.push_back(each);
      ties.push_back({.units = board.BitsOf(UnitsOf(each)), .equality = IsEquality(each)});
    }
    const uint64_t all = (board.units.size() == 64 ? 0 : uint64_t{1} << board.units.size()) - 1;
    const uint64_t row = board.BitOf(candidate.row);
    if (Reached(row, all, ties, true) != all) {
      for (const Json& each : Derived(candidate, classes, types)) {
        if (!within(each)) continue;
        lookup.conditions.push_back(each);
        ties.push_back({.units = board.BitsOf(UnitsOf(each)), .equality = true});
      }
    }
    // An OR of ways is one look-up for each, where nothing else leads there.
    if (Reached(row, all, ties, true) != all) {
      for (const Json& each : usable) {
        if (!within(each) || UnitsOf(each).size() < 2 || !Is(each, "BoolExpr") ||
            Text(Body(each), "boolop") != "OR_EXPR") {
          continue;
        }
        for (const Json& arm : List(Body(each), "args")) {
          Candidate one = candidate;
          for (Condition& condition : one.conditions) {
            if (condition.sql == each) condition.sql = arm;
          }
          RETURN_IF_ERROR(Step(std::move(one), depth + 1));
        }
        return absl::OkStatus();
      }
    }
    found_.push_back(std::move(lookup));
    return absl::OkStatus();
  }

  const vector<ScopeColumn>& scope_;
  const Facts& facts_;
  vector<Lookup> found_;
  int steps_ = 0;
};

}  // namespace

absl::StatusOr<vector<Lookup>> Search(const Candidate& candidate, const vector<ScopeColumn>& scope,
                                      const Facts& facts) {
  return Searcher(scope, facts).Run(candidate);
}

}  // namespace switchyard::mapping::derive
