// What `check` refuses in a mapping: one case for each way to be wrong. The forward section begins
// on line 6 of the file.
#include <fstream>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/strings.h"
#include "tests/mapping/compile_fixture.h"

namespace switchyard::mapping {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kOld[] =
    "CREATE TABLE customers (id int PRIMARY KEY, email text, name text, age int NOT NULL);"
    "CREATE TABLE orders (id int PRIMARY KEY, customer int, total numeric);"
    "CREATE TABLE notes (body text);"
    "CREATE TABLE prices (id int PRIMARY KEY, price numeric(12,4), at timestamp, old float8);"
    "CREATE DOMAIN exact AS numeric; CREATE TABLE domained (id int PRIMARY KEY, price exact);"
    "CREATE VIEW adults AS SELECT * FROM customers WHERE age > 17";
constexpr char kNew[] =
    "CREATE TABLE people (id int PRIMARY KEY, email text, name text, age int NOT NULL);"
    "CREATE TABLE totals (id int PRIMARY KEY, region text, total numeric);"
    "CREATE TABLE doubled (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED);"
    "CREATE TABLE lookup (code text PRIMARY KEY, label text);"
    "CREATE TABLE loose (v int);"
    "CREATE TABLE rounded (id int PRIMARY KEY, price numeric(12,2), day date, amount numeric);"
    "CREATE VIEW grown AS SELECT * FROM people;"
    "CREATE FUNCTION peek(int) RETURNS text STABLE LANGUAGE sql AS "
    "'SELECT label FROM lookup LIMIT 1'";

struct Case {
  std::string name;
  std::string forward;
  // Beginning of each fault, in order: "line:column: text".
  std::vector<std::string> faults;
};

class FaultsTest : public CompileFixture, public ::testing::WithParamInterface<Case> {
 protected:
  absl::StatusOr<Plan> CompileHere(const std::string& forward) {
    return CompileFile(kOld, kNew, forward);
  }
  std::vector<std::string> Told() const {
    std::vector<std::string> told;
    for (const CompileFault& fault : faults_) {
      told.push_back(absl::StrFormat("%s%d:%d: %s", fault.file.empty() ? "" : fault.file + ":",
                                     fault.at.line, fault.at.column, fault.message));
    }
    return told;
  }
};

TEST_P(FaultsTest, NamesThePlaceTheReasonAndWhatIsNear) {
  const absl::StatusOr<Plan> plan = CompileHere(GetParam().forward);
  EXPECT_THAT(plan, testing::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("")));
  std::vector<std::string> told = Told();
  ASSERT_THAT(told, SizeIs(GetParam().faults.size())) << absl::StrJoin(told, "\n");
  for (size_t i = 0; i < told.size(); ++i) {
    EXPECT_TRUE(told[i].find(GetParam().faults[i]) == 0)
        << told[i] << "\n  should begin: " << GetParam().faults[i];
  }
}

const std::string kPeople = "  - {table: public.people, copy: customers";

