#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"
#include "common/pg/session.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/cli/cli_fixture.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/server/subprocess.h"
#include "tests/support/status_matchers.h"

namespace switchyard::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kFile[] =
    "migration: shop\nold: {dsn_env: OLD_DSN}\nnew: {dsn_env: NEW_DSN}\n"
    "forward: [{table: public.users, copy: customers}]\n";

// The place of `from` is marked.
constexpr char kRehearsed[] =
    "migration: shop\nold: {dsn_env: OLD_DSN}\nnew: {dsn_env: NEW_DSN}\nforward:\n"
    "  - table: public.spent\n    scope: email\n{from}    select: >-\n"
    "      SELECT lower(b.email) AS email, sum(p.amount) AS total\n"
    "      FROM buyers b LEFT JOIN purchases p ON p.buyer_id = b.id GROUP BY 1\n";

class CliCheckTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto postgres = MiniPostgres::Start({.settings = {{"max_slot_wal_keep_size", "64MB"},
                                                      {"max_locks_per_transaction", "10"},
                                                      {"max_connections", "20"}}});
    ASSERT_OK(postgres);
    postgres_ = std::move(*postgres).release();
    ASSERT_OK(postgres_->CreateDatabase("old_db"));
    ASSERT_OK(postgres_->CreateDatabase("new_db"));
    ASSERT_OK(postgres_->Execute("old_db", "CREATE TABLE customers (id int PRIMARY KEY)"));
    ASSERT_OK(postgres_->Execute("new_db", "CREATE TABLE users (id int PRIMARY KEY)"));
    ASSERT_OK(postgres_->Execute("old_db", R"(
      CREATE TABLE buyers (id int PRIMARY KEY, email text NOT NULL);
      CREATE TABLE purchases (id int PRIMARY KEY, buyer_id int, amount int);
      INSERT INTO buyers SELECT i, 'Who' || i % 3 || '@x' FROM generate_series(1, 9) i;
      INSERT INTO purchases SELECT i, i % 9, i FROM generate_series(1, 20) i)"));
    ASSERT_OK(
        postgres_->Execute("new_db", "CREATE TABLE spent (email text PRIMARY KEY, total bigint)"));
  }
  static void TearDownTestSuite() { delete postgres_; }

  static ProgramResult Check(const std::string& text, const std::string& old_dsn,
                             const std::string& new_dsn, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"check", WriteTempFile("check.yaml", text)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunCli(arguments, {{"OLD_DSN", old_dsn}, {"NEW_DSN", new_dsn}});
  }
  static ProgramResult Rehearse(const std::string& from, std::vector<std::string> more = {}) {
    more.insert(more.end(), {"--rehearse", "--seed", "7", "--batches", "200"});
    return Check(absl::StrReplaceAll(kRehearsed, {{"{from}", from}}), OldDsn(), NewDsn(), more);
  }
  static std::string OldDsn() { return postgres_->dsn("old_db"); }
  static std::string NewDsn() { return postgres_->dsn("new_db"); }

  static inline MiniPostgres* postgres_ = nullptr;
};

TEST_F(CliCheckTest, NamesTheSameDatabaseOnBothSides) {
  const ProgramResult result = Check(kFile, OldDsn(), OldDsn());
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.output, HasSubstr("old and new are the same database: \"old_db\""));
  EXPECT_THAT(result.output, Not(HasSubstr("the target has no table")));
}

TEST_F(CliCheckTest, SaysOnceThatOldAndNewAreSwapped) {
  const ProgramResult result = Check(kFile, NewDsn(), OldDsn());
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.output,
              HasSubstr("old and new are swapped: database \"new_db\", which it calls old, has the "
                        "tables of new, and \"old_db\" those of old"));
  EXPECT_THAT(result.output, HasSubstr(": 1 fault\n"));
}

TEST_F(CliCheckTest, NamesMissingTablesOfBothSidesAndTheNearestOnes) {
  const ProgramResult result = Check(
      "migration: shop\nold: {dsn_env: OLD_DSN}\nnew: {dsn_env: NEW_DSN}\n"
      "forward: [{table: public.user, copy: customer}]\n",
      OldDsn(), NewDsn());
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(
      result.output,
      HasSubstr("check.yaml:4:38: the source has no table customer; did you mean customers?"));
  EXPECT_THAT(
      result.output,
      HasSubstr(
          "check.yaml:4:19: the target has no table public.user; did you mean public.users?"));
}

