// Sequences at a flip: arithmetic, and on real Postgres.
#include "cutover/postgres/sequences.h"

#include <limits>

#include "tests/cutover/fence_fixture.h"

namespace switchyard::cutover {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kLimit = absl::Seconds(5);
constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

SequenceState Up(int64_t last) {
  return {.last = last, .is_called = true, .increment = 1, .cache = 1, .min = 1, .max = kMost};
}

TEST(AheadOfTest, GoesOnByTwiceWhatASessionAndAClientKeepInStore) {
  EXPECT_EQ(*AheadOf(Up(100), Up(1), 1, "s"), 104);
  EXPECT_EQ(*AheadOf(Up(100), Up(1), 50, "s"), 202);
  SequenceState cached = Up(100);
  cached.cache = 20;
  cached.increment = 10;
  EXPECT_EQ(*AheadOf(cached, Up(1), 1, "s"), 520);
  EXPECT_EQ(*AheadOf(Up(100), Up(1000), 1, "s"), 1000);  // never back
}

TEST(AheadOfTest, GoesDownWhereTheSequenceDoes) {
  SequenceState down = {
      .last = -100, .is_called = true, .increment = -1, .cache = 1, .min = -kMost, .max = -1};
  SequenceState fresh = down;
  fresh.last = -1;
  EXPECT_EQ(*AheadOf(down, fresh, 1, "s"), -104);
  fresh.last = -500;
  EXPECT_EQ(*AheadOf(down, fresh, 1, "s"), -500);
  EXPECT_TRUE(WentPast({.last = -105, .is_called = true, .increment = -1}, -104));
  EXPECT_FALSE(WentPast({.last = -103, .is_called = true, .increment = -1}, -104));
}

TEST(AheadOfTest, IsRefusedWhereItWouldPassABoundOfEitherSide) {
  SequenceState narrow = Up(1);
  narrow.max = 104;
  EXPECT_TRUE(absl::IsFailedPrecondition(AheadOf(Up(100), narrow, 1, "s").status()));
  narrow.max = 105;
  EXPECT_EQ(*AheadOf(Up(100), narrow, 1, "s"), 104);
  narrow.last = 102;
  EXPECT_TRUE(absl::IsFailedPrecondition(AheadOf(narrow, Up(1), 1, "s").status()));
  narrow.cycles = true;  // what comes after the bound was given out before
  EXPECT_TRUE(absl::IsFailedPrecondition(AheadOf(narrow, Up(1), 1, "s").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(AheadOf(Up(kMost - 1), Up(1), kMost, "s").status()));
  SequenceState down = Up(-1);
  down.increment = -1;
  EXPECT_TRUE(absl::IsFailedPrecondition(AheadOf(Up(1), down, 1, "s").status()));
}

class SequencesTest : public FenceFixture {
 protected:
  void SetUp() override {
    FenceFixture::SetUp();
    ASSERT_OK(owner_->Execute(R"(
      CREATE SEQUENCE public.old_ids CACHE 10;
      CREATE SEQUENCE public.new_ids;
      GRANT USAGE ON public.old_ids, public.new_ids TO app;
      GRANT SELECT, UPDATE ON public.old_ids, public.new_ids TO sy)"));
    link_ = std::make_unique<ControlLink>(pg::SessionOptions{.dsn = Dsn(database_, "sy")}, cancel_);
  }
  void TearDown() override {
    link_.reset();
    FenceFixture::TearDown();
  }
  PgSequences Sequences() {
    return {*link_, *link_, {{.old_name = "public.old_ids", .new_name = "public.new_ids"}}};
  }

  std::unique_ptr<ControlLink> link_;
};

TEST_F(SequencesTest, NoValueIsGivenOutTwiceThoughASessionHasSomeInStore) {
  ASSERT_OK(app_->Execute("SELECT nextval('public.old_ids')"));  // has 2 to 10 in store
  PgSequences sequences = Sequences();
  ASSERT_OK(sequences.SetAhead(Side::kOld, kLimit));
  // Of another session, while the fence closes.
  EXPECT_EQ(Ask("SELECT max(nextval('public.old_ids')) FROM generate_series(1, 10)"), "20");
  EXPECT_OK(sequences.CheckAhead(Side::kOld, kLimit));
  EXPECT_EQ(Ask("SELECT nextval('public.new_ids')"), "33");
  ASSERT_OK(sequences.SetAhead(Side::kOld, kLimit));
  EXPECT_EQ(Ask("SELECT nextval('public.new_ids')"), "43");
}

TEST_F(SequencesTest, PastTheGapIsRefused) {
  PgSequences sequences = Sequences();
  ASSERT_OK(sequences.SetAhead(Side::kOld, kLimit));
  Ask("SELECT max(nextval('public.old_ids')) FROM generate_series(1, 30)");
  const absl::Status past = sequences.CheckAhead(Side::kOld, kLimit);
  EXPECT_TRUE(absl::IsFailedPrecondition(past)) << past;
  EXPECT_THAT(std::string(past.message()), HasSubstr("old_ids"));
}

TEST_F(SequencesTest, GoesTheOtherWayOnTheWayBack) {
  Ask("SELECT max(nextval('public.new_ids')) FROM generate_series(1, 100)");
  PgSequences sequences = Sequences();
  ASSERT_OK(sequences.SetAhead(Side::kNew, kLimit));
  EXPECT_OK(sequences.CheckAhead(Side::kNew, kLimit));
  EXPECT_EQ(Ask("SELECT nextval('public.old_ids')"), "105");
  PgSequences nowhere(*link_, *link_, {{.old_name = "public.gone", .new_name = "public.new_ids"}});
  EXPECT_TRUE(absl::IsFailedPrecondition(nowhere.SetAhead(Side::kOld, kLimit)));
}

TEST_F(SequencesTest, FindsThoseThatColumnsOwnIdentityAndPartitionsToo) {
  ASSERT_OK(owner_->Execute(R"(
    CREATE TABLE public.serials (a serial, b int GENERATED ALWAYS AS IDENTITY);
    CREATE SEQUENCE public.own OWNED BY public.parts_1.id)"));
  ASSERT_OK_AND_ASSIGN(const auto owned,
                       FindOwnedSequences(*sy_, {"public.serials", "public.parts"}));
  ASSERT_EQ(owned.size(), 3);
  EXPECT_EQ(owned[0].sequence, "public.serials_a_seq");
  EXPECT_EQ(owned[1].sequence, "public.serials_b_seq");
  EXPECT_EQ(owned[1].column, "b");
  EXPECT_EQ(owned[2].sequence, "public.own");
  EXPECT_EQ(owned[2].table, "public.parts");
  records::FenceSetup setup = Setup(false);
  setup.tables = {"public.serials", "public.parts"};
  ASSERT_OK(owner_->Execute(records::FenceTablesSql(setup)));
  for (const OwnedSequence& sequence : owned) {
    EXPECT_EQ(
        Ask("SELECT has_sequence_privilege('sy', '" + sequence.sequence +
            "', 'UPDATE') AND has_sequence_privilege('sy', '" + sequence.sequence + "', 'SELECT')"),
        "t");
  }
}

}  // namespace
}  // namespace switchyard::cutover
