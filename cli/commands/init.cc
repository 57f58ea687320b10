#include "cli/commands/init.h"

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/base/finding.h"
#include "operate/init/init.h"
#include "operate/report/init_report.h"

namespace switchyard::cli {
namespace {

absl::Status WriteNew(const std::string& path, const std::string& text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  const std::error_code refused(file < 0 ? errno : 0, std::generic_category());
  if (refused == std::errc::file_exists) {
    return WithNextStep(
        absl::InvalidArgumentError(absl::StrCat(path, " is there already, and is not overwritten")),
        "give another --output, or move it away");
  }
  if (refused) {
    return absl::InvalidArgumentError(absl::StrCat("can't write ", path, ": ", refused.message()));
  }
  std::string_view left = text;
  while (!left.empty()) {
    const ssize_t written = ::write(file, left.data(), left.size());
    if (written <= 0) break;
    left.remove_prefix(static_cast<size_t>(written));
  }
  const bool closed = ::close(file) == 0;
  if (left.empty() && closed) return absl::OkStatus();
  return WithNextStep(absl::UnavailableError(absl::StrCat("can't write all of ", path)),
                      "remove it, make room, and run this again");
}

absl::StatusOr<ExitCode> RunInit(const operate::InitOptions& options, const Context& context) {
  ASSIGN_OR_RETURN(const operate::InitReport report, operate::Init(options, context.cancel));
  if (!report.path.empty()) RETURN_IF_ERROR(WriteNew(report.path, report.yaml));
  context.out << (context.json ? InitJson(report) : InitText(report));
  return ExitCode::kDone;
}

}  // namespace

void AddInit(CLI::App& app, Chosen* chosen) {
  CLI::App* command =
      app.add_subcommand("init", "Write a first migration file from the catalogues of OLD and NEW");
  auto options = std::make_shared<operate::InitOptions>();
  command
      ->add_option("OLD", options->old_db,
                   "The environment variable, or file, that holds OLD's connection string")
      ->required()
      ->type_name("");
  command->add_option("NEW", options->new_db, "The same for NEW")->required()->type_name("");
  command->add_option("--output", options->output, "Write it there, where no file is yet")
      ->type_name("FILE");
  command->add_option("--name", options->migration,
                      "Name of the migration; default: after OLD's database");
  command->footer(
      "Asks both databases, changes nothing. Tables and columns of one name are paired, what is\n"
      "guessed is marked \"# guessed\", and what is open is a comment that begins with \"# ?\".\n"
      "Examples:\n"
      "  switchyard init OLD_DSN NEW_DSN --output shop.yaml && switchyard check shop.yaml\n"
      "  switchyard init old.dsn new.dsn --name shop");
  command->callback([options, chosen] {
    *chosen = [options](const Context& context) { return RunInit(*options, context); };
  });
}

}  // namespace switchyard::cli
