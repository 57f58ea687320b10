// Rows in quarantine whose keys change hands on the source.
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/replay_fixture.h"

namespace switchyard::replayer {
namespace {

constexpr char kOld[] = "CREATE TABLE t (id int PRIMARY KEY, v text)";
constexpr char kNew[] = "CREATE TABLE t (id int PRIMARY KEY, v text CHECK (v <> 'bad'))";
constexpr char kCopy[] = "  - {table: public.t, copy: t}\n";
constexpr char kAll[] = "SELECT id, v FROM t ORDER BY id";
constexpr char kEntries[] =
    "SELECT scope ->> 'id', before ->> 'id', operation FROM switchyard.quarantine ORDER BY 1";

class QuarantineKeysTest : public testing::ReplayFixture {
 protected:
  void StartWith(const std::string& rows) {
    ASSERT_OK(Start(kOld, kNew, kCopy, rows));
    ASSERT_OK(CatchUp());
  }
  void Change(const std::string& sql) {
    ASSERT_OK(OnOld(sql));
    ASSERT_OK(CatchUp());
  }
};

TEST_F(QuarantineKeysTest, ARowThatTakesTheKeyOfAQuarantinedOneIsAnother) {
  StartWith("");
  Change("INSERT INTO t VALUES (1, 'bad')");
  EXPECT_EQ(New(kEntries), "1|NULL|insert");
  // The new row is the first of the transaction, and gets the key that the other one leaves.
  Change(
      "BEGIN; INSERT INTO t VALUES (9, 'new'); UPDATE t SET id = 2 WHERE id = 1;"
      "UPDATE t SET id = 1 WHERE id = 9; COMMIT");
  EXPECT_EQ(New(kAll), "1|new");
  EXPECT_EQ(New(kEntries), "2|NULL|insert");
  Change("UPDATE t SET v = 'good' WHERE id = 2");
  EXPECT_EQ(New(kAll), Old(kAll));
  EXPECT_EQ(New(kEntries), "");
}

TEST_F(QuarantineKeysTest, AQuarantinedRowTakesTheKeyOfOneThatIsDeleted) {
  StartWith("");
  Change("INSERT INTO t VALUES (1, 'bad'), (2, 'bad')");
  Change("BEGIN; DELETE FROM t WHERE id = 2; UPDATE t SET id = 2 WHERE id = 1; COMMIT");
  EXPECT_EQ(New(kEntries), "2|NULL|insert");
  Change("UPDATE t SET v = 'good'");
  EXPECT_EQ(New(kAll), Old(kAll));
  EXPECT_EQ(New(kEntries), "");
}

TEST_F(QuarantineKeysTest, QuarantinedRowsSwapTheirKeys) {
  StartWith("");
  Change("INSERT INTO t VALUES (1, 'bad'), (2, 'bad')");
  Change(
      "BEGIN; UPDATE t SET id = 3 WHERE id = 1; UPDATE t SET id = 1 WHERE id = 2;"
      "UPDATE t SET id = 2, v = 'good' WHERE id = 3; COMMIT");
  EXPECT_EQ(New(kEntries), "1|NULL|insert");
  EXPECT_EQ(New(kAll), "2|good");
}

TEST_F(QuarantineKeysTest, AMovedRowIsDeletedWhileAnotherHasItsFirstKey) {
  StartWith("INSERT INTO t VALUES (1, 'one')");
  Change("UPDATE t SET id = 2, v = 'bad'");
  EXPECT_EQ(New(kEntries), "2|1|update");
  Change("INSERT INTO t VALUES (1, 'next')");
  EXPECT_EQ(New(kEntries), "1|NULL|insert\n2|1|update");
  Change("DELETE FROM t WHERE id = 2");
  Change("UPDATE t SET v = 'later'");
  EXPECT_EQ(New(kAll), Old(kAll));
  EXPECT_EQ(New(kEntries), "");
}

}  // namespace
}  // namespace switchyard::replayer