// In the SQL of a mapping a schema says that a table is NEW's.
TEST_F(CliCheckTest, TellsHowATableOfOldIsWritten) {
  const ProgramResult result = Check(
      "migration: shop\nold: {dsn_env: OLD_DSN}\nnew: {dsn_env: NEW_DSN}\nforward:\n"
      "  - table: public.users\n    from: {public.customers: id}\n"
      "    select: SELECT id FROM public.customers\n",
      OldDsn(), NewDsn());
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.output, HasSubstr("check.yaml:6:12: public.customers stands under from, but "
                                       "no mapping fills it: a name with a schema is a table of "
                                       "the target; the source's is written customers"));
}

TEST_F(CliCheckTest, FindsOldReadyOnceItsOwnerRanWhatItPrints) {
  const ProgramResult before = Check(kFile, OldDsn(), NewDsn());
  EXPECT_EQ(before.exit_code, 1);
  EXPECT_THAT(before.output, HasSubstr("old: there is no publication"));
  const ProgramResult setup = Check(kFile, OldDsn(), NewDsn(), {"--print-setup"});
  ASSERT_EQ(setup.exit_code, 0) << setup.output;
  EXPECT_THAT(setup.output, HasSubstr("CREATE ROLE \"switchyard_capture\""));
  ASSERT_OK(postgres_->Execute("old_db", setup.output));
  const ProgramResult after = Check(kFile, OldDsn(), NewDsn());
  EXPECT_THAT(after.output, Not(HasSubstr("old: "))) << after.output;
}

