#include "operate/init/pairing.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "common/base/strings.h"

namespace switchyard::operate {
namespace {

using std::string;
using std::vector;

constexpr size_t kAlikeMax = 3;      // candidates named for a table
constexpr int kAlikeColumnsMin = 2;  // in common, to be one

using Tables = vector<const catalog::Table*>;

Tables WithoutPartitions(const catalog::Catalog& catalog) {
  Tables tables;
  for (const catalog::Table& table : catalog.tables) {
    if (table.root_oid == 0 || table.root_oid == table.oid) tables.push_back(&table);
  }
  std::ranges::sort(tables, {},
                    [](const catalog::Table* t) { return std::tie(t->schema, t->name); });
  return tables;
}

// The only one that `is` holds for; null when there are none or several.
template <typename Is>
const catalog::Table* TheOne(const Tables& tables, const Is& is) {
  const auto found = std::ranges::find_if(tables, is);
  if (found == tables.end() || std::find_if(found + 1, tables.end(), is) != tables.end()) {
    return nullptr;
  }
  return *found;
}

int ColumnsInCommon(const catalog::Table& a, const catalog::Table& b) {
  std::set<string> names;
  for (const catalog::Column& column : a.columns) names.insert(FoldedName(column.name));
  return static_cast<int>(std::ranges::count_if(b.columns, [&](const catalog::Column& column) {
    return names.contains(FoldedName(column.name));
  }));
}

class Pairing {
 public:
  Pairing(const catalog::Catalog& old_catalog, const catalog::Catalog& new_catalog,
          const FitOf& fit_of)
      : old_catalog_(old_catalog),
        fit_of_(fit_of),
        old_(WithoutPartitions(old_catalog)),
        new_(WithoutPartitions(new_catalog)) {}

  FirstMapping Run() {
    Match();
    NameSources();
    for (const catalog::Table* to : new_) {
      const auto from = source_of_.find(to);
      if (from != source_of_.end()) {
        AddTable(*from->second, *to);
      } else {
        mapping_.only_new.push_back(Lone(*to, old_));
      }
    }
    for (const catalog::Table* from : old_) {
      if (!taken_.contains(from)) mapping_.only_old.push_back(Lone(*from, new_));
    }
    return std::move(mapping_);
  }

 private:
  // Each rule for all tables before the next one: a guess never takes what a name tells.
  void Match() {
    MatchBy([](const catalog::Table& a, const catalog::Table& b) {
      return a.schema == b.schema && a.name == b.name;
    });
    MatchBy([](const catalog::Table& a, const catalog::Table& b) { return a.name == b.name; });
    MatchBy([](const catalog::Table& a, const catalog::Table& b) {
      return FoldedName(a.name) == FoldedName(b.name);
    });
  }

  template <typename Same>
  void MatchBy(const Same& same) {
    for (const catalog::Table* to : new_) {
      if (source_of_.contains(to)) continue;
      const catalog::Table* from = TheOne(
          old_, [&](const catalog::Table* t) { return !taken_.contains(t) && same(*t, *to); });
      const bool mutual = from != nullptr && TheOne(new_, [&](const catalog::Table* t) {
                                               return !source_of_.contains(t) && same(*from, *t);
                                             }) == to;
      if (!mutual) continue;
      source_of_[to] = from;
      taken_.insert(from);
    }
  }

  // OLD's tables are named without a schema; a name that two of them share needs an alias.
  void NameSources() {
    std::set<string> schemas;
    for (const catalog::Table* table : old_) schemas.insert(table->schema);
    if (schemas.erase("public") > 0) mapping_.schemas.emplace_back("public");
    mapping_.schemas.insert(mapping_.schemas.end(), schemas.begin(), schemas.end());
    std::set<string> names;
    for (const string& schema : mapping_.schemas) {
      for (const catalog::Table* table : old_) {
        if (table->schema != schema) continue;
        string name = table->name;
        if (!names.insert(name).second) {
          name = schema + "_" + table->name;
          while (!names.insert(name).second) name += "_";
          mapping_.aliases[name] = {.schema = schema, .name = table->name};
        }
        names_[table] = name;
      }
    }
  }

