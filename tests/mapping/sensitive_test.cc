#include "common/mapping/sensitive/sensitive.h"

#include "absl/strings/str_cat.h"
#include "common/mapping/sensitive/lineage.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace switchyard::mapping {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

struct Case {
  const char* query;
  const char* hidden;  // an output that is computed from `email`
  const char* shown;   // one that is not
};

class LineageTest : public ::testing::TestWithParam<Case> {};

TEST_P(LineageTest, FollowsAColumnThroughTheQuery) {
  ASSERT_OK_AND_ASSIGN(const Lineage lineage, FollowNames(GetParam().query, {"email"}));
  EXPECT_TRUE(lineage.all || lineage.names.contains(GetParam().hidden)) << GetParam().query;
  if (*GetParam().shown != '\0') {
    EXPECT_FALSE(lineage.all) << GetParam().query;
    EXPECT_THAT(lineage.names, Not(Contains(GetParam().shown))) << GetParam().query;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, LineageTest,
    ::testing::Values(
        Case{"SELECT lower(c.email) AS login, c.id AS n FROM customers c", "login", "n"},
        Case{"SELECT lower(email), id FROM customers", "lower", "id"},
        Case{"SELECT email::varchar(3), id FROM customers", "email", "id"},
        Case{"SELECT CASE WHEN email = 'x' THEN 1 END AS one, id FROM customers", "one", "id"},
        Case{"SELECT coalesce(email, ''), id FROM customers", "coalesce", "id"},
        Case{"SELECT q.text AS f, 1 AS n FROM (SELECT (CASE WHEN email = '' THEN 1 END)::text FROM "
             "customers) q",
             "f", "n"},
        Case{"SELECT nullif AS f, 1 AS n FROM (SELECT nullif(email, '') FROM customers) q", "f",
             "n"},
        Case{"SELECT xmlelement AS f FROM (SELECT xmlelement(name a, email) FROM customers) q", "f",
             ""},
        Case{"SELECT max(email) FILTER (WHERE true) AS m, count(*) AS n FROM customers", "m", "n"},
        Case{"SELECT x.e AS f, x.i AS n FROM (SELECT email AS e, id AS i FROM customers) x", "f",
             "n"},
        Case{"WITH w AS (SELECT email AS e, id FROM customers) SELECT e AS f, id FROM w", "f",
             "id"},
        Case{"WITH w(a, b) AS (SELECT id, email FROM customers) SELECT b AS f FROM w", "f", ""},
        Case{"SELECT q.b AS f FROM (SELECT id, email FROM customers) AS q(a, b)", "f", ""},
        Case{"SELECT c.b AS f FROM customers AS c(a, b)", "f", ""},
        Case{"SELECT name AS n, id FROM x UNION ALL SELECT email, id FROM customers", "n", "id"},
        Case{"SELECT n AS f FROM (SELECT name AS n FROM x UNION SELECT email FROM customers) q",
             "f", ""},
        Case{"SELECT * FROM x UNION ALL SELECT * FROM customers", "anything", ""},
        Case{"SELECT (SELECT max(email) FROM customers) AS m, 1 AS n", "m", "n"},
        Case{"SELECT ARRAY(SELECT email FROM customers) AS m, 1 AS n", "m", "n"},
        Case{"SELECT EXISTS (SELECT FROM customers WHERE email = 'x') AS m, 1 AS n", "m", "n"},
        Case{"SELECT part AS f, c.id FROM customers c, unnest(string_to_array(c.email, ',')) AS "
             "part",
             "f", ""},
        Case{
            "SELECT p.x AS f, c.id FROM customers c, unnest(string_to_array(c.email, ',')) AS p(x)",
            "f", "id"},
        Case{"SELECT q.f AS g FROM customers c, LATERAL (SELECT c.email || '!' AS f) q", "g", ""},
        Case{"SELECT column1 AS f, id FROM customers c, LATERAL (VALUES (c.email)) v", "f", "id"},
        Case{"SELECT row_to_json(c) AS f, 1 AS n FROM customers c", "f", "n"},
        Case{"SELECT count(c.*) AS f, 1 AS n FROM customers c", "f", "n"},
        Case{"SELECT rank() OVER (ORDER BY email) AS r, id FROM customers", "r", "id"},
        Case{"WITH RECURSIVE w(a) AS (SELECT email FROM customers UNION SELECT a || 'x' FROM w) "
             "SELECT a AS f FROM w",
             "f", ""},
        Case{"SELECT c.*, c.id + 1 AS n FROM customers c", "email", "n"}));

TEST(LineageTest, WhatChoosesARowIsNoPartOfIt) {
  ASSERT_OK_AND_ASSIGN(
      const Lineage lineage,
      FollowNames("SELECT id AS n FROM customers WHERE email <> '' ORDER BY email", {"email"}));
  EXPECT_THAT(lineage.names, ElementsAre("email"));
}

spec::Direction Read(const std::string& forward) {
  const auto file = spec::ParseMigrationFile(
      "migration: t\nold: {dsn_env: A}\nnew: {dsn_env: B}\nlog: {sqlite: x}\nforward:\n" + forward,
      "t.yaml");
  EXPECT_OK(file);
  return file.ok() ? file->forward : spec::Direction();
}

constexpr char kForward[] = R"yaml(
  sensitive: {customers: [email, phone], public.staff: [salary]}
  tables:
    - {table: public.people, copy: customers, rename: {phone: telephone},
       set: {login: "split_part(email, '@', 1)", name: "upper(name)"}}
    - table: public.logins
      select: SELECT lower(email) AS key, count(*) AS n FROM customers GROUP BY 1
    - table: public.reports
      select: SELECT k.key AS of_whom, k.n AS uses FROM public.logins k
    - {table: public.staff, copy: staff}
    - {table: public.rooms, copy: rooms}
)yaml";

