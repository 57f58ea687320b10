// switchyard.parity_pass, parity_table and parity_difference.
#include "common/records/proof/parity_results.h"

#include "tests/records/records_fixture.h"

namespace switchyard::records {
namespace {

constexpr char kStream[] = "shop.forward";

class ParityResultsTest : public RecordsFixture {
 protected:
  void SetUp() override {
    RecordsFixture::SetUp();
    ASSERT_OK(session_->Execute(
        "TRUNCATE switchyard.parity_pass, switchyard.parity_table, switchyard.parity_difference"));
  }
  static ParityTable Orders(Verdict verdict, Lsn lsn) {
    return {.table = "public.orders",
            .fingerprint = "f",
            .sources = {"public.orders", "public.a \"b\""},
            .lsn = lsn,
            .verdict = verdict,
            .rows = 7};
  }
};

TEST_F(ParityResultsTest, APassThatWasCutShortIsGoneOnWithUnlessItIsOldOrOfAnotherMapping) {
  ParityResults results(*control_, kStream);
  EXPECT_THAT(*results.LastPass(), ::testing::Eq(std::nullopt));
  ASSERT_OK_AND_ASSIGN(const int64_t first, results.Begin("f", 1, absl::Hours(1)));
  ASSERT_OK_AND_ASSIGN(const int64_t again, results.Begin("f", 1, absl::Hours(1)));
  EXPECT_EQ(again, first);
  ASSERT_OK_AND_ASSIGN(const int64_t other_mapping, results.Begin("g", 1, absl::Hours(1)));
  EXPECT_GT(other_mapping, first);
  ASSERT_OK(session_->Execute(
      "UPDATE switchyard.parity_pass SET begun_at = begun_at - interval '2 hours'"));
  ASSERT_OK_AND_ASSIGN(const int64_t later, results.Begin("g", 1, absl::Hours(1)));
  EXPECT_GT(later, other_mapping);
  ASSERT_OK(results.End(later, Verdict::kInconclusive, "why"));
  ASSERT_OK_AND_ASSIGN(const auto last, results.LastPass());
  ASSERT_TRUE(last.has_value());
  EXPECT_TRUE(last->finished.has_value());
  EXPECT_EQ(last->verdict, Verdict::kInconclusive);
  EXPECT_EQ(last->reason, "why");
  ASSERT_OK_AND_ASSIGN(const int64_t next, results.Begin("g", 1, absl::Hours(1)));
  EXPECT_GT(next, later);
}

TEST_F(ParityResultsTest, KeepsWhatDiffersWithBothImages) {
  ParityResults results(*control_, kStream);
  const ParityTable orders = Orders(Verdict::kDifferent, Lsn(0x10));
  ASSERT_OK(results.Add(orders));
  ASSERT_OK(results.AddDifferences(
      orders, {{.kind = "missing", .key = R"({"id": "1"})", .expected = R"({"v": "a\"b\\c{},"})"},
               {.kind = "extra", .key = R"({"id": "2"})", .actual = R"({"v": null})"}}));
  ASSERT_OK_AND_ASSIGN(const auto tables, results.Tables());
  ASSERT_EQ(tables.size(), 1);
  EXPECT_EQ(tables[0].sources, orders.sources);
  EXPECT_EQ(tables[0].lsn, Lsn(0x10));
  ASSERT_OK_AND_ASSIGN(const auto differences, results.Differences("public.orders", 10));
  ASSERT_EQ(differences.size(), 2);
  EXPECT_EQ(differences[0].expected, R"({"v": "a\"b\\c{},"})");
  EXPECT_EQ(differences[0].actual, std::nullopt);
  EXPECT_EQ(differences[1].actual, R"({"v": null})");
  ASSERT_OK(results.Forget(orders));
  EXPECT_EQ(results.Differences("public.orders", 10)->size(), 0);
  EXPECT_EQ(results.Tables()->size(), 0);
  ASSERT_OK(results.Begin("f", 1, absl::Hours(1)));
  ASSERT_OK(results.Add(orders));
  ASSERT_OK(results.ForgetAll());
  EXPECT_EQ(results.Tables()->size(), 0);
  EXPECT_EQ(*results.LastPass(), std::nullopt);
}

TEST_F(ParityResultsTest, ATableIsCleanSinceAPointOnceAllThatWasHeldAgainstItIs) {
  ParityResults results(*control_, kStream);
  EXPECT_FALSE(*results.IsCleanSince("public.orders", Lsn(0x10)));  // nothing was
  ASSERT_OK(results.Add(Orders(Verdict::kClean, Lsn(0x20))));
  EXPECT_FALSE(*results.IsCleanSince("public.orders", Lsn(0x10)));  // nor is it known of what else
  ASSERT_OK(results.Begin("f", 1, absl::Hours(1)));
  EXPECT_TRUE(*results.IsCleanSince("public.orders", Lsn(0x20)));
  EXPECT_TRUE(*results.IsCleanSince("public.a \"b\"", Lsn(0x10)));
  EXPECT_FALSE(*results.IsCleanSince("public.orders", Lsn(0x21)));
  ParityTable other = Orders(Verdict::kDifferent, Lsn(0x30));
  other.table = "public.derived";
  ASSERT_OK(results.Begin("f", 2, absl::Hours(1)));
  EXPECT_FALSE(*results.IsCleanSince("public.orders", Lsn(0x10)));
  ASSERT_OK(results.Add(other));
  EXPECT_FALSE(*results.IsCleanSince("public.orders", Lsn(0x10)));
}

}  // namespace
}  // namespace switchyard::records
