// mode: patch. What changed in the select's rows is changed in the table's, which holds more than
// the select can tell; and nothing that somebody else wrote is overwritten.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/records/quarantine_entries.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "replayer/write/patch_writer.h"
#include "tests/support/replay_fixture.h"
#include "tests/support/status_matchers.h"

namespace switchyard::replayer {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

// People of the source are customers of the target, with their roles beside them.
constexpr char kOld[] =
    "CREATE TABLE users (id int PRIMARY KEY, email text, name text, phone text, info jsonb);"
    "CREATE TABLE roles (user_id int, role text, PRIMARY KEY (user_id, role));"
    "CREATE INDEX ON roles (role)";
constexpr char kNew[] =
    "CREATE TABLE customers (id int PRIMARY KEY, email text UNIQUE, name text CHECK (name <> "
    "'bad'), phone text, info jsonb, notes text)";
constexpr char kRows[] =
    "INSERT INTO users SELECT i, i || '@x', 'n' || i, 'p' || i, '{\"a\": 1}' "
    "FROM generate_series(1, 3) i; INSERT INTO roles SELECT i, 'c' FROM generate_series(1, 3) i";
// Customer 3 spells the address otherwise, 2 has another name.
constexpr char kThere[] =
    "INSERT INTO customers VALUES (1, '1@x', 'n1', 'p1', '{\"a\": 1}', 'old'), "
    "(2, '2@x', 'Two', 'p2', '{\"a\": 1}', 'old'), (3, '3@X', 'n3', 'p3', '{\"a\": 1}', 'old'), "
    "(9, '9@x', 'n9', 'p9', NULL, 'nobody knows')";
constexpr char kAll[] = "SELECT id, email, name, phone, notes FROM customers ORDER BY id";
constexpr char kFirst[] =
    "1|1@x|n1|p1|old\n2|2@x|Two|p2|old\n3|3@X|n3|p3|old\n9|9@x|n9|p9|nobody knows";
constexpr char kEntries[] = "SELECT scope ->> 'id', sqlstate, events FROM switchyard.quarantine";

std::string Forward(const std::string& vanish) {
  return R"(
  - table: public.customers
    mode: patch
    vanish: )" +
         vanish + R"(
    lossy: [email]
    from: {users: id, roles: user_id}
    select: |
      SELECT u.id, u.email, u.name, u.phone, u.info FROM users u
      WHERE EXISTS (SELECT FROM roles r WHERE r.user_id = u.id AND r.role = 'c')
)";
}

class PatchTest : public testing::ReplayFixture {
 protected:
  void StartThere(const std::string& vanish = "delete") {
    ASSERT_OK(Prepare(kOld, absl::StrCat(kNew, ";", kThere), Forward(vanish), kRows));
    ASSERT_OK(StartReplayer());
    ASSERT_OK(CatchUp());
  }
  void Change(const std::string& sql) {
    ASSERT_OK(OnOld(sql)) << sql;
    ASSERT_OK(CatchUp()) << sql;
  }
  // Applied as one batch, though each is a transaction by itself.
  void InOneBatch(const std::vector<std::string>& statements) {
    ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
    for (const std::string& sql : statements) ASSERT_OK(OnOld(sql)) << sql;
    ASSERT_OK(capture_->Pump());
    ASSERT_OK(StartReplayer());
    ASSERT_OK(CatchUp());
  }
  std::string Row(int id) {
    return New(absl::StrCat("SELECT email, name, phone, notes FROM customers WHERE id = ", id));
  }
};

TEST_F(PatchTest, TheCopyLeavesTheTableAsItIs) {
  StartThere();
  EXPECT_EQ(New(kAll), kFirst);
  EXPECT_EQ(New("SELECT count(*) FROM switchyard_old.users"), "3");
}

TEST_F(PatchTest, OnlyTheColumnsThatChangedAreWritten) {
  StartThere();
  Change("UPDATE users SET phone = 'new'");
  EXPECT_EQ(New(kAll),
            "1|1@x|n1|new|old\n2|2@x|Two|new|old\n3|3@X|n3|new|old\n9|9@x|n9|p9|nobody knows");
  // To and from NULL, and a column that no operator compares.
  Change("UPDATE users SET phone = NULL, info = '{\"a\": 1.0}' WHERE id = 2");
  EXPECT_EQ(Row(2), "2@x|Two|NULL|old");
  EXPECT_EQ(New("SELECT info FROM customers WHERE id = 2"), "{\"a\": 1.0}");
  Change("UPDATE users SET phone = 'p' WHERE id = 2");
  EXPECT_EQ(Row(2), "2@x|Two|p|old");
  // A lossy column is written when it changes, whatever is there.
  Change("UPDATE users SET email = 'three@x' WHERE id = 3");
  EXPECT_EQ(Row(3), "three@x|n3|new|old");
  EXPECT_EQ(New(kEntries), "");
}

