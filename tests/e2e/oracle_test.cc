// The oracle that other tests rely on must itself see every kind of difference.
#include "tests/support/oracle/oracle.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/status_matchers.h"

namespace switchyard::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kFile[] = R"yaml(
migration: shop
old: {dsn_env: OLD_DSN}
new: {dsn_env: NEW_DSN}
schemas: [public, extra]
aliases: {crm_people: crm.people}
forward:
  - table: public.totals          # reads a table that stands below it
    scope: mood
    from: {public.people: mood}
    select: |
      SELECT mood, count(*) AS people, sum(balance) AS balance FROM public.people GROUP BY mood
  - table: public.people
    copy: people
    rename: {full_name: name}
    set: {shouted: "upper(full_name)"}
    drop: [secret]
    where: "balance >= 0"
    owns: "id < 1000"
  - table: public.contacts
    scope: email
    from: {crm_people: lower(email), notes: lower(email)}
    select: |
      SELECT lower(p.email) AS email, n.note FROM crm_people p
      LEFT JOIN notes n ON lower(n.email) = lower(p.email)
)yaml";

constexpr char kOld[] = R"sql(
  CREATE TYPE mood AS ENUM ('good', 'bad');
  CREATE SCHEMA crm; CREATE SCHEMA extra; CREATE SCHEMA switchyard;
  CREATE TABLE switchyard.own_business (id int);
  CREATE TABLE people (id int PRIMARY KEY, full_name text, mood mood, balance numeric, secret text);
  CREATE TABLE crm.people (id int PRIMARY KEY, email text);
  CREATE TABLE extra.notes (email text PRIMARY KEY, note jsonb);
  INSERT INTO people VALUES (1, 'Ann', 'good', 1.50, 'x'), (2, NULL, 'bad', 2, 'x'),
    (3, '', 'good', -1, 'x');
  INSERT INTO crm.people VALUES (1, 'A@x'), (2, 'b@x'), (3, 'b@x');
  INSERT INTO extra.notes VALUES ('a@X', '{"k": [1, null]}');
)sql";

constexpr char kNew[] = R"sql(
  CREATE TYPE mood AS ENUM ('good', 'bad');
  CREATE TABLE people (id bigint PRIMARY KEY, name text, shouted text, mood text, balance numeric,
    twice numeric GENERATED ALWAYS AS (balance * 2) STORED);
  CREATE TABLE totals (mood text PRIMARY KEY, people bigint, balance numeric);
  CREATE TABLE contacts (email text, note jsonb);
  INSERT INTO people VALUES (1, 'Ann', 'ANN', 'good', 1.50), (2, NULL, NULL, 'bad', 2),
    (1000, 'the new app''s own', NULL, NULL, 0);
  INSERT INTO totals VALUES ('good', 1, 1.50), ('bad', 1, 2);
  INSERT INTO contacts VALUES ('a@x', '{"k": [1, null]}'), ('b@x', NULL), ('b@x', NULL);
)sql";

class OracleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(server_, MiniPostgres::Start());
    ASSERT_OK(server_->CreateDatabase("old"));
    ASSERT_OK(server_->CreateDatabase("new"));
    ASSERT_OK(server_->Execute("old", kOld));
    ASSERT_OK(server_->Execute("new", kNew));
  }

  absl::StatusOr<std::vector<TableComparison>> Compare(const std::string& file = kFile) {
    OracleOptions options{.old_dsn = server_->dsn("old"), .new_dsn = server_->dsn("new")};
    ASSIGN_OR_RETURN(options.file, spec::ParseMigrationFile(file, "/shop.yaml"));
    return CompareWithMapping(options);
  }

  // Missing and extra rows of public.people after a change of NEW.
  std::pair<int64_t, int64_t> DifferenceAfter(const std::string& sql) {
    EXPECT_OK(server_->Execute("new", sql));
    const auto tables = Compare();
    EXPECT_OK(tables);
    if (!tables.ok()) return {-1, -1};
    return {(*tables)[1].missing, (*tables)[1].extra};
  }

  std::unique_ptr<MiniPostgres> server_;
};

TEST_F(OracleTest, FindsEqualTablesEqual) {
  ASSERT_OK_AND_ASSIGN(const std::vector<TableComparison> tables, Compare());
  ASSERT_EQ(tables.size(), 3u);
  EXPECT_EQ(tables[0].ToString(),
            "public.totals  2 rows in NEW, 2 expected, 0 missing, 0 extra: OK");
  EXPECT_EQ(tables[1].ToString(),
            "public.people  2 rows in NEW, 2 expected, 0 missing, 0 extra: OK");
  EXPECT_EQ(tables[2].ToString(),
            "public.contacts  3 rows in NEW, 3 expected, 0 missing, 0 extra: OK");
}

