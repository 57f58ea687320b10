// What the compiler decides and refuses, on a real Postgres.
#include "common/mapping/compile/compiler.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "common/mapping/fingerprint.h"
#include "common/mapping/install/install.h"
#include "common/records/target_sql.h"
#include "tests/mapping/compile_fixture.h"
#include "tests/support/status_matchers.h"

namespace switchyard::mapping {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CompilerTest : public CompileFixture {
 protected:
  // Definitions of those in NEW that are no primary key's, by table.
  std::vector<std::string> MirrorIndexes() {
    const absl::StatusOr<pg::Result> rows = new_session_->Query(
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'switchyard_old' "
        "AND indexname NOT LIKE '%pkey' ORDER BY tablename, indexname");
    EXPECT_OK(rows);
    std::vector<std::string> definitions;
    for (int i = 0; rows.ok() && i < rows->rows(); ++i) definitions.push_back(rows->str(i, 0));
    return definitions;
  }
};

constexpr char kOldUsers[] =
    "CREATE TABLE customers (id int PRIMARY KEY, email text, name text, age int)";

TEST_F(CompilerTest, ACopyByNameIsRowLocalAndTakesTheTextUnread) {
  ASSERT_OK_AND_ASSIGN(
      const Plan plan,
      CompileFile(kOldUsers,
                  "CREATE TABLE people (id int PRIMARY KEY, email text, full_name text, age int)",
                  "  - {table: public.people, copy: customers, rename: {name: full_name}}\n"));
  ASSERT_EQ(plan.mappings.size(), 1u);
  EXPECT_TRUE(plan.mappings[0].row_local);
  EXPECT_THAT(plan.mappings[0].write.copy_in, HasSubstr("\"full_name\""));
  EXPECT_FALSE(plan.sources[0].mirrored);
}

TEST_F(CompilerTest, ASingleTableSelectWithoutToastableInputsIsRowLocal) {
  ASSERT_OK_AND_ASSIGN(
      const Plan plan,
      CompileFile(kOldUsers, "CREATE TABLE ages (id int PRIMARY KEY, decade int)",
                  "  - table: public.ages\n"
                  "    from: {customers: id}\n"
                  "    select: SELECT c.id, c.age / 10 AS decade FROM customers c\n"));
  EXPECT_TRUE(plan.mappings[0].row_local) << plan.mappings[0].why_keyed;
}

TEST_F(CompilerTest, AnExpressionOverAValueThatUpdatesMayLeaveOutNeedsTheMirror) {
  ASSERT_OK_AND_ASSIGN(
      const Plan plan,
      CompileFile(kOldUsers, "CREATE TABLE people (id int PRIMARY KEY, email text, age int)",
                  "  - {table: public.people, copy: customers, drop: [name], "
                  "set: {email: lower(email)}}\n"));
  EXPECT_FALSE(plan.mappings[0].row_local);
  EXPECT_THAT(plan.mappings[0].why_keyed, HasSubstr("TOAST"));
  EXPECT_TRUE(plan.sources[0].mirrored);
  // Only what is read is mirrored.
  EXPECT_THAT(plan.sources[0].mirror_columns, ::testing::ElementsAre("id", "email", "age"));
}

// A day depends on the time zone: it finds its rows without an index, instead of stopping a stream
// whose copy is done.
TEST_F(CompilerTest, MakesNoIndexOverAnExpressionThatIsNotImmutable) {
  ASSERT_OK_AND_ASSIGN(
      const Plan plan,
      CompileFile("CREATE TABLE sales (id int PRIMARY KEY, at timestamptz NOT NULL, shop text)",
                  "CREATE TABLE days (day date PRIMARY KEY, sales bigint);"
                  "CREATE TABLE shops (shop text PRIMARY KEY, sales bigint);",
                  "  - table: public.days\n    scope: day\n    from: {sales: 'at::date'}\n"
                  "    select: SELECT at::date AS day, count(*) AS sales FROM sales GROUP BY 1\n"
                  "  - table: public.shops\n    scope: shop\n    from: {sales: lower(shop)}\n"
                  "    select: |\n"
                  "      SELECT lower(shop) AS shop, count(*) AS sales FROM sales GROUP BY 1\n"));
  ASSERT_OK(InstallTarget(*new_session_, plan, old_catalog_, {.stream = "test.forward"}));
  ASSERT_OK(BuildMirrorIndexes(*new_session_, plan));
  EXPECT_THAT(MirrorIndexes(), ::testing::ElementsAre(HasSubstr("(lower(shop))")));
}

TEST_F(CompilerTest, NamesOfAnyLengthAndScriptAreToldApart) {
  std::string name = "s";
  for (int i = 0; i < 22; ++i) name += "ü";  // a cut at 40 bytes would be inside a character
  ASSERT_OK_AND_ASSIGN(
      const Plan plan,
      CompileFile("CREATE TABLE " + name + "_a (id int PRIMARY KEY, shop text);" + "CREATE TABLE " +
                      name + "_b (id int PRIMARY KEY, shop text);",
                  "CREATE TABLE " + name + " (shop text PRIMARY KEY, sales bigint)",
                  "  - table: public." + name + "\n    scope: shop\n" + "    from: {" + name +
                      "_a: lower(shop), " + name + "_b: lower(shop)}\n" +
                      "    select: SELECT lower(a.shop) AS shop, count(*) AS sales FROM " + name +
                      "_a a JOIN " + name + "_b b ON lower(b.shop) = lower(a.shop) GROUP BY 1\n"));
  ASSERT_OK(InstallTarget(*new_session_, plan, old_catalog_, {.stream = "test.forward"}));
  ASSERT_OK(BuildMirrorIndexes(*new_session_, plan));
  EXPECT_THAT(MirrorIndexes(),
              ::testing::ElementsAre(HasSubstr(name + "_a"), HasSubstr(name + "_b")));
}

TEST_F(CompilerTest, ADeclaredIndexIsMadeAsItWasTried) {
  ASSERT_OK_AND_ASSIGN(
      const Plan plan,
      CompileFile("CREATE TABLE sales (id int PRIMARY KEY, shop text NOT NULL)",
                  "CREATE TABLE shops (shop text PRIMARY KEY, sales bigint)",
                  "  mirror_indexes: {sales: ['(id)::text', shop, \"id + 1 -- the next\"]}\n"
                  "  tables:\n"
                  "  - table: public.shops\n    scope: shop\n    from: {sales: shop}\n"
                  "    select: SELECT shop, count(*) AS sales FROM sales GROUP BY shop\n"));
  ASSERT_OK(InstallTarget(*new_session_, plan, old_catalog_, {.stream = "test.forward"}));
  ASSERT_OK(BuildMirrorIndexes(*new_session_, plan));
  // One for the rule and for the declaration that want the same.
  EXPECT_THAT(MirrorIndexes(),
              ::testing::UnorderedElementsAre(HasSubstr("(((id)::text))"), HasSubstr("(shop)"),
                                              HasSubstr("((id + 1))")));
}

TEST_F(CompilerTest, AnIndexOverAnotherExpressionIsAnotherIndex) {
  std::string touches = "lower(shop)";
  for (const bool replace : {false, true}) {
    SCOPED_TRACE(touches);
    ASSERT_OK_AND_ASSIGN(
        const Plan plan,
        CompileFile(replace ? "" : "CREATE TABLE sales (id int PRIMARY KEY, shop text)",
                    replace ? "" : "CREATE TABLE shops (shop text PRIMARY KEY, sales bigint)",
                    "  - table: public.shops\n    scope: shop\n    from: {sales: " + touches +
                        "}\n    select: SELECT " + touches +
                        " AS shop, count(*) AS sales FROM sales GROUP BY 1\n"));
    ASSERT_OK(InstallTarget(*new_session_, plan, old_catalog_,
                            {.stream = "test.forward", .replace = replace}));
    ASSERT_OK(BuildMirrorIndexes(*new_session_, plan));
    EXPECT_THAT(MirrorIndexes(), ::testing::Contains(HasSubstr("(" + touches + ")")));
    touches = "upper(shop)";
  }
}

TEST_F(CompilerTest, ReportsEveryFaultOfTheMappingsAtOnce) {
  const absl::StatusOr<Plan> plan = CompileFile(
      kOldUsers,
      "CREATE TABLE people (id int PRIMARY KEY, email text NOT NULL, extra int NOT NULL)",
      "  - {table: public.people, copy: customers, drop: [agee], owns: 'id >= 0'}\n"
      "  - {table: public.missing, copy: customers}\n"
      "  - table: public.people\n    owns: 'id < 0'\n    from: {custmers: id}\n"
      "    select: SELECT id FROM custmers\n");
  EXPECT_THAT(plan, testing::StatusIs(
                        absl::StatusCode::kInvalidArgument,
                        AllOf(HasSubstr("did you mean age?"), HasSubstr("no table public.missing"),
                              HasSubstr("did you mean customers?"))));
  EXPECT_GE(faults_.size(), 4u);
}

TEST_F(CompilerTest, RefusesWhatALaterRecomputeWouldNotRepeat) {
  const absl::StatusOr<Plan> plan = CompileFile(
      kOldUsers, "CREATE TABLE people (id int PRIMARY KEY, email text, at timestamptz, r uuid)",
      "  - {table: public.people, copy: customers, drop: [name, age], "
      "set: {at: now(), r: gen_random_uuid()}}\n");
  EXPECT_THAT(plan, testing::StatusIs(absl::StatusCode::kInvalidArgument,
                                      AllOf(HasSubstr("now()"), HasSubstr("gen_random_uuid()"))));
}

TEST_F(CompilerTest, DerivesTheRuleOfATableNotListed) {
  ASSERT_OK_AND_ASSIGN(const Plan plan,
                       CompileFile(std::string(kOldUsers) +
                                       "; CREATE TABLE orders (id int PRIMARY KEY, customer int)",
                                   "CREATE TABLE totals (id int PRIMARY KEY, orders bigint)",
                                   "  - table: public.totals\n    from: {customers: id}\n"
                                   "    select: SELECT c.id, (SELECT count(*) FROM orders o WHERE "
                                   "o.customer = c.id) AS orders "
                                   "FROM customers c\n"));
  ASSERT_EQ(plan.mappings[0].rules.size(), 2u);
  EXPECT_FALSE(plan.mappings[0].rules[0].derived);
  EXPECT_EQ(plan.mappings[0].rules[1].table, "orders");
  EXPECT_TRUE(plan.mappings[0].rules[1].derived);
  EXPECT_EQ(plan.mappings[0].rules[1].touches, "customer");
}

TEST_F(CompilerTest, RefusesTypesThatDoNotFit) {
  const absl::StatusOr<Plan> plan =
      CompileFile("CREATE TABLE t (id int PRIMARY KEY, v text)",
                  "CREATE TABLE t (id int PRIMARY KEY, v int)", "  - {table: public.t, copy: t}\n");
  EXPECT_THAT(plan,
              testing::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("type integer")));
}

