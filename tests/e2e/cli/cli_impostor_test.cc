// Whoever may create in a schema of the search_path can make functions, operators, types and tables
// that are found in place of those that are meant. None is ever called by a session of
// Switchyard's.
#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/cli/cli_run_fixture.h"
#include "tests/support/await.h"

namespace switchyard::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kMapping[] =
    "migration: shop\nold: {dsn_env: OLD_DSN}\nnew: {dsn_env: NEW_DSN}\n"
    "forward:\n"
    "  - {table: public.users, copy: customers, drop: [name], set: {email: lower(email), label: "
    "\"name || "
    "'!'\"}}\n"
    "  - table: public.totals\n"
    "    from: {sales: lower(email)}\n"
    "    select: >-\n"
    "      SELECT lower(s.email)::varchar AS email, count(*)::int AS n FROM sales s GROUP BY 1\n"
    "  - {table: public.things, copy: parts, set: {kind: \"'part'::varchar\"},\n"
    "     owns: \"kind = 'part'\"}\n";

constexpr char kOld[] = R"(
  CREATE TABLE customers (id int PRIMARY KEY, email varchar(80), name varchar(80));
  ALTER TABLE customers REPLICA IDENTITY FULL;
  CREATE TABLE sales (id int PRIMARY KEY, email varchar(80) NOT NULL);
  CREATE TABLE parts (code varchar(10) PRIMARY KEY, n int);
  INSERT INTO customers VALUES (1, 'A@x', 'Ann'), (2, 'B@x', 'Ben');
  INSERT INTO sales VALUES (1, 'A@x'), (2, 'a@x'), (3, 'B@x');
  INSERT INTO parts VALUES ('p1', 1), ('p2', 2);)";
constexpr char kNew[] = R"(
  CREATE TABLE users (id int PRIMARY KEY, email varchar(80), label varchar(80));
  CREATE TABLE totals (email varchar PRIMARY KEY, n int);
  CREATE TABLE things (code varchar(10) PRIMARY KEY, kind varchar(10), n int CHECK (n <> 666));)";

// A sequence, `calls`, tells of each call: it keeps what a transaction that is rolled back did.

// What the file's own SQL names: by an exact match of the arguments they go before pg_catalog.
constexpr char kOfTheMapping[] = R"(
  CREATE FUNCTION public.lower(varchar) RETURNS text IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_catalog.nextval('public.calls'); RETURN 'evil'; END $$;
  CREATE FUNCTION public.joined(varchar, text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_catalog.nextval('public.calls'); RETURN 'evil'; END $$;
  CREATE OPERATOR public.|| (LEFTARG = varchar, RIGHTARG = text, FUNCTION = public.joined);
  CREATE FUNCTION public.alike(varchar, varchar) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_catalog.nextval('public.calls'); RETURN true; END $$;
  CREATE OPERATOR public.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = public.alike);)";

// What Switchyard's own SQL names, on either side.
constexpr char kOfItsOwn[] = R"(
  CREATE FUNCTION public.quote_ident(name) RETURNS text IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_catalog.nextval('public.calls'); RETURN 'evil'; END $$;
  CREATE FUNCTION public.named(name, text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_catalog.nextval('public.calls'); RETURN 'evil'; END $$;
  CREATE OPERATOR public.|| (LEFTARG = name, RIGHTARG = text, FUNCTION = public.named);
  CREATE FUNCTION public.is_named(name, varchar) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_catalog.nextval('public.calls'); RETURN true; END $$;
  CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = varchar, FUNCTION = public.is_named);
  CREATE FUNCTION public.substr(varchar, int, int) RETURNS text IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_catalog.nextval('public.calls'); RETURN '1'; END $$;
  CREATE DOMAIN public.text AS int; CREATE DOMAIN public.regclass AS int;
  CREATE TABLE public.pg_class (w int); CREATE TABLE public.pg_attribute (w int);)";
// What it names only while it writes NEW's tables.
constexpr char kOfItsWrites[] = R"(
  CREATE FUNCTION public.both(bigint, int) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_catalog.nextval('public.calls'); RETURN 0; END $$;
  CREATE OPERATOR public.& (LEFTARG = bigint, RIGHTARG = int, FUNCTION = public.both);
  CREATE FUNCTION public.jsonb_hash_extended(jsonb, int) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_catalog.nextval('public.calls'); RETURN 0; END $$;
  CREATE FUNCTION public.jsonb_build_object(text, text) RETURNS jsonb IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_catalog.nextval('public.calls'); RETURN '{}'; END $$;
  CREATE FUNCTION public.has(jsonb, jsonb) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_catalog.nextval('public.calls'); RETURN true; END $$;
  CREATE OPERATOR public.? (LEFTARG = jsonb, RIGHTARG = jsonb, FUNCTION = public.has);
  CREATE FUNCTION public.field(jsonb, jsonb) RETURNS text IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_catalog.nextval('public.calls'); RETURN ''; END $$;
  CREATE OPERATOR public.->> (LEFTARG = jsonb, RIGHTARG = jsonb, FUNCTION = public.field);
  CREATE FUNCTION public.anded(smallint, int) RETURNS smallint IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_catalog.nextval('public.calls'); RETURN 3; END $$;
  CREATE OPERATOR public.& (LEFTARG = smallint, RIGHTARG = int, FUNCTION = public.anded);
  CREATE FUNCTION public.same(oid, int) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_catalog.nextval('public.calls'); RETURN true; END $$;
  CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = int, FUNCTION = public.same);)";