TEST_F(PatchTest, RowsThatAppearAreInsertedAndThoseThatVanishDeleted) {
  StartThere();
  Change("INSERT INTO users VALUES (4, '4@x', 'n4', 'p4'); INSERT INTO roles VALUES (4, 'c')");
  EXPECT_EQ(Row(4), "4@x|n4|p4|NULL");
  Change("DELETE FROM roles WHERE user_id = 1");
  EXPECT_EQ(Row(1), "");
  // Its key passes to another row.
  Change("BEGIN; DELETE FROM users WHERE id = 4; UPDATE users SET id = 4 WHERE id = 3; COMMIT");
  EXPECT_EQ(New("SELECT string_agg(id::text, ',' ORDER BY id) FROM customers"), "2,4,9");
  EXPECT_EQ(New(kEntries), "");
}

TEST_F(PatchTest, RowsThatVanishAreLeftWhereThatIsDeclared) {
  StartThere("leave");
  Change("DELETE FROM roles WHERE user_id = 1; DELETE FROM users WHERE id = 2");
  EXPECT_EQ(New(kAll), kFirst);
  Change("INSERT INTO roles VALUES (1, 'c')");
  EXPECT_EQ(New(kAll), kFirst);
  EXPECT_EQ(New(kEntries), "");
}

TEST_F(PatchTest, TransactionsThatAreMergedCompareTheFirstStateWithTheLast) {
  StartThere();
  InOneBatch({"UPDATE users SET phone = 'x', name = 'y' WHERE id = 2",
              "UPDATE users SET phone = 'z', name = 'n2' WHERE id = 2",
              "DELETE FROM roles WHERE user_id = 1", "INSERT INTO roles VALUES (1, 'c')",
              "INSERT INTO users VALUES (5, '5@x')", "INSERT INTO roles VALUES (5, 'c')",
              "DELETE FROM users WHERE id = 5"});
  EXPECT_EQ(New(kAll),
            "1|1@x|n1|p1|old\n2|2@x|Two|z|old\n3|3@X|n3|p3|old\n9|9@x|n9|p9|nobody knows");
  EXPECT_EQ(New(kEntries), "");
}

TEST_F(PatchTest, ALargeTransactionIsComparedWithTheStateBeforeAllOfIt) {
  options_.batch_rows_max = 2;
  options_.target.scopes_per_recompute = 2;
  StartThere();
  Change(
      "BEGIN; INSERT INTO users SELECT i, i || '@x', 'n' || i FROM generate_series(10, 19) i;"
      "INSERT INTO roles SELECT i, 'c' FROM generate_series(10, 19) i;"
      "UPDATE users SET name = 'passing'; UPDATE users SET name = 'n' || id, phone = 'q'; COMMIT");
  EXPECT_EQ(New("SELECT count(*) FROM customers WHERE phone = 'q' AND name IN ('n' || id, 'Two')"),
            "13");
  EXPECT_EQ(Row(2), "2@x|Two|q|old");
  EXPECT_EQ(New(kEntries), "");
}

TEST_F(PatchTest, UniqueValuesPassFromRowToRow) {
  StartThere();
  Change(
      "BEGIN; UPDATE users SET email = '-' WHERE id = 1; UPDATE users SET email = '1@x' WHERE id = "
      "2; UPDATE users SET email = '2@x' WHERE id = 1; COMMIT");
  EXPECT_EQ(Row(1), "2@x|n1|p1|old");
  EXPECT_EQ(Row(2), "1@x|Two|p2|old");
  EXPECT_EQ(New(kEntries), "");
}

TEST_F(PatchTest, WhatSomebodyElseWroteIsNotOverwritten) {
  StartThere();
  ASSERT_OK(OnNew("UPDATE customers SET phone = 'by hand' WHERE id = 1"));
  Change("UPDATE users SET phone = 'new', name = 'N' WHERE id IN (1, 3)");
  EXPECT_EQ(Row(1), "1@x|n1|by hand|old");
  EXPECT_EQ(Row(3), "3@X|N|new|old");  // the others go on
  EXPECT_EQ(New(kEntries), absl::StrCat("1|", kConflict, "|1"));
  EXPECT_THAT(New("SELECT error FROM switchyard.quarantine"), HasSubstr("somebody else: phone"));
  EXPECT_EQ(New("SELECT before -> 0 ->> 'phone', image -> 0 ->> 'phone', there -> 0 ->> 'phone' "
                "FROM switchyard.quarantine"),
            "p1|new|by hand");
  // Later changes fold in: what it is compared with is what was there before the first of them.
  Change("UPDATE users SET phone = 'newer', info = '[1, \"b\"]' WHERE id = 1");
  EXPECT_EQ(Row(1), "1@x|n1|by hand|old");
  EXPECT_EQ(New("SELECT before -> 0 ->> 'phone', image -> 0 ->> 'phone', before -> 0 ->> 'info' "
                "FROM switchyard.quarantine"),
            "p1|newer|{\"a\": 1}");
  ASSERT_OK(RetryQuarantine());
  EXPECT_EQ(New(kEntries), absl::StrCat("1|", kConflict, "|2"));
  // As it was before: then the change is made.
  ASSERT_OK(OnNew("UPDATE customers SET phone = 'p1' WHERE id = 1"));
  ASSERT_OK(RetryQuarantine());
  EXPECT_EQ(Row(1), "1@x|N|newer|old");
  EXPECT_EQ(New("SELECT info FROM customers WHERE id = 1"), "[1, \"b\"]");
  EXPECT_EQ(New(kEntries), "");
  Change("UPDATE users SET name = 'M' WHERE id = 1");
  EXPECT_EQ(Row(1), "1@x|M|newer|old");
}