const Case kCases[] = {
    {"MissingSourceTable",
     "  - {table: public.people, copy: custmers}\n",
     {"6:34: the source has no table custmers; did you mean customers?"}},
    {"MissingTargetTable",
     "  - {table: public.peple, copy: customers}\n",
     {"6:13: the target has no table public.peple"}},
    {"ASourceThatIsAView",
     "  - {table: public.people, copy: adults}\n",
     {"6:34: public.adults is not a table"}},
    {"ASourceWithoutKey",
     "  - table: public.totals\n    from: {notes: 1}\n"
     "    select: SELECT 1 AS id, count(*) AS total FROM notes\n",
     {"7:12: public.notes has no primary key"}},
    {"ATargetWithoutKey",
     "  - {table: public.loose, copy: customers, drop: [id, email, name, age], set: {v: age}}\n",
     {"6:13: public.loose has no primary key"}},
    {"ATargetThatIsAView",
     "  - {table: public.grown, copy: customers}\n",
     {"6:13: public.grown is not a table; only tables can be filled"}},
    {"UnknownColumnUnderDropAndRename",
     kPeople + ", drop: [emial], rename: {nmae: name}}\n",
     {"6:52: customers has no column emial; did you mean email?",
      "6:69: customers has no column nmae; did you mean name?"}},
    {"UnknownColumnUnderSet",
     kPeople + ", set: {emial: lower(email)}}\n",
     {"6:58: public.people has no column emial; did you mean email?"}},
    {"AColumnThatNewDoesNotHave",
     "  - {table: public.totals, copy: orders, drop: [id], set: {id: id}}\n",
     {"6:34: orders.customer has no column of that name in public.totals: list it under drop"}},
    {"TwoColumnsIntoOne",
     kPeople + ", rename: {name: email}}\n",
     {"6:54: public.people.email is filled twice: from customers.email and from customers.name"}},
    {"TwoOutputsIntoOne",
     "  - table: public.totals\n    from: {orders: id}\n"
     "    select: SELECT o.id, o.id AS region, o.total AS region FROM orders o\n",
     {"8:13: select of public.totals: column \"region\" specified more than once"}},
    {"AColumnThatMustBeFilled",
     kPeople + ", drop: [age]}\n",
     {"6:13: public.people.age is NOT NULL without a default, and the mapping does not fill it"}},
    {"AKeyThatIsNotFilled",
     "  - table: public.totals\n    from: {orders: id}\n"
     "    select: SELECT total FROM orders\n",
     {"6:12: public.totals.id is part of the key but the mapping does not fill it"}},
    {"AGeneratedColumn",
     "  - table: public.doubled\n    from: {orders: id}\n"
     "    select: SELECT id, 2 * id AS twice FROM orders\n",
     {"8:13: public.doubled.twice is generated; leave it out"}},
    {"TypesThatDoNotFit",
     "  - table: public.people\n    copy: customers\n    set:\n      age: name\n      email: age\n"
     "      name: ARRAY[name]\n",
     {"9:12: public.people: column \"age\" is of type integer but expression is of type text"}},
    {"EveryTypeThatDoesNotFit",
     "  - table: public.people\n    from: {customers: id}\n"
     "    select: SELECT c.name AS age, c.email AS id FROM customers c\n",
     {"8:13: public.people: column \"age\" is of type integer but expression is of type text",
      "8:13: public.people: column \"id\" is of type integer but expression is of type text"}},
    {"ColumnsThatKeepLess",
     "  - table: public.rounded\n    copy: prices\n    rename: {at: day}\n    drop: [old]\n"
     "    set: {amount: old}\n",
     {"7:11: public.rounded.price is numeric(12,2) but gets numeric(12,4): Postgres would drop "
      "digits behind the point without a word. Give the column a type that holds it, or say that "
      "it is meant: set: {price: '\"price\"::numeric(12,2)'}",
      "8:14: public.rounded.day is date but gets timestamp without time zone: Postgres would drop "
      "the time of day without a word. Give the column a type that holds it, or say that it is "
      "meant: in place of the rename, drop: [at], set: {day: '\"at\"::date'}",
      "10:19: public.rounded.amount is numeric but gets double precision: Postgres would drop "
      "what it holds beyond that type's digits without a word. Give the column a type that holds "
      "it, or say that it is meant: put ::numeric behind what gives it"}},
    {"ASelectIntoAColumnThatKeepsLess",
     "  - table: public.rounded\n    from: {orders: id, customers: id}\n"
     "    select: SELECT o.id, o.total AS price FROM orders o JOIN customers c USING (id)\n",
     {"8:13: public.rounded.price is numeric(12,2) but gets numeric: "}},
    {"ADomainIntoAColumnThatKeepsLess",
     "  - {table: public.rounded, copy: domained}\n",
     {"6:35: public.rounded.price is numeric(12,2) but gets numeric: "}},
    {"AnUnknownColumnInAnExpression",
     kPeople + ", set: {email: lower(emial)}}\n",
     {"6:64: set.email of public.people: column \"emial\" does not exist; did you mean "
      "customers.email?"}},
    {"AnUnknownFunction",
     kPeople + ", set: {email: lowr(email)}}\n",
     {"6:58: set.email of public.people: function lowr(text) does not exist; did you mean lower?"}},
    {"EveryExpressionIsTried",
     kPeople + ", set: {email: a1, name: b1}, where: c1}\n",
     {"6:58: set.email of public.people: column \"a1\" does not exist",
      "6:68: set.name of public.people: column \"b1\" does not exist",
      "6:80: where of public.people: column \"c1\" does not exist"}},
    {"AConditionThatIsNone",
     kPeople + ", where: age}\n",
     {"6:52: where of public.people: argument of WHERE must be type boolean"}},
    {"OwnsOfAnUnknownColumn",
     kPeople + ", owns: agee > 3}\n",
     {"6:51: owns of public.people: column \"agee\" does not exist; did you mean people.age?"}},
    {"ASelectOfAnUnknownColumn",
     "  - table: public.totals\n    from: {orders: id}\n    select: |\n      SELECT o.id,\n"
     "             o.totl AS total\n      FROM orders o\n",
     {"10:14: select of public.totals: column o.totl does not exist; did you mean o.total?"}},
    {"ASelectWhoseRulesCantBeDerived",
     "  - table: public.totals\n    select: SELECT id, row_number() OVER (ORDER BY total, id) AS "
     "total FROM orders\n",
     {"7:13: from of orders can't be derived: a window without PARTITION BY counts over all rows"}},
    {"ASelectThatNothingLeadsThrough",
     "  - table: public.totals\n    select: SELECT o.id, c.email AS region FROM orders o, "
     "customers c\n",
     {"7:13: from of customers can't be derived: c stands beside o without a condition that leads "
      "to "
      "the scope: every change of c would touch everything. If it never changes, list it under "
      "static"}},
    {"ASelectThatMisspellsATableListed",
     "  - table: public.totals\n    from: {orders: id}\n    select: SELECT id, total FROM oders\n",
     {"8:35: select of public.totals: it reads oders, which stands neither under from nor under "
      "static; did you mean orders?"}},
    {"ALookupThatIsNotThere",
     "  - table: public.totals\n    from: {orders: id}\n    static: [public.lokup]\n"
     "    select: SELECT o.id, l.label AS region FROM orders o JOIN public.lokup l ON true\n",
     {"9:63: select of public.totals: relation \"public.lokup\" does not exist; did you mean "
      "public.lookup?"}},
    {"ALookupThatAMappingFills",
     "  - {table: public.people, copy: customers}\n"
     "  - table: public.totals\n    from: {orders: id}\n    static: [public.people]\n"
     "    select: SELECT o.id, p.name AS region FROM orders o JOIN public.people p USING (id)\n",
     {"9:14: public.people stands under static, but a mapping fills it: list it under from"}},
    {"ACopyThatReadsAnotherTable",
     kPeople + ", where: EXISTS (SELECT FROM orders)}\n",
     {"6:72: where of public.people: it reads orders, which stands neither under from nor under "
      "static: a copy reads its own table only; make it a select"}},
    {"AVolatileFunction",
     kPeople + ", set: {email: 'coalesce(email, random()::text)'}}\n",
     {"6:75: set.email of public.people: random() is volatile"}},
    {"TheTimeOfDay",
     kPeople + ", set: {name: CURRENT_DATE::text}}\n",
     {"6:57: set.name of public.people: it asks for the current time"}},
    {"AFunctionThatReadsTables",
     "  - table: public.totals\n    from: {orders: id}\n"
     "    select: SELECT id, peek(id) AS region FROM orders\n",
     {"8:24: select of public.totals: peek() is not IMMUTABLE, so it may read tables"}},
    {"AFunctionUnderFrom",
     "  - table: public.totals\n    from: {orders: random()::int}\n"
     "    select: SELECT id, sum(total) AS total FROM orders GROUP BY id\n",
     {"7:20: from.orders of public.totals: random() is volatile"}},
    {"AnAggregateInACopy",
     kPeople + ", set: {name: max(name)}}\n",
     {"6:57: set.name of public.people: aggregates and set-returning functions need a select"}},
    {"AScopeThatIsNoColumn",
     "  - table: public.totals\n    from: {orders: id}\n    scope: totl\n"
     "    select: SELECT id, sum(total) AS total FROM orders GROUP BY id\n",
     {"8:12: scope totl is not among the columns the mapping fills; did you mean total?"}},
    {"AScopeAndARuleThatARowByRowSelectNeverUses",
     "  - table: public.totals\n    from: {orders: ordr_id}\n    scope: totl\n"
     "    select: SELECT id, total FROM orders\n",
     {"7:20: from.orders of public.totals: column \"ordr_id\" does not exist",
      "8:12: scope totl is not among the columns the mapping fills; did you mean total?"}},
    {"AScopeThatMayBeNull",
     "  - table: public.totals\n    from: {customers: email}\n    scope: region\n"
     "    select: SELECT min(id) AS id, email AS region FROM customers GROUP BY email\n",
     {"8:12: scope region can be NULL in public.totals"}},
    {"ARuleWithTooFewValues",
     "  - table: public.totals\n    from: {orders: id}\n    scope: [id, total]\n"
     "    select: SELECT id, sum(total) AS total FROM orders GROUP BY id\n",
     {"7:20: from.orders of public.totals: it gives 1 values, but the scope is id, total",
      "7:20: from.orders of public.totals: total is not among the expressions of GROUP BY",
      "8:17: scope total can be NULL"}},
    {"ARuleOfAnotherType",
     "  - table: public.totals\n    from: {customers: email}\n"
     "    select: SELECT id, count(*) AS total FROM customers GROUP BY id\n",
     {"7:23: from.customers of public.totals: column \"id\" is of type integer but expression is "
      "of type text"}},
    {"ARuleOfAnUnknownColumn",
     "  - table: public.totals\n    from: {orders: ordr_id}\n"
     "    select: SELECT id, sum(total) AS total FROM orders GROUP BY id\n",
     {"7:20: from.orders of public.totals: column \"ordr_id\" does not exist"}},
    {"ARuleOfATableNobodyFills",
     "  - table: public.totals\n    from: {orders: id, public.peple: id}\n"
     "    select: SELECT o.id FROM orders o JOIN public.people p USING (id)\n"
     "  - {table: public.people, copy: customers}\n",
     {"7:24: public.peple stands under from, but no mapping fills it; did you mean "
      "public.people?"}},
    {"ACircle",
     "  - table: public.people\n    from: {customers: id, public.totals: id}\n"
     "    select: SELECT c.* FROM customers c JOIN public.totals t USING (id)\n"
     "  - table: public.totals\n    from: {orders: id, public.people: id}\n"
     "    select: SELECT o.id FROM orders o JOIN public.people p USING (id)\n",
     {"6:12: the mappings read each other's tables in a circle (public.people reads public.totals "
      "reads public.people)"}},
    {"IdsOfAMissingTable",
     "  ids:\n    - {kind: user, table: custmers, old_id: id, new_id: gen_random_uuid()}\n"
     "  tables:\n" +
         kPeople + "}\n",
     {"7:7: the source has no table custmers; did you mean customers?"}},
    {"IdsThatCanNotBe",
     "  ids:\n"
     "    - {kind: a, table: customers, old_id: idd, new_id: gen_random_uuid()}\n"
     "    - {kind: b, table: customers, old_id: id, new_id: name}\n"
     "    - {kind: c, table: customers, old_id: random(), new_id: gen_random_uuid()}\n"
     "    - {kind: d, table: customers, old_id: id, new_id: (SELECT max(id) FROM orders)}\n"
     "  tables:\n" +
         kPeople + "}\n",
     {"7:43: old_id of ids a: column \"idd\" does not exist; did you mean customers.id?",
      "8:55: new_id of ids b: column \"new_id\" is of type uuid but expression is of type text",
      "9:43: old_id of ids c: random() is volatile",
      "10:76: new_id of ids d: it reads orders; an id comes from the row of its own table alone"}},
    {"EveryMappingIsLookedThrough",
     "  - {table: public.peple, copy: custmers}\n"
     "  - table: public.totals\n    from: {oders: id}\n    select: SELECT id FROM oders\n"
     "  - {table: public.people, copy: customers, set: {email: nosuch, age: random()::int}}\n",
     {"6:13: the target has no table public.peple",
      "6:33: the source has no table custmers; did you mean customers?",
      "8:12: the source has no table oders; did you mean orders?",
      "10:58: set.email of public.people: column \"nosuch\" does not exist",
      "10:71: set.age of public.people: random() is volatile"}},
};