TEST_F(CompilerTest, RefusesMappingsThatReadEachOtherInACircle) {
  const absl::StatusOr<Plan> plan =
      CompileFile("CREATE TABLE t (id int PRIMARY KEY)",
                  "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)",
                  "  - table: public.a\n    from: {t: id, public.b: id}\n"
                  "    select: SELECT t.id FROM t JOIN public.b USING (id)\n"
                  "  - table: public.b\n    from: {t: id, public.a: id}\n"
                  "    select: SELECT t.id FROM t JOIN public.a USING (id)\n");
  EXPECT_THAT(plan, testing::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("circle")));
}

TEST_F(CompilerTest, RefusesATargetWhoseOnlyKeyIsDeferrable) {
  constexpr char kForward[] = "  - {table: public.people, copy: customers}\n";
  EXPECT_THAT(CompileFile(kOldUsers,
                          "CREATE TABLE people (id int PRIMARY KEY DEFERRABLE, email text, "
                          "name text, age int)",
                          kForward),
              testing::StatusIs(absl::StatusCode::kInvalidArgument,
                                HasSubstr("public.people has a deferrable key only")));
  ASSERT_OK(server_->Execute("new_db", "CREATE UNIQUE INDEX ON people (id)"));
  EXPECT_OK(CompileFile("", "", kForward));
}

