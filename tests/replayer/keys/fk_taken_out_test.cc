// Rows that can only be changed by being taken out, where foreign keys hold whose actions would
// reach the rows that refer to them: nothing would put those back.
#include <string>

#include "gmock/gmock.h"
#include "tests/replayer/changes_fixture.h"

namespace switchyard::replayer {
namespace {

using ::testing::HasSubstr;

constexpr char kParent[] = "CREATE TABLE parent (id int PRIMARY KEY, name text)";
constexpr char kRows[] = "INSERT INTO parent SELECT i, 'p' || i FROM generate_series(1, 9) i";
constexpr char kEntries[] =
    "SELECT string_agg(scope ->> 'id', ' ' ORDER BY scope ->> 'id') FROM switchyard.quarantine";
// Tables that no mapping fills.
constexpr char kTokens[] =
    "CREATE TABLE token (parent_id int REFERENCES parent ON DELETE CASCADE);"
    "CREATE TABLE note (parent_id int REFERENCES parent ON DELETE SET NULL) "
    "  PARTITION BY LIST (parent_id); CREATE TABLE some_notes PARTITION OF note DEFAULT;"
    "CREATE TABLE visit (parent_id int DEFAULT NULL REFERENCES parent ON DELETE SET DEFAULT);";
constexpr char kReferring[] =
    "SELECT t.parent_id, n.parent_id, v.parent_id FROM token t, note n, visit v";

class FkTakenOutTest : public ChangesFixture {
 protected:
  void SetUp() override {
    ChangesFixture::SetUp();
    options_.target.replica_role = false;
  }
  bool keyed() const { return std::get<Form>(GetParam()) == Form::kKeyed; }
  void RetryAlone() {
    ASSERT_OK(OnNew("DELETE FROM token; DELETE FROM note; DELETE FROM visit"));
    ASSERT_OK(RetryQuarantine());
    ExpectEqual("nothing refers to them any more");
  }
};

TEST_P(FkTakenOutTest, ARefusedKeyChangeTakesNoRowsOfNewsOwn) {
  if (keyed()) return;  // there the row of the old key goes, and a new one comes
  StartWith(kParent, {{"parent"}}, kRows, kTokens);
  ASSERT_OK(
      OnNew("INSERT INTO token VALUES (1); INSERT INTO note VALUES (2);"
            "INSERT INTO visit VALUES (3)"));
  Together({"UPDATE parent SET id = 10 + id WHERE id < 5", "DELETE FROM parent WHERE id = 5"});
  EXPECT_EQ(New(kReferring), "1|2|3");
  EXPECT_EQ(New(kEntries), "11 12 13");
  EXPECT_EQ(New("SELECT string_agg(id::text, ' ' ORDER BY id) FROM parent"), "1 2 3 6 7 8 9 14");
  RetryAlone();
}

// Of four pairs that trade names, three have a row to which others refer. Number 9 goes for good.
TEST_P(FkTakenOutTest, ValuesAreOnlyTradedByRowsThatNoneRefersTo) {
  StartWith(kParent, {{"parent"}}, kRows,
            absl::StrCat("ALTER TABLE parent ADD UNIQUE (name);", kTokens));
  ASSERT_OK(
      OnNew("INSERT INTO token VALUES (1), (9); INSERT INTO note VALUES (3);"
            "INSERT INTO visit VALUES (6)"));
  Together({"UPDATE parent SET name = '-' || name WHERE id < 9",
            "UPDATE parent SET name = 'p' || id - 1 + id % 2 * 2 WHERE id < 9",
            "DELETE FROM parent WHERE id = 9"});
  EXPECT_EQ(New(kReferring), "1|3|6");
  EXPECT_EQ(New(kEntries), "1 2 3 4 5 6");
  EXPECT_EQ(New("SELECT string_agg(name, ' ' ORDER BY id) FROM parent"), "p1 p2 p3 p4 p5 p6 p8 p7");
  RetryAlone();
}

TEST_P(FkTakenOutTest, AnIdentityChangesOnlyInRowsThatNoneRefersTo) {
  StartWith("CREATE TABLE parent (id int PRIMARY KEY, n int)", {{"parent"}},
            "INSERT INTO parent SELECT i, i FROM generate_series(1, 6) i",
            absl::StrCat("ALTER TABLE parent ALTER n SET NOT NULL, ALTER n ADD GENERATED ALWAYS AS "
                         "IDENTITY;",
                         kTokens));
  ASSERT_OK(OnNew("INSERT INTO token VALUES (1), (3)"));
  Together({"UPDATE parent SET n = 10 + n WHERE id < 3", "DELETE FROM parent WHERE id = 3"});
  EXPECT_EQ(New("SELECT * FROM token"), "1");
  EXPECT_EQ(New(kEntries), "1");
  EXPECT_EQ(New("SELECT * FROM parent ORDER BY id"), "1|1\n2|12\n4|4\n5|5\n6|6");
  EXPECT_THAT(New("SELECT error FROM switchyard.quarantine"),
              HasSubstr("rows of public.token that refer to rows of public.parent would be deleted "
                        "or changed by foreign key token_parent_id_fkey while those are taken "
                        "out"));
  RetryAlone();
}

// A trigger of NEW lets a row come, but not change: no way round that, with children.
TEST_P(FkTakenOutTest, MappedChildrenSurviveAParentThatMayNotChange) {
  StartWith(absl::StrCat(kParent,
                         "; CREATE TABLE child (id int PRIMARY KEY, parent_id int);"
                         "CREATE INDEX ON child (parent_id)"),
            {{"parent"}, {"child"}},
            absl::StrCat(kRows,
                         "; INSERT INTO child SELECT i, 1 + i % 9 FROM "
                         "generate_series(1, 18) i"),
            "ALTER TABLE child ADD FOREIGN KEY (parent_id) REFERENCES parent ON DELETE CASCADE;"
            "CREATE FUNCTION stays() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE 'row % stays', OLD.id USING ERRCODE = 'check_violation'; END $$;"
            "CREATE TRIGGER stays BEFORE UPDATE ON parent FOR EACH ROW WHEN (OLD.id = 1) "
            "EXECUTE FUNCTION stays()");
  Together({"UPDATE parent SET name = 'on' WHERE id < 3"});
  EXPECT_EQ(New(kEntries), "1");
  EXPECT_EQ(New("SELECT * FROM parent WHERE id < 3 ORDER BY id"), "1|p1\n2|on");
  EXPECT_EQ(New("SELECT count(*) FROM child"), "18");
}

// What NEW holds may trade values in the swap of a re-copy, too.
TEST_P(FkTakenOutTest, ARecopyTradesNoValuesOfRowsThatOthersReferTo) {
  if (keyed()) return;  // nothing of it is swapped
  StartWith(kParent, {{"parent"}}, kRows,
            absl::StrCat("ALTER TABLE parent ADD UNIQUE (name);", kTokens));
  ASSERT_OK(
      OnNew("UPDATE parent SET name = '-' || id; UPDATE parent SET name = 'p' || 10 - id;"
            "INSERT INTO token VALUES (1)"));
  const auto recopy = [&]() -> std::string {
    EXPECT_OK(
        OnNew("INSERT INTO switchyard.request (stream, kind, argument, epoch, lsn, "
              "log_offset) SELECT name, 'recopy', 'public.parent', epoch, lsn, log_offset "
              "FROM switchyard.stream"));
    EXPECT_OK(capture_->Recopy("parent"));
    EXPECT_OK(OnOld("UPDATE parent SET name = name WHERE id = 5"));
    EXPECT_OK(CatchUp());
    EXPECT_OK(AwaitNew("SELECT count(*) FROM switchyard.request WHERE state = 'open'", "0"));
    return New("SELECT state || ' ' || result FROM switchyard.request ORDER BY id DESC LIMIT 1");
  };
  const std::string before = New("SELECT * FROM parent ORDER BY id");
  EXPECT_THAT(recopy(), HasSubstr("failed the target refuses a row, the table is as it was"));
  EXPECT_EQ(New("SELECT * FROM token"), "1");
  EXPECT_EQ(New("SELECT * FROM parent ORDER BY id"), before);
  ASSERT_OK(OnNew("DELETE FROM token"));
  EXPECT_THAT(recopy(), HasSubstr("done swapped in"));
  ExpectEqual("nothing refers to them any more");
}

INSTANTIATE_TEST_SUITE_P(Each, FkTakenOutTest,
                         ::testing::Combine(::testing::Values(Form::kRowLocal, Form::kKeyed),
                                            ::testing::Values(Arrival::kOneTransaction)),
                         NameOf);

}  // namespace
}  // namespace switchyard::replayer