// A stream that was begun: what its next start would refuse, and what may end it in a night.
TEST_F(CliCheckTest, LooksAtTheSlotAndTheHistoryOfAStreamUnderWay) {
  // The cluster may be a copy of one that was made hours ago: its usual rate would be none.
  ASSERT_OK(postgres_->Execute("postgres", "SELECT pg_stat_reset_shared('wal')"));
  ASSERT_OK(postgres_->CreateDatabase("begun_db"));
  ASSERT_OK(postgres_->Execute("begun_db", "CREATE TABLE customers (id int PRIMARY KEY)"));
  const std::string old_dsn = postgres_->dsn("begun_db");
  const ProgramResult setup = Check(kFile, old_dsn, NewDsn(), {"--print-setup"});
  ASSERT_EQ(setup.exit_code, 0) << setup.output;
  ASSERT_OK(postgres_->Execute("begun_db", setup.output));
  ASSERT_OK(postgres_->Execute("begun_db", R"(
    INSERT INTO switchyard.capture_stream
      (stream, slot, publication, state, system_identifier, timeline, slot_lsn)
    SELECT 'shop.forward', 'switchyard_shop_forward', 'switchyard_shop_forward', 'streaming',
           s.system_identifier::text, c.timeline_id, '0/1'
    FROM pg_control_system() s, pg_control_checkpoint() c)"));
  const ProgramResult gone = Check(kFile, old_dsn, NewDsn());
  EXPECT_EQ(gone.exit_code, 1);
  EXPECT_THAT(gone.output, HasSubstr("replication slot switchyard_shop_forward is gone"));
  EXPECT_THAT(gone.output, HasSubstr("recopy FILE --all"));

  ASSERT_OK(postgres_->Execute(
      "begun_db",
      "SELECT pg_create_logical_replication_slot('switchyard_shop_forward', 'pgoutput')"));
  const ProgramResult there = Check(kFile, old_dsn, NewDsn());
  EXPECT_THAT(there.output, Not(HasSubstr("is gone")));
  EXPECT_THAT(there.output, HasSubstr("max_slot_wal_keep_size is 64 MB"));

  ASSERT_OK(postgres_->Execute("begun_db",
                               "SELECT pg_drop_replication_slot('switchyard_shop_forward');"
                               "UPDATE switchyard.capture_stream SET timeline = 7"));
  const ProgramResult moved = Check(kFile, old_dsn, NewDsn());
  EXPECT_THAT(moved.output, HasSubstr("on timeline 1, the stream was begun on 7"));
  ASSERT_OK(postgres_->Execute("postgres", "DROP DATABASE begun_db"));
}

TEST_F(CliCheckTest, WarnsOfMoreTemporaryTablesThanNewCanLock) {
  std::string tables;
  std::string mappings;
  for (int i = 0; i < 60; ++i) {
    absl::StrAppend(&tables, "CREATE TABLE many", i, " (id int PRIMARY KEY);");
    absl::StrAppend(&mappings, "  - {table: public.many", i, ", copy: many", i, "}\n");
  }
  ASSERT_OK(postgres_->Execute("old_db", tables));
  ASSERT_OK(postgres_->Execute("new_db", tables));
  const ProgramResult result = Check(
      "migration: many\nold: {dsn_env: OLD_DSN}\nnew: {dsn_env: NEW_DSN}\nforward:\n" + mappings,
      OldDsn(), NewDsn());
  EXPECT_THAT(result.output, HasSubstr("120 temporary tables, 360 locks at the end of its session, "
                                       "and max_locks_per_transaction = 10 leaves room for 300: "
                                       "set it to 16"));
}

TEST_F(CliCheckTest, TheSetupOfNewRunsForAnOwnerWhoIsNoSuperuser) {
  ASSERT_OK(postgres_->Execute("postgres", "CREATE ROLE boss LOGIN; CREATE ROLE \"röle\" LOGIN"));
  ASSERT_OK(postgres_->Execute("postgres", "CREATE DATABASE owned OWNER boss"));
  ASSERT_OK(postgres_->Execute(
      "owned",
      "SET ROLE boss; CREATE SCHEMA types; CREATE TYPE types.mood AS ENUM ('ok'); CREATE SCHEMA "
      "app; CREATE TABLE app.users (id int PRIMARY KEY, m types.mood[])"));
  const std::string file =
      "migration: shop\nold: {dsn_env: OLD_DSN}\nnew: {dsn_env: NEW_DSN}\n"
      "forward: [{table: app.users, copy: customers, set: {m: \"'{ok}'::text::types.mood[]\"}}]\n";
  const auto as = [](const std::string& role) {
    return absl::StrCat(postgres_->dsn("owned"), " user=", role);
  };
  EXPECT_THAT(Check(file, OldDsn(), as("röle")).output,
              HasSubstr("role \"röle\" may not use schema types, which has types"));
  EXPECT_THAT(Check(file, OldDsn(), as("boss"), {"--print-setup-new"}).output,
              HasSubstr("CREATE ROLE \"switchyard_replay\" LOGIN"));
  const ProgramResult setup =
      Check(file, OldDsn(), as("boss"), {"--print-setup-new", "--role", "röle"});
  ASSERT_EQ(setup.exit_code, 0) << setup.output;
  EXPECT_THAT(setup.output, ::testing::StartsWith("SET client_encoding = 'UTF8';"));
  const Cancel cancel;
  for (int round = 0; round < 2; ++round) {
    auto boss = pg::Session::Connect({.dsn = as("boss")}, cancel);
    ASSERT_OK(boss);
    ASSERT_OK((*boss)->Execute(setup.output));
  }
  EXPECT_THAT(Check(file, OldDsn(), as("röle")).output, Not(HasSubstr("new: ")));
  ASSERT_OK(postgres_->Execute("postgres", "DROP DATABASE owned"));
}

TEST_F(CliCheckTest, FindsWhatDoesNotFitBetweenTheMappingAndTheTables) {
  const ProgramResult result = Check(
      "migration: shop\nold: {dsn_env: OLD_DSN}\nnew: {dsn_env: NEW_DSN}\nforward:\n"
      "  - {table: public.users, copy: customers, set: {id: nosuch}}\n",
      OldDsn(), NewDsn());
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.output, HasSubstr("check.yaml:5:54: set.id of public.users: "));
  EXPECT_THAT(result.output, HasSubstr("nosuch"));
}

TEST_F(CliCheckTest, RefusesATableOfNewThatIsNotEmpty) {
  ASSERT_OK(postgres_->Execute("new_db", "INSERT INTO users VALUES (1)"));
  const ProgramResult result = Check(kFile, OldDsn(), NewDsn());
  ASSERT_OK(postgres_->Execute("new_db", "TRUNCATE users"));
  EXPECT_THAT(result.output, HasSubstr("new: public.users is not empty"));
}

TEST_F(CliCheckTest, RefusesASecondStreamIntoNew) {
  ASSERT_OK(postgres_->CreateDatabase("taken_db"));
  ASSERT_OK(postgres_->Execute("taken_db", "CREATE TABLE users (id int PRIMARY KEY)"));
  ASSERT_OK(postgres_->Execute(
      "taken_db",
      "CREATE SCHEMA switchyard; CREATE TABLE switchyard.stream AS "
      "SELECT 'bar.forward' AS name, 'of its mapping' AS fingerprint, '' AS catalog, '' AS parts"));
  const ProgramResult result = Check(kFile, OldDsn(), postgres_->dsn("taken_db"));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.output, HasSubstr("stream bar.forward is applied to this database already"));
  EXPECT_THAT(result.output, HasSubstr("apply shop.forward to another database"));
}