TEST_F(OracleTest, SeesMissingExtraAndDifferentRows) {
  using Counts = std::pair<int64_t, int64_t>;
  EXPECT_EQ(DifferenceAfter("DELETE FROM people WHERE id = 1"), Counts(1, 0));
  EXPECT_EQ(DifferenceAfter("INSERT INTO people VALUES (1, 'Ann', 'ANN', 'good', 1.50); INSERT "
                            "INTO people VALUES (7)"),
            Counts(0, 1));
  EXPECT_EQ(DifferenceAfter("DELETE FROM people WHERE id = 7"), Counts(0, 0));
  // Equal to the database, yet not the same: NULL and '', 1.5 and 1.50.
  EXPECT_EQ(DifferenceAfter("UPDATE people SET name = '' WHERE id = 2"), Counts(1, 1));
  EXPECT_EQ(DifferenceAfter("UPDATE people SET name = NULL, balance = 1.5"), Counts(2, 2));
}

TEST_F(OracleTest, CountsRowsThatAreThereTwice) {
  ASSERT_OK(server_->Execute("new",
                             "DELETE FROM contacts WHERE email = 'b@x';"
                             "INSERT INTO contacts VALUES ('b@x', NULL)"));
  ASSERT_OK_AND_ASSIGN(const std::vector<TableComparison> tables, Compare());
  EXPECT_EQ(tables[2].missing, 1);
  EXPECT_EQ(tables[2].extra, 0);
  EXPECT_THAT(tables[2].examples, ElementsAre("missing: (b@x,)"));
}

TEST_F(OracleTest, SeesRowsWithoutAnIdAndIdsGivenTwice) {
  ASSERT_OK(server_->Execute("new", R"(
    CREATE SCHEMA switchyard;
    CREATE TABLE switchyard.id_map (kind text, old_id text, new_id uuid);
    CREATE TABLE users (id uuid, email text);
    INSERT INTO switchyard.id_map SELECT 'user', i, md5(i::text)::uuid FROM generate_series(1, 4) i;
    INSERT INTO users SELECT md5(i::text)::uuid, e FROM (VALUES (1, 'A@x'), (2, 'b@x'), (3, 'b@x'))
      AS v(i, e))"));
  const std::string file = R"yaml(
migration: shop
old: {dsn_env: OLD_DSN}
new: {dsn_env: NEW_DSN}
aliases: {crm_people: crm.people}
forward:
  ids: [{kind: user, table: crm_people, old_id: id, new_id: gen_random_uuid()}]
  tables:
    - table: public.users
      scope: id
      from: {crm_people: "SELECT new_id FROM switchyard.id_map"}
      select: |
        SELECT m.new_id AS id, p.email FROM crm_people p
        LEFT JOIN switchyard.id_map m ON m.kind = 'user' AND m.old_id = p.id::text
)yaml";
  ASSERT_OK_AND_ASSIGN(const std::vector<TableComparison> equal, Compare(file));
  ASSERT_EQ(equal.size(), 2u);
  EXPECT_TRUE(equal[0].equal()) << equal[0].ToString();
  EXPECT_EQ(equal[1].ToString(), "ids of user  4 rows in NEW, 4 expected, 0 missing, 0 extra: OK");
  ASSERT_OK(server_->Execute("new", R"(
    DELETE FROM switchyard.id_map WHERE old_id = '3';
    UPDATE switchyard.id_map SET new_id = md5('1')::uuid WHERE old_id = '2')"));
  ASSERT_OK_AND_ASSIGN(const std::vector<TableComparison> different, Compare(file));
  EXPECT_THAT(
      different[1].examples,
      ElementsAre("missing: 3", HasSubstr("extra: 2 c4ca4238-a0b9-2382-0dcc-509a6f75849b")));
}

TEST_F(OracleTest, LeavesNoDatabaseBehind) {
  ASSERT_OK(Compare());
  ASSERT_OK_AND_ASSIGN(const std::string databases,
                       server_->Scalar("postgres",
                                       "SELECT count(*) FROM pg_database WHERE datname "
                                       "LIKE 'switchyard_oracle%'"));
  EXPECT_EQ(databases, "0");
}

TEST_F(OracleTest, RefusesMappingsThatReadEachOther) {
  const std::string file = R"yaml(
migration: shop
old: {dsn_env: OLD_DSN}
new: {dsn_env: NEW_DSN}
schemas: [public, extra]
forward:
  - {table: public.totals, scope: mood, from: {public.people: mood}, select: "SELECT 1 AS people"}
  - {table: public.people, scope: id, from: {public.totals: people}, select: "SELECT 1 AS id"}
)yaml";
  EXPECT_THAT(Compare(file),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("in a circle")));
}

}  // namespace
}  // namespace switchyard::testing
