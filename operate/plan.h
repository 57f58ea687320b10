// How each table of NEW comes about, before anything is done. Asks both databases, changes nothing.
#pragma once

#include <string>

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/spec/migration_file.h"
#include "operate/report/plan_report.h"

namespace switchyard::operate {

// InvalidArgument: a fault of the migration file, or of what it says of the databases. Unavailable:
// a database gave no answer.
absl::StatusOr<PlanReport> DescribePlan(const spec::MigrationFile& file, const Cancel& cancel);
// Every statement that NEW will run. Likewise.
absl::StatusOr<std::string> DescribePlanSql(const spec::MigrationFile& file, const Cancel& cancel);

}  // namespace switchyard::operate