// A table with a column for each expression, and the mapping that fills them from its own.
class RepeatableTest : public FaultsTest {
 protected:
  absl::StatusOr<Plan> CompileExpressions(const std::vector<std::string>& expressions) {
    std::string columns, sets;
    for (size_t i = 0; i < expressions.size(); ++i) {
      absl::StrAppend(&columns, ", v", i, " text");
      absl::StrAppend(&sets, i > 0 ? ", " : "", "v", i, ": \"(", expressions[i], ")::text\"");
    }
    return CompileFile(
        "CREATE TYPE mood AS ENUM ('ok', 'now'); CREATE TABLE rows (id int PRIMARY KEY, at "
        "timestamptz, plain timestamp, day date, word varchar, m mood, j jsonb, pay money)",
        "CREATE TABLE made (id int PRIMARY KEY" + columns +
            ");"
            // One overload of a name in pg_catalog is no excuse for another.
            "CREATE FUNCTION lower(int) RETURNS text VOLATILE LANGUAGE sql AS 'SELECT $1::text';"
            "CREATE FUNCTION upper(varchar) RETURNS text IMMUTABLE LANGUAGE plpgsql AS "
            "  'BEGIN RAISE EXCEPTION $$called$$; END';"
            "CREATE FUNCTION same(varchar, varchar) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS "
            "  'BEGIN RAISE EXCEPTION $$called$$; END';"
            "CREATE OPERATOR = (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = same);"
            "CREATE FUNCTION steady(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1';"
            "CREATE FUNCTION less(text, int) RETURNS bool STABLE LANGUAGE sql AS 'SELECT true';"
            "CREATE OPERATOR <<< (LEFTARG = text, RIGHTARG = int, FUNCTION = less)",
        "  - {table: public.made, copy: rows, drop: [at, plain, day, word, m, j, pay], set: {" +
            sets + "}}\n");
  }
};