TEST_F(CompilerTest, RefusesATableWhoseRowsCanNotBeToldApart) {
  const absl::StatusOr<Plan> plan =
      CompileFile("CREATE TABLE t (id int)", "CREATE TABLE t (id int PRIMARY KEY)",
                  "  - {table: public.t, copy: t}\n");
  EXPECT_THAT(plan,
              testing::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no primary key")));
}

TEST_F(CompilerTest, LeavesNothingBehindOnTheTarget) {
  ASSERT_OK(CompileFile(std::string("CREATE TYPE mood AS ENUM ('a', 'b'); ") +
                            "CREATE TABLE t (id int PRIMARY KEY, m mood)",
                        "CREATE TYPE mood AS ENUM ('a', 'b'); "
                        "CREATE TABLE t (id int PRIMARY KEY, m mood)",
                        "  - {table: public.t, copy: t}\n"));
  ASSERT_OK_AND_ASSIGN(
      const std::string left,
      server_->Scalar(
          "new_db",
          "SELECT count(*) FROM pg_class WHERE relname LIKE 'sy%' OR relname = 'customers'"));
  EXPECT_EQ(left, "0");
}

TEST_F(CompilerTest, InstallsTwiceWithoutChangeAndRefusesAnotherMapping) {
  ASSERT_OK_AND_ASSIGN(
      const Plan plan,
      CompileFile(kOldUsers, "CREATE TABLE people (id int PRIMARY KEY, email text, age int)",
                  "  - {table: public.people, copy: customers, drop: [name], "
                  "set: {email: lower(email)}}\n"));
  ASSERT_OK(InstallTarget(*new_session_, plan, old_catalog_, {.stream = "test.forward"}));
  ASSERT_OK(InstallTarget(*new_session_, plan, old_catalog_, {.stream = "test.forward"}));
  Plan changed = plan;
  changed.fingerprint = "other";
  EXPECT_THAT(InstallTarget(*new_session_, changed, old_catalog_, {.stream = "test.forward"}),
              testing::StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("resume")));
}

