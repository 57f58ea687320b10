// Ids that can't be computed: allotted once, kept for ever, there before a select looks for them.
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/replay_fixture.h"
#include "tests/support/status_matchers.h"

namespace switchyard::replayer {
namespace {

using ::testing::HasSubstr;

class IdsTest : public testing::ReplayFixture {
 protected:
  // Applied as one batch, though each is a transaction by itself.
  void InOneBatch(const std::vector<std::string>& statements) {
    ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
    for (const std::string& sql : statements) ASSERT_OK(OnOld(sql)) << sql;
    ASSERT_OK(capture_->Pump());
    ASSERT_OK(StartReplayer());
    ASSERT_OK(CatchUp());
  }
};

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

// Whether a row has its id may not depend on what else is in its batch.
TEST_F(IdsTest, RowsThatComeAndGoInOneBatchHaveTheirIds) {
  ASSERT_OK(
      Start(kOld, kNew, kForward, "INSERT INTO customers VALUES (1, 'a'), (2, 'b'), (3, 'c')"));
  ASSERT_OK(CatchUp());
  const std::string two = New("SELECT id FROM users WHERE old_id = 2");
  ASSERT_NO_FATAL_FAILURE(InOneBatch({
      "INSERT INTO customers VALUES (10, 'short')",
      "DELETE FROM customers WHERE id = 10",
      "INSERT INTO customers VALUES (11, 'moves')",
      "UPDATE customers SET id = 12 WHERE id = 11",
      "UPDATE customers SET id = 13 WHERE id = 12",
      "UPDATE customers SET id = 20 WHERE id = 2",
      "UPDATE customers SET id = 21 WHERE id = 20",
      "INSERT INTO customers VALUES (2, 'another two')",
      "BEGIN; INSERT INTO customers VALUES (30, 'in one'); DELETE FROM customers WHERE id = 30; "
      "COMMIT",
  }));
  EXPECT_EQ(New("SELECT string_agg(old_id, ' ' ORDER BY old_id::int), count(DISTINCT new_id) FROM "
                "switchyard.id_map"),
            "1 2 3 10 11 12 13 20 21 30|10");
  EXPECT_EQ(New("SELECT id FROM users WHERE old_id = 2"), two);
  ASSERT_NO_FATAL_FAILURE(
      InOneBatch({"INSERT INTO customers VALUES (40, 'cleared')", "TRUNCATE customers",
                  "INSERT INTO customers VALUES (41, 'x')"}));
  EXPECT_EQ(New("SELECT string_agg(old_id, ' ' ORDER BY old_id::int) FROM switchyard.id_map WHERE "
                "old_id::int >= 40"),
            "40 41");
  EXPECT_EQ(New("SELECT old_id FROM users"), "41");
}

// The ids are of another column than the key, whose value is not sent again.
TEST_F(IdsTest, WhatARowWasForAMomentHasItsIdWhateverWasSent) {
  constexpr char kByCode[] = R"yaml(
  ids:
    - {kind: code, table: items, old_id: code,
       new_id: "switchyard.uuid_of('code', code || first)"}
  tables:
    - {table: public.items, copy: items}
)yaml";
  constexpr char kItems[] = "CREATE TABLE items (id int PRIMARY KEY, code text, first text)";
  ASSERT_OK(Start(std::string(kItems) + "; ALTER TABLE items ALTER first SET STORAGE external, "
                                        "ALTER code SET STORAGE external",
                  kItems, kByCode,
                  "INSERT INTO items VALUES (1, 'a', repeat('a', 5000)), "
                  "(2, repeat('b', 5000), 'b')"));
  ASSERT_NO_FATAL_FAILURE(InOneBatch({
      "UPDATE items SET code = 'a2' WHERE id = 1",  // `first` is not sent
      "UPDATE items SET code = 'a3' WHERE id = 1",
      "UPDATE items SET first = 'other' WHERE id = 1",
      "UPDATE items SET code = 'a4' WHERE id = 1",
      "UPDATE items SET id = 3 WHERE id = 2",
      "DELETE FROM items WHERE id = 3",
      "INSERT INTO items VALUES (5, 'x', 'first')",  // the first one counts
      "UPDATE items SET first = 'second' WHERE id = 5",
  }));
  EXPECT_EQ(New("SELECT left(old_id, 2), new_id = switchyard.uuid_of('code', old_id || CASE "
                "left(old_id, 2) "
                "WHEN 'bb' THEN 'b' WHEN 'x' THEN 'first' WHEN 'a4' THEN 'other' ELSE "
                "repeat('a', 5000) END) FROM switchyard.id_map ORDER BY 1"),
            "a|t\na2|t\na3|t\na4|t\nbb|t\nx|t");
}

constexpr char kByEmail[] =
    "  ids:\n    - {kind: user, table: customers, old_id: id, new_id: \"switchyard.uuid_of('user', "
    "email)\", many: true}\n  tables:\n    - {table: public.customers, copy: customers}\n";

TEST_F(IdsTest, SeveralOldIdsHaveOneNewIdWhereThatIsDeclared) {
  ASSERT_OK(
      Start(kOld, kOld, kByEmail, "INSERT INTO customers VALUES (1, 'a'), (2, 'b'), (3, 'b')"));
  ASSERT_OK(CatchUp());
  ASSERT_NO_FATAL_FAILURE(InOneBatch({"INSERT INTO customers VALUES (5, 'a'), (6, 'c'), (7, 'c')",
                                      "UPDATE customers SET email = 'd' WHERE id = 1",
                                      "INSERT INTO customers VALUES (8, 'd'), (9, 'd')"}));
  EXPECT_EQ(New("SELECT string_agg(old_id, ' ' ORDER BY old_id) FILTER (WHERE main), "
                "string_agg(old_id, ' ' ORDER BY old_id) FILTER (WHERE NOT main), "
                "count(DISTINCT new_id), count(DISTINCT new_id) FILTER (WHERE main) "
                "FROM switchyard.id_map"),
            "1 2 6 8|3 5 7 9|4|4");
}

TEST_F(IdsTest, ElseTheStreamStopsBeforeTheSecondOne) {
  std::string by_email = kByEmail;
  by_email.erase(by_email.find(", many: true"), std::string(", many: true").size());
  ASSERT_OK(Start(kOld, kOld, by_email, "INSERT INTO customers VALUES (1, 'a'), (2, 'b')"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnOld("INSERT INTO customers VALUES (3, 'a')"));
  ASSERT_OK(capture_->Pump());
  ASSERT_OK(AwaitState("stopped"));
  EXPECT_EQ(New("SELECT count(*) FROM customers"), "2");
  EXPECT_THAT(New("SELECT stop_reason FROM switchyard.stream"),
              HasSubstr("ids of kind user: a row of public.customers gets none: its new_id is that "
                        "of another old id already"));
}

TEST_F(IdsTest, ARowWithoutANewIdSaysWhatToMend) {
  std::string none = kForward;
  none.replace(none.find("gen_random_uuid()"), std::string("gen_random_uuid()").size(),
               "\"email::uuid\"");
  ASSERT_OK(Start(kOld, kNew, none));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnOld("INSERT INTO customers VALUES (3, 'secret')"));
  ASSERT_OK(capture_->Pump());
  ASSERT_OK(AwaitState("stopped"));
  const std::string why = New("SELECT stop_reason FROM switchyard.stream");
  EXPECT_THAT(why, HasSubstr("a row of public.customers gets none: invalid input syntax for type "
                             "uuid"));
  EXPECT_THAT(why, HasSubstr("mend old_id and new_id"));
  EXPECT_THAT(why, ::testing::Not(HasSubstr("secret")));
}

// OLD has pairs that the way back allotted for rows made in NEW.
constexpr char kPairsInOld[] =
    "CREATE SCHEMA switchyard; CREATE TABLE switchyard.id_map (kind text NOT NULL, old_id text NOT "
    "NULL, new_id uuid NOT NULL, main boolean NOT NULL, by text NOT NULL, PRIMARY KEY (kind, "
    "old_id))";
constexpr char kWayBack[] = R"(
reverse:
  ids:
    - {kind: user, table: users, old_id: gen_random_uuid()::text, new_id: id}
  tables:
    - {table: public.customers, copy: users, drop: [id], rename: {old_id: id}}
)";
constexpr char kOne[] = "11111111-1111-4111-8111-111111111111";

