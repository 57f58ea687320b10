#include "capture/source/source_setup.h"

#include <thread>

#include "absl/strings/str_cat.h"
#include "capture/source/failover.h"
#include "common/base/finding.h"
#include "common/pg/error.h"
#include "common/records/target_sql.h"
#include "deploy/sql/source.sql.h"
#include "tests/capture/source_fixture.h"
#include "tests/support/await.h"

namespace switchyard::capture {
namespace {

using ::switchyard::testing::StatusIs;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class SourceSetupTest : public testing::SourceTest {
 protected:
  std::vector<SourceFault> Verify(pg::Session& session, bool slot_exists = false) {
    auto faults = VerifySource(session, options(), LoadTables(), slot_exists);
    EXPECT_OK(faults);
    return faults.ok() ? *std::move(faults) : std::vector<SourceFault>();
  }
  std::vector<SourceFault> Verify() {
    const auto session = ConnectAsCapture();
    return Verify(*session);
  }
  static auto Says(const std::string& text) {
    return Field(&SourceFault::finding, Field(&Finding::what, HasSubstr(text)));
  }
  static auto Problem(const std::string& text) { return Contains(Says(text)); }
};

TEST_F(SourceSetupTest, PrintedSqlIsAllThatTheCaptureRoleNeeds) {
  tables_ = {{"", "t"}, {"Other \"schema\"", "it's"}, {"", "parts"}};
  Run(R"(
    CREATE SCHEMA "Other ""schema""";
    CREATE TABLE t (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED);
    CREATE TABLE "Other ""schema"""."it's" (id int PRIMARY KEY);
    CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (10))");
  SetUpSource();
  SetUpSource();  // it may be run again
  const auto session = ConnectAsCapture();
  ASSERT_NE(session, nullptr);
  EXPECT_THAT(Verify(*session), IsEmpty());
  // Least privilege: no superuser, no rights beyond reading.
  EXPECT_FALSE(session->Execute("INSERT INTO t VALUES (1)").ok());
  EXPECT_FALSE(session->Execute("CREATE TABLE switchyard.x (a int)").ok());
  EXPECT_EQ(Scalar("SELECT rolsuper FROM pg_roles WHERE rolname = 'switchyard_capture'"), "f");
}

TEST_F(SourceSetupTest, NamesEverythingMissingAtOnceAndTheRemediesMendIt) {
  tables_ = {{"", "t"}, {"shut", "u"}, {"", "parts"}, {"", "logged_not"}};
  Run(R"(
    CREATE SCHEMA shut;
    CREATE TABLE t (id int PRIMARY KEY);
    CREATE TABLE shut.u (id int PRIMARY KEY);
    ALTER TABLE shut.u ENABLE ROW LEVEL SECURITY;
    CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (10);
    CREATE UNLOGGED TABLE logged_not (id int);
    CREATE ROLE bare LOGIN)");
  ASSERT_OK_AND_ASSIGN(
      const auto session,
      pg::Session::Connect({.dsn = server_->dsn(database_) + " user=bare"}, cancel_));
  std::vector<SourceFault> faults = Verify(*session);
  EXPECT_THAT(
      faults,
      AllOf(Problem("role \"bare\" may not replicate"), Problem("has no switchyard.capture_stream"),
            Problem("no publication"), Problem("may not use schema shut"),
            Problem("may not read table public.t"), Problem("may not read table public.parts_1")));
  EXPECT_THAT(faults, AllOf(Problem("hides rows of shut.u"), Problem("logged_not is unlogged"),
                            Problem("logged_not has no primary key")));
  // What is missing of switchyard itself is whole files of SQL; the rest is mended line by line.
  Run("ALTER TABLE logged_not SET LOGGED; ALTER TABLE logged_not REPLICA IDENTITY FULL");
  SetUpSource();
  Run("DROP PUBLICATION " + options().stream.publication);
  for (int round = 0; round < 3 && !(faults = Verify(*session)).empty(); ++round) {
    for (const SourceFault& fault : faults) Run(fault.finding.next);
  }
  EXPECT_THAT(Verify(*session), IsEmpty());
}

// VACUUM holds a table and writes its row of pg_class, which a GRANT would have locked.
TEST_F(SourceSetupTest, PrintedSqlNeverDeadlocksWithAVacuum) {
  Run("CREATE TABLE t (id int PRIMARY KEY)");
  ASSERT_OK_AND_ASSIGN(const std::string sql, SourceSetupSql(options(), LoadTables()));
  ASSERT_OK_AND_ASSIGN(const auto vacuum, server_->Connect(database_));
  ASSERT_OK(vacuum->Execute("BEGIN; LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE"));
  std::thread setup([&] { EXPECT_OK(owner_->Execute(sql)); });
  ASSERT_OK_AND_ASSIGN(const auto watch, server_->Connect(database_));
  EXPECT_OK(switchyard::testing::Await(
      "the setup waits", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
        ASSIGN_OR_RETURN(const pg::Result waits,
                         watch->Query("SELECT FROM pg_locks WHERE NOT granted AND database = "
                                      "(SELECT oid FROM pg_database WHERE datname = "
                                      "current_database())"));
        return waits.rows() > 0;
      }));
  EXPECT_OK(vacuum->Execute("GRANT SELECT ON t TO pg_monitor; COMMIT"));
  setup.join();
}

// Whoever makes them thinks of the application only.
TEST_F(SourceSetupTest, PartitionsToComeMayBeReadWithoutAGrant) {
  Run(R"(CREATE ROLE maker; CREATE SCHEMA "Own"; CREATE TABLE "Own".parts (id int PRIMARY KEY)
         PARTITION BY RANGE (id); CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
         ALTER TABLE parts OWNER TO maker; GRANT CREATE ON SCHEMA public TO maker)");
  tables_ = {{"", "parts"}, {"Own", "parts"}};
  SetUpSource();
  SetUpSource();
  Run(R"(CREATE TABLE "Own".born PARTITION OF "Own".parts FOR VALUES FROM (1) TO (9);
         SET ROLE maker; CREATE TABLE born PARTITION OF parts FOR VALUES FROM (1) TO (9); RESET ROLE)");
  EXPECT_THAT(Verify(*ConnectAsCapture()), Not(Problem("may not read")));
  Run("DROP TABLE born; DROP TABLE parts; DROP OWNED BY maker; DROP ROLE maker");
}

TEST_F(SourceSetupTest, PrintedSqlTellsAnOwnerWhatOnlyASuperuserMayDo) {
  Run("CREATE ROLE boss LOGIN; CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t OWNER TO boss");
  Run(absl::StrCat("GRANT CREATE ON DATABASE ", database_, " TO boss"));
  SourceOptions theirs = options();
  theirs.role = "switchyard_théirs";
  ASSERT_OK_AND_ASSIGN(const std::string sql, SourceSetupSql(theirs, LoadTables()));
  EXPECT_THAT(sql, ::testing::StartsWith("SET client_encoding = 'UTF8';"));
  EXPECT_THAT(sql, HasSubstr("wal_level = logical"));
  const auto run = [&] {
    auto boss = pg::Session::Connect({.dsn = server_->dsn(database_) + " user=boss"}, cancel_);
    return boss.ok() ? (*boss)->Execute(sql) : boss.status();
  };
  const absl::Status refused = run();
  EXPECT_THAT(pg::StatusErrorFields(refused).primary, HasSubstr("boss may not make the role"));
  EXPECT_EQ(pg::StatusErrorFields(refused).hint,
            "A superuser runs: CREATE ROLE \"switchyard_théirs\" LOGIN REPLICATION; then run this "
            "again.");
  Run("CREATE ROLE \"switchyard_théirs\" LOGIN REPLICATION");
  EXPECT_OK(run());
  EXPECT_OK(run());
}

// Promise 1: what logical replication does not carry is refused.
TEST_F(SourceSetupTest, RefusesColumnsThatReferToLargeObjects) {
  tables_ = {{"", "documents"}, {"", "numbered"}};
  Run(R"(
    CREATE DOMAIN lo AS oid;
    CREATE TABLE documents (id int PRIMARY KEY, content lo, scan oid);
    CREATE TABLE numbered (id int PRIMARY KEY, relation oid);
    INSERT INTO numbered VALUES (1, 7);
    INSERT INTO documents (id, scan) VALUES (1, NULL))");
  SetUpSource();
  const auto session = ConnectAsCapture();
  EXPECT_THAT(Verify(*session), IsEmpty());
  Run("UPDATE documents SET content = lo_from_bytea(0, 'x')");
  EXPECT_THAT(Verify(*session),
              ElementsAre(Says("column \"content\" of table public.documents refers to "
                               "large objects")));
}

TEST_F(SourceSetupTest, RefusesBeforeAPublicationWouldBreakTheSourcesOwnUpdates) {
  tables_ = {{"", "keyless"}, {"", "nothing"}, {"", "late"},    {"", "gone_index"},
             {"", "v"},       {"", "parent"},  {"", "missing"}, {"", "parts"}};
  Run(R"(
    CREATE TABLE keyless (a int);
    CREATE TABLE nothing (a int PRIMARY KEY);
    ALTER TABLE nothing REPLICA IDENTITY NOTHING;
    CREATE TABLE late (a int PRIMARY KEY DEFERRABLE);
    CREATE TABLE gone_index (a int NOT NULL);
    CREATE UNIQUE INDEX gone ON gone_index (a);
    ALTER TABLE gone_index REPLICA IDENTITY USING INDEX gone;
    DROP INDEX gone;
    CREATE VIEW v AS SELECT 1 AS a;
    CREATE TABLE parent (a int PRIMARY KEY);
    CREATE TABLE child () INHERITS (parent);
    CREATE TABLE parts (a int) PARTITION BY LIST (a);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1))");
  const auto sql = SourceSetupSql(options(), LoadTables());
  EXPECT_THAT(sql, StatusIs(absl::StatusCode::kFailedPrecondition,
                            AllOf(HasSubstr("public.keyless has no primary key"),
                                  HasSubstr("public.nothing has replica identity NOTHING"),
                                  HasSubstr("public.late has a primary key that is deferrable"),
                                  HasSubstr("public.gone_index has a replica identity index"),
                                  HasSubstr("public.v is a view"),
                                  HasSubstr("public.parent has children by INHERITS"),
                                  HasSubstr("no table missing"),
                                  HasSubstr("public.parts_1 has no primary key"))));
  EXPECT_EQ(Scalar("SELECT count(*) FROM pg_publication"), "0");
  // The claim itself, as Postgres has it: published, such tables can't be updated.
  const char* parts = owner_->server_version() >= 130000 ? "parts" : "parts_1";
  for (const char* table : {"keyless", "nothing", "late", "gone_index", parts}) {
    const std::string name(table);
    Run("INSERT INTO " + name + " VALUES (1)");
    Run("CREATE PUBLICATION p FOR TABLE " + name);
    EXPECT_THAT(owner_->Execute("UPDATE " + name + " SET a = 1"),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         HasSubstr("does not have a replica identity")))
        << name;
    Run("DROP PUBLICATION p");
  }
}

