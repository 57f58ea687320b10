#include "common/records/quarantine_entries.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/records/id_map.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/records/records_fixture.h"
#include "tests/support/status_matchers.h"

namespace switchyard::records {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kTarget[] = "public.t";

// As a replayer's stage of a table with key k: what a row was before has old_k.
class QuarantineEntriesTest : public RecordsFixture {
 protected:
  void SetUp() override {
    RecordsFixture::SetUp();
    ASSERT_OK(session_->Execute(
        "CREATE TEMP TABLE stage (sy__op char, sy__ord int, absent text, old_k int, k int, v text);"
        "CREATE TEMP TABLE scopes (sy__n bigint, email text);"
        "CREATE TEMP TABLE touched (email text)"));
  }

  QuarantineEntries Entries() { return {*session_, "shop.forward"}; }
  static StagedRowSql Row() {
    return {.table = "pg_temp.stage",
            .old_key = "jsonb_build_object('k', sy_s.old_k::text)",
            .new_key = "jsonb_build_object('k', sy_s.k::text)",
            .image = "jsonb_build_object('k', sy_s.k::text, 'v', sy_s.v)"};
  }
  static ScopesSql Scopes(const std::string& condition) {
    return {.table = "pg_temp.scopes", .equal = "e.email = s.email", .condition = condition};
  }
  static pg::ErrorFields Error(const std::string& sqlstate) {
    return {.sqlstate = sqlstate, .detail = "of the row", .primary = "refused"};
  }
  // "U 1 2 'x'": one row, number 0, alone in the stage.
  void Stage(const std::string& values) {
    ASSERT_OK(session_->Execute("TRUNCATE stage; INSERT INTO stage VALUES (" + values + ")"));
  }
  void Refuse(const std::string& values, const std::string& sqlstate = "23514") {
    Stage(values);
    ASSERT_OK(Entries().AddRow(kTarget, Row(), 0, Lsn(0x10), Error(sqlstate)));
  }
  // The change of a row that waits, with its key moved on.
  std::vector<QuarantineEntries::Folded> Fold(const std::string& values) {
    Stage(values);
    auto folded = Entries().Fold(kTarget, Row(), Lsn(0x20));
    EXPECT_OK(folded);
    for (const auto& entry : *folded) {
      EXPECT_OK(entry.nothing_left ? Entries().Forget(entry.id)
                                   : Entries().MoveTo(entry.id, entry.key));
    }
    return *folded;
  }
  std::vector<QuarantineEntry> All() {
    auto page = QuarantineEntries(*control_, "shop.forward").List(100, {});
    EXPECT_OK(page);
    return page->entries;
  }
  QuarantineEntry Only() {
    const std::vector<QuarantineEntry> all = All();
    if (all.size() != 1) return QuarantineEntry{.error = absl::StrCat(all.size(), " entries")};
    return **QuarantineEntries(*control_, "shop.forward").Find(all[0].id, {});
  }
};

TEST_F(QuarantineEntriesTest, LaterChangesOfARowFoldIntoItsEntry) {
  Refuse("'I', 0, '', NULL, 1, 'bad'");
  EXPECT_EQ(Only().operation, EntryOperation::kInsert);
  EXPECT_EQ(Only().scope, R"({"k": "1"})");
  EXPECT_EQ(Only().before, "");
  EXPECT_EQ(Only().detail, "of the row");
  EXPECT_THAT(Fold("'K', 0, '', 1, 2, 'worse'"), SizeIs(1));
  EXPECT_EQ(Only().operation, EntryOperation::kInsert);
  EXPECT_EQ(Only().scope, R"({"k": "2"})");
  EXPECT_EQ(Only().image, R"({"k": "2", "v": "worse"})");
  EXPECT_EQ(Only().events, 2);
  ASSERT_OK_AND_ASSIGN(const pg::Result staged, session_->Query("SELECT count(*) FROM stage"));
  EXPECT_EQ(staged.i64(0, 0), 0);
  EXPECT_THAT(Fold("'U', 0, '', 9, 9, 'another row'"), IsEmpty());
  EXPECT_THAT(Fold("'D', 0, '', 2, NULL, NULL"), SizeIs(1));  // it never came
  EXPECT_THAT(All(), IsEmpty());
}

TEST_F(QuarantineEntriesTest, ARowThatIsThereIsDeletedUnderItsOldKey) {
  Refuse("'K', 0, '', 1, 2, 'bad'");
  EXPECT_EQ(Only().operation, EntryOperation::kUpdate);
  EXPECT_EQ(Only().before, R"({"k": "1"})");
  EXPECT_THAT(Fold("'D', 0, '', 2, NULL, NULL"), SizeIs(1));
  EXPECT_EQ(Only().operation, EntryOperation::kDelete);
  EXPECT_EQ(Only().scope, R"({"k": "1"})");
  EXPECT_EQ(Only().image, "");
  // It comes again: what waits is a change of the row that is there.
  EXPECT_THAT(Fold("'I', 0, '', NULL, 1, 'back'"), SizeIs(1));
  EXPECT_EQ(Only().operation, EntryOperation::kUpdate);
  ASSERT_OK(session_->Execute("TRUNCATE stage"));
  ASSERT_OK(Entries().Stage(Only().id, 5,
                            {.stage = "pg_temp.stage",
                             .absent = "''",
                             .values = "(coalesce(before, scope) ->> 'k')::int, "
                                       "(image ->> 'k')::int, (image ->> 'v')::text"}));
  ASSERT_OK_AND_ASSIGN(const pg::Result row,
                       session_->Query("SELECT sy__op, sy__ord, old_k, k, v FROM stage"));
  EXPECT_EQ(row.str(0, 0), "U");
  EXPECT_EQ(row.i64(0, 1), 5);
  EXPECT_EQ(row.str(0, 4), "back");
}

TEST_F(QuarantineEntriesTest, ARefusalThatComesAgainIsTheSameEntry) {
  Refuse("'U', 0, '', 1, 1, 'bad'");
  Refuse("'U', 0, '', 1, 1, 'bad'", "23505");
  EXPECT_EQ(Only().events, 2);
  EXPECT_EQ(Only().sqlstate, "23505");
  ASSERT_OK(Entries().Refuse(Only().id, Error("23503")));
  EXPECT_EQ(Only().sqlstate, "23503");
  EXPECT_EQ(Only().events, 2);
}

TEST_F(QuarantineEntriesTest, WhatAnotherRowStoodInTheWayOfIsTold) {
  Refuse("'I', 0, '', NULL, 1, 'a'", "23514");
  Refuse("'I', 0, '', NULL, 2, 'b'", "23505");
  Refuse("'I', 0, '', NULL, 3, 'c'", "23P01");
  Refuse("'I', 0, '', NULL, 4, 'd'", "23503");
  ASSERT_OK_AND_ASSIGN(const auto counts, Entries().CountByFault());
  EXPECT_EQ(counts.all, 4);
  EXPECT_EQ(counts.own_fault, 1);
  ASSERT_OK_AND_ASSIGN(const auto ids, Entries().IdsOf(kTarget));
  ASSERT_THAT(ids, SizeIs(4));
  ASSERT_OK_AND_ASSIGN(const auto clashes, Entries().ClashesOf(kTarget, 0, {}));
  EXPECT_THAT(clashes, ElementsAre(ids[1], ids[2]));
  ASSERT_OK_AND_ASSIGN(const auto first, Entries().ClashesOf(kTarget, 0, 1));
  EXPECT_THAT(first, ElementsAre(ids[1]));
  ASSERT_OK_AND_ASSIGN(const auto next, Entries().ClashesOf(kTarget, ids[1], 1));
  EXPECT_THAT(next, ElementsAre(ids[2]));
  ASSERT_OK_AND_ASSIGN(const bool there, Entries().Has(ids[0], kTarget));
  EXPECT_TRUE(there);
  ASSERT_OK_AND_ASSIGN(const bool elsewhere, Entries().Has(ids[0], "public.other"));
  EXPECT_FALSE(elsewhere);
  ASSERT_OK_AND_ASSIGN(const bool others, QuarantineEntries(*control_, "bar.forward").Has(ids[0]));
  EXPECT_FALSE(others);
}

TEST_F(QuarantineEntriesTest, ScopesComeAndGoByTheEqualityOfTheirColumns) {
  ASSERT_OK(Entries().AddScope("public.u", R"({"email": "a@x"})", Lsn(0x10), Error("23514")));
  ASSERT_OK(Entries().AddScope("public.u", R"({"email": "b@x"})", Lsn(0x10), Error("23514")));
  ASSERT_OK(session_->Execute("INSERT INTO scopes VALUES (1, 'a@x'), (2, 'b@x'), (3, 'c@x')"));
  const auto expect = [](absl::StatusOr<bool> had, bool expected) {
    ASSERT_OK(had);
    EXPECT_EQ(*had, expected);
  };
  expect(Entries().RefuseScopes("public.u", Scopes("s.sy__n = 3"), Lsn(0x20), Error("23502")),
         false);
  expect(Entries().RefuseScopes("public.u", Scopes("s.sy__n = 1"), Lsn(0x20), Error("23502")),
         true);
  expect(Entries().ForgetScopes("public.u", Scopes("s.sy__n NOT IN (1)")), true);
  expect(Entries().ForgetScopes("public.u", Scopes("s.sy__n NOT IN (1)")), false);
  EXPECT_EQ(Only().operation, EntryOperation::kRecompute);
  EXPECT_EQ(Only().sqlstate, "23502");
  EXPECT_EQ(Only().events, 2);
  ASSERT_OK(Entries().Touch(Only().id, "pg_temp.touched", {"email"}));
  ASSERT_OK_AND_ASSIGN(const pg::Result touched, session_->Query("SELECT email FROM touched"));
  EXPECT_EQ(touched.str(0, 0), "a@x");
}

TEST_F(QuarantineEntriesTest, WhatIsForgottenIsOfOneTarget) {
  Refuse("'I', 0, '', NULL, 1, 'a'");
  ASSERT_OK(Entries().AddScope(kTarget, R"({"k": "7"})", Lsn(0x10), Error("23514")));
  ASSERT_OK(Entries().AddScope("public.u", R"({"k": "7"})", Lsn(0x10), Error("23514")));
  ASSERT_OK_AND_ASSIGN(const auto most, Entries().MostFrequent());
  EXPECT_EQ(most.target, kTarget);
  EXPECT_EQ(most.entries, 2);
  ASSERT_OK(Entries().ForgetRowsOf(kTarget));
  EXPECT_THAT(All(), SizeIs(2));
  ASSERT_OK(Entries().ForgetTarget(kTarget));
  ASSERT_OK_AND_ASSIGN(const auto targets, Entries().Targets());
  EXPECT_THAT(targets, ElementsAre("public.u"));
  ASSERT_OK(Entries().ForgetAll());
  ASSERT_OK_AND_ASSIGN(const int64_t left, Entries().Count());
  EXPECT_EQ(left, 0);
}

TEST_F(QuarantineEntriesTest, AnOperationOfANewerProgramIsNoGuess) {
  Refuse("'I', 0, '', NULL, 1, 'a'");
  ASSERT_OK(session_->Execute("UPDATE switchyard.quarantine SET operation = 'merge'"));
  EXPECT_THAT(Entries().List(10, {}),
              testing::StatusIs(absl::StatusCode::kDataLoss, HasSubstr("merge")));
}

TEST_F(QuarantineEntriesTest, AnIdKeepsItsFirstPartner) {
  const std::string one = "'11111111-1111-1111-1111-111111111111'::uuid";
  const std::string other = "'22222222-2222-2222-2222-222222222222'::uuid";
  ASSERT_OK_AND_ASSIGN(const pg::Result there, session_->Query(HasIdMapSql()));
  EXPECT_TRUE(there.boolean(0, 0));
  ASSERT_OK(session_->Execute(InsertPairsSql("SELECT 'user', '1', " + one + ", true", "forward")));
  ASSERT_OK(
      session_->Execute(InsertPairsSql("SELECT 'user', '1', " + other + ", true", "forward")));
  ASSERT_OK_AND_ASSIGN(
      const pg::Result has,
      session_->Query(absl::StrCat("SELECT ", HasOldIdSql("'user'", "'1'"), ", ",
                                   HasOldIdSql("'user'", "'2'"), ", ", HasNewIdSql("'user'", one),
                                   ", ", HasNewIdSql("'user'", other))));
  EXPECT_TRUE(has.boolean(0, 0));
  EXPECT_FALSE(has.boolean(0, 1));
  EXPECT_TRUE(has.boolean(0, 2));
  EXPECT_FALSE(has.boolean(0, 3));
}

}  // namespace
}  // namespace switchyard::records
