// Columns of the source that a migration file leaves out.
#pragma once

#include <string>

#include "common/spec/migration_file.h"

namespace switchyard::spec {

// Whether the direction only copies the table, lists the column under `drop` or `ignore`, and names
// neither in any of its SQL: what becomes of the column concerns nobody. `table` has its schema.
// Pure.
bool LeavesOut(const Direction& direction, const TableName& table, const std::string& column);

}  // namespace switchyard::spec
