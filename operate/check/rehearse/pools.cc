#include "operate/check/rehearse/pools.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/finding.h"
#include "common/base/strings.h"

namespace switchyard::operate {

using mapping::SourceIndex;
using mapping::SourcePlan;
using mapping::StageColumn;

namespace {

constexpr size_t kKeys = 5;
constexpr size_t kSampled = 4;
constexpr size_t kPoolMax = 40;
// What one side of a comparison gives the other.
constexpr size_t kGiven = 4;
constexpr size_t kUnlike = 3;
constexpr size_t kTelling = 2;  // values that fulfil a condition; that do not

const catalog::Column* ColumnOf(const catalog::Catalog& source, const SourcePlan& plan,
                                const std::string& name) {
  const catalog::Table* table = source.FindOid(plan.relation_id);
  return table == nullptr ? nullptr : table->FindColumn(name);
}

std::string Folded(const std::string& text) {
  return absl::AsciiStrToLower(absl::StripAsciiWhitespace(text));
}

// The n-th value that nobody chose.
Cell MadeUp(const catalog::Column& column, const catalog::Catalog& source, size_t n) {
  const std::string number = std::to_string(n + 1);
  switch (column.type_oid) {
    case 16:  // boolean
      return n % 2 == 0 ? "t" : "f";
    case 20:  // integers
    case 21:
    case 23:
    case 700:  // and other numbers
    case 701:
    case 1700:
      return number;
    case 1042:  // texts
    case 1043:
    case 25:
      return column.type_modifier >= 4 && column.type_modifier < 4 + 3 ? number : "x" + number;
    case 1082:  // times
    case 1114:
    case 1184:
      return "2001-02-0" + std::to_string(1 + n % 9);
    case 2950:  // uuid
      return absl::StrFormat("00000000-0000-4000-8000-%012d", n + 1);
    case 114:  // JSON
    case 3802:
      return absl::StrCat("{\"x\": ", number, "}");
    default:
      break;
  }
  for (const catalog::UserType& type : source.types) {
    if (type.oid == column.type_oid && !type.labels.empty()) {
      return type.labels[n % type.labels.size()];
    }
  }
  if (absl::EndsWith(column.type, "[]")) return "{}";
  return std::nullopt;
}

// Values by what stands for them and all that they meet.
class Kin {
 public:
  void Unite(const std::string& a, const std::string& b) {
    const std::string to = Root(a);
    parent_[Root(b)] = to;
  }
  std::map<std::string, std::string> All() {
    std::map<std::string, std::string> all;
    for (const auto& [value, parent] : std::map(parent_)) all[value] = Root(value);
    return all;
  }

 private:
  std::string Root(const std::string& value) {
    std::string at = value;
    for (auto up = parent_.emplace(at, at).first; up->second != at; up = parent_.find(at)) {
      at = up->second;
    }
    return at;
  }
  std::map<std::string, std::string> parent_;
};

class PoolMaker {
 public:
  PoolMaker(const PoolInput& input, pg::Session& session)
      : in_(input), plan_(*input.plan), session_(session), random_(input.seed) {}

  absl::StatusOr<Pools> Make() {
    for (const SourceIndex s : plan_.source_indices()) {
      pools_.columns.emplace_back();
      for (size_t c = 0; c < plan_.sources[s].columns.size(); ++c) {
        ASSIGN_OR_RETURN(Pool pool, OwnValues(s, c));
        pools_.columns[s].push_back(std::move(pool));
      }
    }
    RETURN_IF_ERROR(AddBothSidesOfConditions());
    for (const std::vector<Side>& sides : in_.meeting->classes) {
      for (const Side& side : sides) RETURN_IF_ERROR(AddUnlike(side));
      RETURN_IF_ERROR(AddMeetingValues(sides));
    }
    // Of a foreign key both sides have the same values, whether the mapping compares them or not.
    for (const ForeignKeyColumns& key : in_.constraints->foreign_keys) {
      for (size_t i = 0; i < key.columns.size(); ++i) {
        RETURN_IF_ERROR(AddMeetingValues(
            {Plain(key.source, key.columns[i]), Plain(key.parent, key.parent_columns[i])}));
      }
    }
    RETURN_IF_ERROR(DropRefused());
    for (const std::vector<Side>& sides : in_.meeting->classes) {
      RETURN_IF_ERROR(FindKin(sides));
    }
    pools_.kin = kin_.All();
    NoteCompared();
    return std::move(pools_);
  }

