// The tables that Switchyard keeps in a target database: the text of deploy/sql/target.sql.
#pragma once

#include <string>

#include "common/base/status.h"
#include "common/pg/rows.h"

namespace switchyard::records {

// Idempotent; whoever owns schema switchyard may run it.
std::string TargetSetupSql();

// Whether they are all there, as this program needs them, and the schema of a mirror (stream.h).
absl::StatusOr<bool> HasOwnTables(const pg::Sql& sql, const std::string& mirror_schema);

}  // namespace switchyard::records
