#include "common/spec/migration_file.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace switchyard::spec {
namespace {

using switchyard::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::StartsWith;

const std::string kTestData = std::string(SY_SOURCE_DIR) + "/tests/spec/testdata/";
const std::string kGolden = std::string(SY_SOURCE_DIR) + "/tests/spec/golden/";

std::string ReadAll(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// A whole file around one section.
std::string With(const std::string& section) {
  return "migration: shop\nold: {dsn_env: OLD_DSN}\nnew: {dsn_env: NEW_DSN}\n"
         "forward:\n  - {table: public.t, copy: t}\n" +
         section;
}

std::string FaultsOf(const std::string& text) {
  const auto file = ParseMigrationFile(text, "shop.yaml");
  return file.ok() ? "" : std::string(StdSv(file.status().message()));
}

TEST(MigrationFileTest, ReadsTheExampleMigration) {
  ASSERT_OK_AND_ASSIGN(
      const MigrationFile file,
      LoadMigrationFile(std::string(SY_SOURCE_DIR) + "/examples/studio-bookings/migration.yaml"));
  EXPECT_EQ(file.forward.mappings.size(), 8u);
  EXPECT_EQ(file.setup.size(), 6u);
}

TEST(MigrationFileTest, ReadsEveryKeyOfAWholeFile) {
  ASSERT_OK_AND_ASSIGN(const MigrationFile file, LoadMigrationFile(kTestData + "studio.yaml"));
  EXPECT_EQ(file.name, "studio");
  EXPECT_EQ(file.old_db.dsn_env, "OLD_DSN");
  EXPECT_EQ(file.new_db.dsn_env, "NEW_DSN");
  EXPECT_EQ(file.log.sqlite_path, kTestData + "var/studio.log.db");
  EXPECT_THAT(file.schemas, ElementsAre("public"));
  ASSERT_EQ(file.forward.aliases.size(), 1u);
  EXPECT_EQ(file.forward.aliases.at("crm_users"), (TableName{"crm", "users"}));
  EXPECT_THAT(file.forward.ignore, ElementsAre("audit_log", "customers.legacy_flag"));
  std::vector<std::pair<std::string, std::string>> indexes;
  for (const MirrorIndex& index : file.forward.mirror_indexes) {
    indexes.emplace_back(index.table.ToString(), index.sql);
  }
  EXPECT_THAT(indexes, ElementsAre(Pair("customers", "lower(email)"), Pair("customers", "region"),
                                   Pair("studio_owners", "lower(email)")));
  ASSERT_EQ(file.forward.id_maps.size(), 1u);
  EXPECT_EQ(file.forward.id_maps[0].kind, "user");
  EXPECT_EQ(file.forward.id_maps[0].new_id, "gen_random_uuid()");
  EXPECT_EQ(file.capture.copy_workers, 4);
  EXPECT_EQ(file.capture.copy_range_bytes, int64_t{64} << 20);
  EXPECT_EQ(file.capture.heartbeat_interval, absl::Milliseconds(500));
  EXPECT_EQ(file.capture.drift_check_interval, absl::Minutes(1));
  EXPECT_EQ(file.replay.batch_rows_max, 100);
  EXPECT_EQ(file.replay.batch_bytes_max, int64_t{1} << 20);
  EXPECT_EQ(file.replay.quarantine_max, 7);
  EXPECT_EQ(file.replay.copy_workers, 3);
}

TEST(MigrationFileTest, ReadsBothFormsOfAMapping) {
  ASSERT_OK_AND_ASSIGN(const MigrationFile file, LoadMigrationFile(kTestData + "studio.yaml"));
  ASSERT_EQ(file.forward.mappings.size(), 2u);
  const Mapping& copy = file.forward.mappings[0];
  EXPECT_EQ(copy.target, (TableName{"public", "bookings"}));
  EXPECT_EQ(copy.copy, (TableName{"", "bookings"}));
  EXPECT_THAT(copy.set, ElementsAre(Pair("user_id", "switchyard.uuid_of('user', customer_id)"),
                                    Pair("legacy", "NULL")));
  EXPECT_THAT(copy.rename, ElementsAre(Pair("old_col", "new_col")));
  EXPECT_THAT(copy.drop, ElementsAre("internal_note"));
  EXPECT_EQ(copy.where, "status <> 'x'");
  EXPECT_EQ(copy.at.line, 10);
  const Mapping& select = file.forward.mappings[1];
  EXPECT_FALSE(select.copy.has_value());
  EXPECT_EQ(select.select_path, kTestData + "users.sql");
  EXPECT_THAT(select.select, HasSubstr("GROUP BY 1"));
  EXPECT_THAT(select.select, Not(HasSubstr(";")));
  ASSERT_EQ(select.from.size(), 3u);
  EXPECT_EQ(select.from[0].touches, "lower(email)");
  EXPECT_EQ(select.from[2].table, (TableName{"public", "other"}));
  EXPECT_THAT(select.scope, ElementsAre("email"));
  EXPECT_EQ(select.owns, "source = 'old'");
}

TEST(MigrationFileTest, TakesAPlainListOfMappingsAndDefaultsEverythingElse) {
  ASSERT_OK_AND_ASSIGN(const MigrationFile file, ParseMigrationFile(With(""), "conf/shop.yaml"));
  EXPECT_EQ(file.forward.mappings.size(), 1u);
  EXPECT_EQ(file.log.sqlite_path, "conf/shop.log.db");
  EXPECT_THAT(file.schemas, ElementsAre("public"));
  EXPECT_EQ(file.capture.copy_workers, 2);
  EXPECT_EQ(file.replay.quarantine_max, 1000);
  EXPECT_EQ(file.replay.copy_workers, 2);
  EXPECT_FALSE(file.reverse.has_value());
}

TEST(MigrationFileTest, ReadsAReverseDirectionOfTheSameShape) {
  ASSERT_OK_AND_ASSIGN(
      const MigrationFile file,
      ParseMigrationFile(With("reverse:\n  tables:\n    - {table: public.t, copy: t}\n"),
                         "s.yaml"));
  ASSERT_TRUE(file.reverse.has_value());
  EXPECT_EQ(file.reverse->mappings[0].target.name, "t");
}

TEST(MigrationFileTest, ReportsTwentyFaultsAtOnce) {
  std::vector<Fault> faults;
  const auto file =
      ParseMigrationFile(ReadAll(kGolden + "twenty_faults.yaml"), "shop.yaml", &faults);
  ASSERT_THAT(file, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("cpoy")));
  EXPECT_GE(faults.size(), 20u);
  const std::string message = std::string(StdSv(file.status().message())) + "\n";
  if (std::getenv("SY_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(kGolden + "twenty_faults.txt") << message;
  }
  EXPECT_EQ(message, ReadAll(kGolden + "twenty_faults.txt"));
}

TEST(MigrationFileTest, NeverRepeatsASecretThatStandsInTheFile) {
  std::vector<Fault> faults;
  (void)ParseMigrationFile(ReadAll(kGolden + "twenty_faults.yaml"), "shop.yaml", &faults);
  for (const Fault& fault : faults) EXPECT_THAT(fault.ToString(), Not(HasSubstr("hunter2")));
  EXPECT_THAT(FaultsOf("old: {dsn_env: \"postgres://u:hunter2@h/d\"}\n"),
              Not(HasSubstr("hunter2")));
}

TEST(MigrationFileTest, PointsIntoTheSelectFile) {
  const std::string text =
      "migration: shop\nold: {dsn_env: A}\nnew: {dsn_env: B}\nforward:\n"
      "  - {table: public.t, select: broken.sql, from: {customers: lower(email)}}\n";
  const auto file = ParseMigrationFile(text, kTestData + "shop.yaml");
  EXPECT_THAT(file,
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr(kTestData + "broken.sql:2:1: syntax error at or near \"FORM\"")));
}

// As editors on other systems leave them.
TEST(MigrationFileTest, TakesByteOrderMarksAndWindowsLines) {
  const std::string folder = ::testing::TempDir() + "marks/";
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "users.sql") << "\xEF\xBB\xBFSELECT id,\r\n  name\r\nFROM customers\r\n";
  std::ofstream(folder + "shop.yaml")
      << "\xEF\xBB\xBFmigration: shop\r\nold: {dsn_env: A}\r\nnew: {dsn_env: B}\r\nforward:\r\n"
         "  - {table: public.t, select: users.sql, from: {customers: id}}\r\n";
  const auto file = LoadMigrationFile(folder + "shop.yaml");
  ASSERT_OK(file);
  EXPECT_THAT(file->forward.mappings[0].select, StartsWith("SELECT id,"));
  std::ofstream(folder + "users.sql") << "\xEF\xBB\xBFSELECT id,\r\n  name FORM x y\r\n";
  EXPECT_THAT(LoadMigrationFile(folder + "shop.yaml"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("users.sql:2:13: syntax error at or near \"x\"")));
}