TEST_F(CliCheckTest, PlanShowsHowEachTableComesAboutAndWhatNobodyReads) {
  ASSERT_OK(postgres_->Execute("old_db", "CREATE TABLE visits (id int PRIMARY KEY)"));
  const std::string file = WriteTempFile("plan.yaml", kFile);
  const Environment dsns = {{"OLD_DSN", OldDsn()}, {"NEW_DSN", NewDsn()}};
  const ProgramResult text = RunCli({"plan", file}, dsns);
  EXPECT_EQ(text.exit_code, 0) << text.output;
  EXPECT_THAT(text.output, HasSubstr("  public.users  row by row  from "));
  EXPECT_THAT(text.output, HasSubstr("Tables of OLD that no mapping reads"));
  const ProgramResult sql = RunCli({"plan", file, "--sql"}, dsns);
  EXPECT_THAT(sql.output, HasSubstr("-- public.users: write.insert\nINSERT INTO"));
  const ProgramResult json = RunCli({"plan", file, "--json"}, dsns);
  EXPECT_EQ(json.exit_code, 0);
  EXPECT_THAT(json.output, HasSubstr("\"row_local\": true"));
  EXPECT_THAT(json.output, HasSubstr("\"public.visits\"\n"));
  ASSERT_OK(postgres_->Execute("old_db", "DROP TABLE visits"));
}

TEST_F(CliCheckTest, SaysThatBothHostsAreUnreachableAndNeverPrintsAPassword) {
  const ProgramResult result = Check(kFile, "host=127.0.0.1 port=1 password=hunter2",
                                     "postgresql://u:hunter2@127.0.0.1:1/d", {"--json"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.output, HasSubstr("\"where\": \"old\""));
  EXPECT_THAT(result.output, HasSubstr("\"where\": \"new\""));
  EXPECT_THAT(result.output, HasSubstr("\"kind\": \"unreachable\""));
  EXPECT_THAT(result.output, Not(HasSubstr("hunter2")));
}

TEST_F(CliCheckTest, TellsAVariableThatIsNotSetFromADatabaseThatIsDown) {
  const ProgramResult result =
      RunCli({"check", WriteTempFile("check.yaml", kFile)}, {{"OLD_DSN", ""}, {"NEW_DSN", ""}});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.output, HasSubstr("old: the environment variable OLD_DSN is not set"));
  EXPECT_THAT(result.output, HasSubstr("new: the environment variable NEW_DSN is not set"));
}

TEST_F(CliCheckTest, ReportsFaultsOfTheFileWithoutAskingADatabase) {
  const ProgramResult result =
      Check("migration: shop\nforwad: []\n", "host=/nowhere", "host=/nowhere");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.output, HasSubstr("check.yaml:1:1: the migration file has no \"old\""));
  EXPECT_THAT(result.output, HasSubstr("check.yaml:2:1: unknown key \"forwad\""));
  EXPECT_THAT(result.output, HasSubstr("3 faults"));
}