class PairsTest : public IdsTest {
 protected:
  void StartWith(const std::string& rows) {
    ASSERT_OK(
        Start(absl::StrCat(kOld, ";", kPairsInOld), kNew, absl::StrCat(kForward, kWayBack), rows));
    ASSERT_OK(CatchUp());
  }
  static std::string Pair(int old_id, const std::string& new_id) {
    return absl::StrCat("INSERT INTO switchyard.id_map VALUES ('user', '", old_id, "', '", new_id,
                        "', true, 'reverse');");
  }
};

TEST_F(PairsTest, ThoseOfTheOtherSideAreTakenBeforeAnyIdIsAllotted) {
  StartWith(absl::StrCat("INSERT INTO customers VALUES (1, '1@x'), (2, '2@x');", Pair(1, kOne)));
  EXPECT_EQ(New("SELECT id FROM users WHERE old_id = 1"), kOne);
  EXPECT_EQ(New("SELECT by FROM switchyard.id_map ORDER BY old_id"), "reverse\nforward");
  const std::string three = "33333333-3333-4333-8333-333333333333";
  const std::string four = "44444444-4444-4444-8444-444444444444";
  ASSERT_OK(OnOld("BEGIN; INSERT INTO customers VALUES (3, '3@x');" + Pair(3, three) + "COMMIT"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT id FROM users WHERE old_id = 3"), three);
  InOneBatch({Pair(4, four), "INSERT INTO customers VALUES (4, '4@x')"});
  EXPECT_EQ(New("SELECT id FROM users WHERE old_id = 4"), four);
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.id_map"), "4");
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "0");
}

TEST_F(PairsTest, APairThatMeetsAnotherPartnerWaitsAndChangesNothing) {
  StartWith("INSERT INTO customers VALUES (1, '1@x'), (2, '2@x')");
  const std::string before = New(kPairs);
  // The key of one, and the id of the other.
  ASSERT_OK(OnOld(Pair(1, kOne) + Pair(9, New("SELECT id FROM users WHERE old_id = 2"))));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kPairs), before);
  EXPECT_EQ(New("SELECT target, scope ->> 'old_id', image ->> 'by', sqlstate FROM "
                "switchyard.quarantine ORDER BY 2"),
            "switchyard.id_map|1|reverse|23Y01\nswitchyard.id_map|9|reverse|23Y01");
  ASSERT_OK(RetryQuarantine());
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "2");
  // A person says which is right.
  ASSERT_OK(OnNew("DELETE FROM switchyard.id_map WHERE old_id = '1'"));
  ASSERT_OK(RetryQuarantine());
  EXPECT_EQ(New("SELECT new_id FROM switchyard.id_map WHERE old_id = '1'"), kOne);
  EXPECT_EQ(New("SELECT scope ->> 'old_id' FROM switchyard.quarantine"), "9");
}

