// Pieces that the SQL of a plan is put together from. Internal to the builders.
//
// Aliases, the same in every statement (all at work in tests/golden/plans/*/plan.sql):
//
//   sy_t    a row of the table that is written; sy_o: another row of it, looked at
//   sy_s    a row of the stage: key values as sy__t0 .., what is assigned as sy__v0 ..
//   sy_r    the same before anything is computed
//   sy_n    a row as the recompute gives it
//   sy_v    a row of the mapping's view
//   sy_g    a row taken out, to be changed and put back
//   sy_k    keys of rows to take out
//   sy_l    the key of a row noted to go later
//   sy_b    the key of a row that no change may reach
//   sy_q    what the query of a `from` rule gives
//   sy_w    a row of the target, for its `owns`
//   sy_x    a row of a table that another row is looked for in
//   sy_d    what changed in a patched mapping's row: as it is to be, and as it was
//   sy_f    a row as the select gave it before
//   sy_a    and sy_b beside it, in `changes`: before and after
//
// Temporary tables: by source sy_stage_, sy_saved_, sy_entry_; by mapping (m0) or mirror (o0):
// sy_touched_, sy_new_, sy_slice_, sy_old_, sy_chg_, sy_taken_ (taken out), sy_leaving_ (to go
// later), sy_bar_ (barred); of a patched one sy_was_, sy_diff_, sy_put_, sy_seen_ (plan.h).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/mapping/plan.h"

namespace switchyard::mapping {

struct Assignment;  // sql_builder.h

// Joins what `make` says of 0 .. count-1.
std::string Each(size_t count, std::string_view separator,
                 const std::function<std::string(size_t)>& make);

// pg_temp."name"
std::string Temp(const std::string& name);

// The source's row as it was, identity columns only, under its alias: what key expressions need.
// `ops` as in "'D','K'"; `moved` as Moved() gives it.
std::string OldKeyRow(const SourcePlan& source, const std::string& alias, const std::string& ops,
                      const std::string& moved = "");
// The staged row as it is. Ends in a WHERE that may be added to.
std::string NewRow(const SourcePlan& source, const std::string& alias, const std::string& ops);

// " AND ...": staged rows that change something of a set of columns; nothing for no set (0). `row`
// with its dot, or empty.
std::string Moved(int64_t still, const std::string& row);

// Where the staged `row` says that the value of a source column (an index, or -1) was not sent;
// nothing where it always is.
std::string AbsentTest(const SourcePlan& source, int column, const std::string& row);

// The target's key as the assignments make it of a source row: "(...) AS sy__t0, ...", and the row
// of the target that has the values `sy_s` gives under these names.
std::string KeyValues(const std::vector<const Assignment*>& keys);
std::string KeyMatch(const std::vector<const Assignment*>& keys, const Operators& operators,
                     const std::string& row);

// " = ", or what stands in its place for the column.
std::string EqualSign(const Operators& operators, const std::string& column);
// a.k1 = b.k1 AND ...
std::string KeyEqual(const std::vector<std::string>& key, const Operators& operators,
                     const std::string& a, const std::string& b);
// (row.k1, row.k2) IN (SELECT k1, k2 FROM table), hashed or by index whatever the operators are.
std::string Among(const std::vector<std::string>& key, const Operators& operators,
                  const std::string& row, const std::string& table);
// " AND row.owns", or nothing: columns in `owns` stand alone, and beside another table they would
// be those of either.
std::string OwnedAmong(const std::string& owns, const std::string& row);
// The two rows are the same to the last bit of these columns.
std::string SameImage(const std::vector<std::string>& columns, const std::string& a,
                      const std::string& b);

}  // namespace switchyard::mapping
