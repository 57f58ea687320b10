#include "common/mapping/compilation.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/strings.h"

namespace switchyard::mapping {

using std::set;
using std::string;
using std::vector;

namespace {

// The identity the log carries for every update and delete of this table.
vector<string> SourceKey(const Table& table) {
  if (table.replica_identity == 'i') return table.identity_columns;
  return KeyOf(table, true);  // default and full; with full the whole old row is there
}

}  // namespace

vector<string> KeyOf(const Table& table, bool deferrable_too) {
  if (deferrable_too && !table.primary_key.empty()) return table.primary_key;
  for (const UniqueIndex& index : table.unique_indexes) {  // the primary key first
    if (index.partial || (index.deferrable && !deferrable_too)) continue;
    const bool usable = std::ranges::all_of(index.columns, [&](const string& c) {
      const Column* column = table.FindColumn(c);
      return column != nullptr && column->not_null;
    });
    if (usable) return index.columns;
  }
  return {};
}

void Compilation::Fault(const spec::Position& at, string message) {
  faults.push_back({at, std::move(message)});
}

absl::Status Compilation::Refused() const {
  vector<string> lines;
  for (const CompileFault& fault : faults) lines.push_back(fault.message);
  return absl::InvalidArgumentError(Sv(absl::StrJoin(lines, "\n")));
}

absl::Status Compilation::SqlFault(const Draft& draft, std::string_view what,
                                   const absl::Status& status) {
  if (!absl::IsInvalidArgument(status)) return status;
  Fault(draft.spec->at,
        absl::StrCat(Sv(what), " of ", draft.spec->target.ToString(), ": ", status.message()));
  return absl::OkStatus();
}

const Table* Compilation::ResolveSource(const spec::TableName& name) const {
  const auto alias = direction.aliases.find(name.name);
  if (name.schema.empty() && alias != direction.aliases.end()) {
    return input.source->Find(alias->second.schema, alias->second.name);
  }
  if (!name.schema.empty()) return input.source->Find(name.schema, name.name);
  for (const string& schema : input.schemas) {
    if (const Table* found = input.source->Find(schema, name.name)) return found;
  }
  return nullptr;
}

int Compilation::SourceFor(const spec::TableName& name, const spec::Position& at) {
  const Table* table = ResolveSource(name);
  if (table == nullptr) {
    vector<string> known = input.source_names;
    for (const Table& t : input.source->tables) known.push_back(t.name);
    const string near = NearestWord(name.name, known);
    Fault(at, absl::StrCat("the source has no table ", name.ToString(),
                           near.empty() ? "" : "; did you mean " + near + "?"));
    return -1;
  }
  for (size_t i = 0; i < sources.size(); ++i) {
    if (sources[i].table == table) return static_cast<int>(i);
  }
  return AddSource(*table, name.name, at);
}

int Compilation::AddSource(const Table& table, const string& alias, const spec::Position& at) {
  Source source{.table = &table, .alias = alias, .key = SourceKey(table)};
  if (table.kind != 'r' && table.kind != 'p') {
    Fault(at, absl::StrFormat("%s is not a table; only tables can be captured", table.Display()));
    return -1;
  }
  if (source.key.empty()) {
    Fault(at, absl::StrFormat(
                  "%s has no primary key and no unique NOT NULL key: its updates and deletes "
                  "can't be told apart. Add a primary key, or a unique index over NOT NULL "
                  "columns with ALTER TABLE %s REPLICA IDENTITY USING INDEX",
                  table.Display(), table.Quoted()));
    return -1;
  }
  source.used.insert(source.key.begin(), source.key.end());
  sources.push_back(std::move(source));
  return static_cast<int>(sources.size()) - 1;
}

bool Compilation::Ignored(const Table& table, const string& column) const {
  return std::ranges::any_of(direction.ignore, [&](const string& entry) {
    return entry == table.name + "." + column || entry == table.Display() + "." + column;
  });
}

}  // namespace switchyard::mapping