// The way back by itself: the source's rows have the new id, and are given an old one, once.
TEST_F(PairsTest, TheWayBackAllotsOldIds) {
  constexpr char kRoles[] =
      "  ids:\n    - {kind: user, table: users, old_id: 'gen_random_uuid()::text', new_id: id}\n"
      "  tables:\n    - table: public.people\n      from: {users: id}\n      scope: new_id\n"
      "      select: SELECT m.old_id AS id, u.id AS new_id FROM users u JOIN switchyard.id_map m "
      "ON "
      "m.kind = 'user' AND m.new_id = u.id\n";
  reverses_ = true;
  ASSERT_OK(Start("CREATE TABLE users (id uuid PRIMARY KEY, name text)",
                  "CREATE TABLE people (id text PRIMARY KEY, new_id uuid NOT NULL UNIQUE)", kRoles,
                  absl::StrCat("INSERT INTO users VALUES ('", kOne, "')")));
  ASSERT_OK(CatchUp());
  const std::string pair = New("SELECT old_id, by FROM switchyard.id_map");
  EXPECT_THAT(pair, HasSubstr("|reverse"));
  EXPECT_EQ(New("SELECT id || '|reverse' FROM people"), pair);
  InOneBatch({"UPDATE users SET name = 'a'", "DELETE FROM users",
              absl::StrCat("INSERT INTO users VALUES ('", kOne, "')")});
  EXPECT_EQ(New("SELECT old_id, by FROM switchyard.id_map"), pair);
  EXPECT_EQ(New("SELECT id || '|reverse' FROM people"), pair);
}

}  // namespace
}  // namespace switchyard::replayer
