// Ids that can't be computed: allotted once, kept for ever, there before a select looks for them.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/replay_fixture.h"
#include "tests/support/status_matchers.h"

namespace switchyard::replayer {
namespace {

class IdsTest : public testing::ReplayFixture {};

constexpr char kOld[] =
    "CREATE TABLE customers (id int PRIMARY KEY, email text); "
    "CREATE TABLE bookings (id int PRIMARY KEY, customer int); "
    "CREATE INDEX ON bookings (customer)";
constexpr char kNew[] =
    "CREATE TABLE users (id uuid PRIMARY KEY, old_id int NOT NULL UNIQUE, email text); "
    "CREATE TABLE new_bookings (id int PRIMARY KEY, user_id uuid)";
constexpr char kForward[] = R"(
  ids:
    - {kind: user, table: customers, old_id: id, new_id: gen_random_uuid()}
  tables:
    - table: public.users
      scope: old_id
      from: {customers: id}
      select: |
        SELECT m.new_id AS id, c.id AS old_id, c.email
        FROM customers c JOIN switchyard.id_map m ON m.kind = 'user' AND m.old_id = c.id::text
    - table: public.new_bookings
      from:
        bookings: id
        customers: SELECT b.id FROM bookings b WHERE b.customer = customers.id
      select: |
        SELECT b.id, m.new_id AS user_id
        FROM bookings b
        LEFT JOIN switchyard.id_map m ON m.kind = 'user' AND m.old_id = b.customer::text
)";
constexpr char kPairs[] = "SELECT old_id, new_id FROM switchyard.id_map ORDER BY old_id";
constexpr char kUsers[] = "SELECT old_id, id FROM users ORDER BY old_id::text";
constexpr char kWithoutUser[] =
    "SELECT count(*) FROM new_bookings b LEFT JOIN users u ON u.id = b.user_id WHERE u.id IS NULL";

TEST_F(IdsTest, EveryRowHasItsIdFromTheCopyOnAndKeepsIt) {
  ASSERT_OK(Start(kOld, kNew, kForward,
                  "INSERT INTO customers SELECT i, i || '@x' FROM generate_series(1, 50) i; "
                  "INSERT INTO bookings SELECT i, i FROM generate_series(1, 50) i"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT count(*), count(DISTINCT new_id) FROM switchyard.id_map"), "50|50");
  EXPECT_EQ(New(kPairs), New(kUsers));
  EXPECT_EQ(New(kWithoutUser), "0");

  const std::string seven = New("SELECT id FROM users WHERE old_id = 7");
  ASSERT_OK(OnOld("UPDATE customers SET email = 'new@x' WHERE id = 7"));
  ASSERT_OK(
      OnOld("BEGIN; INSERT INTO bookings VALUES (51, 51); "
            "INSERT INTO customers VALUES (51, '51@x'); COMMIT"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT id FROM users WHERE email = 'new@x'"), seven);
  EXPECT_EQ(New(kPairs), New(kUsers));
  EXPECT_EQ(New(kWithoutUser), "0");

  // A row that goes and comes back is the same person.
  ASSERT_OK(OnOld("DELETE FROM customers WHERE id = 7"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT count(*) FROM users WHERE old_id = 7"), "0");
  ASSERT_OK(OnOld("INSERT INTO customers VALUES (7, 'back@x')"));
  ASSERT_OK(OnOld("UPDATE customers SET id = 700 WHERE id = 8"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT id FROM users WHERE old_id = 7"), seven);
  EXPECT_EQ(New("SELECT count(*) FROM users WHERE old_id = 700"), "1");
  EXPECT_EQ(New("SELECT count(*), count(DISTINCT new_id) FROM switchyard.id_map"), "52|52");
}

TEST_F(IdsTest, ChangesOfARowThatHasItsIdAllotNothing) {
  ASSERT_OK(Start(kOld, kNew, kForward, "INSERT INTO customers VALUES (1, 'a')"));
  ASSERT_OK(OnOld("INSERT INTO customers SELECT i, 'x' FROM generate_series(2, 40) i"));
  ASSERT_OK(CatchUp());
  const std::string pairs = New(kPairs);
  ASSERT_OK(OnOld("UPDATE customers SET email = email || '!'"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kPairs), pairs);
  EXPECT_EQ(New(kPairs), New(kUsers));
}

}  // namespace
}  // namespace switchyard::replayer
