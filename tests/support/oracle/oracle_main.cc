// switchyard_oracle FILE: is NEW what the mapping makes of OLD? One line per table.
// Exit code 0 yes, 1 no, 2 usage or migration file, 3 a database or program failed.
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_format.h"
#include "tests/support/oracle/oracle.h"

namespace switchyard::testing {
namespace {

void Print(const TableComparison& table) {
  std::printf("%-32s %10ld %10ld %8ld %8ld  %s\n", table.table.c_str(), table.rows_in_new,
              table.rows_expected, table.missing, table.extra, table.equal() ? "OK" : "DIFFERENT");
  for (const std::string& example : table.examples) std::printf("    %s\n", example.c_str());
}

int Fail(const absl::Status& status, int exit_code) {
  std::fprintf(stderr, "switchyard_oracle: %s\n", std::string(status.message()).c_str());
  return exit_code;
}

int Main(int argc, char** argv) {
  CLI::App app("Compares NEW with the mapping evaluated over OLD, row by row.");
  std::string path;
  OracleOptions options;
  app.add_option("FILE", path, "the migration file; it names the connection strings")->required();
  app.add_option("--examples", options.examples_max, "differing rows to show per table");
  app.add_flag("--schema-from-setup", options.schema_from_setup,
               "make NEW's tables from the file's setup scripts instead of a dump");
  CLI11_PARSE(app, argc, argv);
  absl::StatusOr<spec::MigrationFile> file =
      spec::LoadMigrationFile(std::filesystem::absolute(path).string());
  if (!file.ok()) return Fail(file.status(), 2);
  const absl::StatusOr<std::string> old_dsn = file->old_db.Dsn();
  if (!old_dsn.ok()) return Fail(old_dsn.status(), 2);
  const absl::StatusOr<std::string> new_dsn = file->new_db.Dsn();
  if (!new_dsn.ok()) return Fail(new_dsn.status(), 2);
  options.old_dsn = *old_dsn;
  options.new_dsn = *new_dsn;
  options.file = *std::move(file);

  const auto tables = CompareWithMapping(options);
  if (!tables.ok()) return Fail(tables.status(), 3);
  std::printf("%-32s %10s %10s %8s %8s\n", "table", "in NEW", "expected", "missing", "extra");
  bool equal = true;
  for (const TableComparison& table : *tables) {
    Print(table);
    equal = equal && table.equal();
  }
  return equal ? 0 : 1;
}

}  // namespace
}  // namespace switchyard::testing

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  return switchyard::testing::Main(argc, argv);
}