TEST_F(RepeatableTest, RefusesEachExpressionThatIsNoFunctionOfTheRow) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"age(at)", "age() is STABLE"},
      {"'now'::timestamptz", "'now' is read as the time of asking"},
      {"at < 'today'", "'today' is read"},
      {"coalesce(day, 'Tomorrow')", "'tomorrow' is read"},
      {"date 'yesterday'", "'yesterday' is read"},
      {"day = ANY ('{today}')", "'today' is read"},
      {"CAST(lower('TODAY') AS date)", "'today' is read"},
      {"date('today')", "'today' is read"},
      {"at < 'now'", "'now' is read"},
      {"pg_backend_pid()", "pg_backend_pid() is STABLE"},
      {"txid_current_if_assigned()", "txid_current_if_assigned() is STABLE"},
      {"current_setting('application_name')", "current_setting() is STABLE"},
      {"ctid", "the system column ctid"},
      {"rows.xmin", "the system column xmin"},
      {"tableoid", "the system column tableoid"},
      {"to_jsonb(rows)", "the whole row of rows"},
      {"rows.*::text", "the whole row of rows"},
      {"rows IS NULL", "the whole row of rows"},
      {"now()", "now() is STABLE"},
      {"clock_timestamp()", "clock_timestamp() is volatile"},
      {"CURRENT_USER", "the current role or schema"},
      {"public.lower(id)", "lower() is volatile"},
      {"ROW(rows.*) IS NULL", "all columns of the row"},
      {"ROW((rows).*) IS NULL", "all columns of the row"},
      {"(ROW(rows.*) = ROW(rows.*))", "all columns of the row"},
      {"lower(id)", "lower stands here for public.lower(integer)"},
      {"upper(word)", "say which is meant, pg_catalog.upper or public.upper"},
      {"upper(varchar 'x')", "say which is meant, pg_catalog.upper or public.upper"},
      {"word = varchar 'x'", "OPERATOR(pg_catalog.=) or OPERATOR(public.=)"},
      {"word IN (word, varchar 'x')", "OPERATOR(pg_catalog.=) or OPERATOR(public.=)"},
      {"CASE varchar 'x' WHEN varchar 'y' THEN id END", "OPERATOR(pg_catalog.=)"},
      {"to_tsvector(word)", "'english'"},
      {"word::text <<< id", "less() is not IMMUTABLE"},
  };
  std::vector<std::string> expressions;
  for (const auto& [sql, fault] : cases) expressions.push_back(sql);
  EXPECT_THAT(CompileExpressions(expressions),
              testing::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("")));
  ASSERT_THAT(faults_, SizeIs(expressions.size())) << absl::StrJoin(Told(), "\n");
  for (size_t i = 0; i < faults_.size(); ++i) {
    EXPECT_THAT(faults_[i].message, HasSubstr(absl::StrCat("set.v", i, " ")));
    EXPECT_THAT(faults_[i].message, HasSubstr(cases[i].second)) << cases[i].first;
  }
}