// Of mirrors, which selects and rules name without a schema.
constexpr char kMirrors[] =
    "CREATE TABLE public.customers (w int); CREATE TABLE public.sales (id int, email varchar); "
    "CREATE TABLE public.parts (w int);";

class CliImpostorTest : public CliRunTest {
 protected:
  void SetUp() override {
    CliRunTest::SetUp();
    ASSERT_OK(postgres_->Execute("postgres", "CREATE ROLE app LOGIN"));
    for (const char* database : {"old_db", "new_db"}) {
      ASSERT_OK(postgres_->Execute(database,
                                   "CREATE SEQUENCE calls; GRANT ALL ON SEQUENCE calls TO PUBLIC; "
                                   "GRANT CREATE ON SCHEMA public TO app"));
    }
    ASSERT_OK(postgres_->Execute("old_db", absl::StrCat("DROP TABLE customers, orders;", kOld)));
    ASSERT_OK(postgres_->Execute("new_db", absl::StrCat("DROP TABLE people, orders;", kNew)));
    std::ofstream(file_) << kMapping;
  }

  void Plant(const char* database, const std::string& sql) {
    ASSERT_OK(postgres_->Execute(
        database, absl::StrCat("SET client_min_messages = error; SET ROLE app; ", sql)));
  }

  void ExpectNoneCalled(const std::string& when) {
    for (const char* database : {"old_db", "new_db"}) {
      ASSERT_OK_AND_ASSIGN(const std::string called,
                           postgres_->Scalar(database, "SELECT is_called FROM public.calls"));
      EXPECT_EQ(called, "f") << database << " " << when;
    }
  }

  // By functions that take any type, for this session's path has the impostors in it.
  std::string Rows(const std::string& columns, const std::string& table) {
    return New(absl::StrCat("SELECT array_agg(concat_ws(' ', ", columns, ") ORDER BY ", columns,
                            ") FROM public.", table));
  }

