#include "common/records/target_sql.h"

#include "deploy/sql/target.sql.h"

namespace switchyard::records {

std::string TargetSetupSql() { return kTargetSql; }

}  // namespace switchyard::records