// A remedy that could not work would be tried at 2 a.m.
TEST_F(SourceSetupTest, OffersToPublishOnlyWhatCanBePublished) {
  Run("CREATE TABLE t (id int PRIMARY KEY); CREATE VIEW v AS SELECT * FROM t;"
      "CREATE MATERIALIZED VIEW m AS SELECT * FROM t");
  tables_ = {{"", "v"}, {"", "m"}, {"pg_catalog", "pg_class"}};
  const auto remedies = [&] {
    auto faults = VerifySource(*owner_, options(), LoadTables(), /*slot_exists=*/false);
    EXPECT_OK(faults);
    std::string all;
    for (const SourceFault& fault : *faults)
      all += fault.finding.what + ": " + fault.finding.next + "\n";
    return all;
  };
  EXPECT_THAT(remedies(), HasSubstr("there is no publication \"" + options().stream.publication +
                                    "\": run, as its owner"));
  EXPECT_THAT(remedies(), HasSubstr("public.v is a view"));
  EXPECT_THAT(remedies(), HasSubstr("public.m is a materialized view"));
  EXPECT_THAT(remedies(), HasSubstr("pg_catalog.pg_class is a system table"));
  Run("CREATE PUBLICATION " + options().stream.publication + " FOR TABLE t");
  EXPECT_THAT(remedies(), Not(HasSubstr("ADD TABLE")));
}