 private:
  bool IsKey(SourceIndex source, size_t column) const {
    return std::ranges::count(plan_.sources[source].key, static_cast<int>(column)) > 0;
  }

  // Most frequent first.
  std::vector<std::string> Sampled(SourceIndex source, size_t column) const {
    std::map<std::string, int64_t> counts;
    for (const Row& row : in_.sample->rows[source]) {
      if (row[column]) ++counts[*row[column]];
    }
    std::vector<std::pair<int64_t, std::string>> sorted;
    for (const auto& [value, count] : counts) sorted.emplace_back(-count, value);
    std::ranges::sort(sorted);
    std::vector<std::string> values;
    for (const auto& [count, value] : sorted) values.push_back(value);
    return values;
  }

  void Add(Cell value, Pool* pool) const {
    if (pool->size() < kPoolMax && std::ranges::count(*pool, value) == 0) {
      pool->push_back(std::move(value));
    }
  }

  absl::StatusOr<Pool> OwnValues(SourceIndex source, size_t column) {
    const SourcePlan& plan = plan_.sources[source];
    const std::string& name = plan.columns[column].name;
    const catalog::Column* known = ColumnOf(*in_.source, plan, name);
    if (known == nullptr) {
      return absl::InternalError(absl::StrCat(plan.name, ".", name, " is not in the catalogue"));
    }
    Pool pool;
    const std::vector<std::string> sampled = Sampled(source, column);
    if (!sampled.empty()) {
      Add(sampled.front(), &pool);
      Add(sampled.back(), &pool);
    }
    const size_t wanted = IsKey(source, column) ? kKeys - 1 : kSampled;
    for (size_t i = 0; i < 2 * wanted && pool.size() < wanted && !sampled.empty(); ++i) {
      Add(sampled[random_() % sampled.size()], &pool);
    }
    const size_t least = IsKey(source, column) ? kKeys : pool.size() + 1;
    for (size_t n = 0; n < kKeys && pool.size() < least; ++n) {
      if (Cell value = MadeUp(*known, *in_.source, n)) Add(std::move(value), &pool);
    }
    if (!known->not_null && !IsKey(source, column)) Add(std::nullopt, &pool);
    if (pool.empty()) {
      return Refuse(
          absl::StrFormat("no value is known for %s.%s.%s (%s), which may not be NULL: OLD has no "
                          "row to take one from",
                          plan.schema, plan.name, name, known->type),
          "rehearse against an OLD that has rows");
    }
    return pool;
  }

  // Values that meet each condition with a constant, and some that do not.
  absl::Status AddBothSidesOfConditions() {
    for (const Side& constant : in_.meeting->constants) {
      ASSIGN_OR_RETURN(const auto read,
                       Evaluate(Plain(constant.source, constant.column), {constant.sql}));
      if (!read.empty()) Add(constant.sql, &pools_.columns[constant.source][constant.column]);
    }
    for (const Side& side : in_.meeting->conditions) {
      std::vector<std::string> values = Sampled(side.source, side.column);
      ASSIGN_OR_RETURN(const auto results, Evaluate(side, values));
      std::map<Cell, std::vector<std::string>> told;
      for (size_t i = 0; i < results.size(); ++i) {
        if (told[results[i]].size() == kTelling) continue;
        told[results[i]].push_back(values[i]);
        Add(values[i], &pools_.columns[side.source][side.column]);
        telling_[{side.source, side.column}].insert(values[i]);
      }
      for (auto& [result, theme] : told) pools_.themes.push_back(std::move(theme));
    }
    return absl::OkStatus();
  }