constexpr char kPeopleAndAges[] =
    "CREATE TABLE people (id int PRIMARY KEY, email text); "
    "CREATE TABLE ages (id int PRIMARY KEY, decade int)";

// The parts whose fingerprint differs, "source public.customers".
std::vector<std::string> Changed(const Plan& a, const Plan& b) {
  std::vector<std::string> changed;
  for (size_t i = 0; i < a.parts.size() && i < b.parts.size(); ++i) {
    EXPECT_EQ(a.parts[i].name, b.parts[i].name);
    if (a.parts[i] == b.parts[i]) continue;
    changed.push_back((a.parts[i].kind == PlanPart::Kind::kSource ? "source " : "mapping ") +
                      a.parts[i].name);
  }
  EXPECT_EQ(a.parts.size(), b.parts.size());
  EXPECT_EQ(a.fingerprint == b.fingerprint, changed.empty());
  return changed;
}

TEST_F(CompilerTest, OnlyThePartThatChangedHasAnotherFingerprint) {
  const auto forward = [](const std::string& people, const std::string& decade) {
    return "  - {table: public.people, copy: customers, drop: [name, age]" + people +
           "}\n  - table: public.ages\n    from: {customers: id}\n"
           "    select: SELECT c.id, " +
           decade + " AS decade FROM customers c\n";
  };
  ASSERT_OK_AND_ASSIGN(const Plan plan,
                       CompileFile(kOldUsers, kPeopleAndAges, forward("", "c.age / 10")));
  ASSERT_EQ(plan.parts.size(), 3u);

  // The same again, and with a column of OLD that nobody reads.
  ASSERT_OK_AND_ASSIGN(const Plan same, CompileParsed());
  EXPECT_THAT(Changed(plan, same), IsEmpty());
  ASSERT_OK(server_->Execute("old_db", "ALTER TABLE customers ALTER COLUMN name TYPE varchar(99)"));
  ASSERT_OK_AND_ASSIGN(const Plan unread, CompileParsed());
  EXPECT_THAT(Changed(plan, unread), IsEmpty());

  ASSERT_OK_AND_ASSIGN(const Plan other_select,
                       CompileFile("SELECT 1", "SELECT 1", forward("", "c.age / 20")));
  EXPECT_THAT(Changed(plan, other_select), ::testing::ElementsAre("mapping public.ages"));
  ASSERT_OK_AND_ASSIGN(
      const Plan other_owner,
      CompileFile("SELECT 1", "SELECT 1", forward(", owns: id > 0", "c.age / 10")));
  EXPECT_THAT(Changed(plan, other_owner), ::testing::ElementsAre("mapping public.people"));

  ASSERT_OK_AND_ASSIGN(
      const Plan other_type,
      CompileFile("ALTER TABLE customers ALTER COLUMN age TYPE bigint",
                  "ALTER TABLE ages ALTER COLUMN decade TYPE bigint", forward("", "c.age / 10")));
  EXPECT_THAT(Changed(plan, other_type), ::testing::ElementsAre("source public.customers"));
  // Another column under the same name.
  ASSERT_OK_AND_ASSIGN(const Plan made_again,
                       CompileFile("ALTER TABLE customers DROP COLUMN age, ADD COLUMN age bigint",
                                   "SELECT 1", forward("", "c.age / 10")));
  EXPECT_THAT(Changed(other_type, made_again), ::testing::ElementsAre("source public.customers"));
  // A mapping that needs the mirror changes its source too.
  ASSERT_OK_AND_ASSIGN(
      const Plan mirrored,
      CompileFile("SELECT 1", "SELECT 1", forward(", set: {email: lower(email)}", "c.age / 10")));
  EXPECT_THAT(Changed(made_again, mirrored),
              ::testing::ElementsAre("source public.customers", "mapping public.people"));
}

