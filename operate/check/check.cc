#include "operate/check/check.h"

#include <algorithm>
#include <vector>

#include "common/spec/migration_file.h"
#include "operate/check/databases.h"
#include "operate/check/log.h"

namespace switchyard::operate {
namespace {

CheckFault FromFileFault(const spec::Fault& fault) {
  return {.where = CheckFault::Where::kFile,
          .file = fault.file,
          .line = fault.at.line,
          .column = fault.at.column,
          .message = fault.message,
          .kind = CheckFault::Kind::kMistake};
}

}  // namespace

absl::StatusOr<CheckReport> Check(const std::string& path, const CheckOptions& options,
                                  const Cancel& cancel) {
  CheckReport report = {.path = path, .offline = options.offline};
  std::vector<spec::Fault> file_faults;
  spec::MigrationFile partial;
  const absl::StatusOr<spec::MigrationFile> file =
      spec::LoadMigrationFile(path, &file_faults, &partial);
  if (!file.ok() && file_faults.empty()) return file.status();
  for (const spec::Fault& fault : file_faults) report.faults.push_back(FromFileFault(fault));
  if (file.ok()) report.migration = file->name;
  if (options.offline) return report;
  const spec::MigrationFile& read = file.ok() ? *file : partial;
  RETURN_IF_ERROR(CheckDatabases(read, file.ok(), cancel, &report));
  RETURN_IF_ERROR(CheckLog(read, cancel, &report));
  // The file's own are mended first; what the databases lack may follow from them.
  std::ranges::stable_sort(report.faults, {}, &CheckFault::where);
  return report;
}

}  // namespace switchyard::operate
