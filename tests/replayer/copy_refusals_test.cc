// Rows that NEW refuses in the initial copy wait in quarantine, as those of the stream do.
#include "tests/support/replay_fixture.h"

namespace switchyard::replayer {
namespace {

using ::testing::HasSubstr;

class CopyRefusalsTest : public testing::ReplayFixture {
 protected:
  std::string Entries() {
    return New(
        "SELECT scope ->> 'id', operation, sqlstate FROM switchyard.quarantine "
        "ORDER BY (scope ->> 'id')::int");
  }
};

constexpr char kNotes[] = "CREATE TABLE notes (id int PRIMARY KEY, body text)";
constexpr char kShortNotes[] =
    "CREATE TABLE notes (id int PRIMARY KEY, body varchar(10) NOT NULL CHECK (body <> 'bad'))";
constexpr char kCopyOfNotes[] = "  - {table: public.notes, copy: notes}\n";
constexpr char kDirty[] =
    "INSERT INTO notes SELECT i, 'n' || i FROM generate_series(1, 1000) i;"
    "UPDATE notes SET body = repeat('x', 11) WHERE id = 7;"
    "UPDATE notes SET body = NULL WHERE id = 500;"
    "UPDATE notes SET body = 'bad' WHERE id = 999";

TEST_F(CopyRefusalsTest, RowsOfARawCopyAreParkedAndGoOnceTheyAreMended) {
  ASSERT_OK(Start(kNotes, kShortNotes, kCopyOfNotes, kDirty));
  ASSERT_OK(AwaitState("streaming"));
  EXPECT_EQ(Entries(), "7|insert|22001\n500|insert|23502\n999|insert|23514");
  EXPECT_EQ(New("SELECT count(*), count(DISTINCT id) FROM notes"), "997|997");
  EXPECT_EQ(New("SELECT q.lsn = c.lsn FROM switchyard.quarantine q, switchyard.copy c LIMIT 1"),
            "t");
  EXPECT_EQ(New("SELECT image ->> 'body' FROM switchyard.quarantine WHERE sqlstate = '22001'"),
            "xxxxxxxxxxx");
  ASSERT_OK(
      OnOld("UPDATE notes SET body = 'fine' WHERE id IN (7, 500); "
            "DELETE FROM notes WHERE id = 999"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(Entries(), "");
  EXPECT_EQ(New("SELECT count(*), count(*) FILTER (WHERE body = 'fine') FROM notes"), "999|2");
}

// By way of a load table, for one column is none of the source's.
TEST_F(CopyRefusalsTest, SoAreThoseOfATableThatIsLoadedByAnInsert) {
  ASSERT_OK(Start(kNotes,
                  "CREATE TABLE notes (id int PRIMARY KEY, kind text, body text CONSTRAINT short "
                  "CHECK (length(body) < 8))",
                  "  - {table: public.notes, copy: notes, set: {kind: \"'k'\"}}\n",
                  "INSERT INTO notes VALUES (1, 'one'), (2, 'much too long'), (3, 'three')"));
  ASSERT_OK(AwaitState("streaming"));
  EXPECT_EQ(Entries(), "2|insert|23514");
  EXPECT_EQ(New("SELECT id, kind, body FROM notes ORDER BY id"), "1|k|one\n3|k|three");
  ASSERT_OK(OnNew("ALTER TABLE notes DROP CONSTRAINT short"));
  ASSERT_OK(RetryQuarantine());
  EXPECT_EQ(Entries(), "");
  EXPECT_EQ(New("SELECT body FROM notes WHERE id = 2"), "much too long");
}

TEST_F(CopyRefusalsTest, ScopesOfADerivedTableAreParked) {
  ASSERT_OK(Start(
      kNotes, "CREATE TABLE lengths (id int PRIMARY KEY, n int CHECK (n < 11))",
      "  - {table: public.lengths, from: {notes: id}, select: \"SELECT id, length(body) AS n FROM "
      "notes\"}\n",
      kDirty));
  ASSERT_OK(AwaitState("streaming"));
  EXPECT_EQ(Entries(), "7|recompute|23514");
  EXPECT_EQ(New("SELECT count(*) FROM lengths"), "999");
  ASSERT_OK(OnOld("UPDATE notes SET body = 'fine' WHERE id = 7"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(Entries(), "");
  EXPECT_EQ(New("SELECT n FROM lengths WHERE id = 7"), "4");
}

TEST_F(CopyRefusalsTest, WhereForeignKeysHoldAChildWithoutAParentIsParked) {
  options_.target.replica_role = false;
  constexpr char kTables[] =
      "CREATE TABLE customers (id int PRIMARY KEY); CREATE TABLE bookings (id int PRIMARY KEY, "
      "customer int)";
  ASSERT_OK(Start(kTables,
                  absl::StrCat(kTables,
                               "; ALTER TABLE bookings ADD FOREIGN KEY (customer) REFERENCES "
                               "customers"),
                  "  - {table: public.customers, copy: customers}\n"
                  "  - {table: public.bookings, copy: bookings}\n",
                  "INSERT INTO customers VALUES (1); INSERT INTO bookings VALUES (10, 1), (11, 2), "
                  "(12, NULL)"));
  ASSERT_OK(AwaitState("streaming"));
  EXPECT_EQ(Entries(), "11|insert|23503");
  EXPECT_EQ(New("SELECT id FROM bookings ORDER BY id"), "10\n12");
  ASSERT_OK(
      OnOld("BEGIN; INSERT INTO customers VALUES (2); UPDATE bookings SET customer = 2 WHERE "
            "id = 11; COMMIT"));
  ASSERT_OK(CatchUp());
  EXPECT_EQ(Entries(), "");
  EXPECT_EQ(New("SELECT count(*) FROM bookings WHERE customer = 2"), "1");
}

TEST_F(CopyRefusalsTest, TheLimitHolds) {
  options_.target.quarantine_max = 2;
  ASSERT_OK(Start(kNotes, kShortNotes, kCopyOfNotes, kDirty));
  ASSERT_OK(AwaitState("stopped"));
  EXPECT_THAT(New("SELECT stop_reason FROM switchyard.stream"),
              HasSubstr("3 rows would be in quarantine, the limit is 2"));
}

// A row of no scope is recomputed by nothing: it must not be left out without a word.
TEST_F(CopyRefusalsTest, ARowOfNoScopeStopsAndSaysSo) {
  ASSERT_OK(Start("CREATE TABLE orders (id int PRIMARY KEY, email text)",
                  "CREATE TABLE totals (email text PRIMARY KEY, n int)",
                  "  - {table: public.totals, from: {orders: email}, select: \"SELECT email, "
                  "count(*)::int AS n FROM orders GROUP BY email\"}\n",
                  "INSERT INTO orders VALUES (1, 'a'), (2, NULL)"));
  ASSERT_OK(AwaitState("stopped"));
  EXPECT_THAT(New("SELECT stop_reason FROM switchyard.stream"),
              HasSubstr("gives 1 rows whose scope (email) is NULL"));
}

// A scope that can't be written down is no row that could be put aside.
TEST_F(CopyRefusalsTest, AScopeThatNewsColumnCanNotHoldIsNamedWithTheWayOut) {
  constexpr char kByBody[] =
      "  - table: public.bodies\n    scope: body\n    from: {notes: body}\n"
      "    select: SELECT body, count(*) AS n FROM notes WHERE body IS NOT NULL GROUP BY "
      "body\n";
  constexpr char kBodies[] = "CREATE TABLE bodies (body varchar(10) PRIMARY KEY, n bigint)";
  constexpr char kWider[] = "ALTER TABLE bodies ALTER body TYPE text";
  const auto expect_stop = [&] {
    ASSERT_OK(AwaitState("stopped"));
    EXPECT_THAT(New("SELECT stop_reason FROM switchyard.stream"),
                ::testing::AllOf(
                    HasSubstr("public.bodies: a row touches a scope (body) that NEW's column can't "
                              "hold: value too long"),
                    HasSubstr("next: give body in NEW a type that holds")));
    EXPECT_EQ(StopReplayer().code(), absl::StatusCode::kFailedPrecondition);
    ASSERT_OK(OnNew(kWider));
    ASSERT_OK(StartReplayer());
    ASSERT_OK(AwaitState("streaming"));
    ASSERT_OK(CatchUp());
    EXPECT_EQ(New("SELECT body, n FROM bodies ORDER BY 1"),
              Old("SELECT body, count(*) FROM notes GROUP BY 1 ORDER BY 1"));
  };
  ASSERT_OK(Start(kNotes, kBodies, kByBody,
                  "INSERT INTO notes VALUES (1, 'short'), (2, 'much too long')"));
  ASSERT_NO_FATAL_FAILURE(expect_stop());
  TearDown();
  SetUp();
  ASSERT_OK(Start(kNotes, kBodies, kByBody, "INSERT INTO notes VALUES (1, 'short')"));
  ASSERT_OK(CatchUp());
  ASSERT_OK(OnOld("INSERT INTO notes VALUES (2, 'much too long')"));
  ASSERT_OK(capture_->Pump());
  ASSERT_NO_FATAL_FAILURE(expect_stop());
}

}  // namespace
}  // namespace switchyard::replayer