TEST_F(CompilerTest, AnInstallKeepsTheFingerprintOfEveryPart) {
  ASSERT_OK_AND_ASSIGN(
      const Plan plan,
      CompileFile(kOldUsers, kPeopleAndAges,
                  "  - {table: public.people, copy: customers, drop: [name, age]}\n"));
  // As an older program left it.
  ASSERT_OK(server_->Execute(
      "new_db", records::TargetSetupSql() + "; ALTER TABLE switchyard.stream DROP COLUMN parts"));
  ASSERT_OK(InstallTarget(*new_session_, plan, old_catalog_, {.stream = "test.forward"}));
  ASSERT_OK_AND_ASSIGN(const std::string text,
                       server_->Scalar("new_db", "SELECT parts FROM switchyard.stream"));
  ASSERT_OK_AND_ASSIGN(const std::vector<PlanPart> parts, PartsFromText(text));
  EXPECT_EQ(parts, plan.parts);
  EXPECT_EQ(parts.size(), 2u);
}

// The first check comes before anything of Switchyard's is on the target.
TEST_F(CompilerTest, KnowsItsOwnFunctionsAndTablesBeforeTheyAreInstalled) {
  ASSERT_OK_AND_ASSIGN(
      const Plan plan,
      CompileFile(kOldUsers, "CREATE TABLE people (id uuid PRIMARY KEY, other uuid)",
                  "  ids:\n    - {kind: u, table: customers, old_id: id, new_id: "
                  "gen_random_uuid()}\n  tables:\n"
                  "  - table: public.people\n    from: {customers: \"switchyard.uuid_of('u', "
                  "id::text)\"}\n"
                  "    select: SELECT switchyard.uuid_of('u', c.id::text) AS id, m.new_id AS other "
                  "FROM customers c JOIN switchyard.id_map m ON m.old_id = c.id::text\n"));
  EXPECT_EQ(plan.ids.size(), 1u);
  EXPECT_TRUE(plan.sources[0].mirrored);
  ASSERT_OK_AND_ASSIGN(const std::string left,
                       server_->Scalar("new_db", "SELECT to_regnamespace('switchyard') IS NULL"));
  EXPECT_EQ(left, "t");
}