TEST(SensitiveTest, FollowsCopiesSelectsAndWhatReadsThem) {
  const Sensitive sensitive(Read(kForward));
  EXPECT_THAT(sensitive.Names("public.people"),
              AllOf(Contains("email"), Contains("phone"), Contains("telephone"), Contains("login"),
                    Not(Contains("name")), Not(Contains("id"))));
  EXPECT_THAT(sensitive.Names("public.logins"), AllOf(Contains("key"), Not(Contains("n"))));
  EXPECT_THAT(sensitive.Names("public.reports"), AllOf(Contains("of_whom"), Not(Contains("uses"))));
  EXPECT_THAT(sensitive.Names("public.staff"), UnorderedElementsAre("salary"));
  EXPECT_THAT(sensitive.Names("public.rooms"), IsEmpty());
}

TEST(SensitiveTest, AnAliasIsTheTableItStandsFor) {
  const Sensitive sensitive(Read(R"(
  aliases: {buyers: sales.customers}
  sensitive: {customers: [email]}
  tables: [{table: public.people, copy: buyers}]
)"));
  EXPECT_THAT(sensitive.Names("public.people"), Contains("email"));
  EXPECT_THAT(
      sensitive.AllWithMirror("mirror"),
      UnorderedElementsAre("public.people|email", "mirror.customers|email", "mirror.buyers|email"));
}

TEST(SensitiveTest, NothingIsWhereNothingIsDeclared) {
  EXPECT_TRUE(Sensitive(Read("  tables: [{table: public.people, copy: buyers}]\n")).empty());
  EXPECT_FALSE(Sensitive(Read(kForward)).empty());
}

struct Said {
  pg::ErrorFields error;
  const char* primary;
  const char* detail;
};

TEST(SensitiveTest, OfAnErrorStaysWhatHoldsNoneOfTheirValues) {
  const Sensitive sensitive(Read(kForward));
  const Said cases[] = {
      {{.sqlstate = "23505",
        .detail = "Key (email)=(a@x (1)) already exists.",
        .primary = R"(duplicate key value violates unique constraint "people_email_key")"},
       R"(duplicate key value violates unique constraint "people_email_key")",
       "Key (email)=(...) already exists."},
      {{.sqlstate = "23505", .detail = "Key (lower(email), id)=(a@x, 3) already exists."},
       "",
       "Key (lower(email), id)=(...) already exists."},
      {{.sqlstate = "23503", .detail = "Key (id)=(3) is not present in table \"x\"."},
       "",
       "Key (id)=(3) is not present in table \"x\"."},
      {{.sqlstate = "23514", .detail = "Failing row contains (1, a@x, null)."},
       "",
       "left out: it may quote sensitive columns"},
      {{.sqlstate = "22P02", .primary = R"(invalid input syntax for type integer: "a@x")"},
       "invalid input syntax for type integer",
       ""},
      {{.sqlstate = "23000", .primary = "a@x is bad", .source_function = "exec_stmt_raise"},
       "a function of the database raised an error, whose text stands in the server's log",
       ""}};
  for (const Said& said : cases) {
    const pg::ErrorFields shown = sensitive.Shown("public.people", said.error);
    EXPECT_EQ(shown.primary, said.primary);
    EXPECT_EQ(shown.detail, said.detail);
    EXPECT_EQ(sensitive.Shown("public.rooms", said.error).detail, said.error.detail);
  }
}

}  // namespace
}  // namespace switchyard::mapping