// What does not hang on the mapping is said in the same run as the file's own faults.
TEST_F(CliCheckTest, ReportsFaultsOfBothDatabasesBesideThoseOfTheFile) {
  constexpr char kBroken[] =
      "migration: shop\nold: {dsn_env: OLD_DSN}\nnew: {dsn_env: NEW_DSN}\n"
      "forward:\n  - {table: public.users, cpoy: customers}\n"
      "  - {table: public.things, copy: nowhere, where: '1 ='}\n"
      "  - {table: public.users, copy: customers, owns: 'id < 0'}\n";
  ASSERT_OK(postgres_->CreateDatabase("bare_db"));
  ASSERT_OK(postgres_->Execute("bare_db",
                               "CREATE UNLOGGED TABLE customers (id int PRIMARY KEY);"
                               "CREATE ROLE weak LOGIN; GRANT CONNECT ON DATABASE new_db TO weak"));
  const std::string weak = absl::StrReplaceAll(NewDsn(), {{"user=postgres", ""}}) + " user=weak";
  const ProgramResult result = Check(kBroken, postgres_->dsn("bare_db"), weak);
  EXPECT_EQ(result.exit_code, 2);
  for (const char* expected :
       {"check.yaml:5:27: unknown key \"cpoy\"", "check.yaml:6:54: where: ",
        "old: table public.customers is unlogged", "old: the source has no switchyard.capture_",
        "old: there is no publication \"switchyard_shop_forward\"\n    run, as its owner",
        "new: role \"weak\" may not write table public.users", "OLD: database bare_db, Postgres ",
        "once the file has no fault"}) {
    EXPECT_THAT(result.output, HasSubstr(expected));
  }
  EXPECT_THAT(result.output, Not(HasSubstr("nowhere")));
  // What NEW's owner has to grant is no mistake of the file.
  const ProgramResult sound = Check(kFile, OldDsn(), weak);
  EXPECT_EQ(sound.exit_code, 1) << sound.output;
  EXPECT_THAT(sound.output, HasSubstr("permission denied for table users"));
  const ProgramResult same = Check(kBroken, OldDsn(), OldDsn());
  EXPECT_THAT(same.output, HasSubstr("old and new are the same database"));
  const ProgramResult down = Check(kBroken, "host=127.0.0.1 port=1", NewDsn());
  EXPECT_EQ(down.exit_code, 2);
  EXPECT_THAT(down.output, HasSubstr("old: "));
  EXPECT_THAT(down.output, HasSubstr("Connection refused"));
  const ProgramResult nameless = Check(std::string(kBroken).substr(sizeof "migration: shop"),
                                       postgres_->dsn("bare_db"), NewDsn());
  EXPECT_THAT(nameless.output, HasSubstr("old: table public.customers is unlogged"));
  EXPECT_THAT(nameless.output, Not(HasSubstr("publication")));
}

// As `run` would say it, and nothing is made.
TEST_F(CliCheckTest, ReportsWhatKeepsTheLogFromBeingUsed) {
  ASSERT_OK_AND_ASSIGN(const std::string folder, MakeTempFolder("check_log"));
  const auto check = [&](const std::string& log) {
    return Check(absl::StrCat(kFile, "log: {", log, "}\n"), OldDsn(), NewDsn()).output;
  };
  EXPECT_THAT(check("sqlite: " + folder + "/fine.db"), Not(HasSubstr("log: ")));
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  EXPECT_THAT(check("sqlite: " + folder + "/none/x.db"),
              HasSubstr("log: log file " + folder + "/none/x.db: its folder " + folder +
                        "/none does not exist"));
  std::ofstream(folder + "/foreign.db") << "a diary";
  EXPECT_THAT(check("sqlite: " + folder + "/foreign.db"), HasSubstr("is not a log file"));
  EXPECT_THAT(check("sqlite: " + folder + "/foreign.db/x.db"), HasSubstr("is no folder"));
  std::ofstream(folder + "/empty.db") << "";
  EXPECT_THAT(check("sqlite: " + folder + "/empty.db"), HasSubstr("is empty"));
  const Cancel cancel;
  ASSERT_OK(eventlog::OpenEventLog({.sqlite_path = folder + "/newer.db"}, cancel));
  std::fstream(folder + "/newer.db").seekp(63).put(9);
  EXPECT_THAT(check("sqlite: " + folder + "/newer.db"), HasSubstr("has format version 9"));
  EXPECT_THAT(check("kafka: {bootstrap.servers: 'h:1', env: {sasl.password: SY_NOT_SET}}"),
              HasSubstr("log: the environment variable SY_NOT_SET is not set"));
  const ProgramResult down =
      Check(absl::StrCat(kFile, "log: {kafka: {bootstrap.servers: '127.0.0.1:1'}}\n"), OldDsn(),
            NewDsn(), {"--json"});
  EXPECT_EQ(down.exit_code, 3);
  EXPECT_THAT(down.output, HasSubstr("\"where\": \"log\""));
  EXPECT_THAT(down.output, HasSubstr("Connection refused"));
  EXPECT_THAT(down.output, HasSubstr("\"remedy\": \"start the broker, or correct"));
  std::filesystem::remove_all(folder);
}

TEST(CliTest, TakesGlobalOptionsBeforeAndAfterTheSubcommand) {
  const std::string path = WriteTempFile("offline.yaml", kFile);
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--json", "check", path, "--offline"},
        std::vector<std::string>{"check", "--offline", path, "--json"}}) {
    const ProgramResult result = RunCli(arguments);
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.output, HasSubstr("\"ok\": true"));
  }
}