TEST_F(RepeatableTest, TakesWhatOnlyTheFixedSettingsDecide) {
  EXPECT_OK(CompileExpressions({"to_char(at, 'YYYY-MM-DD TMMonth')",
                                "at::text || plain::text",
                                "word::date + 1",
                                "concat_ws('-', id, at, word)",
                                "format('%s %L', id, at)",
                                "to_date(word, 'YYYY') > at",
                                "to_timestamp(word, 'YYYY')",
                                "date_trunc('day', at) + interval '1 day'",
                                "at AT TIME ZONE 'Europe/Berlin'",
                                "age(at, plain)",
                                "plain < at AND day >= at AND at > '2020-01-01'",
                                "extract(epoch FROM at)",
                                "m = 'now'",
                                "m > enum_first(m)",
                                "word OPERATOR(pg_catalog.=) 'today'",
                                "pg_catalog.upper(word)",
                                "array_to_string(ARRAY[id, 2], ',')",
                                "to_jsonb(at) || j || jsonb_build_object('a', at)",
                                "row_to_json(ROW(id, at))",
                                "pay::numeric",
                                "at = 'epoch' OR day = 'infinity'",
                                "lower(word)",
                                "steady(word)",
                                "switchyard.uuid_of('user', id::text)",
                                "to_tsvector('english', word)"}))
      << absl::StrJoin(Told(), "\n");
}

