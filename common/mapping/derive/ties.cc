#include "common/mapping/derive/ties.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/strings.h"
#include "common/mapping/derive/determined.h"

namespace switchyard::mapping::derive {
namespace {

using std::set;
using std::string;
using std::vector;

// Of windows: what depends on which of equal rows comes first.
const set<string>& WindowFunctionsByRow() {
  static const set<string>* const names = new set<string>{
      "row_number", "ntile", "lag", "lead", "first_value", "last_value", "nth_value"};
  return *names;
}
// Of aggregates likewise.
const set<string>& AggregatesByRow() {
  static const set<string>* const names = new set<string>{
      "string_agg", "array_agg", "json_agg", "jsonb_agg", "json_object_agg", "xmlagg"};
  return *names;
}

// ParseNodes: FRAMEOPTION_ROWS, and both ends unbounded.
constexpr int kRowsFrame = 0x4;
constexpr int kWholeFrame = 0x20 | 0x100;

vector<Json> SortedBy(const Json& clause) {
  vector<Json> expressions;
  for (const Json& each : clause) expressions.push_back(Body(each)["node"]);
  return expressions;
}

class TieFinder {
 public:
  TieFinder(const vector<Link>& links, const Facts& facts) : links_(links), facts_(facts) {}

  void In(const Query& query) {
    if (query.kind == Query::Kind::kRecursive) return;
    if (query.kind != Query::Kind::kBlock) {
      In(*query.left);
      In(*query.right);
      return;
    }
    const Block& block = query.block;
    DistinctOn(block);
    if (block.limited) Ordered(block, "LIMIT");
    for (const Output& output : block.outputs) Calls(block, output.sql);
    for (const Json& other : block.others) Calls(block, other);
    for (const Unit& unit : block.units) {
      if (unit.kind == Unit::Kind::kQuery) In(*unit.query);
      Links(unit.body);
    }
    for (const Condition& each : block.conditions) Links(each.sql);
    for (const Output& each : block.outputs) Links(each.sql);
    for (const Json& each : block.others) Links(each);
  }

  vector<string> found;

 private:
  void Links(const Json& sql) {
    Visit(sql, [&](const Json& node) {
      if (!Is(node, "Link")) return true;
      const Link& link = links_[Body(node)["id"].get<size_t>()];
      const Query& query = *link.query;
      if (link.kind == "ARRAY_SUBLINK" && query.kind == Query::Kind::kBlock &&
          !query.block.limited) {
        Ordered(query.block, "ARRAY(SELECT ...)");
      }
      In(query);
      return true;
    });
  }

  static bool HoldsAll(const Determined& determined, const vector<Json>& expressions) {
    return std::ranges::all_of(expressions,
                               [&](const Json& each) { return determined.Holds(each); });
  }
  static vector<Json> OutputsOf(const Block& block) {
    vector<Json> all;
    for (const Output& each : block.outputs) all.push_back(each.sql);
    return all;
  }

  // `what` of rows, or groups, in the order of what is given: told of where some may be equal in
  // it, and the values taken, unless it is their places, are not.
  void Note(const Block& block, const string& what, const vector<Json>& given,
            const vector<Json>* taken, bool of_groups) {
    const Determined determined(block, given, facts_);
    if (taken != nullptr && HoldsAll(determined, *taken)) return;
    const Apart apart = of_groups ? determined.GroupsApart() : determined.RowsApart();
    if (apart != Apart::kNo) return;
    const vector<string> missing = determined.Missing();
    string sentence = absl::StrCat(
        what,
        " meets rows that may be equal in what they are ordered by: which of them comes first "
        "may differ between the copy, the stream and parity. End its ORDER BY in ",
        missing.empty() || of_groups ? "what tells them apart" : absl::StrJoin(missing, ", "));
    if (std::ranges::count(found, sentence) == 0) found.push_back(std::move(sentence));
  }

  void DistinctOn(const Block& block) {
    if (!block.distinct_on) return;
    if (HoldsAll(Determined(block, *block.distinct_on, facts_), OutputsOf(block))) return;
    vector<Json> given = *block.distinct_on;
    given.insert(given.end(), block.order_by.begin(), block.order_by.end());
    const vector<Json> outputs = OutputsOf(block);
    Note(block, "DISTINCT ON", given, &outputs, block.grouped);
  }

  void Ordered(const Block& block, const string& what) {
    if (block.distinct_on) return;
    const vector<Json> outputs = OutputsOf(block);
    Note(block, what, block.order_by, &outputs, block.grouped);
  }

  void Calls(const Block& block, const Json& sql) {
    Visit(sql, [&](const Json& node) {
      if (Is(node, "FuncCall")) Call(block, Body(node));
      return true;
    });
  }

  void Call(const Block& block, const Json& call) {
    const auto [name, schema] = Qualified(List(call, "funcname"));
    if (!schema.empty() && schema != "pg_catalog") return;
    const vector<Json> taken(List(call, "args").begin(), List(call, "args").end());
    if (call.contains("over")) return Window(block, name, call["over"], taken);
    if (!AggregatesByRow().contains(name) || call.value("agg_distinct", false)) return;
    vector<Json> given = SortedBy(List(call, "agg_order"));
    given.insert(given.end(), block.group_by.begin(), block.group_by.end());
    Note(block, name + "()", given, &taken, false);
  }

  void Window(const Block& block, const string& name, const Json& over, const vector<Json>& taken) {
    const int frame = Definition(block, over).value("frameOptions", 0);
    const bool by_rows = (frame & kRowsFrame) != 0 && (frame & kWholeFrame) != kWholeFrame;
    const bool by_place = WindowFunctionsByRow().contains(name);
    if (!by_place && !AggregatesByRow().contains(name) && !(by_rows && IsAggregate(name))) return;
    const bool by_value = name.ends_with("_value") || (!by_place && !by_rows);
    vector<Json> given = SortedBy(OrderOf(block, over));
    const vector<Json> partition = PartitionOf(block, over);
    given.insert(given.end(), partition.begin(), partition.end());
    Note(block, absl::StrCat(name, "() OVER (...)"), given, by_value ? &taken : nullptr,
         block.grouped);
  }

  bool IsAggregate(const string& name) const {
    const auto known = facts_.functions.find(name);
    return known != facts_.functions.end() && known->second.aggregate;
  }

  // The WINDOW clause that OVER names, or what stands there itself.
  static const Json& Definition(const Block& block, const Json& over) {
    const string base = over.contains("refname") ? Text(over, "refname") : Text(over, "name");
    const auto named = block.windows.find(base);
    return named == block.windows.end() ? over : named->second;
  }
  static const Json& OrderOf(const Block& block, const Json& over) {
    const Json& own = List(over, "orderClause");
    return own.empty() ? List(Definition(block, over), "orderClause") : own;
  }
  static vector<Json> PartitionOf(const Block& block, const Json& over) {
    const Json& own = List(over, "partitionClause");
    const Json& list = own.empty() ? List(Definition(block, over), "partitionClause") : own;
    return {list.begin(), list.end()};
  }

  const vector<Link>& links_;
  const Facts& facts_;
};

}  // namespace

vector<string> TiesIn(const Query& query, const vector<Link>& links, const Facts& facts) {
  TieFinder finder(links, facts);
  finder.In(query);
  return std::move(finder.found);
}

}  // namespace switchyard::mapping::derive
