// Selects whose rows can't be kept by scopes, or whose rules are none: what `check` says of them,
// whether the rules are derived or declared.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/mapping/compile_fixture.h"

namespace switchyard::mapping {
namespace {

using std::string;
using ::testing::HasSubstr;

constexpr char kOld[] =
    "CREATE TABLE c (id int PRIMARY KEY, email text, name text);"
    "CREATE TABLE o (id int PRIMARY KEY, cid int NOT NULL, status text NOT NULL, at int NOT NULL);"
    "CREATE TABLE t (id int PRIMARY KEY, parent int, label text NOT NULL)";
constexpr char kNew[] =
    "CREATE TABLE made (id int PRIMARY KEY, cid int NOT NULL DEFAULT 0, part text NOT NULL DEFAULT "
    "'', v text)";

class UnrulySelectsTest : public CompileFixture {
 protected:
  // All faults of one mapping; empty when it is taken.
  string Faults(const string& from, const string& scope, const string& select) {
    const absl::StatusOr<Plan> plan = CompileFile(
        old_sql_, new_sql_,
        absl::StrCat("  - table: public.made\n", from.empty() ? "" : "    from: " + from + "\n",
                     scope.empty() ? "" : "    scope: " + scope + "\n", "    select: |\n      ",
                     select, "\n"));
    old_sql_ = new_sql_ = "SELECT 1";
    if (plan.ok()) return "";
    EXPECT_TRUE(absl::IsInvalidArgument(plan.status())) << plan.status();
    return string(plan.status().message());
  }