TEST_F(FaultsTest, RefusesAColumnThatAPartitionComputesInItsOwnWay) {
  const std::string old_sql =
      "CREATE TABLE items (id int PRIMARY KEY, cents int, dbl int GENERATED ALWAYS AS (cents * 2) "
      "STORED) PARTITION BY RANGE (id);"
      "CREATE TABLE low PARTITION OF items FOR VALUES FROM (0) TO (10)";
  const std::string new_sql = "CREATE TABLE items (id int PRIMARY KEY, cents int, dbl int)";
  constexpr char kForward[] = "  - {table: public.items, copy: items, set: {dbl: cents * 2}}\n";
  ASSERT_OK(CompileFile(old_sql, new_sql, kForward));
  ASSERT_OK_AND_ASSIGN(const std::string version,
                       server_->Scalar("postgres", "SHOW server_version_num"));
  if (std::stoi(version) < 160000) GTEST_SKIP() << "since Postgres 16";
  EXPECT_THAT(
      CompileFile("CREATE TABLE high PARTITION OF items (dbl GENERATED ALWAYS AS (cents * 3) "
                  "STORED) FOR VALUES FROM (10) TO (20)",
                  "SELECT 1", kForward),
      testing::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("")));
  EXPECT_THAT(Told(),
              ElementsAre(HasSubstr("partition public.high computes dbl as (cents * 3), its "
                                    "table as (cents * 2)")));
}

// What OLD generates is not in its log.
TEST_F(FaultsTest, RefusesToLoseGeneratedColumns) {
  const std::string old_sql =
      "CREATE TABLE items (id int PRIMARY KEY, cents int, dbl int GENERATED ALWAYS AS (cents * 2) "
      "STORED, tag text GENERATED ALWAYS AS ('\"' || cents::text) STORED, twin int GENERATED "
      "ALWAYS "
      "AS (cents) STORED, own int GENERATED ALWAYS AS (1) STORED)";
  const std::string new_sql =
      "CREATE TABLE items (id int PRIMARY KEY, cents int, dbl int DEFAULT 0, label text, twin int "
      "GENERATED ALWAYS AS (cents) STORED); CREATE TABLE more (id int PRIMARY KEY, dbl int)";
  EXPECT_THAT(CompileFile(old_sql, new_sql,
                          "  - {table: public.items, copy: items, rename: {tag: label}}\n"),
              testing::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("")));
  EXPECT_THAT(
      Told(),
      ElementsAre("6:33: items.dbl is generated, so OLD's log does not carry it, and "
                  "public.items.dbl would never be filled: set: {dbl: \"cents * 2\"}, or drop: "
                  "[dbl]",
                  AllOf(HasSubstr("6:49: items.tag is generated"),
                        HasSubstr(R"(set: {label: "'\"'::text || cents::text"}, or drop)"))));
  for (const char* select : {"SELECT * FROM items", "SELECT id, dbl + 1 AS dbl FROM items",
                             "SELECT id, max(dbl) AS dbl FROM items GROUP BY id"}) {
    EXPECT_THAT(CompileFile("SELECT 1", "SELECT 1",
                            absl::StrCat("  - table: public.more\n    from: {items: id}\n"
                                         "    select: ",
                                         select, "\n")),
                testing::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("")));
    EXPECT_THAT(absl::StrJoin(Told(), "\n"), ::testing::AnyOf(HasSubstr("write (cents * 2)"),
                                                              HasSubstr("gives a column cents")));
  }
  ASSERT_OK_AND_ASSIGN(const Plan plan,
                       CompileFile("SELECT 1", "SELECT 1",
                                   "  - {table: public.items, copy: items, set: {dbl: cents * 2}, "
                                   "drop: [tag]}\n"));
  EXPECT_THAT(plan.unread_columns, ElementsAre("items.own"));
}