// Of NEW in both schemas that the file declares; an exact match of the arguments goes first.
constexpr char kNorm[] =
    "CREATE FUNCTION %s.norm(%s) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1::text';";

TEST_F(CompilerTest, ANameMeansWhatItMeantWhenTheMappingWasInstalled) {
  const std::string old_sql =
      "CREATE TYPE mood AS ENUM ('ok', 'bad'); CREATE TABLE customers (id int PRIMARY KEY, "
      "email varchar, m mood); ALTER TABLE customers REPLICA IDENTITY FULL; "
      "CREATE TABLE orders (id int PRIMARY KEY, email varchar)";
  const std::string forward =
      "  - table: public.people\n    copy: customers\n    drop: [m]\n"
      "    set: {email: norm(email), glad: m = 'ok'}\n    owns: id > abs(-1)\n"
      "  - table: public.totals\n    from: {orders: norm(email)}\n"
      "    select: SELECT norm(email) AS email, count(*) AS n FROM orders GROUP BY 1\n"
      "new_schemas: [app, public]\n";
  ASSERT_OK(server_->Execute("new_db", "DROP SCHEMA IF EXISTS app CASCADE; CREATE SCHEMA app"));
  ASSERT_OK_AND_ASSIGN(
      const Plan plan,
      CompileFile(old_sql,
                  "CREATE TABLE people (id int PRIMARY KEY, email text, glad bool);"
                  "CREATE TABLE totals (email text PRIMARY KEY, n bigint);" +
                      absl::StrFormat(kNorm, "app", "text"),
                  forward));
  const std::string& insert = plan.mappings[0].write.insert;
  EXPECT_THAT(insert, HasSubstr("app.norm((customers.email)::text)"));
  EXPECT_THAT(insert, HasSubstr("'ok'::\"switchyard_old\".mood"));
  EXPECT_THAT(plan.mappings[1].keyed.touches[0].after, HasSubstr("app.norm((orders.email)::text)"));
  EXPECT_THAT(plan.mappings[0].owns, HasSubstr("abs("));
  EXPECT_EQ(plan.mappings[1].rules[0].touches, "norm(email)");

  ASSERT_OK(server_->Execute("new_db", absl::StrFormat(kNorm, "public", "varchar")));
  bound_ = plan.bound;
  ASSERT_OK_AND_ASSIGN(const Plan same, CompileParsed());
  EXPECT_EQ(same.mappings[0].write.insert, insert);
  EXPECT_EQ(same.mappings[1].keyed.touches[0].after, plan.mappings[1].keyed.touches[0].after);
  EXPECT_EQ(same.sources[1].mirror_indexes, plan.sources[1].mirror_indexes);
  EXPECT_EQ(same.mappings[1].rules[0].touches, "norm(email)");
  EXPECT_EQ(same.fingerprint, plan.fingerprint);
  EXPECT_EQ(same.bound, plan.bound);
  bound_.back().written = "another";
  ASSERT_OK_AND_ASSIGN(const Plan anew, CompileParsed());
  EXPECT_THAT(anew.mappings[0].write.insert, HasSubstr("public.norm(customers.email)"));
  EXPECT_EQ(anew.fingerprint, plan.fingerprint);
  EXPECT_THAT(anew.bound, ::testing::Ne(plan.bound));
}

