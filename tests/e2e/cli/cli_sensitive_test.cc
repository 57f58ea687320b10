// Holds promise 9.6: nothing that the program prints or keeps as a text shows a sensitive value.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/cli/cli_run_fixture.h"

namespace switchyard::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Stands in every planted value, and nowhere else.
constexpr char kSecret[] = "zqx7";

constexpr char kTables[] =
    "  tables:\n"
    "    - {table: public.folk, copy: members, rename: {phone: telephone},\n"
    "       drop: [birth], set: {born: 'birth::date'}}\n"
    "    - {table: public.contacts, copy: members, drop: [birth]}\n"
    "    - table: public.logins\n"
    "      select: >-\n"
    "        SELECT lower(mail) AS login, max(phone) AS latest, count(*)::int AS uses\n"
    "        FROM members GROUP BY 1\n";
constexpr char kHead[] =
    "migration: shop\nold: {dsn_env: OLD_DSN}\nnew: {dsn_env: NEW_DSN}\n"
    "replay: {quarantine_max: 1000}\nforward:\n";

// One row for each way in which NEW refuses one; `n` tells those of the copy from later ones.
std::string Bad(int n) {
  return absl::StrReplaceAll(
      R"(INSERT INTO members VALUES
        ($n1, 'zqx7first$n@x', 'zqx7a', '2000-01-01', 'fine'),
        ($n2, 'zqx7first$n@x', 'zqx7b', '2000-01-01', 'same mail'),
        ($n3, 'zqx7third$n@x', 'zqx7 much too long for it', '2000-01-01', 'long'),
        ($n4, 'zqx7fourth$n@x', 'zqx7c', 'zqx7 no date', 'no date'),
        ($n5, 'zqx7fifth and a mail that is too long$n@x', 'zqx7d', '2000-01-01', 'long login'),
        ($n6, 'zqx7sixth$n@x', 'zqx7e', '2000-01-01', 'bad'),
        ($n7, 'zqx7seventh$n@x', 'zqx7f', '2000-01-01', NULL))",
      {{"$n", std::to_string(n)}});
}