// Each place of the file that holds SQL is looked at.
TEST_F(RepeatableTest, LooksAtEveryPieceOfSql) {
  EXPECT_THAT(
      CompileHere(
          "  ids:\n    - {kind: a, table: customers, old_id: xmin, new_id: "
          "gen_random_uuid()}\n  tables:\n"
          "    - {table: public.people, copy: customers, where: \"'now' > '2020-01-01'::date"
          "\", owns: pg_backend_pid() > 0}\n"
          "    - table: public.totals\n"
          "      from: {orders: \"(SELECT id WHERE now() > 'epoch')\"}\n"
          "      select: SELECT id, sum(total) AS total FROM orders TABLESAMPLE system (9) "
          "GROUP BY id\n"),
      testing::StatusIs(absl::StatusCode::kInvalidArgument,
                        AllOf(HasSubstr("old_id of ids a: it reads the system column xmin"),
                              HasSubstr("where of public.people: 'now' is read"),
                              HasSubstr("owns of public.people: pg_backend_pid() is STABLE"),
                              HasSubstr("from.orders of public.totals: now() is STABLE"),
                              HasSubstr("select of public.totals: TABLESAMPLE"))));
}

// With the whole old row in the log, a row is still known by its key.
TEST_F(FaultsTest, AKeyThatTwoRowsMayHaveForAWhileIsNone) {
  EXPECT_THAT(CompileFile("CREATE TABLE later (id int PRIMARY KEY DEFERRABLE, n int NOT NULL);"
                          "ALTER TABLE later REPLICA IDENTITY FULL",
                          "CREATE TABLE later (id int PRIMARY KEY, n int)",
                          "  - {table: public.later, copy: later}\n"),
              testing::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("")));
  EXPECT_THAT(Told(), ElementsAre(HasSubstr("public.later has a deferrable key only")));
  ASSERT_OK_AND_ASSIGN(const Plan plan, CompileFile("ALTER TABLE later ADD UNIQUE (n)", "SELECT 1",
                                                    "  - {table: public.later, copy: later}\n"));
  ASSERT_THAT(plan.sources, SizeIs(1));
  ASSERT_THAT(plan.sources[0].key, SizeIs(1));
  EXPECT_EQ(plan.sources[0].columns[plan.sources[0].key[0]].name, "n");
}

// Postgres takes a domain over an enum for none of the types its operators over enums are for.
TEST_F(FaultsTest, AKeyThatCantBeComparedIsRefused) {
  const std::string types = "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE DOMAIN shown AS mood;";
  EXPECT_THAT(CompileFile(types + "CREATE TABLE moods (k shown PRIMARY KEY, n int)",
                          types + "CREATE TABLE moods (k shown PRIMARY KEY, n int)",
                          "  - {table: public.moods, copy: moods}\n"),
              testing::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("")));
  EXPECT_THAT(Told(),
              ElementsAre(HasSubstr("k of public.moods is of type public.shown, which has no = "
                                    "operator")));
  EXPECT_OK(CompileFile("SELECT 1",
                        "DROP TABLE moods; CREATE TABLE moods (k mood PRIMARY KEY, n int)",
                        "  - {table: public.moods, copy: moods}\n"));
}

// A TRUNCATE of it is told of its partitions, and changes are known by the outermost table.
TEST_F(FaultsTest, APartitionedTableWithinAnotherIsNotMappedAlone) {
  const std::string mapping = "  - {table: public.m_1, copy: m_1}\n";
  const std::string copied =
      "CREATE TABLE m_1 (day int PRIMARY KEY); CREATE TABLE m (day int "
      "PRIMARY KEY)";
  EXPECT_THAT(CompileFile("CREATE TABLE m (day int PRIMARY KEY) PARTITION BY RANGE (day);"
                          "CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM (1) TO (9) PARTITION "
                          "BY RANGE (day);"
                          "CREATE TABLE m_1a PARTITION OF m_1 FOR VALUES FROM (1) TO (5)",
                          copied, mapping),
              testing::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("")));
  EXPECT_THAT(Told(), ElementsAre(HasSubstr("public.m_1 is a partitioned table within another")));
  EXPECT_OK(CompileFile("SELECT 1", "SELECT 1", mapping + "  - {table: public.m, copy: m}\n"))
      << absl::StrJoin(Told(), "\n");
}