  // Values that are not the same, and are by the expression: "A@x" beside "a@x" under lower().
  absl::Status AddUnlike(const Side& side) {
    if (side.sql == Plain(side.source, side.column).sql) return absl::OkStatus();
    std::vector<std::string> values;
    for (const Cell& cell : pools_.columns[side.source][side.column]) {
      if (cell && values.size() < 2 * kUnlike) values.push_back(*cell);
    }
    for (size_t i = 0, count = values.size(); i < count; ++i) {
      values.push_back(absl::AsciiStrToUpper(values[i]));
      values.push_back(" " + values[i]);
    }
    ASSIGN_OR_RETURN(const std::vector<Cell> made, Evaluate(side, values));
    const size_t count = values.size() / 3;
    size_t added = 0;
    for (size_t i = count; i < made.size() && added < kUnlike; ++i) {
      if (!made[i] || made[i] != made[(i - count) / 2]) continue;
      Pool& pool = pools_.columns[side.source][side.column];
      added += std::ranges::count(pool, Cell(values[i])) == 0 ? 1 : 0;
      Add(values[i], &pool);
    }
    return absl::OkStatus();
  }

  // What the one side makes of its values goes to the columns of the others, and their own beside
  // it: expressions that fold are met by either.
  absl::Status AddMeetingValues(const std::vector<Side>& sides) {
    std::vector<std::vector<std::string>> given;
    for (const Side& side : sides) {
      ASSIGN_OR_RETURN(std::vector<std::string> values, Gives(side));
      given.push_back(std::move(values));
    }
    for (size_t to = 0; to < sides.size(); ++to) {
      std::vector<std::string> candidates;
      for (size_t from = 0; from < sides.size(); ++from) {
        if (sides[from].source == sides[to].source && sides[from].column == sides[to].column) {
          continue;
        }
        candidates.insert(candidates.end(), given[from].begin(), given[from].end());
      }
      // A class may be of several types, where the mapping casts.
      const Side plain = Plain(sides[to].source, sides[to].column);
      ASSIGN_OR_RETURN(const std::vector<Cell> read, EvaluateEach(plain, candidates));
      for (const Cell& cell : read) {
        if (cell) Add(cell, &pools_.columns[plain.source][plain.column]);
      }
    }
    return absl::OkStatus();
  }

  void NoteCompared() {
    for (const std::vector<Side>& sides : in_.meeting->classes) {
      for (const Side& side : sides) pools_.compared[side.source].insert(side.column);
    }
    for (const Side& side : in_.meeting->conditions) {
      pools_.compared[side.source].insert(side.column);
    }
  }

  // Values that a comparison of the class finds equal.
  absl::Status FindKin(const std::vector<Side>& sides) {
    for (const Side& side : sides) {
      std::vector<std::string> values;
      for (const Cell& cell : pools_.columns[side.source][side.column]) {
        if (cell) values.push_back(*cell);
      }
      ASSIGN_OR_RETURN(const std::vector<Cell> made, Evaluate(side, values));
      std::vector<std::string> apart;
      for (size_t i = 0; i < made.size(); ++i) {
        if (!made[i]) continue;
        kin_.Unite(*made[i], values[i]);
        if (Folded(*made[i]) != Folded(values[i])) apart.push_back(values[i]);
      }
      if (!apart.empty()) pools_.themes.push_back(std::move(apart));
    }
    return absl::OkStatus();
  }

  Side Plain(SourceIndex source, int column) const {
    return {source, column, QuoteIdentifier(plan_.sources[source].columns[column].name)};
  }

