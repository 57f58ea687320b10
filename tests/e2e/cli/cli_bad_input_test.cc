// What a person gets wrong, through the program: the text, the exit code, and that nothing changed.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "tests/e2e/cli/cli_run_fixture.h"
#include "tests/support/await.h"

namespace switchyard::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kPassword[] = "hunter2";

// Each command that asks a database, without its file.
const std::vector<std::vector<std::string>>& Commands() {
  static const auto* const commands =
      new std::vector<std::vector<std::string>>{{"check"},
                                                {"check", "--print-setup"},
                                                {"check", "--print-setup-new"},
                                                {"plan"},
                                                {"run"},
                                                {"capture"},
                                                {"replay"},
                                                {"status"},
                                                {"recopy", "FILE", "orders"},
                                                {"recopy", "FILE", "--all"},
                                                {"resume"},
                                                {"quarantine", "FILE", "list"},
                                                {"quarantine", "FILE", "retry"}};
  return *commands;
}

std::vector<std::string> With(std::vector<std::string> command, const std::string& file) {
  for (std::string& word : command) {
    if (word == "FILE") word = file;
  }
  if (std::ranges::count(command, file) == 0) command.push_back(file);
  return command;
}

class CliBadInputTest : public CliRunTest {
 protected:
  ProgramResult Run(const std::string& role) { return RunCli({role, file_}, Roles()); }

  // Files beside the migration file, slots, and Switchyard's rows in NEW.
  std::string Traces() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      names.push_back(entry.path().filename());
    }
    std::ranges::sort(names);
    return absl::StrCat(
        absl::StrJoin(names, " "), "; ",
        *postgres_->Scalar("old_db", "SELECT count(*) FROM pg_replication_slots"), " slots, ",
        *postgres_->Scalar("old_db", "SELECT count(*) FROM switchyard.capture_stream"), " and ",
        *postgres_->Scalar("new_db",
                           "SELECT count(*) FROM switchyard.stream WHERE fingerprint <> ''"),
        " streams");
  }

  void Write(const std::string& text) { std::ofstream(file_, std::ios::trunc) << text; }
};

// Whatever is wrong at the very start, the roles end at once and leave nothing behind but the
// reason, which `status` shows: no stream is installed.
TEST_F(CliBadInputTest, ARoleThatIsRefusedAtTheStartHasChangedNothing) {
  Prepare();
  const std::string before = Traces();
  const std::string orders = "  - {table: public.orders, copy: orders";
  const std::string head(kFile, std::string_view(kFile).find("forward:"));
  const struct {
    std::string forward;
    std::string said;
    int code;
  } cases[] = {
      {orders + ", set: {amount: amuont}}\n", "column \"amuont\" does not exist", 2},
      {"  - {table: public.odrers, copy: orders}\n", "the target has no table public.odrers", 2},
      {"  - {table: public.orders, copy: odrers}\n", "there is no table odrers", 2},
      {orders + ", cpoy: x}\n", "unknown key \"cpoy\"", 2},
      {orders + "}\nlog: {sqlite: none/x.db}\n",
       "does not exist; next: make it, or mend log.sqlite", 1},
      {orders + "}\nlog: {sqlite: shop.yaml}\n", "is not a log file", 1},
      {orders + "}\nlog: {sqlite: .}\n", "is a folder", 1},
      {orders + "}\nlog: {kafka: {bootstrap.servers: 'h:1', lingr.ms: 5}}\n", "lingr.ms", 2}};
  for (const auto& [forward, said, code] : cases) {
    Write(absl::StrCat(head, "forward:\n", forward));
    const ProgramResult result = Run("run");
    EXPECT_EQ(result.exit_code, code) << result.output;
    EXPECT_THAT(result.output, HasSubstr(said));
    EXPECT_EQ(Traces(), before) << said;
  }
  Write(absl::StrCat(head, "forward:\n", orders, "}\n"));
  ASSERT_OK(postgres_->Execute("new_db", "INSERT INTO orders VALUES (-1, 1)"));
  for (const char* role : {"run", "replay"}) {
    Environment same = Roles();
    same[1].second = same[0].second;
    const ProgramResult one = RunCli({role, file_}, same);
    EXPECT_EQ(one.exit_code, 2) << one.output;
    EXPECT_THAT(one.output, HasSubstr("are the same database"));
    const ProgramResult result = Run(role);
    EXPECT_EQ(result.exit_code, 1) << result.output;
    EXPECT_THAT(result.output, HasSubstr("public.orders is not empty"));
    EXPECT_EQ(Traces(), before);
  }
  ASSERT_OK(postgres_->Execute("old_db", "DROP PUBLICATION switchyard_shop_forward"));
  for (const char* role : {"run", "capture"}) {
    const ProgramResult result = Run(role);
    EXPECT_EQ(result.exit_code, 1) << result.output;
    EXPECT_THAT(result.output, HasSubstr("there is no publication"));
    EXPECT_EQ(Traces(), before);
  }
}