TEST(CliTest, ExplainsWrongUsage) {
  EXPECT_EQ(RunCli({}).exit_code, 2);
  EXPECT_EQ(RunCli({"check"}).exit_code, 2);
  EXPECT_EQ(RunCli({"check", "x", "--ofline"}).exit_code, 2);
  EXPECT_EQ(RunCli({"--log-level", "loud", "check", "x"}).exit_code, 2);
  const ProgramResult result = RunCli({"chekc", "x"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.output, HasSubstr("unknown command \"chekc\"; did you mean \"check\"?"));
  EXPECT_EQ(RunCli({"check", "/nowhere/x.yaml"}).exit_code, 2);
}

TEST(CliTest, HelpHasExamplesAndEndsWithZero) {
  const ProgramResult result = RunCli({"check", "--help"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.output, HasSubstr("Examples:"));
  EXPECT_EQ(RunCli({"--version"}).exit_code, 0);
}

TEST(CliTest, CompletionScriptWorksInBash) {
  const std::string script =
      WriteTempFile("completion.bash", RunCli({"completion", "bash"}).output);
  Command command;
  command.argv = {
      "/bin/bash", "-c",
      "source " + script +
          "; COMP_WORDS=(switchyard ch); COMP_CWORD=1; _switchyard; echo "
          "\"${COMPREPLY[@]}\"; COMP_WORDS=(switchyard check --off); COMP_CWORD=2; "
          "_switchyard; echo \"${COMPREPLY[@]}\"; COMP_WORDS=(switchyard completion f); "
          "_switchyard; echo \"${COMPREPLY[@]}\""};
  ASSERT_OK_AND_ASSIGN(const std::string output, RunForOutput(command));
  EXPECT_EQ(output, "check\n--offline\nfish\n");
  EXPECT_EQ(RunCli({"completion", "tcsh"}).exit_code, 2);
}

// A rule that no change of a purchase touches anything by.
constexpr char kMissing[] =
    "    from:\n      buyers: lower(email)\n      purchases: SELECT NULL::text WHERE false\n";

TEST_F(CliCheckTest, ARehearsalSaysWhatWasTriedWhereNothingIsMissed) {
  for (const char* from : {"", "    from:\n      buyers: lower(email)\n"}) {
    const ProgramResult result = Rehearse(from);
    EXPECT_EQ(result.exit_code, 0) << result.output;
    EXPECT_THAT(
        result.output,
        ContainsRegex("rehearsed [0-9]+ batches in [0-9.]+ s \\([0-9]+ more were "
                      "refused\\): 2 tables, [45] columns, [12] of [12] look-ups? needed; seed 7"));
    EXPECT_THAT(result.output, HasSubstr("no missing rule was found"));
  }
}

TEST_F(CliCheckTest, ARehearsalNamesTheTableTheChangeTheScopeAndTheRuleToAdd) {
  const ProgramResult result = Rehearse(kMissing);
  EXPECT_EQ(result.exit_code, 2) << result.output;
  EXPECT_THAT(
      result.output,
      HasSubstr("check.yaml:9:7: from of public.spent misses scopes that purchases touches"));
  EXPECT_THAT(result.output, ContainsRegex("rehearsed: (a row of purchases (came|went)|purchases\\."
                                           "[a-z_]+ changed in a row) \\{\"id\":\"[0-9]+\"\\}"));
  EXPECT_THAT(result.output, ContainsRegex("scope \\{\"email\": \"[a-z0-9@]+\"\\}"));
  EXPECT_THAT(result.output, HasSubstr("the select reaches it by:\n    SELECT lower(b.email) FROM "
                                       "buyers b WHERE purchases.buyer_id = b.id"));
  EXPECT_THAT(result.output, HasSubstr("Add this under from: purchases"));
  EXPECT_THAT(result.output, HasSubstr("  seed 7\n"));
}

TEST_F(CliCheckTest, ARehearsalSaysTheSameAsJson) {
  const ProgramResult clean = Rehearse("", {"--json"});
  EXPECT_EQ(clean.exit_code, 0) << clean.output;
  EXPECT_THAT(clean.output, HasSubstr("\"verdict\": \"clean\""));
  const ProgramResult faulty = Rehearse(kMissing, {"--json"});
  EXPECT_EQ(faulty.exit_code, 2) << faulty.output;
  for (const char* part :
       {"\"verdict\": \"faults\"", "\"seed\": 7", "\"mapping\": \"public.spent\"",
        "\"table\": \"purchases\"", "\"line\": 9", "\"rule\": \"SELECT lower(b.email)",
        "\"scope\": \"{\\\"email\\\": "}) {
    EXPECT_THAT(faulty.output, HasSubstr(part));
  }
}

}  // namespace
}  // namespace switchyard::testing