TEST_F(PatchTest, NoValueOfASensitiveColumnIsShownOfAConflict) {
  StartThere();
  ASSERT_OK(OnNew("UPDATE customers SET phone = 'by hand' WHERE id = 1"));
  Change("UPDATE users SET phone = 'new' WHERE id = 1");
  records::QuarantineEntries entries(*new_, "test.forward");
  ASSERT_OK_AND_ASSIGN(const auto page, entries.List(1, {}));
  ASSERT_EQ(page.total, 1);
  ASSERT_OK_AND_ASSIGN(const auto entry,
                       entries.Find(page.entries[0].id, {"public.customers|phone"}));
  ASSERT_TRUE(entry.has_value());
  for (const std::string* rows : {&entry->before, &entry->image, &entry->there}) {
    EXPECT_THAT(*rows, HasSubstr("\"phone\": \"sha256:"));
    EXPECT_THAT(*rows, HasSubstr("\"name\": \"n1\""));
    EXPECT_THAT(*rows, Not(ContainsRegex("\"phone\": \"[^s]")));
  }
}

TEST_F(PatchTest, AConflictIsOverOnceTheTableHasWhatIsWanted) {
  StartThere();
  ASSERT_OK(OnNew("UPDATE customers SET phone = 'by hand' WHERE id = 1"));
  Change("UPDATE users SET phone = 'new', name = 'N' WHERE id = 1");
  ASSERT_OK(OnNew("UPDATE customers SET phone = 'new' WHERE id = 1"));
  ASSERT_OK(RetryQuarantine());
  EXPECT_EQ(Row(1), "1@x|N|new|old");
  EXPECT_EQ(New(kEntries), "");
  // The same without an entry: a column that is as wanted already is no conflict.
  ASSERT_OK(OnNew("UPDATE customers SET phone = 'next' WHERE id = 1"));
  Change("UPDATE users SET phone = 'next' WHERE id = 1");
  EXPECT_EQ(New(kEntries), "");
}

TEST_F(PatchTest, ARowThatIsMissingAnotherThatIsThereAndOneThatChangedBeforeItWentAreConflicts) {
  StartThere();
  ASSERT_OK(
      OnNew("DELETE FROM customers WHERE id = 1; "
            "INSERT INTO customers VALUES (4, 'four@x', 'other', NULL, NULL, 'mine')"));
  Change(
      "UPDATE users SET phone = 'new' WHERE id = 1; DELETE FROM users WHERE id = 2; "
      "INSERT INTO users VALUES (4, '4@x', 'n4'); INSERT INTO roles VALUES (4, 'c')");
  EXPECT_EQ(New("SELECT scope ->> 'id', sqlstate FROM switchyard.quarantine ORDER BY 1"),
            "1|23Y01\n2|23Y01\n4|23Y01");
  EXPECT_EQ(Row(1), "");
  EXPECT_EQ(Row(2), "2@x|Two|p2|old");
  EXPECT_EQ(Row(4), "four@x|other|NULL|mine");
  ASSERT_OK(
      OnNew("UPDATE customers SET name = 'n2' WHERE id = 2; DELETE FROM customers WHERE id = "
            "4; INSERT INTO customers VALUES (1, 'x', 'n1', 'p1', '{\"a\": 1}', 'again')"));
  ASSERT_OK(RetryQuarantine());
  EXPECT_EQ(Row(1), "x|n1|new|again");
  EXPECT_EQ(Row(2), "");
  EXPECT_EQ(Row(4), "4@x|n4|NULL|NULL");
  EXPECT_EQ(New(kEntries), "");
}