TEST_F(CliBadInputTest, AQuarantineEntryThatIsNotThereIsNotRetried) {
  Prepare();
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  const ProgramResult result = RunCli({"quarantine", file_, "retry", "17"}, Roles());
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.output, HasSubstr("the quarantine of shop.forward holds no entry 17"));
  // In either order.
  EXPECT_EQ(RunCli({"quarantine", file_, "show", "17"}, Roles()).exit_code, 2);
  const ProgramResult list = RunCli({"quarantine", "list", file_}, Roles());
  EXPECT_EQ(list.exit_code, 0) << list.output;
  EXPECT_THAT(RunCli({"status", file_, "--json"}, Roles()).output,
              AllOf(HasSubstr("\"capture_active\": true"), HasSubstr("\"replayer_active\": true")));
  pipeline_.reset();
  const ProgramResult alone = RunCli({"status", file_}, Roles());
  EXPECT_EQ(alone.exit_code, 1);
  EXPECT_THAT(alone.output, AllOf(HasSubstr("streaming"), HasSubstr("  no role runs: ")));
}

// A select whose rows share a key can be found out only over the rows themselves.
TEST_F(CliBadInputTest, AScopeThatIsNotUniqueWaitsInQuarantineFromTheCopyOn) {
  constexpr std::string_view kGrouped =
      "SELECT lower(c.email) AS email, count(*)::int AS members, min(k.name) AS kind";
  std::string text(kFile);
  const size_t at = text.find(kGrouped);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, kGrouped.size(),
               "SELECT lower(c.email) AS email, min(c.id) AS members, min(k.name) AS kind");
  text.replace(text.find("GROUP BY 1"), 10, "GROUP BY c.email");
  Write(text);
  Prepare();
  StartPipeline();
  ASSERT_OK(pipeline_->Start("replay"));
  ASSERT_OK(pipeline_->Start("capture"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_THAT(RunCli({"quarantine", "list", file_}, Roles()).output,
              HasSubstr("several rows under one key"));
  EXPECT_EQ(New("SELECT count(*) FROM people WHERE email = 'a@x'"), "0");
  EXPECT_THAT(pipeline_->Log("replay"), Not(HasSubstr("a@x")));
  ASSERT_OK(pipeline_->Stop("replay"));
  Write(kFile);
  const ProgramResult resumed = RunCli({"resume", file_}, Roles());
  EXPECT_EQ(resumed.exit_code, 0) << resumed.output;
  ASSERT_OK(pipeline_->Start("replay"));
  EXPECT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(New("SELECT members FROM people WHERE email = 'a@x'"), "2");
  EXPECT_EQ(RunCli({"quarantine", "list", file_}, Roles()).exit_code, 0);
}

// A password that is wrong ends every command, is never shown, and with --json there is JSON.
TEST(CliPasswordTest, AWrongOneEndsEveryCommandAndIsNeverPrinted) {
  ASSERT_OK_AND_ASSIGN(
      const auto postgres,
      MiniPostgres::Start({.hba = {"host all lou 127.0.0.1/32 scram-sha-256"}, .tcp = true}));
  ASSERT_OK(postgres->Execute("postgres", "CREATE ROLE lou LOGIN PASSWORD 'right'"));
  ASSERT_OK_AND_ASSIGN(const std::string folder, MakeTempFolder("cli_password"));
  const std::string file = folder + "/shop.yaml";
  std::ofstream(file) << kFile;
  const std::string words = absl::StrCat("host=127.0.0.1 port=", postgres->port(),
                                         " dbname=postgres user=lou password=", kPassword);
  const std::string uri =
      absl::StrCat("postgresql://lou:", kPassword, "@127.0.0.1:", postgres->port(), "/postgres");
  for (const std::vector<std::string>& command : Commands()) {
    for (const bool json : {false, true}) {
      std::vector<std::string> arguments = With(command, file);
      if (json) arguments.push_back("--json");
      SCOPED_TRACE(absl::StrJoin(arguments, " "));
      const ProgramResult result = RunCli(arguments, {{"OLD_DSN", words}, {"NEW_DSN", uri}});
      EXPECT_EQ(result.exit_code, 3) << result.output;
      EXPECT_THAT(result.output, HasSubstr("password authentication failed"));
      EXPECT_THAT(result.output, Not(HasSubstr(kPassword)));
      if (json) {
        EXPECT_TRUE(nlohmann::json::accept(result.output)) << result.output;
      }
    }
  }
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    files.push_back(entry.path().filename());
  }
  EXPECT_THAT(files, ElementsAre("shop.yaml"));
  std::filesystem::remove_all(folder);
}