  // What OLD's CHECKs of one column say no to.
  absl::Status DropRefused() {
    for (const CheckConstraint& check : in_.constraints->checks) {
      if (check.columns.size() != 1) continue;
      Pool& pool = pools_.columns[check.source][check.columns[0]];
      Pool kept;
      for (const Cell& cell : pool) {
        if (!cell) {
          kept.push_back(cell);
          continue;
        }
        ASSIGN_OR_RETURN(const std::vector<Cell> holds,
                         Evaluate({check.source, check.columns[0], check.sql}, {*cell}));
        if (holds.empty() || holds[0] != "false") kept.push_back(cell);
      }
      if (!kept.empty()) pool = std::move(kept);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<std::string>> Gives(const Side& side) {
    std::vector<std::string> values;
    for (const Cell& cell : pools_.columns[side.source][side.column]) {
      if (cell) values.push_back(*cell);
    }
    std::ranges::shuffle(values, random_);
    const auto telling = telling_.find({side.source, side.column});
    if (telling != telling_.end()) {
      std::stable_partition(values.begin(), values.end(), [&](const std::string& value) {
        return telling->second.contains(value);
      });
    }
    if (values.size() > kGiven) values.resize(kGiven);
    ASSIGN_OR_RETURN(const std::vector<Cell> made, Evaluate(side, values));
    for (size_t i = 0; i < made.size(); ++i) {
      if (made[i] && std::ranges::count(values, *made[i]) == 0) values.push_back(*made[i]);
    }
    return values;
  }

  // The side's expression over each value, as text; nothing when it can't be evaluated alone.
  absl::StatusOr<std::vector<Cell>> Evaluate(const Side& side,
                                             const std::vector<std::string>& values) {
    const StageColumn& column = plan_.sources[side.source].columns[side.column];
    const std::string name = QuoteIdentifier(column.name);
    std::vector<Cell> results;
    RETURN_IF_ERROR(session_.Execute("SAVEPOINT sy_value"));
    const absl::StatusOr<pg::Result> rows = session_.Query(
        absl::StrCat("SELECT (", side.sql, ")::text FROM (SELECT sy_x::", column.type, " AS ", name,
                     ", sy_n FROM unnest($1::text[]) WITH ORDINALITY AS sy_u(sy_x, sy_n)) AS sy_v "
                     "ORDER BY sy_n"),
        {ArrayLiteral(values)});
    if (!rows.ok() && !session_.alive()) return rows.status();
    RETURN_IF_ERROR(session_.Execute(absl::StrCat(
        rows.ok() ? "" : "ROLLBACK TO SAVEPOINT sy_value; ", "RELEASE SAVEPOINT sy_value")));
    for (int i = 0; rows.ok() && i < rows->rows(); ++i) {
      results.push_back(rows->is_null(i, 0) ? Cell() : Cell(rows->str(i, 0)));
    }
    return results;
  }

  // The same, without those values for which it can't.
  absl::StatusOr<std::vector<Cell>> EvaluateEach(const Side& side,
                                                 const std::vector<std::string>& values) {
    ASSIGN_OR_RETURN(std::vector<Cell> results, Evaluate(side, values));
    if (!results.empty()) return results;
    for (const std::string& value : values) {
      ASSIGN_OR_RETURN(const std::vector<Cell> one, Evaluate(side, {value}));
      results.insert(results.end(), one.begin(), one.end());
    }
    return results;
  }

  const PoolInput& in_;
  const mapping::Plan& plan_;
  pg::Session& session_;
  std::mt19937_64 random_;
  Pools pools_;
  Kin kin_;
  // By column: values that tell conditions apart.
  std::map<std::pair<SourceIndex, int>, std::set<std::string>> telling_;
};

}  // namespace

absl::StatusOr<Pools> MakePools(const PoolInput& input, pg::Session& session) {
  return PoolMaker(input, session).Make();
}

}  // namespace switchyard::operate