TEST_F(FaultsTest, TablesOfOneNameInTwoSchemasAskForAnAlias) {
  constexpr char kTwo[] =
      "CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE a.t (id int PRIMARY KEY);"
      "CREATE TABLE b.t (id int PRIMARY KEY)";
  constexpr char kTargets[] =
      "CREATE TABLE one (id int PRIMARY KEY); CREATE TABLE two (id int PRIMARY KEY)";
  EXPECT_THAT(CompileFile(kTwo, kTargets,
                          "  tables:\n  - {table: public.one, copy: a.t}\n"
                          "  - {table: public.two, copy: b.t}\n"),
              testing::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("")));
  EXPECT_THAT(Told(),
              ElementsAre(HasSubstr("a.t and b.t would both be t in the mapping's SQL: give "
                                    "one of them another name there, as in aliases: "
                                    "{b_t: b.t}")));
  EXPECT_OK(CompileFile("SELECT 1", "SELECT 1",
                        "  aliases: {b_t: b.t}\n  tables:\n  - {table: public.one, copy: a.t}\n"
                        "  - {table: public.two, copy: b_t}\n"))
      << absl::StrJoin(Told(), "\n");
}

// What the mapping says itself is not lost silently; nor is what an expression makes of a column.
TEST_F(FaultsTest, WhatTheMappingRoundsItselfIsMeant) {
  const absl::StatusOr<Plan> plan = CompileHere(
      "  - table: public.rounded\n    copy: prices\n    drop: [at, old]\n"
      "    set: {price: '\"price\"::numeric(12,2)', day: '\"at\"::date', amount: old::numeric}\n"
      "  - table: public.people\n    from: {orders: id}\n"
      "    select: SELECT id, round(sum(total)) AS age FROM orders GROUP BY id\n");
  EXPECT_OK(plan) << absl::StrJoin(Told(), "\n");
}

// OLD's types stand in the mirror under their names, and are others than NEW's.
TEST_F(FaultsTest, GivesTheCastToATypeOfTheSameName) {
  constexpr char kTypes[] =
      "CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE TYPE \"A pair\" AS (a int, b text);";
  const std::string columns = "(id int PRIMARY KEY, m mood, p \"A pair\", ms mood[])";
  const auto compile = [&](const std::string& values, const std::string& touched) {
    return CompileFile(
        absl::StrCat(kTypes, "CREATE TABLE t ", columns),
        absl::StrCat(kTypes, "CREATE TABLE u ", columns,
                     "; CREATE TABLE by_mood (m mood PRIMARY KEY, n bigint)"),
        absl::StrCat("  - table: public.u\n    from: {t: id}\n    select: SELECT DISTINCT ", values,
                     " FROM t\n  - table: public.by_mood\n    from: {t: \"", touched,
                     "\"}\n    select: SELECT m::text::public.mood AS m, count(*) AS n FROM t "
                     "GROUP BY 1\n"));
  };
  EXPECT_THAT(compile("id, m, p, ms", "m"),
              testing::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("")));
  const std::string told = absl::StrJoin(Told(), "\n");
  for (const char* hint :
       {"That is the source's own \"public\".\"mood\"; put ::text::public.mood behind what gives "
        "it",
        "put ::text::public.mood[] behind", "put ::text::public.\"A pair\" behind",
        "10:16: from.t of public.by_mood: column \"m\" is of type "}) {
    EXPECT_THAT(told, HasSubstr(hint));
  }
  SetUp();
  EXPECT_OK(
      compile("id, m::text::public.mood AS m, p::text::public.\"A pair\" AS p, "
              "ms::text::public.mood[] AS ms",
              "m::text::public.mood"));
  SetUp();  // another mismatch has no such hint
  EXPECT_THAT(compile("id, id AS m", "m::text::public.mood"),
              testing::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("type integer")));
  EXPECT_THAT(absl::StrJoin(Told(), "\n"), ::testing::Not(HasSubstr("source's own")));
}

TEST_F(FaultsTest, NamesThePlaceInTheFileOfASelect) {
  const std::string path = ::testing::TempDir() + "totals.sql";
  std::ofstream(path)
      << "-- Sums.\nSELECT o.id,\n       upper(o.\u00e9, o.totl) AS total\nFROM orders o;\n";
  EXPECT_THAT(CompileHere("  - {table: public.totals, from: {orders: id}, select: " + path + "}\n"),
              testing::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("o.\u00e9")));
  ASSERT_THAT(Told(), SizeIs(1));
  EXPECT_THAT(Told()[0], ::testing::StartsWith(path + ":3:14: select of public.totals: column o."));
}

INSTANTIATE_TEST_SUITE_P(EachWayToBeWrong, FaultsTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace switchyard::mapping
