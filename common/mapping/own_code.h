// Code of a database's own that runs while its tables are written: it looks names up as it runs, by
// the search_path it was made for.
#pragma once

#include <string>
#include <vector>

namespace switchyard::mapping {

// A query for whether writing these tables (quoted names) runs any: triggers that fire, and
// functions in CHECKs, defaults, generated columns, indexes and rules; with tables that foreign
// keys act on. `silent`: session_replication_role is replica. Functions of C are taken for those of
// extensions. Needs search_path = pg_catalog.
std::string RunsOwnCodeSql(const std::vector<std::string>& tables, bool silent);

}  // namespace switchyard::mapping
