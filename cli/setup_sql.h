// What `check --print-setup` prints: the SQL an owner runs once.
#pragma once

#include <string>

#include "common/base/cancel.h"
#include "common/spec/migration_file.h"

namespace switchyard::cli {

struct SetupOptions {
  std::string capture_role;  // empty: chosen from who OLD's connection string logs in as
};

// For OLD. FailedPrecondition names the tables that can't be captured; nothing is changed.
absl::StatusOr<std::string> SetupSql(const spec::MigrationFile& file, const SetupOptions& options,
                                     const Cancel& cancel);

}  // namespace switchyard::cli
