// What Postgres allows in the tables that changes pass through on their way: a stage holds the
// columns used of a table of OLD beside four and more of its own, another one those of a table of
// NEW beside one.
#include <algorithm>
#include <set>

#include "absl/strings/str_format.h"
#include "common/base/strings.h"
#include "common/mapping/compile/compilation.h"

namespace switchyard::mapping {
namespace {

constexpr size_t kPostgresColumnsMax = 1600;
// sy__op, sy__ord, sy__absent, of a mirrored table sy__still; and the key once more.
constexpr size_t kStageColumns = 3;
constexpr size_t kTargetColumns = 1;
constexpr std::string_view kReserved = "sy__";

// A generated column is not in OLD's log: what reads it would find nothing there.
void RefuseGenerated(const Source& source, Compilation* c) {
  for (const catalog::Column& column : source.table->columns) {
    if (!column.generated || !source.used.contains(column.name)) continue;
    const bool key = std::ranges::count(source.key, column.name) > 0;
    c->Fault(source.at,
             absl::StrFormat("%s.%s is generated, so OLD's log does not carry it: %s",
                             source.table->name, column.name,
                             key ? "it can be no key. Make a unique index over other columns, with "
                                   "ALTER TABLE ... REPLICA IDENTITY USING INDEX"
                                 : "where the mapping reads it, write (" + column.generated_sql +
                                       "), and name the columns where it selects *"));
  }
}

void CheckSource(const Source& source, Compilation* c) {
  RefuseGenerated(source, c);
  for (const std::string& column : source.used) {
    if (column.rfind(kReserved, 0) != 0) continue;
    c->Fault(source.at,
             absl::StrFormat("column %s of %s: names that begin with %s are taken by the tables "
                             "that changes pass through. Rename it, or leave it out",
                             column, source.table->Display(), kReserved));
  }
  const size_t own = kStageColumns + (source.mirrored ? 1 : 0) + source.key.size();
  if (source.used.size() + own <= kPostgresColumnsMax) return;
  c->Fault(source.at,
           absl::StrFormat("%d columns of %s are used, and the table that its changes pass through "
                           "needs %d more: Postgres allows %d in all. Leave out %d of them",
                           source.used.size(), source.table->Display(), own, kPostgresColumnsMax,
                           source.used.size() + own - kPostgresColumnsMax));
}

void CheckTarget(const Draft& draft, Compilation* c) {
  const size_t columns = draft.target->columns.size();
  if (columns + kTargetColumns <= kPostgresColumnsMax) return;
  c->Fault(draft.spec->at,
           absl::StrFormat("%s has %d columns, and the table that its rows pass through needs %d "
                           "more: Postgres allows %d in all. Drop one",
                           draft.target->Display(), columns, kTargetColumns, kPostgresColumnsMax));
}

// A domain over an enum has an order but no `=`: Postgres takes it for none of the types that its
// operators over enums are for.
bool HasNoEquality(const catalog::Column& column, Compilation* c) {
  if (!column.user_type) return false;
  const std::string value = "NULL::" + column.type;
  return absl::IsInvalidArgument(c->probe.Plans("SELECT " + value + " = " + value));
}

void RefuseIncomparable(const Draft& draft, Compilation* c) {
  std::set<std::string> names(draft.key.begin(), draft.key.end());
  names.insert(draft.scope.begin(), draft.scope.end());
  for (const std::string& name : names) {
    const catalog::Column* column = draft.target->FindColumn(name);
    if (column == nullptr || !HasNoEquality(*column, c)) continue;
    c->Fault(*draft.spec, "table",
             absl::StrFormat(
                 "%s of %s is of type %s, which has no = operator: its rows could not be "
                 "found again. Make it the domain's base: ALTER TABLE %s ALTER COLUMN %s "
                 "TYPE ...",
                 name, draft.display, column->type, draft.target->Quoted(), QuoteIdentifier(name)));
  }
}

}  // namespace

void CheckLimits(Compilation* compilation) {
  for (const Source& source : compilation->sources) CheckSource(source, compilation);
  for (const Draft& draft : compilation->drafts) {
    CheckTarget(draft, compilation);
    RefuseIncomparable(draft, compilation);
  }
}

}  // namespace switchyard::mapping
