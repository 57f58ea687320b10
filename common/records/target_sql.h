// The tables that Switchyard keeps in a target database: the text of deploy/sql/target.sql.
#pragma once

#include <string>

namespace switchyard::records {

// Idempotent; whoever owns schema switchyard may run it.
std::string TargetSetupSql();

}  // namespace switchyard::records