TEST(CliUsageTest, AWrongCommandLineIsJsonWhereJsonIsAskedFor) {
  const struct {
    std::vector<std::string> arguments;
    std::string said;
    std::string help;
  } cases[] = {
      {{}, "A subcommand is required", "switchyard --help"},
      {{"--log-level", "warn", "chekc", "x"}, "did you mean \"check\"?", "switchyard --help"},
      {{"status"}, "FILE is required", "switchyard status --help"},
      {{"status", "x", "--wach"},
       "unknown option \"--wach\"; did you mean \"--watch\"?",
       "switchyard status --help"},
      {{"status", "x", "--interval"}, "--interval", "switchyard status --help"},
      {{"plan", "x", "y"}, "y", "switchyard plan --help"},
      {{"quarantine", "x", "retry", "-3"},
       "\"-3\" is no whole number of 1 or more",
       "switchyard quarantine --help"},
      {{"quarantine", "x", "list", "--limit", "many"},
       "\"many\" is no whole number",
       "switchyard quarantine --help"},
      {{"check", "x", "--offline", "--print-setup"}, "excludes", "switchyard check --help"}};
  for (const auto& [arguments, said, help] : cases) {
    SCOPED_TRACE(said);
    const ProgramResult text = RunCli(arguments);
    EXPECT_EQ(text.exit_code, 2);
    EXPECT_THAT(text.output, HasSubstr(said));
    EXPECT_THAT(text.output, HasSubstr("Run: " + help + "\n"));
    std::vector<std::string> more = arguments;
    more.push_back("--json");
    if (more[more.size() - 2] == "--interval") std::swap(more.back(), more.front());
    const ProgramResult json = RunCli(more);
    EXPECT_EQ(json.exit_code, 2);
    const nlohmann::json object = nlohmann::json::parse(json.output, nullptr, false);
    ASSERT_FALSE(object.is_discarded()) << json.output;
    EXPECT_EQ(object["result"], "usage");
    EXPECT_EQ(object["exit_code"], 2);
  }
  EXPECT_THAT(RunCli({"quarantine", "x", "lst"}).output, HasSubstr("must be list, show or retry"));
}

TEST(CliUsageTest, WhatBelongsToAnotherActionIsRefusedAndNotIgnored) {
  const struct {
    std::vector<std::string> arguments;
    std::string said;
  } cases[] = {{{"quarantine", "x", "list", "3"}, "an ID goes with show and retry"},
               {{"quarantine", "x", "show"}, "show wants an ID"},
               {{"quarantine", "x", "list", "--wait", "3s"}, "--wait goes with retry only"},
               {{"quarantine", "x", "retry", "--limit", "3"}, "--limit goes with list only"},
               {{"status", "x", "--interval", "3s"}, "--interval goes with --watch only"},
               {{"check", "x", "--role", "me"}, "--role goes with --print-setup"}};
  for (const auto& [arguments, said] : cases) {
    const ProgramResult result = RunCli(arguments);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_THAT(result.output, HasSubstr(said));
  }
}

TEST(CliUsageTest, EveryCommandHasHelpWithAnExample) {
  for (const char* command : {"check", "plan", "run", "capture", "replay", "status", "recopy",
                              "quarantine", "resume", "completion"}) {
    const ProgramResult help = RunCli({command, "--help"});
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_THAT(help.output, HasSubstr("Example"));
    EXPECT_THAT(help.output, HasSubstr(absl::StrCat("switchyard ", command, " ")));
    EXPECT_THAT(help.output, HasSubstr("--json")) << command;
  }
}

// The slot can't be made before it ends, and nothing else says why nothing moves.
TEST_F(CliBadInputTest, AForgottenTransactionIsNamedByStatus) {
  Prepare();
  ASSERT_OK_AND_ASSIGN(const auto forgotten, postgres_->Connect("old_db"));
  ASSERT_OK(forgotten->Execute("BEGIN; UPDATE orders SET amount = 7 WHERE id = 7"));
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  const std::string pid = absl::StrCat("waits for pid ", forgotten->backend_pid());
  EXPECT_OK(Await("status to name it", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
    return absl::StrContains(RunCli({"status", file_}, Roles()).output, pid);
  }));
  ASSERT_OK(forgotten->Execute("COMMIT"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_THAT(RunCli({"status", file_}, Roles()).output, Not(HasSubstr("waits for")));
  EXPECT_EQ(New("SELECT amount FROM orders WHERE id = 7"), "7");
}

// SIGTERM while nothing goes on: a database that does not answer, another that is in charge.
TEST_F(CliBadInputTest, EachRoleEndsCleanlyWhileItWaits) {
  Prepare();
  const Environment nowhere = {{"OLD_DSN", "host=127.0.0.1 port=1"},
                               {"NEW_DSN", "host=127.0.0.1 port=1"}};
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  for (const char* role : {"run", "capture", "replay"}) {
    for (const bool standby : {false, true}) {
      SCOPED_TRACE(absl::StrCat(role, standby ? " in standby" : " without a database"));
      const std::string output = absl::StrCat(folder_, "/", role, standby, ".out");
      ASSERT_OK_AND_ASSIGN(const auto process,
                           SwitchyardProcess::Start({.arguments = {role, file_},
                                                     .environment = standby ? Roles() : nowhere,
                                                     .output_path = output}));
      EXPECT_OK(Await("it to wait", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
        const std::string text = ReadFileOrEmpty(output);
        return absl::StrContains(text, standby ? "standing by" : "Connection refused");
      })) << ReadFileOrEmpty(output);
      ASSERT_OK_AND_ASSIGN(const int code, process->Terminate());
      EXPECT_EQ(code, 0);
    }
  }
}

}  // namespace
}  // namespace switchyard::testing