TEST_F(CompilerTest, KeysAreComparedByTheOperatorOfTheirIndex) {
  const std::string tables =
      "CREATE EXTENSION IF NOT EXISTS citext; CREATE DOMAIN address AS citext;"
      "CREATE TABLE customers (email address PRIMARY KEY, n int);";
  ASSERT_OK_AND_ASSIGN(
      const Plan plan,
      CompileFile(tables,
                  tables + "CREATE TABLE people (email citext, n int, PRIMARY KEY (n, email))",
                  "  - {table: public.customers, copy: customers}\n"
                  "  - table: public.people\n    scope: email\n    from: {customers: email}\n"
                  "    select: SELECT DISTINCT email::citext AS email, n FROM customers\n"));
  EXPECT_THAT(plan.mappings[0].write.remove,
              HasSubstr("sy_t.\"email\" OPERATOR(public.=) sy_s.sy__t0"));
  EXPECT_THAT(plan.mappings[1].keyed.compute, HasSubstr("\"email\" OPERATOR(public.=) ANY("));
  EXPECT_THAT(plan.mappings[1].keyed.remove,
              HasSubstr("sy_t.\"n\" = sy_x.\"n\" AND sy_t.\"email\" OPERATOR(public.=) "
                        "sy_x.\"email\""));
  EXPECT_EQ(plan.sources[0].columns[0].equals, "OPERATOR(public.=)");
}

TEST_F(CompilerTest, RefusesAnOperatorThatNoTextNames) {
  const std::string tables =
      "CREATE EXTENSION IF NOT EXISTS citext; "
      "CREATE TABLE customers (id int PRIMARY KEY, email citext);"
      "ALTER TABLE customers REPLICA IDENTITY FULL;";
  const auto with = [&](const std::string& sql) {
    return CompileFile(
        tables, tables + "ALTER TABLE customers ADD same bool",
        "  - {table: public.customers, copy: customers, set: {same: " + sql + "}}\n");
  };
  EXPECT_THAT(with("email IS DISTINCT FROM 'A'"),
              testing::StatusIs(absl::StatusCode::kInvalidArgument,
                                HasSubstr("same of public.customers: it compares values by an "
                                          "operator that no text can name")));
  ASSERT_OK(server_->Execute("old_db", "DROP TABLE customers; DROP EXTENSION citext"));
  ASSERT_OK(server_->Execute("new_db", "DROP TABLE customers; DROP EXTENSION citext"));
  ASSERT_OK_AND_ASSIGN(const Plan plan, with("email = 'A'"));
  EXPECT_THAT(plan.mappings[0].write.insert, HasSubstr("OPERATOR(public.=) 'A'::public.citext"));
}

TEST_F(CompilerTest, AQueryThatGroupsByAKeyMayShowTheRestOfItsRow) {
  check_restrictions_ = true;
  ASSERT_OK_AND_ASSIGN(
      const Plan plan,
      CompileFile("CREATE TABLE customers (id int PRIMARY KEY, name text);"
                  "CREATE TABLE orders (id int PRIMARY KEY, customer int, total int)",
                  "CREATE TABLE people (id int PRIMARY KEY, name text, spent bigint)",
                  "  - table: public.people\n    select: >-\n"
                  "      SELECT c.id, c.name, sum(o.total) AS spent FROM customers c\n"
                  "      LEFT JOIN orders o ON o.customer = c.id GROUP BY c.id\n"));
  ASSERT_OK(InstallTarget(*new_session_, plan, old_catalog_, {.stream = "test.forward"}));
}

TEST_F(CompilerTest, RefusesATargetTableThatHoldsRowsAlready) {
  ASSERT_OK_AND_ASSIGN(
      const Plan plan,
      CompileFile(kOldUsers,
                  "CREATE TABLE people (id int PRIMARY KEY, email text, name text, age int); "
                  "INSERT INTO people VALUES (1)",
                  "  - {table: public.people, copy: customers}\n"));
  EXPECT_THAT(InstallTarget(*new_session_, plan, old_catalog_, {.stream = "test.forward"}),
              testing::StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("not empty")));
}

