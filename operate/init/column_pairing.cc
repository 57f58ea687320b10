#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/base/strings.h"
#include "operate/init/pairing.h"

namespace switchyard::operate {
namespace {

using catalog::Column;
using std::string;
using std::vector;

constexpr size_t kCandidatesMax = 3;
// What speaks for a rename, and how much of it makes a guess.
constexpr int kSameFolded = 100;
constexpr int kNameWithin = 40;
constexpr int kNameNear = 40;
constexpr int kSameType = 20;
constexpr int kOnlyOfType = 40;
constexpr int kSameNeighbour = 15;
constexpr int kGuess = 60;
constexpr char kToBeSaid[] = "SAY_WHAT";  // no column: check would refuse it
constexpr size_t kWithinMin = 3;          // characters of a name that stands within another

// Types whose values pass for one another in a guess.
string Family(const Column& column) {
  const string type = column.type.substr(0, column.type.find('('));
  for (const char* text : {"text", "character varying", "character", "citext"}) {
    if (type == text) return "text";
  }
  for (const char* number : {"smallint", "integer", "bigint"}) {
    if (type == number) return "integer";
  }
  return type;
}

bool Taken(Fit fit) { return fit == Fit::kSame || fit == Fit::kAssigns; }

string Typed(const Column& column) { return absl::StrCat(column.name, " (", column.type, ")"); }

struct Guess {
  const Column* from;
  const Column* to;
  int score;
  string why;
};

class Columns {
 public:
  Columns(const catalog::Catalog& old_catalog, const catalog::Table& from, const catalog::Table& to,
          const FitOf& fit_of, FirstTable* table)
      : old_catalog_(old_catalog), from_(from), to_(to), fit_of_(fit_of), table_(*table) {}

  void Run() {
    for (const Column& to : to_.columns) {
      const Column* from = from_.FindColumn(to.name);
      if (to.generated) continue;
      if (from == nullptr) {
        new_.push_back(&to);
      } else {
        SameName(*from, to);
      }
    }
    for (const Column& from : from_.columns) {
      if (to_.FindColumn(from.name) == nullptr && !from.generated) old_.push_back(&from);
    }
    while (TakeBestGuess()) {
    }
    for (const Column* from : old_) AskWhereTo(*from);
    for (const Column* to : new_) AskWhereFrom(*to);
  }

 private:
  void SameName(const Column& from, const Column& to) {
    if (from.generated) {
      table_.set.push_back({.kind = FirstLine::Kind::kGuessed,
                            .why = "OLD computes it so, and its log does not carry it",
                            .column = to.name,
                            .value = from.generated_sql});
      return;
    }
    const Fit fit = fit_of_(from, to);
    if (!Taken(fit)) return AskOfType(from, to, fit);
    if (to.not_null && !from.not_null) table_.may_be_null.push_back(to.name);
  }

  void AskOfType(const Column& from, const Column& to, Fit fit) {
    vector<string> answers = Answers(from, to, fit);
    FirstLine line{.kind = FirstLine::Kind::kQuestion,
                   .why = absl::StrFormat("%s is %s in OLD and %s in NEW%s", to.name, from.type,
                                          to.type, WhyNotTaken(fit)),
                   .column = to.name,
                   .value = answers[0]};
    line.or_values.assign(answers.begin() + 1, answers.end());
    table_.set.push_back(std::move(line));
  }

  static const char* WhyNotTaken(Fit fit) {
    switch (fit) {
      case Fit::kLoses:
        return ", which keeps less. Is that meant?";
      case Fit::kZone:
        return ". In which zone?";
      default:
        return ". What does it become?";
    }
  }

  vector<string> Answers(const Column& from, const Column& to, Fit fit) const {
    const string name = QuoteIdentifier(from.name);
    if (fit == Fit::kZone) {
      const string time = from.type == "date" ? name + "::timestamp" : name;
      const auto in = [&](const string& zone) {
        const string moved = time + " AT TIME ZONE '" + zone + "'";
        return to.type == "date" ? "(" + moved + ")::date" : moved;
      };
      return {in("UTC"), in("Europe/Berlin")};
    }
    if (to.type == "uuid") {
      const bool text = Family(from) == "text";
      vector<string> answers = {absl::StrFormat("switchyard.uuid_of(%s, %s%s)",
                                                QuoteLiteral(KindOf(from.name)), name,
                                                text ? "" : "::text")};
      if (text) answers.push_back(name + "::uuid");
      return answers;
    }
    return {absl::StrCat(name, fit == Fit::kNever ? "::text::" : "::", to.type)};
  }

  // What the ids of a column are of: the table itself, or the one that "customer_id" names.
  string KindOf(const string& column) const {
    string stem = FoldedName(column);
    if (stem.size() <= 2 || !absl::EndsWith(stem, "id")) return from_.name;
    stem.resize(stem.size() - 2);
    for (const catalog::Table& table : old_catalog_.tables) {
      const string name = FoldedName(table.name);
      if (name == stem || name == stem + "s") return table.name;
    }
    return stem;
  }

  bool TakeBestGuess() {
    vector<Guess> guesses;
    for (const Column* from : old_) {
      for (const Column* to : new_) {
        if (Taken(fit_of_(*from, *to))) guesses.push_back(Weigh(*from, *to));
      }
    }
    std::ranges::stable_sort(guesses, std::greater<>(), &Guess::score);
    for (const Guess& guess : guesses) {
      if (guess.score < kGuess) return false;
      const bool contested = std::ranges::any_of(guesses, [&](const Guess& other) {
        return (other.from == guess.from) != (other.to == guess.to) && other.score >= guess.score;
      });
      if (contested) continue;
      table_.rename.push_back({.kind = FirstLine::Kind::kGuessed,
                               .why = guess.why,
                               .column = guess.from->name,
                               .value = guess.to->name});
      if (guess.to->not_null && !guess.from->not_null) table_.may_be_null.push_back(guess.to->name);
      std::erase(old_, guess.from);
      std::erase(new_, guess.to);
      return true;
    }
    return false;
  }