TEST_F(PatchTest, ARowThatIsRefusedKeepsItsImageOfBeforeUntilItPasses) {
  StartThere();
  Change("UPDATE users SET name = 'bad', phone = 'q' WHERE id = 1");
  EXPECT_EQ(Row(1), "1@x|n1|p1|old");
  EXPECT_EQ(New(kEntries), "1|23514|1");
  EXPECT_EQ(New("SELECT before -> 0 ->> 'name', image -> 0 ->> 'name', there -> 0 ->> 'name' "
                "FROM switchyard.quarantine"),
            "n1|bad|n1");
  Change("UPDATE users SET name = 'good' WHERE id = 1");
  EXPECT_EQ(Row(1), "1@x|good|q|old");
  EXPECT_EQ(New(kEntries), "");
}

TEST_F(PatchTest, ARowThatWaitsForAUniqueValueComesOnceItIsFree) {
  StartThere();
  Change("UPDATE users SET email = '9@x', phone = 'q' WHERE id = 1");  // 9 is nobody's of ours
  EXPECT_EQ(Row(1), "1@x|n1|p1|old");
  EXPECT_EQ(New(kEntries), "1|23505|1");
  ASSERT_OK(OnNew("DELETE FROM customers WHERE id = 9"));
  Change("UPDATE users SET phone = 'other' WHERE id = 2");
  EXPECT_EQ(Row(1), "9@x|n1|q|old");
  EXPECT_EQ(Row(2), "2@x|Two|other|old");
  EXPECT_EQ(New(kEntries), "");
}

TEST_F(PatchTest, TheSessionThatSeesTheStateBeforeMayBeLost) {
  StartThere();
  Change("UPDATE users SET phone = 'a' WHERE id = 1");
  ASSERT_OK(
      OnNew("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
            "'switchyard replay' AND query LIKE '%jsonb_populate_recordset%' OR query = "
            "'ROLLBACK' AND application_name = 'switchyard replay'"));
  Change("UPDATE users SET phone = 'b' WHERE id = 1");
  EXPECT_EQ(Row(1), "1@x|n1|b|old");
  // Nor does it keep the database from forgetting what is dead.
  ASSERT_OK(
      AwaitNew("SELECT count(*) FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND "
               "pid <> pg_backend_pid() AND application_name = 'switchyard replay'",
               "0"));
}

TEST_F(PatchTest, ATruncatedSourceTakesTheRowsThatItGave) {
  StartThere();
  ASSERT_OK(OnNew("UPDATE customers SET name = 'n2' WHERE id = 2"));
  Change("TRUNCATE roles");
  EXPECT_EQ(New("SELECT id FROM customers"), "9");
  EXPECT_EQ(New(kEntries), "");
}

// customers is read by a mapping after it: by what it really holds.
TEST_F(PatchTest, WhatReadsAPatchedTableSeesWhatItHolds) {
  ASSERT_OK(Prepare(
      kOld,
      absl::StrCat(kNew, ";", kThere, "; CREATE TABLE mails (email text PRIMARY KEY, name text)"),
      Forward("delete") + R"(
  - table: public.mails
    select: SELECT c.email, c.name FROM public.customers c WHERE c.email IS NOT NULL
)",
      kRows));
  ASSERT_OK(StartReplayer());
  ASSERT_OK(CatchUp());
  const std::string all = "SELECT email, name FROM customers ORDER BY 1";
  EXPECT_EQ(New("SELECT * FROM mails ORDER BY 1"), New(all));
  Change("UPDATE users SET name = 'N' WHERE id = 3");
  Change("UPDATE users SET email = 'new@x' WHERE id = 2");
  Change("DELETE FROM users WHERE id = 1");
  EXPECT_EQ(New("SELECT * FROM mails ORDER BY 1"), New(all));
  EXPECT_EQ(New("SELECT name FROM mails WHERE email IN ('3@X', 'new@x') ORDER BY 1"), "N\nTwo");
}

TEST_F(PatchTest, ARowOfOneTableNeedsAMirrorToo) {
  ASSERT_OK(Prepare(kOld, absl::StrCat(kNew, ";", kThere), R"(
  - table: public.customers
    mode: patch
    vanish: leave
    copy: users
    drop: [email, info]
)",
                    kRows));
  ASSERT_OK(StartReplayer());
  ASSERT_OK(CatchUp());
  EXPECT_FALSE(plan_.mappings[0].row_local);
  EXPECT_THAT(plan_.mappings[0].why_keyed, HasSubstr("mode: patch"));
  Change("UPDATE users SET phone = 'new' WHERE id = 2");
  Change("UPDATE users SET id = 20 WHERE id = 3");
  EXPECT_EQ(Row(2), "2@x|Two|new|old");
  EXPECT_EQ(Row(3), "3@X|n3|p3|old");
  EXPECT_EQ(Row(20), "NULL|n3|p3|NULL");
}

}  // namespace
}  // namespace switchyard::replayer
