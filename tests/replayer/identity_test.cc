// A row's columns and its key are those that were compiled, or the stream stops before its
// transaction: whatever the names say.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/replay_fixture.h"

namespace switchyard::replayer {
namespace {

using ::testing::HasSubstr;

constexpr char kTable[] = "CREATE TABLE t (id int PRIMARY KEY, a text, b text, note text)";
constexpr char kCopyT[] = "  - {table: public.t, copy: t}\n";
// The same table, mirrored.
constexpr char kKeyedT[] = "  - {table: public.t, copy: t, where: id > 0}\n";
constexpr char kRows[] = "INSERT INTO t VALUES (1, 'a1', 'b1', 'n1'), (2, 'a2', 'b2', 'n2')";
constexpr char kSwap[] =
    "ALTER TABLE t RENAME a TO x; ALTER TABLE t RENAME b TO a; ALTER TABLE t RENAME x TO b;";
constexpr char kAll[] = "SELECT * FROM t ORDER BY id";

class IdentityTest : public testing::ReplayFixture {
 protected:
  // The stream stops for this reason once it has read what was done on OLD.
  void ExpectStop(const std::string& reason) {
    ASSERT_OK(capture_->Pump());
    ASSERT_OK(AwaitState("stopped"));
    const std::string stopped = New("SELECT stop_reason FROM switchyard.stream");
    EXPECT_THAT(stopped, HasSubstr(reason));
    EXPECT_THAT(stopped, HasSubstr("switchyard resume FILE"));
    EXPECT_EQ(StopReplayer().code(), absl::StatusCode::kFailedPrecondition);
  }
  void Restart() {
    TearDown();
    SetUp();
  }
};

TEST_F(IdentityTest, ColumnsOfOtherIdentityAreNotTakenByName) {
  const std::vector<std::vector<std::string>> kCases = {
      // Swapped in one transaction, with a row, and swapped back after it.
      {absl::StrCat("BEGIN;", kSwap, "INSERT INTO t VALUES (3, 'b3', 'a3', 'n3'); COMMIT"),
       "column a of public.t"},
      {absl::StrCat("BEGIN;", kSwap, "INSERT INTO t VALUES (3, 'b3', 'a3', 'n3');", kSwap,
                    "COMMIT"),
       "of public.t can't be told"},
      // Without a row; the next one is another's.
      {absl::StrCat("BEGIN;", kSwap, "COMMIT; DELETE FROM t WHERE id = 2"), "column a of public.t"},
      {"ALTER TABLE t DROP note, ADD note text DEFAULT 'x'; DELETE FROM t WHERE id = 2",
       "column note of public.t was dropped and made again"},
      {"ALTER TABLE t RENAME note TO old_note; ALTER TABLE t ADD note text; "
       "INSERT INTO t VALUES (3, 'a', 'b', 'o', 'n')",
       "column note of public.t has another name"},
  };
  for (const char* mapping : {kCopyT, kKeyedT}) {
    for (const auto& sql_and_reason : kCases) {
      ASSERT_OK(Start(kTable, kTable, mapping, kRows));
      ASSERT_OK(OnOld("UPDATE t SET note = 'before' WHERE id = 1"));
      ASSERT_OK(CatchUp());
      ASSERT_OK(OnOld(sql_and_reason[0]));
      ASSERT_NO_FATAL_FAILURE(ExpectStop(sql_and_reason[1]));
      EXPECT_EQ(New(kAll), "1|a1|b1|before\n2|a2|b2|n2") << sql_and_reason[0];
      Restart();
    }
  }
}

TEST_F(IdentityTest, UnderFullIdentityAsWell) {
  ASSERT_OK(
      Start(absl::StrCat(kTable, "; ALTER TABLE t REPLICA IDENTITY FULL"), kTable, kCopyT, kRows));
  ASSERT_OK(OnOld(absl::StrCat("BEGIN;", kSwap, "DELETE FROM t WHERE id = 2; COMMIT")));
  ASSERT_NO_FATAL_FAILURE(ExpectStop("column a of public.t"));
}

TEST_F(IdentityTest, AKeyColumnAsWell) {
  ASSERT_OK(Start("CREATE TABLE k (id int PRIMARY KEY, other int NOT NULL)",
                  "CREATE TABLE k (id int PRIMARY KEY, other int NOT NULL)",
                  "  - {table: public.k, copy: k}\n", "INSERT INTO k VALUES (1, 2), (2, 1)"));
  ASSERT_OK(
      OnOld("BEGIN; ALTER TABLE k RENAME id TO x; ALTER TABLE k RENAME other TO id;"
            "ALTER TABLE k RENAME x TO other; DELETE FROM k WHERE other = 1; COMMIT"));
  ASSERT_NO_FATAL_FAILURE(ExpectStop("column id of public.k"));
  EXPECT_EQ(New("SELECT * FROM k ORDER BY id"), "1|2\n2|1");
}

constexpr char kParted[] =
    "CREATE TABLE t (id int, a text, b text, PRIMARY KEY (id)) PARTITION BY RANGE (id);"
    "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100);"
    "CREATE TABLE t2 (b text, gone int, id int NOT NULL, a text, PRIMARY KEY (id));"
    "ALTER TABLE t2 DROP gone;"
    "ALTER TABLE t ATTACH PARTITION t2 FOR VALUES FROM (100) TO (200)";
constexpr char kPartedNew[] = "CREATE TABLE t (id int PRIMARY KEY, a text, b text)";
constexpr char kPartedRows[] = "INSERT INTO t VALUES (1, 'a1', 'b1'), (101, 'a101', 'b101')";

TEST_F(IdentityTest, PartitionsOfAnyOrderOfColumnsAreRead) {
  ASSERT_OK(Start(kParted, kPartedNew, kCopyT, kPartedRows));
  ASSERT_OK(OnOld("UPDATE t SET a = 'changed'"));
  ASSERT_OK(
      OnOld("CREATE TABLE t3 (b text, a text, id int NOT NULL, PRIMARY KEY (id));"
            "ALTER TABLE t ATTACH PARTITION t3 FOR VALUES FROM (200) TO (300)"));
  ASSERT_OK_AND_ASSIGN(catalog_,
                       catalog::LoadCatalog(*old_, {{.schema = "public", .name = "t"}}, {}));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (201, 'a201', 'b201')"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kAll), "1|changed|b1\n101|changed|b101\n201|a201|b201");
}

TEST_F(IdentityTest, ColumnsOfPartitionsSwapWithTheirRoots) {
  for (const char* row : {"DELETE FROM t WHERE id = 1", "DELETE FROM t WHERE id = 101",
                          "INSERT INTO t VALUES (2, 'b', 'a')"}) {
    ASSERT_OK(Start(kParted, kPartedNew, kCopyT, kPartedRows));
    ASSERT_OK(OnOld(absl::StrCat("BEGIN;", kSwap, row, "; COMMIT")));
    ASSERT_NO_FATAL_FAILURE(ExpectStop("column a of public.t"));
    EXPECT_EQ(New(kAll), "1|a1|b1\n101|a101|b101") << row;
    Restart();
  }
}

TEST_F(IdentityTest, APartitionThatComesBackWithAnotherColumnIsRefused) {
  ASSERT_OK(Start(kParted, kPartedNew, kCopyT, kPartedRows));
  ASSERT_OK(
      OnOld("BEGIN; ALTER TABLE t DETACH PARTITION t1; ALTER TABLE t1 DROP a, ADD a text;"
            "ALTER TABLE t ATTACH PARTITION t1 FOR VALUES FROM (0) TO (100); COMMIT"));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (2, 'a2', 'b2')"));
  ASSERT_NO_FATAL_FAILURE(ExpectStop("column a of public.t1 was dropped and made again"));
  EXPECT_EQ(New(kAll), "1|a1|b1\n101|a101|b101");
}

// Its changes would name rows by columns that are no key here, and go nowhere.
TEST_F(IdentityTest, AReplicaIdentityThatLacksTheKeyIsRefused) {
  constexpr char kEmails[] =
      "CREATE TABLE t (id int PRIMARY KEY, email text NOT NULL UNIQUE, v text)";
  constexpr char kEmailRows[] = "INSERT INTO t VALUES (1, 'e1'), (2, 'e2'), (3, 'e3')";
  for (const char* change : {"DELETE FROM t WHERE id = 1", "UPDATE t SET email = 'n' WHERE id = 2",
                             "UPDATE t SET id = 30 WHERE id = 3"}) {
    ASSERT_OK(Start(kEmails, kEmails, kCopyT, kEmailRows));
    ASSERT_OK(OnOld(absl::StrCat("BEGIN; ALTER TABLE t REPLICA IDENTITY USING INDEX t_email_key;",
                                 change, "; ALTER TABLE t REPLICA IDENTITY DEFAULT; COMMIT")));
    ASSERT_NO_FATAL_FAILURE(ExpectStop("the replica identity of public.t does not hold column id"));
    EXPECT_EQ(New("SELECT count(*) FROM t WHERE email LIKE 'e%'"), "3");
    Restart();
  }
  // FULL holds every key.
  ASSERT_OK(Start(kEmails, kEmails, kCopyT, kEmailRows));
  ASSERT_OK(
      OnOld("BEGIN; ALTER TABLE t REPLICA IDENTITY FULL; DELETE FROM t WHERE id = 1;"
            "ALTER TABLE t REPLICA IDENTITY DEFAULT; UPDATE t SET v = 'x' WHERE id = 2; "
            "COMMIT"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kAll), "2|e2|x\n3|e3|NULL");
}

TEST_F(IdentityTest, AValueOfAnyStorageIsLeftAloneWhenItIsNotSent) {
  constexpr char kStored[] = "CREATE TABLE t (id int PRIMARY KEY, c text, v int)";
  for (const char* mapping : {kCopyT, kKeyedT}) {
    ASSERT_OK(Start(absl::StrCat(kStored, "; ALTER TABLE t ALTER c SET STORAGE PLAIN"), kStored,
                    mapping, "INSERT INTO t VALUES (1, 'x', 1)"));
    ASSERT_OK(OnOld("ALTER TABLE t ALTER c SET STORAGE EXTERNAL"));
    ASSERT_OK(OnOld("UPDATE t SET c = repeat('long', 5000) WHERE id = 1"));
    ASSERT_OK(OnOld("UPDATE t SET v = 2 WHERE id = 1"));
    ASSERT_OK(CatchUp());
    EXPECT_EQ(New("SELECT length(c), v FROM t"), "20000|2");
    Restart();
  }
}

// Under FULL capture fills the value in.
TEST_F(IdentityTest, AValueLeftOutOnceTheIdentityIsNotFullAnyMoreIsRefused) {
  constexpr char kStored[] = "CREATE TABLE t (id int PRIMARY KEY, c text, v int)";
  ASSERT_OK(Start(absl::StrCat(kStored,
                               "; ALTER TABLE t REPLICA IDENTITY FULL;"
                               "ALTER TABLE t ALTER c SET STORAGE EXTERNAL"),
                  kStored, kCopyT, "INSERT INTO t VALUES (1, repeat('long', 5000), 1)"));
  ASSERT_OK(OnOld("UPDATE t SET v = 2"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnOld("ALTER TABLE t REPLICA IDENTITY DEFAULT"));
  ASSERT_OK(OnOld("UPDATE t SET v = 3"));
  ASSERT_NO_FATAL_FAILURE(ExpectStop("leaves out column c"));
  EXPECT_EQ(New("SELECT length(c), v FROM t"), "20000|2");
}

}  // namespace
}  // namespace switchyard::replayer
