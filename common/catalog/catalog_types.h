// Part of LoadCatalog: the user-defined types and collations that a set of tables needs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/status.h"
#include "common/catalog/catalog.h"
#include "common/pg/session.h"

namespace switchyard::catalog::internal {

// SQL for the type name of (type oid, modifier) as Column::type has it. `type` and `modifier` are
// SQL expressions. Needs search_path = pg_catalog.
std::string TypeNameSql(std::string_view type, std::string_view modifier);

// SQL condition: the object `oid` of catalogue `catalogue` belongs to the database's user, not to
// the system and not to an extension. `schema` is its pg_namespace oid.
std::string UserOwnedSql(std::string_view catalogue, std::string_view oid, std::string_view schema);

// Fills catalog.types for the columns of the tables `oids` (a text array literal of oids), and
// Column::user_type, mirror_type and mirror_collation of catalog.tables. Runs inside the caller's
// transaction.
absl::Status LoadTypes(pg::Session& session, const std::string& oids, Catalog* catalog);

}  // namespace switchyard::catalog::internal
