// A change of columns that a mapping does not read touches none of its scopes. Whether a scope was
// computed again shows by a row of NEW that was put wrong: it is mended then, and stays else.
#include "absl/strings/str_cat.h"
#include "tests/support/replay_fixture.h"

namespace switchyard::testing {
namespace {

using std::string;

constexpr char kOld[] =
    "CREATE TABLE c (id int PRIMARY KEY, email text NOT NULL, name text NOT NULL, note text, "
    "active "
    "bool NOT NULL DEFAULT true);"
    "ALTER TABLE c ALTER note SET STORAGE EXTERNAL;"
    "CREATE TABLE o (id int PRIMARY KEY, cid int NOT NULL, total int NOT NULL)";
constexpr char kNew[] =
    "CREATE TABLE people (email text PRIMARY KEY, name text, notes bigint);"
    "CREATE TABLE orders (id int PRIMARY KEY, email text, total int)";
constexpr char kForward[] =
    "  - table: public.people\n    scope: email\n    select: |\n"
    "      SELECT email, max(name) AS name, sum(length(note)) AS notes FROM c GROUP BY email\n"
    "  - table: public.orders\n    select: |\n"
    "      SELECT o.id, c.email, o.total FROM o JOIN c ON c.id = o.cid\n";
constexpr char kRows[] =
    "INSERT INTO c SELECT i, 'e' || i, 'n' || i, repeat('x', 5000) FROM generate_series(1, 9) i;"
    "INSERT INTO o SELECT i, 1 + i % 9, i FROM generate_series(1, 30) i";

class UnreadColumnsTest : public ReplayFixture {
 protected:
  // Which of the two mappings computes rows again after `sql`: "people orders", or less.
  string Computed(const string& sql) {
    EXPECT_OK(CatchUp());
    EXPECT_OK(OnNew("UPDATE people SET name = 'wrong'; UPDATE orders SET total = -1"));
    EXPECT_OK(OnOld(sql));
    EXPECT_OK(CatchUp());
    string computed;
    if (New("SELECT count(*) FROM people WHERE name <> 'wrong'") != "0") computed = "people";
    if (New("SELECT count(*) FROM orders WHERE total <> -1") != "0") {
      absl::StrAppend(&computed, computed.empty() ? "" : " ", "orders");
    }
    return computed;
  }
  // Both tables put right again, and as the selects say.
  void ExpectRight() {
    ASSERT_OK(OnOld("UPDATE c SET email = email || '.'; UPDATE o SET total = total + 1"));
    ASSERT_OK(CatchUp());
    EXPECT_EQ(New("SELECT * FROM people ORDER BY 1"),
              Old("SELECT email, max(name), sum(length(note)) FROM c GROUP BY 1 ORDER BY 1"));
    EXPECT_EQ(New("SELECT * FROM orders ORDER BY 1"),
              Old("SELECT o.id, c.email, o.total FROM o JOIN c ON c.id = o.cid ORDER BY 1"));
  }
};

TEST_F(UnreadColumnsTest, TheirChangesTouchNothing) {
  ASSERT_OK(Start(kOld, kNew, kForward, kRows));
  EXPECT_EQ(Computed("UPDATE c SET active = NOT active"), "");
  EXPECT_EQ(Computed("UPDATE c SET name = name"), "");
  EXPECT_EQ(Computed("UPDATE c SET name = 'm' || id"), "people");
  EXPECT_EQ(Computed("UPDATE c SET note = repeat('y', 6000)"), "people");
  EXPECT_EQ(Computed("UPDATE c SET email = 'f' || id"), "people orders");
  EXPECT_EQ(Computed("UPDATE o SET total = total"), "");
  EXPECT_EQ(Computed("UPDATE o SET total = total + 1"), "orders");
  EXPECT_EQ(Computed("UPDATE c SET id = id + 100 WHERE id = 3"), "people");
  EXPECT_EQ(New("SELECT count(*) FROM orders WHERE id IN (2, 11, 20, 29)"), "0");
  ExpectRight();
}

// The old row is in the log then; a value that was not sent is none that changed.
TEST_F(UnreadColumnsTest, SoUnderAFullIdentity) {
  ASSERT_OK(Start(string(kOld) + "; ALTER TABLE c REPLICA IDENTITY FULL", kNew, kForward, kRows));
  EXPECT_EQ(Computed("UPDATE c SET active = NOT active"), "");
  EXPECT_EQ(Computed("UPDATE c SET name = 'm' || id"), "people");
  EXPECT_EQ(Computed("UPDATE c SET id = id + 100 WHERE id = 3"), "people");
  EXPECT_EQ(New("SELECT count(*) FROM orders WHERE id IN (2, 11, 20, 29)"), "0");
  ExpectRight();
}

// What a row was before all of the batch counts, and before each piece of a large transaction.
TEST_F(UnreadColumnsTest, SoWhereSeveralChangesCollapseAndInPieces) {
  options_.batch_rows_max = 10;
  ASSERT_OK(Start(kOld, kNew, kForward, kRows));
  EXPECT_EQ(Computed("BEGIN; UPDATE c SET name = 'm' WHERE id < 4; UPDATE c SET name = 'n' || id "
                     "WHERE id < 4; COMMIT"),
            "");
  EXPECT_EQ(Computed("BEGIN; UPDATE c SET active = NOT active WHERE id = 1; UPDATE c SET name = "
                     "'other' WHERE id = 1; COMMIT"),
            "people");
  // Under its key again, with the same e-mail.
  EXPECT_EQ(Computed("BEGIN; DELETE FROM c WHERE id = 2; INSERT INTO c VALUES (2, 'e2', 'again'); "
                     "COMMIT"),
            "people");
  const string far = "INSERT INTO o SELECT i, 1, 1 FROM generate_series(1000, 1040) i;";
  EXPECT_EQ(Computed("BEGIN; UPDATE c SET name = 'm' || id; " + far +
                     " UPDATE c SET name = 'n' || id; COMMIT"),
            "people orders");
  EXPECT_EQ(Computed("BEGIN; UPDATE c SET active = NOT active; UPDATE c SET active = NOT active; "
                     "UPDATE c SET active = NOT active; COMMIT"),
            "");
  ExpectRight();
}

}  // namespace
}  // namespace switchyard::testing