TEST(MarkSqlTest, TheMarkIsOneTableWhicheverSideIsWritten) {
  const auto made = [](const std::string& sql) {
    const size_t begin = sql.find("CREATE TABLE IF NOT EXISTS switchyard.mark ");
    return begin == std::string::npos ? "" : sql.substr(begin, sql.find(';', begin) - begin);
  };
  EXPECT_NE(made(kSourceSql), "");
  EXPECT_EQ(made(kSourceSql), made(records::TargetSetupSql()));
}

TEST_F(SourceSetupTest, NoticesAPublicationAlteredByHand) {
  tables_ = {{"", "t"}, {"", "u"}, {"", "parts"}};
  Run(R"(
    CREATE TABLE t (id int PRIMARY KEY, a int);
    CREATE TABLE u (id int PRIMARY KEY, a int);
    CREATE TABLE parts (id int PRIMARY KEY, a int) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (10))");
  SetUpSource();
  const std::string name = options().stream.publication;
  Run("ALTER PUBLICATION " + name + " SET (publish = 'insert')");
  Run("ALTER PUBLICATION " + name + " SET TABLE t, u");
  EXPECT_THAT(Verify(),
              AllOf(Problem("leaves operations out"), Problem("lacks table public.parts_1")));
  if (owner_->server_version() >= 150000) {
    Run("ALTER PUBLICATION " + name + " SET (publish_via_partition_root = true)");
    Run("ALTER PUBLICATION " + name + " SET TABLE t WHERE (id > 1), u (id)");
    EXPECT_THAT(Verify(), AllOf(Problem("as their root"), Problem("column list for public.t"),
                                Problem("column list for public.u")));
  } else if (owner_->server_version() < 140000) {
    EXPECT_THAT(Verify(), Problem("lacks table switchyard.capture_message"));
  }
  if (owner_->server_version() >= 180000) {
    Run("ALTER PUBLICATION " + name + " SET (publish_generated_columns = stored)");
    EXPECT_THAT(Verify(), Problem("publishes generated columns"));
  }
  for (const SourceFault& fault : Verify()) Run(fault.finding.next);
  EXPECT_THAT(Verify(), IsEmpty());
  Run("ALTER PUBLICATION " + name + " DROP TABLE switchyard.mark");
  EXPECT_THAT(Verify(), Problem("lacks switchyard.mark"));
  if (owner_->server_version() >= 150000) {
    Run("ALTER PUBLICATION " + name + " ADD TABLE switchyard.mark (migration, stream, writer)");
    EXPECT_THAT(Verify(), Problem("column list for switchyard.mark"));
  }
  for (const SourceFault& fault : Verify()) Run(fault.finding.next);
  EXPECT_THAT(Verify(), IsEmpty());
  Run("DROP PUBLICATION " + name + "; CREATE PUBLICATION " + name + " FOR ALL TABLES");
  EXPECT_THAT(Verify(), Problem("FOR ALL TABLES"));
}