TEST(MigrationFileTest, NamesThePlaceOfWhatIsNotUtf8InASqlFile) {
  const std::string folder = ::testing::TempDir() + "latin1/";
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "users.sql") << "SELECT id,\n  '\xE9' AS name FROM customers\n";
  const std::string text =
      "migration: shop\nold: {dsn_env: A}\nnew: {dsn_env: B}\nafter_copy: [users.sql]\nforward:\n"
      "  - {table: public.t, select: users.sql, from: {customers: id}}\n";
  std::vector<Fault> faults;
  EXPECT_FALSE(ParseMigrationFile(text, folder + "shop.yaml", &faults).ok());
  ASSERT_THAT(faults, SizeIs(2));
  for (const Fault& fault : faults) {
    EXPECT_EQ(fault.ToString(), folder + "users.sql:2:4: not UTF-8 text");
  }
}

TEST(MigrationFileTest, ExplainsMalformedYaml) {
  EXPECT_EQ(FaultsOf("migration: shop\nold: {dsn_env: A\nnew: b\n"),
            "shop.yaml:3:4: not valid YAML: end of map flow not found: a { or [ was opened and "
            "not closed (put SQL that holds quotes, ': ' or ' #' into double quotes or after a "
            "'|')");
  EXPECT_THAT(FaultsOf("migration: shop\n\told: x\n"), HasSubstr("YAML allows no tabs"));
  EXPECT_EQ(FaultsOf(""), "shop.yaml:1:1: the file is empty");
  EXPECT_EQ(FaultsOf("a: 1\n---\nb: 2\n"),
            "shop.yaml:3:1: the file goes on after its YAML document has ended");
  EXPECT_EQ(FaultsOf("migration: \xff\n"), "shop.yaml:1:12: not UTF-8 text");
  EXPECT_THAT(FaultsOf("- a\n- b\n"), HasSubstr("the migration file must be a map, not a list"));
  EXPECT_THAT(FaultsOf("&a [*a]"), HasSubstr("an anchor can't stand inside what it names"));
  EXPECT_THAT(FaultsOf(",a: b\n"), HasSubstr("goes on after its YAML document has ended"));
  EXPECT_THAT(FaultsOf("a: " + std::string(40, '[')), HasSubstr("nested too deeply"));
  const std::string head = "migration: shop\nold: {dsn_env: A}\nnew: {dsn_env: B}\nforward:\n";
  EXPECT_EQ(FaultsOf(head + "  - &a {table: public.t, copy: t}\n  - {<<: *a, owns: x}\n"),
            "shop.yaml:6:6: merge keys (<<) don't work here; write the keys out");
  EXPECT_THAT(FaultsOf(head + "  - &a {table: public.t, copy: t}\n  - *a\n"),
              StartsWith("shop.yaml:6:5: table public.t is filled by the mapping on line 5 too"));
}