  // A migration from `check` to a restart, with impostors made before, meanwhile and between.
  void FollowAmongImpostors() {
    ASSERT_NO_FATAL_FAILURE(Plant("new_db", absl::StrCat(kOfItsOwn, kMirrors)));
    ASSERT_NO_FATAL_FAILURE(Plant("old_db", kOfItsOwn));
    ASSERT_NO_FATAL_FAILURE(Prepare());
    ASSERT_OK(postgres_->Execute("new_db", "ALTER SEQUENCE calls RESTART"));
    ASSERT_OK(postgres_->Execute("old_db", "ALTER SEQUENCE calls RESTART"));
    const ProgramResult check = RunCli({"check", file_}, Roles());
    EXPECT_EQ(check.exit_code, 0) << check.output;
    StartPipeline();
    // They come once the mapping is bound, before the first row of the copy does.
    ASSERT_OK_AND_ASSIGN(const auto holds, postgres_->Connect("old_db"));
    ASSERT_OK(
        holds->Execute("BEGIN; LOCK TABLE public.customers, public.sales, public.parts "
                       "IN ACCESS EXCLUSIVE MODE"));
    ASSERT_OK(pipeline_->Start("run"));
    ASSERT_OK(Await("the mapping is bound", absl::Seconds(60), [&]() -> absl::StatusOr<bool> {
      return New("SELECT count(*) FROM switchyard.stream") == "1";
    }));
    ASSERT_NO_FATAL_FAILURE(Plant("new_db", absl::StrCat(kOfTheMapping, kOfItsWrites)));
    ASSERT_OK(holds->Execute("ROLLBACK"));
    ASSERT_OK(pipeline_->AwaitCaughtUp());
    ExpectNoneCalled("after the copy");
    ASSERT_OK(postgres_->Execute("old_db", R"(
        INSERT INTO customers VALUES (3, 'C@x', 'Cid'); UPDATE customers SET name = 'Bea' WHERE id = 2;
        UPDATE sales SET email = 'C@X' WHERE id = 3; UPDATE parts SET code = 'p3' WHERE n = 2;
        DELETE FROM parts WHERE n = 1; INSERT INTO parts VALUES ('p1', 9), ('p6', 666))"));
    ASSERT_OK(pipeline_->AwaitCaughtUp());
    EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "1");
    ASSERT_OK(postgres_->Execute("old_db", "UPDATE parts SET n = 6 WHERE code = 'p6'"));
    ASSERT_OK(pipeline_->AwaitCaughtUp());
    EXPECT_EQ(Rows("id, email, label", "users"), "{\"1 a@x Ann!\",\"2 b@x Bea!\",\"3 c@x Cid!\"}");
    EXPECT_EQ(Rows("email, n", "totals"), "{\"a@x 2\",\"c@x 1\"}");
    EXPECT_EQ(Rows("code, kind, n", "things"), "{\"p1 part 9\",\"p3 part 2\",\"p6 part 6\"}");
    ExpectNoneCalled("while it streamed");
    // What is installed is bound: the same names are not looked for again.
    ASSERT_OK(pipeline_->Stop());
    for (const char* whose : {"ROLE switchyard_replay", "DATABASE new_db"}) {
      ASSERT_OK(postgres_->Execute(
          "postgres", absl::StrCat("ALTER ", whose, " SET search_path = public, pg_catalog")));
    }
    ASSERT_OK(pipeline_->Start("run"));
    ASSERT_OK(postgres_->Execute("old_db", R"(
        INSERT INTO customers VALUES (4, 'D@x', 'Dan'); DELETE FROM customers WHERE id = 1;
        INSERT INTO sales VALUES (4, 'D@X'); UPDATE parts SET n = 10 WHERE code = 'p1')"));
    ASSERT_OK(pipeline_->AwaitCaughtUp());
    EXPECT_EQ(Rows("id, email, label", "users"), "{\"2 b@x Bea!\",\"3 c@x Cid!\",\"4 d@x Dan!\"}");
    EXPECT_EQ(Rows("email, n", "totals"), "{\"a@x 2\",\"c@x 1\",\"d@x 1\"}");
    EXPECT_EQ(Rows("code, kind, n", "things"), "{\"p1 part 10\",\"p3 part 2\",\"p6 part 6\"}");
    EXPECT_EQ(RunCli({"status", file_}, Roles()).exit_code, 0);
    const ProgramResult told = RunCli({"check", file_}, Roles());
    EXPECT_THAT(told.output, HasSubstr("lower stands here for public.lower(character varying)"));
    ExpectNoneCalled("after a restart");
    ASSERT_OK(pipeline_->Stop());
  }
};

TEST_F(CliImpostorTest, WhatTakesThePlaceOfPostgresOwnIsToldAndNotCalled) {
  ASSERT_NO_FATAL_FAILURE(Prepare());
  ASSERT_NO_FATAL_FAILURE(Plant("new_db", kOfTheMapping));
  ASSERT_NO_FATAL_FAILURE(Plant("new_db", kOfItsOwn));
  ASSERT_NO_FATAL_FAILURE(Plant("old_db", kOfItsOwn));
  for (const char* command : {"check", "plan"}) {
    const ProgramResult refused = RunCli({command, file_}, Roles());
    EXPECT_NE(refused.exit_code, 0) << refused.output;
    EXPECT_THAT(
        refused.output,
        AllOf(HasSubstr("lower stands here for public.lower(character varying)"),
              HasSubstr("say which is meant, OPERATOR(pg_catalog.||) or OPERATOR(public.||)"),
              HasSubstr("say which is meant, OPERATOR(pg_catalog.=) or OPERATOR(public.=)")))
        << command;
    ExpectNoneCalled(command);
  }
  for (const char* option : {"--print-setup", "--print-setup-new"}) {
    RunCli({"check", option, file_},
           {{"OLD_DSN", postgres_->dsn("old_db")}, {"NEW_DSN", postgres_->dsn("new_db")}});
    ExpectNoneCalled(option);
  }
  EXPECT_NE(RunCli({"run", file_}, Roles()).exit_code, 0);
  ExpectNoneCalled("run");
}

TEST_F(CliImpostorTest, NewStaysRightWhoeverPlantsWhat) { FollowAmongImpostors(); }

// Code of NEW's own that looks names up as it runs wants more than pg_catalog in the path.
TEST_F(CliImpostorTest, NewStaysRightWhereItsOwnCodeRuns) {
  ASSERT_OK(postgres_->Execute("new_db", R"(
      CREATE FUNCTION cut(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1';
      CREATE FUNCTION tidy(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS
        'BEGIN RETURN cut($1); END';
      CREATE TABLE audit (id int); GRANT ALL ON audit TO PUBLIC;
      CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO audit VALUES (NEW.id); RETURN NEW; END';
      CREATE TRIGGER note BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION note();
      ALTER TABLE users ENABLE ALWAYS TRIGGER note)"));
  std::ofstream(file_) << absl::StrReplaceAll(kMapping, {{"name || '!'", "tidy(name || '!')"}});
  ASSERT_NO_FATAL_FAILURE(FollowAmongImpostors());
  EXPECT_EQ(New("SELECT array_agg(DISTINCT id ORDER BY id) FROM public.audit"), "{1,2,3,4}");
}

}  // namespace
}  // namespace switchyard::testing
