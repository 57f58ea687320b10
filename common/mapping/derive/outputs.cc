#include "common/mapping/derive/outputs.h"

#include <algorithm>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"

namespace switchyard::mapping::derive {

using std::string;
using std::vector;

namespace {

// Which of a block's outputs a changed row below it still determines.
class OpenOutputs {
 public:
  OpenOutputs(const Block& block, const Facts& facts) : block_(block), facts_(facts) {
    for (const Unit& unit : block.units) own_.insert(unit.name);
  }

  // Why the output is of no use as a scope; nothing when it is.
  std::optional<Closure> WhyClosed(const Output& output) const {
    if (block_.grouping_sets && !MadeOf(output.sql, block_.group_by)) return Totals(output);
    if (ReturnsSet(output.sql)) {
      return Closure{
          .kind = Closure::Kind::kValue,
          .why = "it comes from a set-returning function in the select list: move that to FROM"};
    }
    if (block_.limited && !MadeOf(output.sql, {})) return BelowLimit(output.name);
    if (block_.aggregates && !block_.grouped && !MadeOf(output.sql, {})) {
      return Closure{.kind = Closure::Kind::kAll,
                     .why = absl::StrCat(output.name, " is an aggregate over all rows"),
                     .instead = "group by what the scope is"};
    }
    if (block_.grouped && !MadeOf(output.sql, Grouping())) {
      return Closure{
          .kind = OfNoColumn(block_.group_by) ? Closure::Kind::kAll : Closure::Kind::kAlike,
          .why = absl::StrCat(output.name, " is not among the expressions of GROUP BY"),
          .instead = "group by what the scope is"};
    }
    for (const vector<Json>& partition : block_.partitions) {
      if (OfNoColumn(partition) && !MadeOf(output.sql, {})) {
        return Closure{.kind = Closure::Kind::kAll,
                       .why =
                           "a window without PARTITION BY counts over all rows: every change "
                           "may move every row, so there is no scope for it",
                       .instead = "give the window a PARTITION BY, and take that for the scope"};
      }
      if (!MadeOf(output.sql, partition)) {
        return Closure{.kind = Closure::Kind::kAlike,
                       .why = absl::StrCat(output.name,
                                           " is not among the expressions of PARTITION BY, so one "
                                           "changed row may change rows of any ",
                                           output.name)};
      }
    }
    if (block_.distinct_on && !MadeOf(output.sql, *block_.distinct_on)) {
      return Closure{
          .kind = Closure::Kind::kAlike,
          .why = absl::StrCat(output.name, " is not among the expressions of DISTINCT ON")};
    }
    return std::nullopt;
  }

  // The same where the changed row is elsewhere: each row stands for rows of the tables below it.
  std::optional<string> WhyClosedBeside(const Output& output) const {
    std::optional<string> why;
    if (ReturnsSet(output.sql)) return "it comes from a set-returning function in the select list";
    // A total's row has NULL where the rows it stands for have values.
    if (block_.grouping_sets && !MadeOf(output.sql, block_.group_by)) return Totals(output).why;
    Visit(output.sql, [&](const Json& node) {
      if (!Is(node, "FuncCall") || why) return !why;
      const Json& call = Body(node);
      const auto facts = facts_.functions.find(Qualified(List(call, "funcname")).first);
      if (call.contains("over") || call.contains("agg_star") ||
          (facts != facts_.functions.end() && facts->second.aggregate)) {
        why = absl::StrCat("it is connected by ", Qualified(List(call, "funcname")).first,
                           "() only: the value before a row came is not to be had from that row");
      }
      return !why;
    });
    return why;
  }

 private:
  static Closure Totals(const Output& output) {
    return {.kind = Closure::Kind::kAll,
            .why = absl::StrCat("GROUPING SETS makes totals that every row changes: ", output.name,
                                " is not in all of them"),
            .instead = "take for the scope what all the sets are grouped by"};
  }

  // Expressions that are the same for all rows of the block.
  bool OfNoColumn(const vector<Json>& expressions) const {
    return std::ranges::all_of(expressions, [&](const Json& each) { return MadeOf(each, {}); });
  }

  bool ReturnsSet(const Json& sql) const {
    bool found = false;
    Visit(sql, [&](const Json& node) {
      if (Is(node, "FuncCall")) {
        const auto facts = facts_.functions.find(Qualified(List(Body(node), "funcname")).first);
        found |= facts != facts_.functions.end() && facts->second.returns_set;
      }
      return !found;
    });
    return found;
  }

  vector<Json> Grouping() const {
    vector<Json> open = block_.group_by;
    for (const Unit& unit : block_.units) {
      if (unit.kind != Unit::Kind::kTable) continue;
      const auto& tables = unit.schema.empty() ? facts_.old_tables : facts_.new_tables;
      const auto facts =
          tables.find(unit.schema.empty() ? unit.table : unit.schema + "." + unit.table);
      if (facts == tables.end() || facts->second.key.empty()) continue;
      const bool whole = std::ranges::all_of(facts->second.key, [&](const string& column) {
        return std::ranges::count(block_.group_by, Column(unit.name, column)) > 0;
      });
      if (!whole) continue;
      for (const string& column : unit.columns) open.push_back(Column(unit.name, column));
    }
    return open;
  }

  bool MadeOf(const Json& sql, const vector<Json>& open) const {
    if (!sql.is_structured()) return true;
    if (std::ranges::count(open, sql) > 0) return true;
    if (Is(sql, "Link")) return false;
    if (Is(sql, "FuncCall") && (Body(sql).contains("over") || IsAggregate(sql))) return false;
    if (const auto column = AsColumn(sql)) return !own_.contains(column->unit);
    return std::ranges::all_of(sql, [&](const Json& each) { return MadeOf(each, open); });
  }

  bool IsAggregate(const Json& call) const {
    if (Body(call).contains("agg_star")) return true;
    const auto facts = facts_.functions.find(Qualified(List(Body(call), "funcname")).first);
    return facts != facts_.functions.end() && facts->second.aggregate;
  }

  const Block& block_;
  const Facts& facts_;
  std::set<string> own_;
};

}  // namespace

vector<Json> OutputsOf(const Block& block, const Facts& facts, Row row) {
  const OpenOutputs open(block, facts);
  vector<Json> outputs;
  for (const Output& output : block.outputs) {
    std::optional<string> why;
    if (row == Row::kBeside) {
      why = open.WhyClosedBeside(output);
    } else if (const std::optional<Closure> closure = open.WhyClosed(output)) {
      why = closure->why;
    }
    outputs.push_back(why ? Closed(*why) : output.sql);
  }
  return outputs;
}

std::optional<Closure> WhyClosed(const Block& block, const Output& output, const Facts& facts) {
  return OpenOutputs(block, facts).WhyClosed(output);
}

Closure BelowLimit(const string& output) {
  return {
      .kind = Closure::Kind::kAll,
      .why = absl::StrCat(output, " lies below LIMIT: a changed row may push any other row out"),
      .instead =
          "take the LIMIT within each parent, in LATERAL, with the parent's key for the "
          "scope"};
}

}  // namespace switchyard::mapping::derive
