// From OLD's commits to NEW's rows, through the real decoder, log events, batcher and target.
#include "absl/strings/str_cat.h"
#include "tests/support/captured_log.h"
#include "tests/support/replay_fixture.h"

namespace switchyard::replayer {
namespace {

using ::testing::HasSubstr;
using testing::IsOk;

class ReplayTest : public testing::ReplayFixture {
 protected:
  // What the replayer answers to `switchyard quarantine FILE retry`.
  std::string Retry() {
    EXPECT_OK(RetryQuarantine());
    return New("SELECT state, result FROM switchyard.request");
  }
};

constexpr char kTable[] = "CREATE TABLE t (id int PRIMARY KEY, v text, n int UNIQUE)";
constexpr char kCopyT[] = "  - {table: public.t, copy: t}\n";
constexpr char kAll[] = "SELECT * FROM t ORDER BY id";

TEST_F(ReplayTest, CopiesAndThenFollowsInsertsUpdatesAndDeletes) {
  ASSERT_OK(
      Start(kTable, kTable, kCopyT,
            "INSERT INTO t SELECT i, E'a\\tb\\\\\\n' || i, i FROM generate_series(1, 250) i"));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (1000, NULL, NULL), (1001, '', 7000); "));
  ASSERT_OK(OnOld("UPDATE t SET v = 'x' WHERE id % 7 = 0"));
  ASSERT_OK(OnOld("DELETE FROM t WHERE id % 5 = 0"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kAll), Old(kAll));
}

TEST_F(ReplayTest, SchemaStepsRunWhenTheCopyIsLoadedAndBeforeTheFirstChange) {
  options_.after_copy = {
      {"first.sql", "CREATE INDEX t_n ON t (n); CREATE TABLE counted AS SELECT count(*) FROM t"},
      {"second.sql",
       "ALTER TABLE t ADD CONSTRAINT positive CHECK (n > 0);"
       "CREATE TABLE shown AS SELECT current_setting('application_name') AS name"}};
  ASSERT_OK(Start(kTable, kTable, kCopyT,
                  "INSERT INTO t SELECT i, 'v', i FROM generate_series(1, 250) i"));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (1000, 'later', 1000)"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kAll), Old(kAll));
  EXPECT_EQ(New("SELECT count FROM counted"), "250");
  EXPECT_EQ(New("SELECT count(*) FROM pg_class WHERE relname = 't_n'"), "1");
  EXPECT_EQ(New("SELECT count(*) FROM pg_constraint WHERE conname = 'positive'"), "1");
  // What `status` shows while it runs.
  EXPECT_EQ(New("SELECT name FROM shown"), "switchyard step 2 of 2 after_copy second.sql");
}

// Promise 2: unique values may change hands inside one transaction or one batch.
TEST_F(ReplayTest, UniqueValuesMayBeHandedFromRowToRow) {
  ASSERT_OK(Start(kTable, kTable, kCopyT,
                  "INSERT INTO t SELECT i, 'r', i FROM generate_series(1, 50) i"));
  ASSERT_OK(
      OnOld("BEGIN; UPDATE t SET n = -1 WHERE id = 1; UPDATE t SET n = 1 WHERE id = 2; "
            "UPDATE t SET n = 2 WHERE id = 1; COMMIT"));
  ASSERT_OK(OnOld("BEGIN; UPDATE t SET n = -n; UPDATE t SET n = 51 + n; COMMIT"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kAll), Old(kAll));
}

TEST_F(ReplayTest, PrimaryKeysMayMoveSwapAndComeBack) {
  ASSERT_OK(Start(kTable, kTable, kCopyT,
                  "INSERT INTO t SELECT i, 'r' || i, i FROM generate_series(1, 20) i"));
  ASSERT_OK(
      OnOld("BEGIN; UPDATE t SET id = 100 WHERE id = 1; UPDATE t SET id = 1 WHERE id = 2; "
            "UPDATE t SET id = 2 WHERE id = 100; COMMIT"));
  ASSERT_OK(OnOld("UPDATE t SET id = 200 WHERE id = 3"));
  ASSERT_OK(
      OnOld("BEGIN; DELETE FROM t WHERE id = 4; INSERT INTO t VALUES (4, 'again', 4); "
            "DELETE FROM t WHERE id = 4; INSERT INTO t VALUES (4, 'once more', 5000); COMMIT"));
  ASSERT_OK(
      OnOld("BEGIN; INSERT INTO t VALUES (300, 'gone', 300); UPDATE t SET id = 301 WHERE id = 300; "
            "DELETE FROM t WHERE id = 301; COMMIT"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kAll), Old(kAll));
}

TEST_F(ReplayTest, PrimaryKeysOfAMirroredTableMayMoveIntoEachOthersPlaces) {
  ASSERT_OK(Start(kTable, kTable,
                  "  - table: public.t\n"
                  "    from: {t: id}\n"
                  "    select: SELECT id, max(v) AS v, max(n) AS n FROM t GROUP BY id\n",
                  "INSERT INTO t SELECT i, 'r' || i, i FROM generate_series(1, 20) i"));
  ASSERT_OK(
      OnOld("BEGIN; UPDATE t SET id = 100 WHERE id = 1; UPDATE t SET id = 1 WHERE id = 2;"
            "UPDATE t SET id = 2 WHERE id = 3; UPDATE t SET id = 3 WHERE id = 4;"
            "UPDATE t SET id = 4 WHERE id = 100; DELETE FROM t WHERE id = 5;"
            "UPDATE t SET id = 5, v = 'moved' WHERE id = 6; COMMIT"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kAll), Old(kAll));
}

TEST_F(ReplayTest, AnUnchangedToastedValueIsLeftAlone) {
  ASSERT_OK(Start("CREATE TABLE t (id int PRIMARY KEY, big text, n int)",
                  "CREATE TABLE t (id int PRIMARY KEY, big text, n int)", kCopyT,
                  "ALTER TABLE t ALTER big SET STORAGE EXTERNAL; "
                  "INSERT INTO t SELECT i, repeat(i::text, 5000), 0 FROM generate_series(1, 5) i"));
  ASSERT_OK(OnOld("UPDATE t SET n = 1 WHERE id = 1"));
  ASSERT_OK(
      OnOld("BEGIN; UPDATE t SET big = repeat('y', 9000) WHERE id = 2; "
            "UPDATE t SET n = 2 WHERE id = 2; UPDATE t SET id = 20 WHERE id = 3; COMMIT"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kAll), Old(kAll));
}

TEST_F(ReplayTest, AKeyMayBeStoredOutOfLine) {
  constexpr char kLongKey[] = "CREATE TABLE t (id text PRIMARY KEY, v text, n int UNIQUE)";
  ASSERT_OK(Start(kLongKey, kLongKey, kCopyT,
                  "ALTER TABLE t ALTER id SET STORAGE EXTERNAL;"
                  "INSERT INTO t SELECT i || repeat('k', 2600), 'r', i "
                  "FROM generate_series(1, 5) i"));
  ASSERT_OK(
      OnOld("BEGIN; UPDATE t SET v = 'one' WHERE n = 1; UPDATE t SET v = 'two' WHERE n = 2; "
            "UPDATE t SET v = 'more' WHERE n = 1; COMMIT"));
  ASSERT_OK(
      OnOld("BEGIN; UPDATE t SET v = 'three' WHERE n = 3; UPDATE t SET id = 'short' WHERE n = 3; "
            "UPDATE t SET v = 'gone' WHERE n = 4; DELETE FROM t WHERE n = 4; COMMIT"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kAll), Old(kAll));
}

TEST_F(ReplayTest, TruncateEmptiesTheTableAndWhatComesAfterStays) {
  ASSERT_OK(Start(kTable, kTable, kCopyT,
                  "INSERT INTO t SELECT i, 'r', i FROM generate_series(1, 50) i"));
  ASSERT_OK(
      OnOld("BEGIN; UPDATE t SET v = 'x'; TRUNCATE t; INSERT INTO t VALUES (7, 'new', 7); COMMIT"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kAll), "7|new|7");
}

// Promise 3.
TEST_F(ReplayTest, AnEpochThatRepublishesChangesNothingTwice) {
  ASSERT_OK(Start(kTable, kTable, kCopyT));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (1, 'a', 1)"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(capture_->NewEpoch());
  ASSERT_OK(OnOld("UPDATE t SET v = v || 'b'"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(capture_->NewEpoch());
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kAll), "1|ab|1");
}

TEST_F(ReplayTest, ATransactionLargerThanABatchPassesInChunksAndIsNeverHalfVisible) {
  options_.batch_rows_max = 100;
  ASSERT_OK(Start(kTable, kTable, kCopyT));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (-1, 'before', -1)"));
  ASSERT_OK(
      OnOld("BEGIN; INSERT INTO t SELECT i, 'r', i FROM generate_series(1, 2500) i; "
            "UPDATE t SET v = 'x' WHERE id % 2 = 0; DELETE FROM t WHERE id % 3 = 0; COMMIT"));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (5000, 'after', 5000)"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kAll), Old(kAll));
}

// Promise 1: a row that NEW refuses waits in quarantine, the rest goes on.
TEST_F(ReplayTest, ARefusedRowGoesToQuarantineAndItsLaterChangesFoldIntoIt) {
  ASSERT_OK(Start(kTable, "CREATE TABLE t (id int PRIMARY KEY, v text CHECK (v <> 'bad'), n int)",
                  kCopyT));
  ASSERT_OK(OnOld("INSERT INTO t SELECT i, 'r', i FROM generate_series(1, 40) i"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnOld("INSERT INTO t VALUES (100, 'bad', 100)"));
  ASSERT_OK(OnOld("UPDATE t SET v = 'bad' WHERE id = 7"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT scope->>'id', operation, sqlstate FROM switchyard.quarantine ORDER BY 1"),
            "100|insert|23514\n7|update|23514");
  EXPECT_EQ(New("SELECT count(*) FROM t"), "40");
  ASSERT_OK(OnOld("UPDATE t SET n = 101 WHERE id = 100"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT image->>'n' FROM switchyard.quarantine WHERE scope->>'id' = '100'"), "101");
  // The next good state heals both.
  ASSERT_OK(OnOld("UPDATE t SET v = 'good' WHERE v = 'bad'"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "0");
  EXPECT_EQ(New(kAll), Old(kAll));
}

TEST_F(ReplayTest, AQuarantinedRowThatIsDeletedOnTheSourceLeavesNothing) {
  ASSERT_OK(Start(kTable, "CREATE TABLE t (id int PRIMARY KEY, v text CHECK (v <> 'bad'), n int)",
                  kCopyT, "INSERT INTO t VALUES (1, 'ok', 1)"));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (2, 'bad', 2); UPDATE t SET v = 'bad' WHERE id = 1"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnOld("DELETE FROM t"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "0");
  EXPECT_EQ(New("SELECT count(*) FROM t"), "0");
}

// The old application's two tables of people become one, merged by e-mail.
constexpr char kPeopleOld[] =
    "CREATE TABLE owners (id int PRIMARY KEY, email text, name text); "
    "CREATE TABLE customers (id int PRIMARY KEY, email text, name text); "
    "CREATE TABLE bookings (id int PRIMARY KEY, customer int, what text)";
constexpr char kPeopleNew[] =
    "CREATE TABLE users (email text PRIMARY KEY, name text, roles text UNIQUE); "
    "CREATE TABLE new_bookings (id int PRIMARY KEY, email text, roles text, what text); "
    "CREATE INDEX ON new_bookings (email)";
constexpr char kPeople[] = R"(
  - table: public.users
    scope: email
    from: {owners: lower(email), customers: lower(email)}
    select: |
      SELECT email, (array_agg(name ORDER BY rank, id))[1] AS name,
             string_agg(DISTINCT kind || id, ',' ORDER BY kind || id) AS roles
      FROM (SELECT lower(email) AS email, name, 1 AS rank, id, 'o' AS kind FROM owners
            UNION ALL
            SELECT lower(email), name, 2, id, 'c' FROM customers) people
      GROUP BY email
  - table: public.new_bookings
    from:
      bookings: id
      customers: SELECT b.id FROM bookings b WHERE b.customer = customers.id
      public.users: |
        SELECT b.id FROM customers c JOIN bookings b ON b.customer = c.id
        WHERE lower(c.email) = users.email
    select: |
      SELECT b.id, u.email, u.roles, b.what
      FROM bookings b
      LEFT JOIN customers c ON c.id = b.customer
      LEFT JOIN public.users u ON u.email = lower(c.email)
)";
constexpr char kUsers[] = "SELECT email, name, roles FROM users ORDER BY email";
constexpr char kBookings[] = "SELECT id, email, roles, what FROM new_bookings ORDER BY id";

TEST_F(ReplayTest, PeopleMergeSplitAndRenameAndTheirBookingsFollow) {
  ASSERT_OK(Start(kPeopleOld, kPeopleNew, kPeople,
                  "INSERT INTO owners VALUES (1, 'A@x', 'Ann'), (2, 'b@x', 'Bob'); "
                  "INSERT INTO customers VALUES (1, 'a@x', 'Anna'), (2, 'c@x', 'Cy'); "
                  "INSERT INTO bookings VALUES (1, 1, 'one'), (2, 2, 'two'), (3, NULL, 'guest')"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kUsers), "a@x|Ann|c1,o1\nb@x|Bob|o2\nc@x|Cy|c2");
  EXPECT_EQ(New(kBookings), "1|a@x|c1,o1|one\n2|c@x|c2|two\n3|NULL|NULL|guest");
  ASSERT_OK(OnOld("UPDATE customers SET email = 'B@X' WHERE id = 2"));  // merges with Bob
  ASSERT_OK(OnOld("UPDATE owners SET email = 'new@x' WHERE id = 1"));   // splits from Anna
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kUsers), "a@x|Anna|c1\nb@x|Bob|c2,o2\nnew@x|Ann|o1");
  EXPECT_EQ(New(kBookings), "1|a@x|c1|one\n2|b@x|c2,o2|two\n3|NULL|NULL|guest");
  // Two people swap addresses in one transaction, so two unique values change hands.
  ASSERT_OK(OnOld(
      "BEGIN; UPDATE customers SET email = CASE id WHEN 1 THEN 'b@x' ELSE 'a@x' END; COMMIT"));
  ASSERT_OK(
      OnOld("DELETE FROM owners WHERE id = 2; UPDATE bookings SET customer = 1 WHERE id = 3"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kUsers), "a@x|Cy|c2\nb@x|Anna|c1\nnew@x|Ann|o1");
  EXPECT_EQ(New(kBookings), "1|b@x|c1|one\n2|a@x|c2|two\n3|b@x|c1|guest");
  ASSERT_OK(OnOld("TRUNCATE customers"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kUsers), "new@x|Ann|o1");
  EXPECT_EQ(New(kBookings), "1|NULL|NULL|one\n2|NULL|NULL|two\n3|NULL|NULL|guest");
}

TEST_F(ReplayTest, AScopeThatCanNotBeRecomputedWaitsAndHealsByItself) {
  ASSERT_OK(Start(
      kPeopleOld,
      "CREATE TABLE users (email text PRIMARY KEY, name text CHECK (name <> 'bad'), roles text); "
      "CREATE TABLE new_bookings (id int PRIMARY KEY, email text, roles text, what text)",
      kPeople, "INSERT INTO owners SELECT i, i || '@x', 'n' FROM generate_series(1, 30) i"));
  ASSERT_OK(OnOld("UPDATE owners SET name = CASE WHEN id = 17 THEN 'bad' ELSE 'm' END"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT target, scope, operation FROM switchyard.quarantine"),
            "public.users|{\"email\": \"17@x\"}|recompute");
  EXPECT_EQ(New("SELECT name, count(*) FROM users GROUP BY 1 ORDER BY 1"), "m|29\nn|1");
  ASSERT_OK(OnOld("UPDATE owners SET name = 'fine' WHERE id = 17"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "0");
  EXPECT_EQ(New("SELECT name FROM users WHERE email = '17@x'"), "fine");
}

TEST_F(ReplayTest, QuarantineRetryAppliesWhatTheTargetTakesNow) {
  ASSERT_OK(Start(
      kTable,
      "CREATE TABLE t (id int PRIMARY KEY, v text, n int, CONSTRAINT nice CHECK (v <> 'bad'))",
      kCopyT));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (1, 'bad', 1), (2, 'ok', 2)"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnNew("ALTER TABLE t DROP CONSTRAINT nice"));
  EXPECT_EQ(Retry(), "done|1 applied, 0 left");
  EXPECT_EQ(New(kAll), Old(kAll));
}

// Promise 2: what an entry brings into a table reaches the mappings that read it.
TEST_F(ReplayTest, ARetriedScopeFeedsTheMappingsThatReadItsTable) {
  ASSERT_OK(Start(kPeopleOld,
                  "CREATE TABLE users (email text PRIMARY KEY, name text CONSTRAINT nice CHECK "
                  "(name <> 'bad'), roles text); CREATE TABLE new_bookings (id int PRIMARY KEY, "
                  "email text, roles text, what text)",
                  kPeople));
  ASSERT_OK(
      OnOld("BEGIN; INSERT INTO customers VALUES (1, 'a@x', 'bad'), (2, 'b@x', 'fine');"
            "INSERT INTO bookings VALUES (1, 1, 'one'), (2, 2, 'two'); COMMIT"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT scope ->> 'email' FROM switchyard.quarantine"), "a@x");
  EXPECT_EQ(New(kBookings), "1|NULL|NULL|one\n2|b@x|c2|two");
  ASSERT_OK(OnNew("ALTER TABLE users DROP CONSTRAINT nice"));
  EXPECT_EQ(Retry(), "done|1 applied, 0 left");
  EXPECT_EQ(New(kUsers), "a@x|bad|c1\nb@x|fine|c2");
  EXPECT_EQ(New(kBookings), "1|a@x|c1|one\n2|b@x|c2|two");
}

TEST_F(ReplayTest, ARetriedRowFeedsTheMappingsThatReadItsTable) {
  ASSERT_OK(Start(
      "CREATE TABLE kinds (id int PRIMARY KEY, name text); CREATE TABLE t (id int PRIMARY KEY, "
      "kind int)",
      "CREATE TABLE kinds (id int PRIMARY KEY, name text CONSTRAINT nice CHECK (name <> 'bad')); "
      "CREATE TABLE t (id int PRIMARY KEY, kind text)",
      "  - {table: public.kinds, copy: kinds}\n"
      "  - table: public.t\n    from:\n      t: id\n"
      "      public.kinds: SELECT t.id FROM t WHERE t.kind = kinds.id\n"
      "    select: |\n"
      "      SELECT t.id, k.name AS kind FROM t LEFT JOIN public.kinds k ON k.id = t.kind\n",
      "INSERT INTO kinds VALUES (1, 'one'); INSERT INTO t VALUES (1, 1), (2, 2), (7, 7)"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnOld("UPDATE kinds SET id = 7, name = 'bad' WHERE id = 1"));
  ASSERT_OK(OnOld("INSERT INTO kinds VALUES (2, 'bad')"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "2");
  EXPECT_EQ(New(kAll), "1|one\n2|NULL\n7|NULL");
  ASSERT_OK(OnNew("ALTER TABLE kinds DROP CONSTRAINT nice"));
  // Folding the next change in moves the row away from the key that it still had here.
  ASSERT_OK(OnOld("UPDATE kinds SET name = 'seven' WHERE id = 7"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kAll), "1|NULL\n2|NULL\n7|seven");
  EXPECT_EQ(Retry(), "done|1 applied, 0 left");
  EXPECT_EQ(New(kAll), "1|NULL\n2|bad\n7|seven");
}

// Promise 1: their keys are alike, and an entry of one is none of the other's business.
TEST_F(ReplayTest, MappingsThatShareATableHaveTheirEntriesApart) {
  ASSERT_OK(Start(
      "CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, v text)",
      "CREATE TABLE t (kind text, id int, v text CONSTRAINT nice CHECK (v <> 'bad'), "
      "PRIMARY KEY (kind, id))",
      "  - {table: public.t, copy: a, set: {kind: \"'a'\"}, owns: \"kind = 'a'\"}\n"
      "  - {table: public.t, copy: b, set: {kind: \"'b'\"}, owns: \"kind = 'b'\"}\n",
      "INSERT INTO a VALUES (1, 'one'), (2, 'two')"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnOld("INSERT INTO b VALUES (1, 'bad')"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnOld("UPDATE a SET v = 'changed' WHERE id = 1; DELETE FROM a WHERE id = 2"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT kind, id, v FROM t ORDER BY 1, 2"), "a|1|changed");
  EXPECT_EQ(New("SELECT target, scope, image ->> 'v' FROM switchyard.quarantine"),
            "public.t where kind = 'b'|{\"id\": \"1\"}|bad");
  ASSERT_OK(OnOld("TRUNCATE a; INSERT INTO a VALUES (3, 'three')"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "1");
  ASSERT_OK(OnNew("ALTER TABLE t DROP CONSTRAINT nice"));
  EXPECT_EQ(Retry(), "done|1 applied, 0 left");
  EXPECT_EQ(New("SELECT kind, id, v FROM t ORDER BY 1, 2"), "a|3|three\nb|1|bad");
}

// They hold back what NEW may forget, and nobody else can vacuum them.
TEST_F(ReplayTest, ItsTemporaryTablesStayYoung) {
  constexpr char kTable[] = "CREATE TABLE t (id int PRIMARY KEY)";
  options_.target.temporary_age_max = 200;
  options_.look_interval = absl::Milliseconds(10);
  ASSERT_OK(Start(kTable, kTable, "  - {table: public.t, copy: t}\n"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(
      OnNew("DO $$ BEGIN FOR i IN 1..2000 LOOP PERFORM txid_current(); COMMIT; END LOOP; END $$"));
  ASSERT_OK(
      AwaitNew("SELECT count(*) > 0 AND max(age(relfrozenxid)) < 400 FROM pg_class "
               "WHERE relpersistence = 't' AND relfrozenxid <> '0'",
               "t"));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (1)"));  // and they are of use still
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT * FROM t"), "1");
}

// Design: the other tables do not wait, and the table is swapped in as one difference.
TEST_F(ReplayTest, ARecopyMendsATableAndWhatIsDerivedFromItWhileTheStreamGoesOn) {
  ASSERT_OK(
      Start(kPeopleOld, kPeopleNew, kPeople,
            "INSERT INTO customers SELECT i, i || '@x', 'n' || i FROM generate_series(1, 300) i; "
            "INSERT INTO bookings SELECT i, i, 'w' FROM generate_series(1, 300) i"));
  ASSERT_OK(CatchUp());
  // Damage that no event tells of.
  may_miss_rows_ = true;
  ASSERT_OK(
      OnNew("UPDATE switchyard_old.customers SET name = 'lost' WHERE id = 5; "
            "DELETE FROM switchyard_old.customers WHERE id = 6; "
            "UPDATE users SET name = 'lost' WHERE email = '5@x'"));
  ASSERT_OK(
      OnNew("INSERT INTO switchyard.request (stream, kind, argument, epoch, lsn, log_offset) "
            "SELECT name, 'recopy', 'public.customers', epoch, lsn, log_offset "
            "FROM switchyard.stream"));
  ASSERT_OK(OnOld("UPDATE customers SET name = 'before' WHERE id = 7"));
  ASSERT_OK(capture_->Recopy("customers"));
  ASSERT_OK(
      OnOld("UPDATE customers SET name = 'after' WHERE id = 8; DELETE FROM customers WHERE id = 9; "
            "INSERT INTO customers VALUES (1000, '1000@x', 'new')"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(AwaitNew("SELECT state <> 'open' FROM switchyard.request", "t"));
  EXPECT_THAT(New("SELECT state || ' ' || result FROM switchyard.request"),
              HasSubstr("done swapped"));
  EXPECT_EQ(New("SELECT id, email, name FROM switchyard_old.customers ORDER BY id"),
            Old("SELECT id, email, name FROM customers ORDER BY id"));
  EXPECT_EQ(New("SELECT email, name FROM users ORDER BY email"),
            Old("SELECT email, name FROM customers ORDER BY email"));
  ASSERT_OK(OnOld("UPDATE customers SET name = 'goes on' WHERE id = 10"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT name FROM users WHERE email = '10@x'"), "goes on");
}

TEST_F(ReplayTest, KeysThatAreEqualButNotIdenticalAreOneRow) {
  constexpr char kNumeric[] = "CREATE TABLE t (id numeric PRIMARY KEY, v text, n int)";
  ASSERT_OK(Start(kNumeric, kNumeric, kCopyT, "INSERT INTO t VALUES (1.0, 'a', 1)"));
  ASSERT_OK(
      OnOld("BEGIN; UPDATE t SET id = 1.00, v = 'b'; UPDATE t SET v = 'c' WHERE id = 1; "
            "DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1.000, 'd', 4); COMMIT"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New(kAll), Old(kAll));
}

TEST_F(ReplayTest, NamesOfObjectsThatOnlyOldHasArrive) {
  ASSERT_OK(Start(
      "CREATE TABLE only_old (a int); CREATE DOMAIN named AS regclass; CREATE TYPE pair AS "
      "(a regclass, b int); CREATE TABLE t (id int PRIMARY KEY, rc regclass, rt regtype, many "
      "regclass[], dom named, two pair); CREATE TABLE by_name (rc regclass PRIMARY KEY, v int)",
      "CREATE TABLE t (id int PRIMARY KEY, rc text, rt regtype, many text[], dom text, two text); "
      "CREATE TABLE k (id int PRIMARY KEY, rc text); "
      "CREATE TABLE by_name (rc text PRIMARY KEY, v int)",
      "  - {table: public.t, copy: t, set: {rc: \"rc::text\", many: \"many::text[]\", dom: "
      "\"dom::text\", two: \"two::text\"}}\n"
      "  - {table: public.by_name, copy: by_name, set: {rc: \"rc::text\"}}\n"
      "  - table: public.k\n    from: {t: id}\n    select: SELECT t.id, t.rc::text AS rc FROM t "
      "JOIN t b USING (id)\n",
      "INSERT INTO t VALUES (1, 'only_old', 'int', '{only_old,pg_class}', 'only_old', "
      "'(only_old,1)'); INSERT INTO by_name VALUES ('only_old', 1)"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnOld(
      "INSERT INTO t VALUES (2, 'only_old', 'text', '{only_old}', 'only_old', "
      "'(only_old,2)'), (3, 'pg_class', 'int[]', NULL, NULL, NULL); UPDATE by_name SET v = 2; "
      "INSERT INTO by_name VALUES ('pg_class', 3)"));
  ASSERT_OK(CatchUp());
  for (const char* sql : {"SELECT id, rc::text, rt, many::text[], dom::text, two::text FROM t "
                          "ORDER BY id",
                          "SELECT rc::text, v FROM by_name ORDER BY v"}) {
    EXPECT_EQ(New(sql), Old(sql));
  }
  EXPECT_EQ(New("SELECT id, rc FROM k ORDER BY id"), Old("SELECT id, rc::text FROM t ORDER BY id"));
}

// Where NEW keeps such names as they are, it is the row that does not fit.
TEST_F(ReplayTest, ANameOfNothingThatNewHasIsARefusedRow) {
  constexpr char kNames[] =
      "CREATE SCHEMA s; CREATE TABLE t (id int PRIMARY KEY, rc regclass, rt regtype, rp regproc, "
      "many regclass[])";
  const testing::CapturedLog said;
  ASSERT_OK(Start(absl::StrCat(kNames, "; CREATE TABLE s.only_old (a int)"), kNames, kCopyT,
                  "INSERT INTO t VALUES (1, 'pg_class'), (2, 's.only_old');"
                  "INSERT INTO t (id, rc, many) VALUES (8, '-', '{-,pg_class}')"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT id, rc, many FROM t ORDER BY id"), "1|pg_class|NULL\n8|-|{-,pg_class}");
  ASSERT_OK(OnOld(
      "BEGIN; INSERT INTO t VALUES (3, 's.only_old'), (4, 'pg_type'); INSERT INTO t (id, rt) "
      "VALUES (5, 's.only_old'); CREATE FUNCTION s.f() RETURNS int LANGUAGE sql RETURN 1; "
      "INSERT INTO t (id, rp) VALUES (6, 's.f'), (7, 'now'); INSERT INTO t (id, rc, many) VALUES "
      "(9, '-', '{pg_type,-}'); UPDATE t SET many = '{-}' WHERE id = 8; COMMIT"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT string_agg(id::text, ' ' ORDER BY id) FROM t"), "1 4 7 8 9");
  EXPECT_EQ(New("SELECT rc, many FROM t WHERE id > 7 ORDER BY id"), "-|{-}\n-|{pg_type,-}");
  EXPECT_TRUE(said.Has("names nothing in this database (SQLSTATE 42P01)"));
  EXPECT_FALSE(said.Has("only_old"));  // it is a value
  EXPECT_EQ(New("SELECT string_agg(scope ->> 'id', ' ' ORDER BY scope) FROM switchyard.quarantine"),
            "2 3 5 6");
  ASSERT_OK(OnNew("CREATE TABLE s.only_old (a int)"));
  // What is no number is not all of them.
  ASSERT_OK(
      OnNew("INSERT INTO switchyard.request (stream, kind, argument) SELECT name, "
            "'quarantine_retry', '3, 5' FROM switchyard.stream"));
  ASSERT_OK(
      AwaitNew("SELECT state || ' ' || result FROM switchyard.request",
               "failed \"3, 5\" is no number of an entry; next: see: switchyard quarantine FILE "
               "list"));
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "4");
  ASSERT_OK(RetryQuarantine());
  EXPECT_EQ(New("SELECT string_agg(id::text, ' ' ORDER BY id) FROM t"), "1 2 3 4 5 7 8 9");
}

// An entry is jsonb, which holds 256 MB; here its table plays that it is full.
TEST_F(ReplayTest, ARefusedRowTooLargeForTheQuarantineSaysWhatToMend) {
  ASSERT_OK(Start("CREATE TABLE t (id int PRIMARY KEY, v text, n int)",
                  "CREATE TABLE t (id int PRIMARY KEY, v text, n int CHECK (n < 100))", kCopyT));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnNew(
      "CREATE FUNCTION full_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
      "'total size of jsonb object elements exceeds the maximum' USING ERRCODE = '54000'; "
      "END $$; CREATE TRIGGER full_up BEFORE INSERT ON switchyard.quarantine FOR EACH ROW "
      "EXECUTE FUNCTION full_up(); ALTER TABLE switchyard.quarantine ENABLE ALWAYS TRIGGER "
      "full_up"));
  ASSERT_OK(OnOld("INSERT INTO t VALUES (1, 'large', 100)"));
  ASSERT_OK(capture_->Pump());
  ASSERT_OK(AwaitState("stopped"));
  const std::string why = New("SELECT stop_reason FROM switchyard.stream");
  EXPECT_THAT(why, HasSubstr("public.t refuses a row"));
  EXPECT_THAT(why, HasSubstr("too large to wait in quarantine"));
  ASSERT_OK(OnNew("ALTER TABLE t DROP CONSTRAINT t_n_check"));
  ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_OK(StartReplayer());
  ASSERT_OK(AwaitState("streaming"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(New("SELECT id FROM t"), "1");
}

}  // namespace
}  // namespace switchyard::replayer
