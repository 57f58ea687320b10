// Pieces that the SQL of a plan is put together from. Internal to the builders.
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
// `ops` as in "'D','K'".
std::string OldKeyRow(const SourcePlan& source, const std::string& alias, const std::string& ops);
// The staged row as it is. Ends in a WHERE that may be added to.
std::string NewRow(const SourcePlan& source, const std::string& alias, const std::string& ops);

// The target's key as the assignments make it of a source row: "(...) AS sy__t0, ...", and the row
// of the target that has the values `sy_s` gives under these names.
std::string KeyValues(const std::vector<const Assignment*>& keys);
std::string KeyMatch(const std::vector<const Assignment*>& keys, const std::string& row);

// a.k1 = b.k1 AND ...
std::string KeyEqual(const std::vector<std::string>& key, const std::string& a,
                     const std::string& b);
// " AND row.owns", or nothing: columns in `owns` stand alone, and beside another table they would
// be those of either.
std::string OwnedAmong(const std::string& owns, const std::string& row);
// The two rows are the same to the last bit of these columns.
std::string SameImage(const std::vector<std::string>& columns, const std::string& a,
                      const std::string& b);

}  // namespace switchyard::mapping