TEST(MigrationFileTest, RefusesWhatAnchorsBlowUp) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 8; ++i) {
    const std::string prior = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + prior;
    for (int j = 0; j < 9; ++j) bomb += ", " + prior;
    bomb += "]\n";
  }
  EXPECT_THAT(FaultsOf(bomb), HasSubstr("too many values"));
}

TEST(MigrationFileTest, NamesAFileThatIsNotThere) {
  EXPECT_THAT(LoadMigrationFile("/nowhere/shop.yaml"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/nowhere/shop.yaml")));
  EXPECT_THAT(LoadMigrationFile(kTestData), StatusIs(absl::StatusCode::kInvalidArgument,
                                                     kTestData + ": is a folder, not a file"));
}

struct Bound {
  const char* section;
  const char* fault;  // "" when the value is fine
};

class BoundsTest : public ::testing::TestWithParam<Bound> {};

TEST_P(BoundsTest, HoldsAtBothEnds) {
  const std::string found = FaultsOf(With(GetParam().section));
  if (*GetParam().fault == '\0') {
    EXPECT_EQ(found, "") << GetParam().section;
  } else {
    EXPECT_THAT(found, HasSubstr(GetParam().fault)) << GetParam().section;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Capture, BoundsTest,
    ::testing::Values(
        Bound{"capture: {copy_workers: 1}", ""}, Bound{"capture: {copy_workers: 32}", ""},
        Bound{"capture: {copy_workers: 0}",
              "capture.copy_workers is \"0\"; it must be a whole "
              "number, 1..32"},
        Bound{"capture: {copy_workers: 33}", "is \"33\""},
        Bound{"capture: {copy_workers: 1.5}", "is \"1.5\""},
        Bound{"capture: {copy_range: 1MiB}", ""}, Bound{"capture: {copy_range: 1TiB}", ""},
        Bound{"capture: {copy_range: 1023KiB}", "1MiB..1TiB"},
        Bound{"capture: {copy_range: 1025GiB}", "1MiB..1TiB"},
        Bound{"capture: {copy_range: 4096}", "a size with its unit"},
        Bound{"capture: {heartbeat: 100ms}", ""}, Bound{"capture: {heartbeat: 10m}", ""},
        Bound{"capture: {heartbeat: 99ms}", "100ms..10m"},
        Bound{"capture: {heartbeat: 601s}", "100ms..10m"},
        Bound{"capture: {heartbeat: 5}", "a time with its unit"},
        Bound{"capture: {heartbeat: inf}", "a time with its unit"},
        Bound{"capture: {drift_check: 100ms}", ""}, Bound{"capture: {drift_check: 10m}", ""},
        Bound{"capture: {drift_check: 0s}", "capture.drift_check is \"0s\""},
        Bound{"capture: {drift_check: -1s}", "capture.drift_check is \"-1s\""}));

INSTANTIATE_TEST_SUITE_P(
    Replay, BoundsTest,
    ::testing::Values(
        Bound{"replay: {batch_rows: 1}", ""}, Bound{"replay: {batch_rows: 1000000}", ""},
        Bound{"replay: {batch_rows: 0}", "1..1000000"},
        Bound{"replay: {batch_rows: 1000001}", "1..1000000"},
        Bound{"replay: {batch_bytes: 64KiB}", ""}, Bound{"replay: {batch_bytes: 1GiB}", ""},
        Bound{"replay: {batch_bytes: 63KiB}", "64KiB..1GiB"},
        Bound{"replay: {batch_bytes: 1.1GiB}", "64KiB..1GiB"},
        Bound{"replay: {quarantine_max: 0}", ""}, Bound{"replay: {quarantine_max: 1000000}", ""},
        Bound{"replay: {quarantine_max: -1}", "0..1000000"},
        Bound{"replay: {quarantine_max: 99999999999999999999}", "0..1000000"},
        Bound{"replay: {copy_workers: 1}", ""}, Bound{"replay: {copy_workers: 32}", ""},
        Bound{"replay: {copy_workers: 0}", "1..32"}, Bound{"replay: {copy_workers: 33}", "1..32"}));

INSTANTIATE_TEST_SUITE_P(
    Log, BoundsTest,
    ::testing::Values(
        Bound{"log: {sqlite: x.db}", ""},
        Bound{"log: {kafka: {bootstrap.servers: \"127.0.0.1:9092\", single_broker: true, env: "
              "{sasl.password: KAFKA_PASSWORD}}}",
              ""},
        Bound{"log: {kafka: {single_broker: true}}", "has no \"bootstrap.servers\""},
        Bound{"log: {kafka: {bootstrap.servers: a, single_broker: yes}}", "must be true or false"},
        Bound{"log: {kafka: {bootstrap.servers: a, acks: all}}", "is fixed by Switchyard"},
        Bound{"log: {kafka: {bootstrap.servers: a, env: {bootstrap.servers: B}}}", "given twice"},
        Bound{"log: {sqlite: x, kafka: {bootstrap.servers: a}}", "it must be one of them"},
        Bound{"log: {}", "neither sqlite nor kafka"}, Bound{"log: x", "log must be a map"}));

INSTANTIATE_TEST_SUITE_P(
    Names, BoundsTest,
    ::testing::Values(
        Bound{"aliases: {a: b.c}", ""}, Bound{"aliases: {a: b}", "schema-qualified table"},
        Bound{"aliases: {a: b.c.d}", "it must be a table"}, Bound{"schemas: crm", ""},
        Bound{"schemas: []", "schemas is empty"},
        Bound{"schemas: [a, a]", "stands in schemas twice"},
        Bound{"schemas: [aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg]", ""},
        Bound{"schemas: [aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg]",
              "is 64 bytes long"},
        Bound{"setup: [nowhere.sql]", "there is no file nowhere.sql; write it, or mend the path"},
        Bound{"captur: {}",
              "unknown key \"captur\" in the migration file; did you mean "
              "\"capture\"?"},
        Bound{"zzzzzzzz: {}", "known keys: migration, old, new"},
        Bound{"new: {dsn_env: OTHER}",
              "key \"new\" stands in the migration file twice; first on "
              "line 3"}));

std::string Mapping1(const std::string& rest) {
  return "migration: shop\nold: {dsn_env: A}\nnew: {dsn_env: B}\nforward:\n"
         "  tables:\n    - table: public.t\n" +
         rest;
}

TEST(MigrationFileTest, ASelectSaysWhichTablesItReads) {
  ASSERT_OK_AND_ASSIGN(
      const MigrationFile file,
      ParseMigrationFile(
          Mapping1("      select: WITH w AS (SELECT * FROM a) SELECT w.id FROM w JOIN "
                   "public.b ON b.id IN (SELECT c.id FROM c)\n"),
          "shop.yaml"));
  EXPECT_THAT(file.forward.mappings[0].reads,
              ElementsAre(TableName{"", "a"}, TableName{"", "c"}, TableName{"public", "b"}));
}

TEST(MigrationFileTest, KeepsTheTwoFormsOfAMappingApart) {
  EXPECT_THAT(FaultsOf(Mapping1("")), HasSubstr("shop.yaml:6:7: a mapping needs copy"));
  EXPECT_THAT(FaultsOf(Mapping1("      copy: t\n      from: {t: id}\n")),
              HasSubstr("shop.yaml:8:7: from goes with select only"));
  EXPECT_THAT(FaultsOf(Mapping1("      select: SELECT 1\n      where: a\n      from: {t: id}\n")),
              HasSubstr("shop.yaml:8:7: where goes with copy only"));
  EXPECT_THAT(FaultsOf(Mapping1("      select: users\n      from: {t: id}\n")),
              HasSubstr("select must be a file ending in .sql, or SQL"));
  EXPECT_THAT(
      FaultsOf(Mapping1("      select: no.sql\n      from: {t: id}\n")),
      HasSubstr("shop.yaml:7:15: select: there is no file no.sql; write it, or mend the path"));
}

TEST(MigrationFileTest, RefusesAColumnFilledTwice) {
  EXPECT_THAT(FaultsOf(Mapping1("      copy: t\n      rename: {a: c, b: c}\n")),
              HasSubstr("two columns are renamed to \"c\""));
  EXPECT_THAT(FaultsOf(Mapping1("      copy: t\n      rename: {a: c}\n      set: {c: '1'}\n")),
              HasSubstr("filled by set and by rename"));
  EXPECT_THAT(FaultsOf(Mapping1("      copy: t\n      rename: {a: c}\n      drop: [a]\n")),
              HasSubstr("renamed and dropped"));
}

TEST(MigrationFileTest, LetsTwoMappingsShareATableOnlyWithOwns) {
  const std::string second = "      copy: t\n    - table: public.t\n      copy: u\n";
  EXPECT_THAT(FaultsOf(Mapping1(second)),
              HasSubstr("shop.yaml:8:7: table public.t is filled by the mapping on line 6 too"));
  EXPECT_EQ(FaultsOf(Mapping1("      owns: a\n" + second + "      owns: b\n")), "");
}

TEST(MigrationFileTest, APatchSaysWhatBecomesOfRowsThatVanish) {
  ASSERT_OK_AND_ASSIGN(
      const MigrationFile file,
      ParseMigrationFile(Mapping1("      copy: t\n      mode: patch\n      vanish: leave\n"
                                  "      lossy: [email, phone]\n"),
                         "shop.yaml"));
  const Mapping& mapping = file.forward.mappings[0];
  EXPECT_EQ(mapping.mode, MappingMode::kPatch);
  EXPECT_EQ(mapping.vanished, Vanished::kLeave);
  EXPECT_THAT(mapping.lossy, ElementsAre("email", "phone"));
  EXPECT_THAT(FaultsOf(Mapping1("      copy: t\n      mode: patch\n")),
              HasSubstr("shop.yaml:8:7: mode: patch needs vanish: delete or vanish: leave"));
  EXPECT_THAT(FaultsOf(Mapping1("      copy: t\n      mode: path\n")),
              HasSubstr("mode is \"path\"; it must be derive or patch"));
  EXPECT_THAT(FaultsOf(Mapping1("      copy: t\n      vanish: leave\n")),
              HasSubstr("shop.yaml:8:7: vanish goes with mode: patch only"));
  EXPECT_THAT(FaultsOf(Mapping1("      copy: t\n      lossy: [a]\n")),
              HasSubstr("shop.yaml:8:7: lossy goes with mode: patch only"));
  EXPECT_THAT(
      FaultsOf(Mapping1("      copy: t\n      owns: a\n    - table: public.t\n      copy: u\n"
                        "      owns: b\n      mode: patch\n      vanish: delete\n")),
      HasSubstr("shop.yaml:9:7: table public.t is filled by the mapping on line 6 too; a "
                "table with mode: patch has one mapping"));
}

TEST(MigrationFileTest, ChecksIdsAndIgnore) {
  const std::string good = Mapping1("      copy: t\n");
  EXPECT_EQ(FaultsOf(good + "  ids: [{kind: u, table: t, old_id: id, new_id: gen_random_uuid()}]\n"
                            "  ignore: [a, a.b, a.b.c]\n"),
            "");
  EXPECT_THAT(FaultsOf(good + "  ids: [{kind: u, table: t, old_id: id}]\n"),
              HasSubstr("an entry of ids has no \"new_id\""));
  EXPECT_THAT(FaultsOf(good + "  ids: [{kind: u, table: t, old_id: a, new_id: b}, {kind: u, table: "
                              "t, old_id: a, new_id: b}]\n"),
              HasSubstr("are declared on line 8 too"));
  EXPECT_THAT(FaultsOf(good + "  ignore: [a.b.c.d]\n"), HasSubstr("neither a table nor"));
  EXPECT_THAT(FaultsOf(good + "  ignore: [a, a]\n"), HasSubstr("stands in ignore twice"));
}

TEST(MigrationFileTest, TellsOldFromNew) {
  EXPECT_THAT(FaultsOf("migration: a\nold: {dsn_env: A}\nnew: {dsn_env: A}\nforward: [{table: p.t, "
                       "copy: t}]\n"),
              HasSubstr("shop.yaml:3:1: old and new are the same database"));
}

TEST(EndpointTest, ReadsTheDsnFromTheEnvironmentOrAFile) {
  setenv("SY_TEST_DSN", "host=h", 1);
  ASSERT_OK_AND_ASSIGN(const std::string from_env, Endpoint{.dsn_env = "SY_TEST_DSN"}.Dsn());
  EXPECT_EQ(from_env, "host=h");
  unsetenv("SY_TEST_DSN");
  EXPECT_THAT(Endpoint{.dsn_env = "SY_TEST_DSN"}.Dsn(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("SY_TEST_DSN is not set")));
  const std::string path = ::testing::TempDir() + "dsn_file";
  std::ofstream(path) << "host=f\n";
  ASSERT_OK_AND_ASSIGN(const std::string from_file, Endpoint{.dsn_file = path}.Dsn());
  EXPECT_EQ(from_file, "host=f");
  std::remove(path.c_str());
  EXPECT_THAT(Endpoint{.dsn_file = path}.Dsn(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("there is no file")));
}

TEST(MigrationFileTest, ThatIsNotThereIsToldWithWhatToDo) {
  EXPECT_THAT(LoadMigrationFile("nowhere.yaml").status(),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("there is no file nowhere.yaml; next: give the path")));
}

// Bytes changed, removed, doubled and moved anywhere in a good file: a result or faults with a
// place, never a crash.
TEST(MigrationFileTest, SurvivesRandomMutations) {
  const std::string good = ReadAll(kTestData + "studio.yaml");
  const std::string alphabet = "{}[]:,-|>&*#'\"\\ \n\tab0é\xff";
  std::mt19937 random(20250101);
  const auto pick = [&](size_t n) {
    return std::uniform_int_distribution<size_t>(0, n - 1)(random);
  };
  for (int round = 0; round < 3000; ++round) {
    SCOPED_TRACE(round);
    std::string text = good;
    for (size_t edits = 1 + pick(4); edits > 0 && !text.empty(); --edits) {
      const size_t at = pick(text.size());
      switch (pick(4)) {
        case 0:
          text[at] = alphabet[pick(alphabet.size())];
          break;
        case 1:
          text.erase(at, 1 + pick(20));
          break;
        case 2:
          text.insert(at, text.substr(pick(text.size()), pick(40)));
          break;
        default:
          text.insert(at, 1, alphabet[pick(alphabet.size())]);
      }
    }
    std::vector<Fault> faults;
    const auto file = ParseMigrationFile(text, kTestData + "studio.yaml", &faults);
    if (file.ok()) continue;
    ASSERT_FALSE(faults.empty());
    for (const Fault& fault : faults) {
      EXPECT_GE(fault.at.line, 1) << fault.ToString();
      EXPECT_GE(fault.at.column, 1) << fault.ToString();
      EXPECT_FALSE(fault.message.empty());
    }
  }
}

TEST(MigrationFileTest, ReadsTheStepsAfterTheCopyAndRefusesWhatNeedsATransactionOfItsOwn) {
  const std::string folder = ::testing::TempDir();
  std::ofstream(folder + "good.sql") << "CREATE INDEX ON users (email);\nALTER TABLE users ADD "
                                        "FOREIGN KEY (studio) REFERENCES studios;\n";
  std::ofstream(folder + "bad.sql") << "SELECT 1;\n  CREATE INDEX CONCURRENTLY ON users (email);\n";
  const auto parse = [&](const std::string& steps) {
    return ParseMigrationFile(
        "migration: m\nold: {dsn_env: A}\nnew: {dsn_env: B}\nlog: {sqlite: x}\n"
        "after_copy: [" +
            steps + "]\nforward: [{table: public.a, copy: t}]\n",
        folder + "m.yaml");
  };
  ASSERT_OK_AND_ASSIGN(const MigrationFile file, parse("good.sql"));
  ASSERT_EQ(file.after_copy.size(), 1u);
  EXPECT_THAT(file.after_copy[0].sql, HasSubstr("FOREIGN KEY"));
  const auto refused = parse("bad.sql, none.sql");
  EXPECT_THAT(refused.status().message(), HasSubstr("bad.sql:2:3: it runs inside a transaction"));
  EXPECT_THAT(refused.status().message(), HasSubstr("after_copy: "));
}

TEST(MigrationFileTest, RemembersWhereEachPieceOfSqlStands) {
  const std::string text =
      "migration: m\nold: {dsn_env: A}\nnew: {dsn_env: B}\nlog: {sqlite: x}\nforward:\n"
      "  - table: public.a\n"
      "    copy: t\n"
      "    set: {b: \"'\u00e9' || x\", c: y}\n"
      "  - table: public.b\n"
      "    from: {t: lower(id)}\n"
      "    select: |\n"
      "      SELECT id,\n"
      "             wrong\n"
      "      FROM t\n"
      "  - table: public.c\n"
      "    from: {t: id}\n"
      "    select: SELECT id,\n"
      "            wrong FROM t\n";
  ASSERT_OK_AND_ASSIGN(const MigrationFile file, ParseMigrationFile(text, "m.yaml"));
  const auto at = [](const std::string& sql, const Place& place, const std::string& word) {
    return place.At(sql, sql.find(word));
  };
  const std::vector<Mapping>& mappings = file.forward.mappings;
  EXPECT_EQ(mappings[0].places.at("copy").Begin(), (Position{7, 11}));
  EXPECT_EQ(at(mappings[0].set[0].second, mappings[0].places.at("set.b"), "x"), (Position{8, 22}));
  EXPECT_EQ(mappings[0].places.at("set.c").Begin(), (Position{8, 29}));
  EXPECT_EQ(at("lower(id)", mappings[1].from[0].place, "id"), (Position{10, 21}));
  EXPECT_EQ(at(mappings[1].select, mappings[1].places.at("select"), "wrong"), (Position{13, 14}));
  EXPECT_EQ(at(mappings[2].select, mappings[2].places.at("select"), "wrong"), (Position{18, 13}));
}

TEST(MigrationFileTest, SeveralValuesOfARuleAreAQuery) {
  std::vector<Fault> faults;
  EXPECT_FALSE(
      ParseMigrationFile("migration: t\nold: {dsn_env: A}\nnew: {dsn_env: B}\nforward:\n"
                         "  - {table: public.t, select: SELECT 1 AS a, from: {x: 'a, b'}}\n",
                         "t.yaml", &faults)
          .ok());
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_EQ(
      faults[0].message,
      "from.x: these are 2 values, and it must be one expression, or a query that gives them: "
      "SELECT a, b");
}

}  // namespace
}  // namespace switchyard::spec
