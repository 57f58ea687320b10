#include "tests/support/oracle/studio_example.h"

#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/base/strings.h"
#include "common/spec/migration_file.h"

namespace switchyard::testing {
namespace {

constexpr char kLogLine[] = "log: {sqlite: studio-bookings.log.db}";
constexpr char kExample[] = SY_SOURCE_DIR "/examples/studio-bookings";

}  // namespace

absl::StatusOr<std::unique_ptr<StudioExample>> StudioExample::Start(Options options) {
  options.old_db.settings.emplace_back("wal_level", "logical");
  auto example = std::unique_ptr<StudioExample>(new StudioExample(std::move(options)));
  RETURN_IF_ERROR(Annotate(example->Create(), "studio-bookings"));
  return example;
}

absl::Status StudioExample::Create() {
  RETURN_IF_ERROR(WriteFiles());
  ASSIGN_OR_RETURN(old_db_, MiniPostgres::Start(options_.old_db));
  ASSIGN_OR_RETURN(new_db_, MiniPostgres::Start(options_.new_db));
  RETURN_IF_ERROR(old_db_->CreateDatabase("studio"));
  RETURN_IF_ERROR(new_db_->CreateDatabase("studio"));
  RETURN_IF_ERROR(
      Psql(old_dsn(), {"-v", absl::StrCat("scale=", options_.scale), "-v",
                       absl::StrCat("nasty=", options_.nasty ? 1 : 0), "-f",
                       folder() + "/old/schema.sql", "-f", folder() + "/old/generate.sql"})
          .status());
  ASSIGN_OR_RETURN(const spec::MigrationFile file, spec::LoadMigrationFile(migration_file()));
  for (const std::string& path : file.setup) {
    RETURN_IF_ERROR(Psql(new_dsn(), {"-f", path}).status());
  }
  return absl::OkStatus();
}

absl::Status StudioExample::WriteFiles() const {
  std::error_code error;
  std::filesystem::copy(kExample, folder(), std::filesystem::copy_options::recursive, error);
  if (error)
    return absl::UnavailableError(absl::StrCat("copying ", kExample, ": ", error.message()));
  const std::string text = ReadFileOrEmpty(migration_file());
  if (!absl::StrContains(text, kLogLine)) {
    return absl::FailedPreconditionError(absl::StrCat(migration_file(), " has no ", kLogLine));
  }
  // An idle source is reported often, so that tests need not wait for it.
  std::ofstream(migration_file())
      << absl::StrReplaceAll(
             text, {{kLogLine, options_.log.empty() ? std::string(kLogLine) : options_.log}})
      << "\ncapture: {heartbeat: 200ms}\n";
  return absl::OkStatus();
}

std::vector<std::pair<std::string, std::string>> StudioExample::environment() const {
  return {{"OLD_DSN", old_dsn()}, {"NEW_DSN", new_dsn()}};
}

absl::StatusOr<std::string> StudioExample::Psql(const std::string& dsn,
                                                std::vector<std::string> arguments) const {
  Command command;
  command.argv = {"/usr/bin/env", "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", dsn};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  return RunForOutput(std::move(command));
}

Command StudioExample::WorkloadCommand(const std::vector<std::string>& arguments) const {
  Command command;
  command.argv = {folder() + "/workload/old_app.py"};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.environment = environment();
  return command;
}

absl::StatusOr<std::string> StudioExample::RunWorkload(
    const std::vector<std::string>& arguments) const {
  return RunForOutput(WorkloadCommand(arguments));
}

absl::StatusOr<pid_t> StudioExample::StartWorkload(const std::vector<std::string>& arguments,
                                                   const std::string& output_path) const {
  Command command = WorkloadCommand(arguments);
  command.output_path = output_path;
  return Spawn(command);
}

absl::StatusOr<std::vector<PostCheck>> StudioExample::PostChecks() const {
  ASSIGN_OR_RETURN(const std::string output,
                   Psql(new_dsn(), {"-A", "-t", "-v", absl::StrCat("scale=", options_.scale), "-v",
                                    absl::StrCat("nasty=", options_.nasty ? 1 : 0), "-f",
                                    folder() + "/checks/post.sql"}));
  std::vector<PostCheck> checks;
  for (const absl::string_view line : absl::StrSplit(output, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> fields = absl::StrSplit(line, '|');
    PostCheck check;
    if (fields.size() != 4 || !absl::SimpleAtoi(fields[1], &check.expected) ||
        !absl::SimpleAtoi(fields[2], &check.observed)) {
      return absl::InternalError(absl::StrCat("not a line of checks/post.sql: ", line));
    }
    check.name = fields[0];
    checks.push_back(std::move(check));
  }
  return checks;
}

absl::StatusOr<std::vector<TableComparison>> StudioExample::Compare() const {
  ASSIGN_OR_RETURN(spec::MigrationFile file, spec::LoadMigrationFile(migration_file()));
  return CompareWithMapping({.old_dsn = old_dsn(), .new_dsn = new_dsn(), .file = std::move(file)});
}

}  // namespace switchyard::testing