// Counts the locks that its transaction holds once a table is made.
class CountingSession : public LiveProbeSession {
 public:
  explicit CountingSession(pg::Session& session) : LiveProbeSession(session), session_(session) {}
  absl::Status Execute(std::string_view sql) override {
    RETURN_IF_ERROR(LiveProbeSession::Execute(sql));
    if (!sql.starts_with("CREATE TEMP TABLE")) return absl::OkStatus();
    ASSIGN_OR_RETURN(const pg::Result locks, session_.Query(R"(
      SELECT sum(n)::bigint, string_agg(n || ' ' || what, ', ' ORDER BY n DESC) FROM (
        SELECT count(*) AS n, concat_ws(' ', l.locktype, c.relkind, c.relnamespace::regnamespace)
               AS what
        FROM pg_locks l LEFT JOIN pg_class c ON c.oid = l.relation
        WHERE l.pid = pg_backend_pid() GROUP BY what) k)"));
    if (locks.i64(0, 0) <= locks_max_) return absl::OkStatus();
    locks_max_ = locks.i64(0, 0);
    kinds_ = locks.str(0, 1);
    return absl::OkStatus();
  }
  int64_t locks_max() const { return locks_max_; }
  const std::string& kinds() const { return kinds_; }

 private:
  pg::Session& session_;
  int64_t locks_max_ = 0;
  std::string kinds_;  // of these
};

// Promise 8.13. All sessions of a server share one table of locks, which has room for 6,400 by
// default.
TEST_F(CompilerTest, AMigrationOfManyTablesHoldsTheLocksOfSomeAtATime) {
  constexpr int kTables = 250;  // each with a TOAST table and an index
  std::string of_old = R"(CREATE TABLE "Odd ""one" (id int PRIMARY KEY, v text);)";
  std::string of_new = "CREATE TABLE joined (id int PRIMARY KEY, v text);";
  std::string forward =
      "  - table: public.joined\n    from: {t0: id, t120: id, T249: id, '\"Odd \"\"one\"': id}\n"
      "    select: >-\n      SELECT a.id, a.v || b.v || c.v || d.v AS v FROM T0 a JOIN t120 b "
      "USING "
      "(id)\n      JOIN \"T249\" c USING (id) JOIN U&\"Odd \"\"\\006Fne\" d USING (id)\n";
  for (int i = 0; i < kTables; ++i) {
    const std::string name = i == kTables - 1 ? "\"T249\"" : absl::StrCat("t", i);
    const std::string table = absl::StrCat("CREATE TABLE ", name, " (id int PRIMARY KEY, v text);");
    absl::StrAppend(&of_old, table);
    absl::StrAppend(&of_new, table);
    absl::StrAppend(&forward, "  - {table: 'public.", name, "', copy: '", name,
                    "', set: {v: upper(v)}}\n");
  }
  check_restrictions_ = true;
  ASSERT_OK_AND_ASSIGN(const Plan plan, CompileFile(of_old, of_new, forward));
  EXPECT_EQ(plan.mappings.size(), kTables + 1u);
  const records::Stream stream = records::ForwardOf(file_);
  CountingSession counting(*new_session_);
  ASSERT_OK_AND_ASSIGN(const Plan again, Compile({.stream = &stream,
                                                  .source = &old_catalog_,
                                                  .target = &new_catalog_,
                                                  .schemas = file_.schemas,
                                                  .check_restrictions = true},
                                                 counting, &faults_));
  EXPECT_EQ(again.fingerprint, plan.fingerprint);
  RecordProperty("locks_max", absl::StrCat(counting.locks_max(), ": ", counting.kinds()));
  EXPECT_GT(counting.locks_max(), 100);
  // Four for each of 100 stand-ins (the table, its TOAST table in two modes, that one's index), and
  // about a hundred for schema switchyard, which is tried beside them: 508 of 2,500 there would be.
  EXPECT_LT(counting.locks_max(), 600) << counting.kinds();
}

}  // namespace
}  // namespace switchyard::mapping