class CliSensitiveTest : public CliRunTest {
 protected:
  void SetUp() override {
    CliRunTest::SetUp();
    ASSERT_OK(postgres_->Execute(
        "old_db",
        "CREATE TABLE members (id int PRIMARY KEY, mail text NOT NULL, phone text, birth text, "
        "note text)"));
    ASSERT_OK(postgres_->Execute("old_db", Bad(1)));
    ASSERT_OK(postgres_->Execute("new_db", R"(
      CREATE TABLE folk (id int PRIMARY KEY, mail text UNIQUE, telephone varchar(12), born date,
                         note text NOT NULL CHECK (note <> 'bad'));
      CREATE TABLE contacts (id int PRIMARY KEY, mail text UNIQUE, phone varchar(12), note text);
      CREATE TABLE logins (login varchar(80) PRIMARY KEY, latest varchar(12), uses int);)"));
    std::ofstream(file_) << kHead << "  sensitive: {members: [mail, phone, birth]}\n" << kTables;
  }

  // Runs it, and keeps what it printed.
  ProgramResult Said(std::vector<std::string> arguments) {
    ProgramResult result = RunCli(std::move(arguments), Roles());
    absl::StrAppend(&said_, result.output);
    return result;
  }

  void AskEverything() {
    Said({"check", file_});
    Said({"check", file_, "--json"});
    Said({"plan", file_});
    Said({"plan", file_, "--sql"});
    Said({"plan", file_, "--json"});
    Said({"status", file_});
    Said({"status", file_, "--json"});
    Said({"quarantine", file_, "list"});
    Said({"quarantine", file_, "list", "--json"});
    for (const char* table :
         {"public.folk", "public.contacts", "public.logins", "switchyard_old.members"}) {
      Said({"verify", file_, "--show", table});
      Said({"verify", file_, "--show", table, "--json"});
    }
    const auto ids = postgres_->Connect("new_db");
    ASSERT_OK(ids);
    const auto rows = (*ids)->Query("SELECT id FROM switchyard.quarantine");
    ASSERT_OK(rows);
    for (int i = 0; i < rows->rows(); ++i) {
      Said({"quarantine", file_, "show", rows->str(i, 0)});
      Said({"quarantine", file_, "show", rows->str(i, 0), "--json"});
    }
  }

  // Every text that schema switchyard of NEW keeps.
  std::string KeptTexts() {
    std::string texts;
    const auto session = postgres_->Connect("new_db");
    if (!session.ok()) return "no session";
    const auto columns = (*session)->Query(R"(
      SELECT format('SELECT coalesce(string_agg(%I, E''\n''), '''') FROM switchyard.%I', a.attname, c.relname)
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
      WHERE c.relnamespace = 'switchyard'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
        AND NOT a.attisdropped AND a.atttypid = 'text'::regtype)");
    if (!columns.ok()) return "no columns";
    for (int i = 0; i < columns->rows(); ++i) {
      absl::StrAppend(&texts, New(columns->str(i, 0)), "\n");
    }
    return texts;
  }

  std::string Digest(const std::string& value) {
    return "sha256:" +
           New("SELECT left(encode(sha256(convert_to('" + value + "', 'UTF8')), 'hex'), 32)");
  }

  std::string said_;
};

TEST_F(CliSensitiveTest, NothingThatIsPrintedOrKeptAsATextShowsASensitiveValue) {
  Prepare();
  Said({"check", file_});
  StartPipeline();
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  AskEverything();
  ASSERT_OK(postgres_->Execute("old_db", Bad(2)));
  ASSERT_OK(postgres_->Execute("old_db", "UPDATE members SET mail = 'zqx7first1@x' WHERE id = 21"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  AskEverything();
  // Rows that differ, of each kind of table that is compared.
  for (const char* sql :
       {"UPDATE contacts SET mail = 'zqx7else@x', note = 'by hand' WHERE id = 11",
        "UPDATE logins SET latest = 'zqx7other', uses = 99",
        "INSERT INTO logins VALUES ('zqx7nobody@x', 'zqx7', 1)",
        "UPDATE switchyard_old.members SET mail = 'zqx7mirror@x', phone = 'zqx7' WHERE id = 11"}) {
    ASSERT_OK(postgres_->Execute("new_db", sql));
  }
  Said({"verify", file_});
  Said({"verify", file_, "--json"});
  AskEverything();
  Said({"quarantine", file_, "retry"});
  Said({"recopy", file_, "members", "--wait", "60s"});
  AskEverything();
  // Drift, and what stops the stream.
  ASSERT_OK(postgres_->Execute("old_db", "ALTER TABLE members ADD COLUMN more text"));
  ASSERT_OK(postgres_->Execute("old_db",
                               "INSERT INTO members (id, mail, note, more) VALUES "
                               "(31, 'zqx7drift@x', 'fine', 'zqx7more')"));
  ASSERT_OK(postgres_->Execute("old_db", "ALTER TABLE members ALTER mail TYPE varchar(200)"));
  ASSERT_OK(postgres_->Execute("old_db",
                               "INSERT INTO members (id, mail, note) VALUES "
                               "(32, 'zqx7typed@x', 'fine')"));
  pipeline_->AwaitCaughtUp().IgnoreError();
  AskEverything();
  const std::string log = pipeline_->Log("run");

  EXPECT_THAT(said_, Not(HasSubstr(kSecret)));
  EXPECT_THAT(log, Not(HasSubstr(kSecret)));
  EXPECT_THAT(KeptTexts(), Not(HasSubstr(kSecret)));
  // What is there to be hidden was met; what is not sensitive is shown, and keys can be found.
  EXPECT_THAT(log, HasSubstr("put in quarantine"));
  EXPECT_THAT(said_, HasSubstr("\"note\": \"long\""));
  EXPECT_THAT(said_, HasSubstr("Key (mail)=(...) already exists."));
  EXPECT_THAT(said_, HasSubstr(Digest("zqx7third1@x")));
  for (const char* differs : {"zqx7else@x", "zqx7nobody@x", "zqx7mirror@x"}) {
    EXPECT_THAT(said_, HasSubstr(Digest(differs))) << differs;
  }
  EXPECT_THAT(said_, HasSubstr("\"note\": \"by hand\""));
  const std::string open = folder_ + "/open.yaml";
  std::ofstream(open) << kHead << kTables << "log: {sqlite: shop.log.db}\n";
  EXPECT_THAT(RunCli({"quarantine", open, "list"}, Roles()).output, HasSubstr(kSecret))
      << "the test would find nothing";
}

TEST_F(CliSensitiveTest, ARehearsalShowsNoneEither) {
  const std::string faulty =
      absl::StrReplaceAll(kTables, {{"      select:",
                                     "      from: {members: 'SELECT NULL::text WHERE false'}\n"
                                     "      select:"}});
  std::ofstream(file_) << kHead << "  sensitive: {members: [mail, phone, birth]}\n" << faulty;
  Prepare();
  const std::vector<std::string> seeded = {"check", file_,       "--rehearse", "--seed",
                                           "7",     "--batches", "60"};
  const ProgramResult text = Said(seeded);
  std::vector<std::string> json = seeded;
  json.push_back("--json");
  Said(json);
  EXPECT_EQ(text.exit_code, 2) << text.output;
  EXPECT_THAT(text.output, HasSubstr("scope {\"login\": \"sha256:"));
  EXPECT_THAT(said_, Not(HasSubstr(kSecret)));
  std::ofstream(file_) << kHead << faulty;
  EXPECT_THAT(RunCli(seeded, Roles()).output, HasSubstr(kSecret)) << "the test would find nothing";
}

TEST_F(CliSensitiveTest, AColumnThatIsNotThereIsAFault) {
  std::ofstream(file_) << kHead << "  sensitive: {members: [mial], public.folk: [x], other: [y]}\n"
                       << kTables;
  EXPECT_THAT(RunCli({"check", file_, "--offline"}).output, HasSubstr("ok"));
  Prepare();
  const ProgramResult check = RunCli({"check", file_}, Roles());
  EXPECT_EQ(check.exit_code, 2);
  EXPECT_THAT(
      check.output,
      HasSubstr("shop.yaml:6:25: sensitive: public.members has no column mial; did you mean "
                "mail?"));
  EXPECT_THAT(check.output, HasSubstr("sensitive: public.folk has no column x"));
  EXPECT_THAT(check.output, HasSubstr("sensitive: no mapping reads a table other of the source"));
}

}  // namespace
}  // namespace switchyard::testing