  Guess Weigh(const Column& from, const Column& to) const {
    Guess guess{.from = &from, .to = &to, .score = 0};
    vector<string> reasons;
    const auto add = [&](int score, const char* reason) {
      guess.score += score;
      reasons.emplace_back(reason);
    };
    const string a = FoldedName(from.name);
    const string b = FoldedName(to.name);
    if (a == b) {
      add(kSameFolded, "the same name but for case and underscores");
    } else if (std::min(a.size(), b.size()) >= kWithinMin &&
               (absl::StrContains(a, b) || absl::StrContains(b, a))) {
      add(kNameWithin, "one name stands within the other");
    } else if (EditDistance(a, b) * 3 <= static_cast<int>(std::max(a.size(), b.size()))) {
      add(kNameNear, "names alike");
    }
    if (Family(from) == Family(to)) {
      if (OnlyOfType(old_, from) && OnlyOfType(new_, to)) {
        add(kSameType + kOnlyOfType, "the only columns of that type without a partner");
      } else {
        add(kSameType, "one type");
      }
    }
    if (SameNeighbour(from, to, -1)) add(kSameNeighbour, "behind the same column");
    if (SameNeighbour(from, to, 1)) add(kSameNeighbour, "before the same column");
    guess.why = absl::StrJoin(reasons, ", ");
    return guess;
  }

  static bool OnlyOfType(const vector<const Column*>& columns, const Column& column) {
    return std::ranges::count_if(
               columns, [&](const Column* other) { return Family(*other) == Family(column); }) == 1;
  }

  bool SameNeighbour(const Column& from, const Column& to, int step) const {
    const Column* a = Neighbour(from_, from, step);
    const Column* b = Neighbour(to_, to, step);
    return a != nullptr && b != nullptr && a->name == b->name;
  }

  static const Column* Neighbour(const catalog::Table& table, const Column& column, int step) {
    const ptrdiff_t at = &column - table.columns.data() + step;
    const bool there = at >= 0 && at < static_cast<ptrdiff_t>(table.columns.size());
    return there ? &table.columns[static_cast<size_t>(at)] : nullptr;
  }

  // Those of the other side that are left, the likeliest first.
  template <typename WeighOf>
  vector<const Column*> Candidates(const vector<const Column*>& others,
                                   const WeighOf& weigh) const {
    vector<std::pair<int, const Column*>> weighed;
    for (const Column* other : others) {
      const auto [taken, score] = weigh(*other);
      if (taken) weighed.emplace_back(-score, other);
    }
    std::ranges::stable_sort(weighed, {}, &std::pair<int, const Column*>::first);
    if (weighed.size() > kCandidatesMax) weighed.resize(kCandidatesMax);
    vector<const Column*> columns;
    for (const auto& [score, column] : weighed) columns.push_back(column);
    return columns;
  }

  void AskWhereTo(const Column& from) {
    vector<string> renames;
    for (const Column* to : Candidates(new_, [&](const Column& other) {
           return std::pair(Taken(fit_of_(from, other)), Weigh(from, other).score);
         })) {
      renames.push_back(Typed(*to));
    }
    table_.drop.push_back(
        {.kind = FirstLine::Kind::kQuestion,
         .why = absl::StrCat(
             "NEW has no column ", Typed(from), ". Is it left behind",
             renames.empty() ? "" : ", or under rename: " + absl::StrJoin(renames, ", "), "?"),
         .column = from.name});
  }

  void AskWhereFrom(const Column& to) {
    const bool in_key = std::ranges::count(KeyColumns(to_, true), to.name) > 0;
    if (!in_key && (!to.not_null || to.has_default || to.identity != 0)) {
      table_.unfilled.push_back(to.name);
      return;
    }
    FirstLine line{.kind = FirstLine::Kind::kQuestion, .column = to.name};
    vector<string> named;
    for (const Column* from : Candidates(old_, [&](const Column& other) {
           return std::pair(Taken(fit_of_(other, to)), Weigh(other, to).score);
         })) {
      named.push_back(Typed(*from));
      (line.value.empty() ? line.value : line.or_values.emplace_back()) =
          QuoteIdentifier(from->name);
    }
    if (line.value.empty() && to.type == "uuid" && !from_.primary_key.empty()) {
      line.value = absl::StrFormat("switchyard.uuid_of(%s, %s::text)", QuoteLiteral(from_.name),
                                   QuoteIdentifier(from_.primary_key[0]));
    }
    if (line.value.empty()) line.value = kToBeSaid;
    line.why =
        absl::StrCat("Nothing of OLD fills ", Typed(to), ", ",
                     in_key ? "part of NEW's key" : "NOT NULL without a default", ". What does?",
                     named.empty() ? "" : " Left over in OLD: ", absl::StrJoin(named, ", "));
    table_.set.push_back(std::move(line));
  }

  const catalog::Catalog& old_catalog_;
  const catalog::Table& from_;
  const catalog::Table& to_;
  const FitOf& fit_of_;
  FirstTable& table_;
  vector<const Column*> old_, new_;  // without a partner
};

}  // namespace

void PairColumns(const catalog::Catalog& old_catalog, const catalog::Table& from,
                 const catalog::Table& to, const FitOf& fit_of, FirstTable* table) {
  Columns(old_catalog, from, to, fit_of, table).Run();
}

}  // namespace switchyard::operate
