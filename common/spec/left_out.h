// Columns of the source that a migration file leaves out.
#pragma once

#include <string>

#include "common/spec/migration_file.h"

namespace switchyard::spec {

// Whether nothing of the direction reads the column: what becomes of it concerns nobody. Where the
// table is copied the column stands under `drop` or `ignore`; no select or other SQL names it, nor
// reads a whole row. `table` has its schema. Pure.
bool LeavesOut(const Direction& direction, const TableName& table, const std::string& column);

}  // namespace switchyard::spec
