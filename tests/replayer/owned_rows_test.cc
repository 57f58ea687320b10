// Tables of NEW that a mapping owns only in part: its own rows, beside those of others.
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/replay_fixture.h"

namespace switchyard::replayer {
namespace {

constexpr char kPeople[] =
    "CREATE TABLE people (id int PRIMARY KEY, kind text, v text CHECK (v <> 'bad'))";
constexpr char kAll[] = "SELECT id, kind, v FROM people ORDER BY id";
constexpr char kEntries[] =
    "SELECT scope ->> 'id', operation, image ->> 'v' FROM switchyard.quarantine ORDER BY id";

class OwnedRowsTest : public testing::ReplayFixture {
 protected:
  void Ask() {
    ASSERT_OK(
        OnNew("INSERT INTO switchyard.request (stream, kind, argument, epoch, lsn, log_offset) "
              "SELECT name, 'recopy', 'public.c', epoch, lsn, log_offset FROM switchyard.stream"));
    ASSERT_OK(capture_->Recopy("c"));
  }
  void Change(const std::string& sql) {
    ASSERT_OK(OnOld(sql));
    ASSERT_OK(CatchUp());
  }
};

// Promise: rows outside are never touched.
TEST_F(OwnedRowsTest, ARecomputedRowDoesNotTakeTheKeyOfARowOutside) {
  ASSERT_OK(Start("CREATE TABLE c (id int PRIMARY KEY, v text)",
                  absl::StrCat(kPeople, "; INSERT INTO people VALUES (1, 'guest', 'theirs')"),
                  "  - table: public.people\n    owns: kind = 'customer'\n    from: {c: id}\n"
                  "    select: SELECT c.id, 'customer' AS kind, c.v FROM c JOIN c d USING (id)\n"));
  ASSERT_OK(CatchUp());
  Change("INSERT INTO c VALUES (1, 'ours'), (2, 'ours')");
  EXPECT_EQ(New(kAll), "1|guest|theirs\n2|customer|ours");
  EXPECT_EQ(New(kEntries), "1|recompute|NULL");
}

TEST_F(OwnedRowsTest, ARecopyDoesNotTakeTheKeyOfARowOutside) {
  ASSERT_OK(Start("CREATE TABLE c (id int PRIMARY KEY, v text)",
                  absl::StrCat(kPeople, "; INSERT INTO people VALUES (1, 'guest', 'theirs')"),
                  "  - {table: public.people, copy: c, owns: kind = 'customer', "
                  "set: {kind: \"'customer'\"}}\n"));
  ASSERT_OK(CatchUp());
  Change("INSERT INTO c VALUES (1, 'ours'), (2, 'ours')");
  EXPECT_EQ(New(kAll), "1|guest|theirs\n2|customer|ours");
  EXPECT_EQ(New(kEntries), "1|insert|ours");
  Ask();
  Change("INSERT INTO c VALUES (3, 'ours')");
  ASSERT_OK(AwaitNew("SELECT state FROM switchyard.request", "failed"));
  EXPECT_THAT(New("SELECT result FROM switchyard.request"), ::testing::HasSubstr("refuses a row"));
  EXPECT_EQ(New(kAll), "1|guest|theirs\n2|customer|ours\n3|customer|ours");
  EXPECT_EQ(New(kEntries), "1|insert|ours");

  // Without the clash it is taken, and what is not ours stays.
  Change("DELETE FROM c WHERE id = 1");
  ASSERT_OK(OnNew("UPDATE people SET v = 'damaged' WHERE id IN (1, 2)"));
  Ask();
  Change("INSERT INTO c VALUES (4, 'ours')");
  ASSERT_OK(AwaitNew("SELECT state FROM switchyard.request ORDER BY id DESC LIMIT 1", "done"));
  EXPECT_EQ(New(kAll), "1|guest|damaged\n2|customer|ours\n3|customer|ours\n4|customer|ours");
}

// Promise 1: nothing is lost silently. Two tables with the same key column fill one.
TEST_F(OwnedRowsTest, QuarantinedRowsOfTwoMappingsAreApart) {
  ASSERT_OK(
      Start("CREATE TABLE c (id int PRIMARY KEY, v text); "
            "CREATE TABLE o (id int PRIMARY KEY, v text)",
            "CREATE TABLE people (id int, kind text, v text CHECK (v <> 'bad'), "
            "PRIMARY KEY (kind, id))",
            "  - {table: public.people, copy: c, owns: kind = 'c', set: {kind: \"'c'\"}}\n"
            "  - {table: public.people, copy: o, owns: kind = 'o', set: {kind: \"'o'\"}}\n"));
  ASSERT_OK(CatchUp());
  Change("INSERT INTO c VALUES (1, 'bad')");
  Change("INSERT INTO o VALUES (1, 'bad')");
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "2");
  ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
  ASSERT_OK(StartReplayer());
  Change("TRUNCATE o");
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "1");
  Change("UPDATE c SET v = 'good'");
  EXPECT_EQ(New("SELECT kind, id, v FROM people ORDER BY 1"), "c|1|good");
}

}  // namespace
}  // namespace switchyard::replayer