  void AddTable(const catalog::Table& from, const catalog::Table& to) {
    FirstTable table{.target = {.schema = to.schema, .name = to.name},
                     .source = {.name = names_.at(&from)},
                     .guessed = from.name != to.name};
    AskOfOld(from, &table);
    if (KeyColumns(to, true).empty()) {
      table.questions.push_back(
          absl::StrFormat("NEW's %s has no primary key and no unique NOT NULL one that is not "
                          "deferrable: its rows could not be found again. Which columns?",
                          to.Display()));
    }
    PairColumns(old_catalog_, from, to, fit_of_, &table);
    mapping_.tables.push_back(std::move(table));
  }

  static void AskOfOld(const catalog::Table& from, FirstTable* table) {
    if (from.persistence != 'p') {
      table->questions.push_back(absl::StrFormat(
          "OLD's %s is unlogged, so no change of it is ever captured. ALTER TABLE %s SET LOGGED, "
          "or take this mapping out?",
          from.Display(), from.Quoted()));
    }
    if (from.inherited_from) {
      table->questions.push_back(absl::StrFormat(
          "OLD's %s has children by INHERITS, whose rows are not its own. Map the children, and "
          "not it?",
          from.Display()));
    }
    if (!KeyColumns(from, false).empty()) return;
    table->questions.push_back(absl::StrFormat(
        "OLD's %s has no primary key and no unique NOT NULL one: its updates and deletes can't be "
        "told apart. Add a key, or take this mapping out and list the table under ignore?",
        from.Display()));
  }

  LoneTable Lone(const catalog::Table& table, const Tables& others) const {
    vector<std::tuple<int, bool, const catalog::Table*>> alike;
    for (const catalog::Table* other : others) {
      const bool near =
          !NearestWord(FoldedName(table.name), vector<string>{FoldedName(other->name)}).empty();
      const int common = ColumnsInCommon(*other, table);
      if (common >= kAlikeColumnsMin) alike.emplace_back(-common, !near, other);
    }
    std::ranges::stable_sort(
        alike, {}, [](const auto& a) { return std::pair(std::get<0>(a), std::get<1>(a)); });
    if (alike.size() > kAlikeMax) alike.resize(kAlikeMax);
    LoneTable lone{.table = {.schema = table.schema, .name = table.name}};
    for (const auto& [common, far, other] : alike) {
      const auto name = names_.find(other);
      const string written = name != names_.end() ? name->second : other->Display();
      if (lone.best.name.empty()) lone.best = {.name = written};
      lone.alike.push_back(
          absl::StrFormat("%s (%d of %d columns)", written, -common, table.columns.size()));
    }
    return lone;
  }

  const catalog::Catalog& old_catalog_;
  const FitOf& fit_of_;
  const Tables old_, new_;
  std::map<const catalog::Table*, const catalog::Table*> source_of_;
  std::set<const catalog::Table*> taken_;
  std::map<const catalog::Table*, string> names_;  // of OLD's, as the file has them
  FirstMapping mapping_;
};

}  // namespace

string FoldedName(std::string_view name) {
  string folded;
  for (const char c : name) {
    if (c != '_') folded += absl::ascii_tolower(static_cast<unsigned char>(c));
  }
  return folded;
}

vector<string> KeyColumns(const catalog::Table& table, bool at_once) {
  if (!at_once && table.replica_identity == 'i') return table.identity_columns;
  for (const catalog::UniqueIndex& index : table.unique_indexes) {
    if (index.partial || (at_once && index.deferrable)) continue;
    const bool usable = std::ranges::all_of(index.columns, [&](const string& name) {
      const catalog::Column* column = table.FindColumn(name);
      return column != nullptr && column->not_null;
    });
    if (usable) return index.columns;
  }
  return {};
}

FirstMapping PairTables(const catalog::Catalog& old_catalog, const catalog::Catalog& new_catalog,
                        const FitOf& fit_of) {
  return Pairing(old_catalog, new_catalog, fit_of).Run();
}

}  // namespace switchyard::operate
