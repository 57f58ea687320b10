#include "cli/program.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "cli/commands/check.h"
#include "cli/commands/command.h"
#include "cli/commands/completion.h"
#include "cli/commands/init.h"
#include "cli/commands/mend/breach.h"
#include "cli/commands/plan.h"
#include "cli/commands/quarantine.h"
#include "cli/commands/recopy.h"
#include "cli/commands/resume.h"
#include "cli/commands/status.h"
#include "cli/commands/teardown.h"
#include "cli/commands/verify.h"
#include "cli/roles/roles.h"
#include "common/base/finding.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "operate/told.h"

namespace switchyard::cli {
namespace {

constexpr char kVersion[] = "switchyard 0.1.0";

struct GlobalOptions {
  bool json = false;
  std::string log_level = "info";
};

LogLevel LevelOf(const std::string& name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "warn") return LogLevel::kWarn;
  if (name == "error") return LogLevel::kError;
  return LogLevel::kInfo;
}

void AddGlobalOptions(CLI::App& app, GlobalOptions* options) {
  app.set_version_flag("--version", kVersion, "Print the version");
  app.add_flag("--json", options->json, "Print results as JSON");
  app.add_option("--log-level", options->log_level, "Log lines of this level and above")
      ->type_name("LEVEL")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  app.require_subcommand(1);
  app.fallthrough();  // global options may follow the subcommand
  app.footer(
      "Exit codes: 0 done or yes, 1 no, 2 usage or migration file, 3 unavailable,\n"
      "            4 inconclusive, 5 ambiguous\n"
      "Examples:\n"
      "  switchyard check studio.yaml          is everything ready?\n"
      "  switchyard status studio.yaml --watch how far is it?\n"
      "  switchyard <command> --help           options and examples of one command");
}

using Arguments = std::vector<std::string>;

// The subcommand that was chosen; null when there is none.
const CLI::App* ChosenCommand(const CLI::App& app, const Arguments& arguments) {
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (std::ranges::count(arguments, command->get_name()) > 0) return command;
  }
  return nullptr;
}

// A sentence about a first word that is no subcommand; "" when there is no such word.
std::string UnknownCommand(const CLI::App& app, const Arguments& arguments) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word == "--log-level") ++i;  // its value follows
    if (absl::StartsWith(word, "-")) continue;
    const std::string nearest = NearestWord(word, names);
    return absl::StrCat("unknown command \"", word, "\"",
                        nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?");
  }
  return "";
}

// The same about an option; "" when all are known.
std::string UnknownOption(const CLI::App& app, const CLI::App& command,
                          const Arguments& arguments) {
  std::vector<std::string> names;
  for (const CLI::App* owner : {&command, &app}) {
    for (const CLI::Option* option : owner->get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  for (const std::string& argument : arguments) {
    const std::string word = argument.substr(0, argument.find('='));
    if (!absl::StartsWith(word, "--") || word == "--") continue;
    if (std::ranges::count(names, word) > 0) continue;
    const std::string nearest = NearestWord(word, names);
    return absl::StrCat("unknown option \"", word, "\"",
                        nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?");
  }
  return "";
}

ExitCode ReportError(const absl::Status& status, bool json, std::ostream& out, std::ostream& err) {
  const ExitCode code = ExitCodeFor(status);
  const absl::Status told = operate::AsTold(status);
  const std::string message(StdSv(told.message()));
  if (json) {
    const nlohmann::ordered_json object = {{"result", ExitCodeWord(code)},
                                           {"exit_code", static_cast<int>(code)},
                                           {"error", message},
                                           {"next", FindingOf(told, "").next}};
    out << object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  } else {
    err << "switchyard: " << message << "\n";
  }
  return code;
}

// What the parser says of a command line it can't use, or of --help and --version.
ExitCode ReportParse(const CLI::App& app, const CLI::ParseError& error, const Arguments& arguments,
                     std::ostream& out, std::ostream& err) {
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
    app.exit(error, out, err);
    return ExitCode::kDone;
  }
  const CLI::App* command = ChosenCommand(app, arguments);
  std::string text =
      command == nullptr ? UnknownCommand(app, arguments) : UnknownOption(app, *command, arguments);
  if (text.empty()) text = error.what();
  const bool json = std::ranges::count(arguments, "--json") > 0;
  const ExitCode code = ReportError(absl::InvalidArgumentError(text), json, out, err);
  if (!json) {
    err << "Run: switchyard " << (command == nullptr ? "" : command->get_name() + " ")
        << "--help\n";
  }
  return code;
}

}  // namespace

ExitCode RunProgram(int argc, const char* const* argv, const Cancel& cancel, std::ostream& out,
                    std::ostream& err) {
  CLI::App app("Moves a live Postgres application to a database with another schema.",
               "switchyard");
  GlobalOptions options;
  Chosen chosen;
  AddGlobalOptions(app, &options);
  AddInit(app, &chosen);
  AddCheck(app, &chosen);
  AddPlan(app, &chosen);
  AddRecopy(app, &chosen);
  AddResume(app, &chosen);
  AddBreach(app, &chosen);
  AddQuarantine(app, &chosen);
  AddRun(app, &chosen);
  AddCapture(app, &chosen);
  AddReplay(app, &chosen);
  AddStatus(app, &chosen);
  AddVerify(app, &chosen);
  AddTeardown(app, &chosen);
  AddCompletion(app, &chosen);
  for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    command->footer(command->get_footer() + "\nEvery command takes --json and --log-level LEVEL.");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return ReportParse(app, error, Arguments(argv + 1, argv + argc), out, err);
  }
  SetLogLevel(LevelOf(options.log_level));
  const absl::StatusOr<ExitCode> code =
      chosen(Context{.json = options.json, .out = out, .cancel = cancel});
  return code.ok() ? *code : ReportError(code.status(), options.json, out, err);
}

}  // namespace switchyard::cli