// A server of its own, because it takes a restart to mend.
class WalLevelTest : public SourceSetupTest {
 protected:
  static void SetUpTestSuite() {
    auto server =
        switchyard::testing::MiniPostgres::Start({.settings = {{"wal_level", "replica"}}});
    ASSERT_OK(server);
    server_ = std::move(*server);
  }
};

TEST_F(WalLevelTest, RefusesAServerWhoseWalIsNotLogical) {
  Run("CREATE TABLE t (id int PRIMARY KEY)");
  SetUpSource();
  const std::vector<SourceFault> faults = Verify();
  ASSERT_THAT(faults, ElementsAre(Says("wal_level is replica; capture needs logical")));
  EXPECT_THAT(faults[0].finding.next, HasSubstr("restart the server"));
  Run(faults[0].finding.next.substr(0, faults[0].finding.next.find(';')));
  owner_.reset();
  ASSERT_OK(server_->Restart());
  ASSERT_OK_AND_ASSIGN(owner_, server_->Connect(database_));
  // The line of the configuration file is overruled by ALTER SYSTEM's.
  EXPECT_THAT(Verify(), IsEmpty());
}

TEST_F(SourceSetupTest, SaysWhatKeepsTheSlotOnAStandby) {
  Run("CREATE TABLE t (id int PRIMARY KEY)");
  SourceOptions asked = options();
  EXPECT_THAT(*SourceSetupSql(asked, LoadTables()), Not(HasSubstr("sync_replication_slots")));
  asked.failover = true;
  ASSERT_OK_AND_ASSIGN(const std::string sql, SourceSetupSql(asked, LoadTables()));
  EXPECT_THAT(sql, HasSubstr("-- primary_slot_name = 'ITS_SLOT', and a dbname"));
  Run(sql);
  const auto session = ConnectAsCapture();
  const auto notes = [&] {
    auto found = LoadFailoverNotes(*session, asked.stream.slot);
    EXPECT_OK(found);
    return found.value_or(FailoverNotes());
  };
  if (owner_->server_version() < 170000) {
    ASSERT_OK_AND_ASSIGN(const auto faults, VerifySource(*session, asked, LoadTables(), false));
    EXPECT_THAT(faults, Problem("before 17 no standby keeps a slot"));
    EXPECT_THAT(notes().facts, IsEmpty());
    return;
  }
  EXPECT_THAT(notes().facts, ElementsAre(HasSubstr("hot_standby_feedback")));
  EXPECT_THAT(notes().warnings, ElementsAre(HasSubstr("synchronized_standby_slots is empty")));
  Run("SELECT pg_create_physical_replication_slot('idle')");
  Run("ALTER SYSTEM SET synchronized_standby_slots = 'idle'");
  Run("SELECT pg_reload_conf()");
  const auto await_warning = [&](const std::string& text) {
    return switchyard::testing::Await("it warns that " + text, absl::Seconds(30), [&] {
      return notes().warnings.size() == 1 && notes().warnings[0].find(text) != std::string::npos;
    });
  };
  EXPECT_OK(await_warning("idle, which no standby uses"));
  Run("SELECT pg_drop_replication_slot('idle')");
  EXPECT_OK(await_warning("idle, which is not there"));
  Run("ALTER SYSTEM RESET synchronized_standby_slots");
  Run("SELECT pg_reload_conf()");
}

TEST_F(SourceSetupTest, CountsTheSlotsItNeeds) {
  Run("CREATE TABLE t (id int PRIMARY KEY)");
  SetUpSource();
  const int slots = std::stoi(Scalar("SHOW max_replication_slots"));
  for (int i = 0; i < slots; ++i) {
    Run("SELECT pg_create_physical_replication_slot('taken_" + std::to_string(i) + "')");
  }
  EXPECT_THAT(Verify(), Problem("0 replication slots are free; capture needs 2"));
  const auto session = ConnectAsCapture();
  EXPECT_THAT(Verify(*session, true), IsEmpty());
  Run("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
      "WHERE slot_name LIKE 'taken_%'");
}

}  // namespace
}  // namespace switchyard::capture
