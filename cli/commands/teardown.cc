#include "cli/commands/teardown.h"

#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/spec/migration_file.h"
#include "operate/setup/teardown.h"

namespace switchyard::cli {
namespace {

constexpr int kInputPollMs = 100;

struct TeardownOptions {
  std::string path;
  bool print = false;
  bool yes = false;
  std::string only;  // "": both databases

  operate::TeardownOf what() const {
    if (only == "old") return operate::TeardownOf::kOldAndLog;
    return only == "new" ? operate::TeardownOf::kNewAndLog : operate::TeardownOf::kAll;
  }
};

// A line of standard input; false when it ended, or the person ended the program.
bool ReadLine(const Cancel& cancel, std::string* line) {
  pollfd input = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  while (!cancel.requested()) {
    if (poll(&input, 1, kInputPollMs) > 0) return static_cast<bool>(std::getline(std::cin, *line));
  }
  return false;
}

absl::Status Confirm(const spec::MigrationFile& file, const TeardownOptions& options,
                     const Context& context) {
  if (options.yes) return absl::OkStatus();
  if (context.json || isatty(STDIN_FILENO) == 0) {
    return absl::InvalidArgumentError(
        "teardown removes what can't be brought back, and nobody is there to be asked: look with "
        "--print, then say --yes");
  }
  ASSIGN_OR_RETURN(const operate::TeardownReport shown,
                   operate::ShowTeardown(file, options.what(), context.cancel));
  context.out << operate::TeardownText(shown);
  if (shown.steps.empty()) return absl::OkStatus();
  context.out << "\nNEW keeps its rows, and follows OLD no more"
              << (options.only == "old" ? "" : ": its position, quarantine and ids are forgotten")
              << ",\nand to go on later everything is copied again. Type " << file.name
              << " to remove all this: " << std::flush;
  std::string typed;
  if (ReadLine(context.cancel, &typed) && typed == file.name) return absl::OkStatus();
  return absl::CancelledError("nothing was removed");
}

absl::StatusOr<ExitCode> RunTeardown(const TeardownOptions& options, const Context& context) {
  ASSIGN_OR_RETURN(const spec::MigrationFile file, spec::LoadMigrationFile(options.path));
  if (!options.print) RETURN_IF_ERROR(Confirm(file, options, context));
  ASSIGN_OR_RETURN(const operate::TeardownReport report,
                   options.print ? operate::ShowTeardown(file, options.what(), context.cancel)
                                 : operate::Teardown(file, options.what(), context.cancel));
  context.out << (context.json ? operate::TeardownJson(report) : operate::TeardownText(report));
  return report.complete() ? ExitCode::kDone : ExitCode::kNo;
}

}  // namespace

void AddTeardown(CLI::App& app, Chosen* chosen) {
  CLI::App* command = app.add_subcommand(
      "teardown", "End a migration: remove all that is Switchyard's from OLD, NEW and the log");
  auto options = std::make_shared<TeardownOptions>();
  command->add_option("FILE", options->path, "The migration file")->required()->type_name("");
  command->add_flag("--print", options->print, "Print the statements and remove nothing");
  command->add_flag("--yes", options->yes, "Don't ask: where there is no terminal");
  command
      ->add_option("--only", options->only,
                   "Of this database and the log alone: the other one is gone for good")
      ->check(CLI::IsMember({"old", "new"}))
      ->type_name("old|new");
  command->footer(
      "Never touches a row of NEW's mapped tables. Wants every role to have ended. Run again, it\n"
      "says that nothing is left. Ends with 1 when something stays because the logins of FILE may\n"
      "not remove it: it prints the statement, and who may run it.\n"
      "Examples:\n"
      "  switchyard teardown studio.yaml --print\n"
      "  switchyard teardown studio.yaml\n"
      "  OLD_DSN=... NEW_DSN=... switchyard teardown studio.yaml --yes    as the owners");
  command->callback([options, chosen] {
    *chosen = [options](const Context& context) { return RunTeardown(*options, context); };
  });
}

}  // namespace switchyard::cli