  string old_sql_ = kOld;
  string new_sql_ = kNew;
};

struct Unruly {
  const char* name;
  const char* scope;  // or a rule
  const char* select;
  const char* why;
};

// No rule is right, whoever wrote it: each is tried derived, as an expression and as a query.
TEST_F(UnrulySelectsTest, WhatNoScopeCanComputeIsRefusedWithDeclaredRulesToo) {
  const Unruly cases[] = {
      {"LIMIT of the whole", "", "SELECT id, status AS v FROM o ORDER BY at, id LIMIT 10",
       "id lies below LIMIT"},
      {"OFFSET", "", "SELECT id, status AS v FROM o ORDER BY at, id OFFSET 3",
       "id lies below LIMIT"},
      {"WITH TIES", "", "SELECT id FROM o ORDER BY at FETCH FIRST 3 ROWS WITH TIES",
       "id lies below LIMIT"},
      {"LIMIT of a union", "", "SELECT id FROM o UNION SELECT at FROM o ORDER BY 1 LIMIT 3",
       "id lies below LIMIT"},
      {"LIMIT within", "", "SELECT q.id FROM (SELECT id FROM o ORDER BY at, id LIMIT 9) q",
       "id lies below LIMIT"},
      {"a window over all", "", "SELECT id, rank() OVER (ORDER BY at, id)::text AS v FROM o",
       "a window without PARTITION"},
      {"a window over all, within", "cid",
       "SELECT q.id, q.cid FROM (SELECT id, cid, row_number() OVER (ORDER BY at, id) AS r FROM o) "
       "q WHERE q.r < 5",
       "a window without PARTITION"},
      {"a window over all sums", "cid",
       "SELECT cid AS id, cid, rank() OVER (ORDER BY sum(at))::text AS v FROM o GROUP BY cid",
       "a window without PARTITION"},
      {"a window over a constant", "",
       "SELECT id, count(*) OVER (PARTITION BY 1)::text AS v FROM o", "a window without PARTITION"},
      {"ROLLUP", "cid",
       "SELECT coalesce(cid, 0) AS id, coalesce(cid, 0) AS cid, count(*)::text AS v FROM o GROUP "
       "BY ROLLUP (cid)",
       "GROUPING SETS makes totals"},
      {"an aggregate over all", "", "SELECT max(id) AS id, count(*)::text AS v FROM o",
       "id is an aggregate over all rows"},
      {"an aggregate over all, under HAVING", "", "SELECT max(id) AS id FROM o HAVING count(*) > 2",
       "id is not among the expressions of GROUP BY"},
  };
  for (const Unruly& one : cases) {
    SCOPED_TRACE(one.name);
    const string derived = Faults("", one.scope, one.select);
    EXPECT_THAT(derived, HasSubstr("from of o can't be derived: "));
    EXPECT_THAT(derived, HasSubstr(one.why));
    for (const char* rule : {"{o: id}", "{o: SELECT x.id FROM o x}"}) {
      SCOPED_TRACE(rule);
      const string declared = Faults(rule, one.scope, one.select);
      EXPECT_THAT(declared, HasSubstr(one.why));
      EXPECT_THAT(declared, HasSubstr("No rule under from can name what a changed row of o "
                                      "touches"));
    }
  }
}

// The changed row's own values are too few, a query over its like is right.
TEST_F(UnrulySelectsTest, WhatOtherRowsDecideWantsAQueryForARule) {
  const Unruly cases[] = {
      {"another partition", "",
       "SELECT id, row_number() OVER (PARTITION BY cid ORDER BY at, id)::text AS v FROM o",
       "id is not among the expressions of PARTITION BY"},
      {"the first of each", "", "SELECT DISTINCT ON (cid) id, cid FROM o ORDER BY cid, at, id",
       "id is not among the expressions of DISTINCT ON"},
      {"the greatest of each", "", "SELECT max(id) AS id, cid FROM o GROUP BY cid",
       "id is not among the expressions of GROUP BY"},
      {"LIMIT for each parent", "",
       "SELECT l.id, c.name AS v FROM c CROSS JOIN LATERAL (SELECT o.id FROM o WHERE o.cid = c.id "
       "ORDER BY o.at, o.id LIMIT 1) l",
       "id lies below LIMIT"},
      {"a window for each parent", "",
       "SELECT l.id, c.name AS v FROM c CROSS JOIN LATERAL (SELECT o.id, row_number() OVER (ORDER "
       "BY o.at, o.id) AS r FROM o WHERE o.cid = c.id) l WHERE l.r < 3",
       "a window without PARTITION BY"},
      {"by an aggregate beside", "",
       "SELECT c.id, c.name AS v FROM c JOIN (SELECT max(o.id) AS id FROM o GROUP BY o.cid) m ON "
       "m.id = c.id",
       "id is not among the expressions of GROUP BY"},
      {"by LIMIT beside", "",
       "SELECT c.id, c.name AS v FROM c JOIN (SELECT cid FROM o ORDER BY at, id LIMIT 5) m ON "
       "m.cid = c.id",
       "cid lies below LIMIT"},
  };
  for (const Unruly& one : cases) {
    SCOPED_TRACE(one.name);
    EXPECT_THAT(Faults("", one.scope, one.select),
                HasSubstr("Take another scope, or say under from, by a query"));
    const string declared = Faults("{o: id}", one.scope, one.select);
    EXPECT_THAT(declared, HasSubstr("from.o of public.made: "));
    EXPECT_THAT(declared, HasSubstr(one.why));
    EXPECT_THAT(declared, HasSubstr("does not name all that it touches"));
    EXPECT_EQ(Faults("{o: SELECT x.id FROM o x WHERE x.cid = o.cid}", one.scope, one.select), "");
  }
}

TEST_F(UnrulySelectsTest, WhatScopesComputeIsTaken) {
  const Unruly cases[] = {
      {"OFFSET 0", "", "SELECT id FROM (SELECT id FROM o OFFSET 0) q", ""},
      {"LIMIT ALL", "", "SELECT id FROM o ORDER BY at LIMIT ALL", ""},
      {"LIMIT for each row", "",
       "SELECT c.id, l.status AS v FROM c LEFT JOIN LATERAL (SELECT o.status FROM o WHERE o.cid = "
       "c.id ORDER BY o.at, o.id LIMIT 1) l ON true",
       ""},
      {"LIMIT in a value", "",
       "SELECT c.id, (SELECT o.status FROM o WHERE o.cid = c.id ORDER BY o.at, o.id LIMIT 1) AS v "
       "FROM c",
       ""},
      {"LIMIT where nobody looks", "",
       "SELECT c.id FROM c WHERE EXISTS (SELECT 1 FROM o WHERE o.cid = c.id LIMIT 1)", ""},
      {"by partition", "cid",
       "SELECT id, cid, row_number() OVER (PARTITION BY cid ORDER BY at, id)::text AS v FROM o",
       ""},
      {"DISTINCT ON the scope", "cid",
       "SELECT DISTINCT ON (cid) id, cid FROM o ORDER BY cid, at, id", ""},
      {"all of it at once", "part",
       "SELECT o.id, 'all' AS part, rank() OVER (ORDER BY at, id)::text AS v FROM o", ""},
      {"all of it at once, the first ten", "part",
       "SELECT o.id, 'all' AS part FROM o ORDER BY at, id LIMIT 10", ""},
      {"sets that all have the scope", "cid",
       "SELECT cid * 10 + length(coalesce(status, '')) AS id, cid, count(*)::text AS v FROM o "
       "GROUP "
       "BY cid, ROLLUP (status)",
       ""},
  };
  for (const Unruly& one : cases) {
    SCOPED_TRACE(one.name);
    EXPECT_EQ(Faults("", one.scope, one.select), "");
  }
}

// What can't be derived for other reasons than its shape may be declared.
TEST_F(UnrulySelectsTest, WhatIsOnlyHardToTellMayBeDeclared) {
  const Unruly cases[] = {
      {"recursion", "{t: SELECT x.id FROM t x}",
       "WITH RECURSIVE r AS (SELECT id, label FROM t WHERE parent IS NULL UNION ALL SELECT t.id, "
       "r.label || t.label FROM t JOIN r ON r.id = t.parent) SELECT id, label AS v FROM r",
       "t is read by the recursive query r"},
      {"NOT IN", "{t: SELECT c.id FROM c}",
       "SELECT c.id, c.name AS v FROM c WHERE c.id NOT IN (SELECT parent FROM t)",
       "what NOT IN or a compared sub-query reads may be NULL"},
      {"nothing connects", "{t: SELECT c.id FROM c}",
       "SELECT c.id, t.label AS v FROM c CROSS JOIN t WHERE t.id = 1",
       "t stands beside c without a condition"},
      {"a total beside", "{t: SELECT c.id FROM c}",
       "SELECT c.id, s.n::text AS v FROM c CROSS JOIN (SELECT count(*) AS n FROM t) s",
       "n is an aggregate over all rows, and nothing else leads"},
  };
  for (const Unruly& one : cases) {
    SCOPED_TRACE(one.name);
    EXPECT_THAT(Faults("", "", one.select),
                HasSubstr(absl::StrCat("from of t can't be derived: ", one.why)));
    EXPECT_EQ(Faults(one.scope, "", one.select), "");
  }
  EXPECT_THAT(Faults("{t: id}", "", cases[3].select), HasSubstr("does not name all"));
}

// What a copy's own row says is not all, where it asks for other rows of its table.
TEST_F(UnrulySelectsTest, ACopyThatAsksForOtherRowsOfItsTableHasARuleThatFindsThem) {
  const auto compile = [&](const string& v) {
    const auto plan =
        CompileFile(old_sql_, new_sql_,
                    "  - {table: public.made, copy: t, drop: [parent, label], set: {v: "
                    "\"" +
                        v + "\"}}\n");
    old_sql_ = new_sql_ = "SELECT 1";
    return plan;
  };
  ASSERT_OK_AND_ASSIGN(const Plan plan, compile("(SELECT u.label FROM t u WHERE u.id = t.parent)"));
  ASSERT_EQ(plan.mappings[0].rules.size(), 1u);
  EXPECT_TRUE(plan.mappings[0].rules[0].derived);
  EXPECT_THAT(plan.mappings[0].rules[0].touches, HasSubstr("t.id = t_2.parent"));
  EXPECT_THAT(compile("(SELECT u.label FROM t u ORDER BY u.label, u.id LIMIT 1)"),
              testing::StatusIs(absl::StatusCode::kInvalidArgument,
                                HasSubstr("from of t can't be derived: label lies below LIMIT")));
}

// Which of equal rows comes first is no function of the rows.
TEST_F(UnrulySelectsTest, WarnsWhereWhatComesFirstIsLeftToChance) {
  const Unruly cases[] = {
      {"a window", "cid",
       "SELECT id, cid, row_number() OVER (PARTITION BY cid ORDER BY at)::text AS v FROM o",
       "row_number() OVER (...) meets rows"},
      {"the first of each", "cid", "SELECT DISTINCT ON (cid) id, cid FROM o ORDER BY cid, at DESC",
       "End its ORDER BY in o.id"},
      {"no order", "",
       "SELECT c.id, (SELECT string_agg(o.status, ',') FROM o WHERE o.cid = c.id) AS v FROM c",
       "string_agg() meets rows"},
      {"LIMIT", "",
       "SELECT c.id, l.status AS v FROM c LEFT JOIN LATERAL (SELECT o.status FROM o WHERE o.cid = "
       "c.id ORDER BY o.at LIMIT 1) l ON true",
       "LIMIT meets rows"},
      {"an array", "",
       "SELECT c.id, array_to_string(ARRAY(SELECT o.status FROM o WHERE o.cid = c.id ORDER BY "
       "o.at), ',') AS v FROM c",
       "ARRAY(SELECT ...) meets rows"},
      {"joined rows", "",
       "SELECT c.id, string_agg(t.label, ',' ORDER BY o.id) AS v FROM c JOIN o ON o.cid = c.id "
       "JOIN "
       "t ON t.parent = o.id GROUP BY c.id",
       "End its ORDER BY in t.id"},
  };
  for (const Unruly& one : cases) {
    SCOPED_TRACE(one.name);
    EXPECT_EQ(Faults("", one.scope, one.select), "");
    ASSERT_EQ(warnings_.size(), 1u);
    EXPECT_THAT(warnings_[0].message, HasSubstr(one.why));
    EXPECT_GT(warnings_[0].at.line, 6);
  }
}

TEST_F(UnrulySelectsTest, NeedNotWarnWhereAKeyDecides) {
  const Unruly cases[] = {
      {"the key", "cid",
       "SELECT id, cid, row_number() OVER (PARTITION BY cid ORDER BY at, id)::text AS v FROM o",
       ""},
      {"the key in another form", "cid",
       "SELECT id, cid, row_number() OVER (PARTITION BY cid ORDER BY at, id::text COLLATE "
       "\"C\")::text AS v FROM o",
       ""},
      {"ranks of equals are equal", "cid",
       "SELECT id, cid, rank() OVER (PARTITION BY cid ORDER BY at)::text AS v FROM o", ""},
      {"what is shown is what it is ordered by", "",
       "SELECT c.id, (SELECT o.status FROM o WHERE o.cid = c.id ORDER BY o.status LIMIT 1) AS v "
       "FROM c",
       ""},
      {"equal values are one", "",
       "SELECT cid AS id, string_agg(DISTINCT status, ',') AS v FROM o GROUP BY cid", ""},
      {"the values themselves", "",
       "SELECT cid AS id, string_agg(status, ',' ORDER BY status) AS v FROM o GROUP BY cid", ""},
      {"a key beside is found by it", "",
       "SELECT c.id, string_agg(d.name, ',' ORDER BY o.id) AS v FROM c JOIN o ON o.cid = c.id LEFT "
       "JOIN c d ON d.id = o.at GROUP BY c.id",
       ""},
      {"nothing is known of the rows", "cid",
       "SELECT q.id, q.cid, row_number() OVER (PARTITION BY q.cid ORDER BY q.k)::text AS v FROM "
       "(SELECT id, cid, 1 AS k FROM o UNION ALL SELECT id + 1000, id, 2 FROM c) q",
       ""},
      {"groups", "cid",
       "SELECT w.cid AS id, w.cid, w.status AS v FROM (SELECT g.cid, g.status, row_number() OVER "
       "(PARTITION BY g.cid ORDER BY g.n DESC, g.status) AS r FROM (SELECT cid, status, count(*) "
       "AS "
       "n FROM o GROUP BY cid, status) g) w WHERE w.r = 1",
       ""},
      {"nobody looks at the rows", "",
       "SELECT c.id FROM c WHERE EXISTS (SELECT 1 FROM o WHERE o.cid = c.id LIMIT 1)", ""},
  };
  for (const Unruly& one : cases) {
    SCOPED_TRACE(one.name);
    EXPECT_EQ(Faults("", one.scope, one.select), "");
    EXPECT_TRUE(warnings_.empty()) << warnings_[0].message;
  }
}

TEST_F(UnrulySelectsTest, WarnsWhereTheScopeMayBeNull) {
  const Unruly null[] = {
      {"a column that may be", "v", "SELECT min(id) AS id, lower(email) AS v FROM c GROUP BY 2",
       "WHERE c.email IS NOT NULL"},
      {"a row that may be missing", "v",
       "SELECT o.id, d.label AS v FROM o LEFT JOIN t d ON d.id = o.at",
       "WHERE d.label IS NOT NULL"},
      {"one arm", "v",
       "SELECT q.id, q.v FROM (SELECT id, status AS v FROM o UNION ALL SELECT id, email FROM c) q",
       "WHERE c.email IS NOT NULL"},
  };
  new_sql_ = absl::StrCat(kNew, "; ALTER TABLE made ALTER v SET NOT NULL");
  for (const Unruly& one : null) {
    SCOPED_TRACE(one.name);
    EXPECT_EQ(Faults("", one.scope, one.select), "");
    ASSERT_EQ(warnings_.size(), 1u);
    EXPECT_THAT(warnings_[0].message, HasSubstr(one.why));
  }
  const Unruly never[] = {
      {"left out", "v",
       "SELECT min(id) AS id, lower(email) AS v FROM c WHERE email IS NOT NULL GROUP BY 2", ""},
      {"found by it", "v", "SELECT c.id, c.email AS v FROM c JOIN t ON t.label = c.email", ""},
      {"the row is asked for", "v",
       "SELECT o.id, d.label AS v FROM o LEFT JOIN t d ON d.id = o.at WHERE d.id > 0", ""},
      {"something else then", "v", "SELECT id, coalesce(email, name, '-') AS v FROM c OFFSET 0",
       ""},
      {"never", "v", "SELECT id, lower(status) AS v FROM o OFFSET 0", ""},
  };
  for (const Unruly& one : never) {
    SCOPED_TRACE(one.name);
    EXPECT_EQ(Faults("", one.scope, one.select), "");
    EXPECT_TRUE(warnings_.empty()) << warnings_[0].message;
  }
}

}  // namespace
}  // namespace switchyard::mapping
