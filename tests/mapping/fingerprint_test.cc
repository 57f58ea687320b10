#include "common/mapping/fingerprint.h"

#include "tests/support/status_matchers.h"

namespace switchyard::mapping {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(FingerprintTest, TellsWhereOneTextEndsAndTheNextBegins) {
  EXPECT_NE(Fingerprint().Add("ab").Add("c").Hex(), Fingerprint().Add("a").Add("bc").Hex());
  EXPECT_NE(Fingerprint().AddAll({"a"}).AddAll({"b"}).Hex(),
            Fingerprint().AddAll({"a", "b"}).Hex());
  EXPECT_NE(Fingerprint().Hex(), Fingerprint().Add("").Hex());
}

TEST(FingerprintTest, StaysWhatItIsFromVersionToVersion) {
  // Streams keep it: another value here would make every installed mapping look changed.
  EXPECT_EQ(Fingerprint().Add("customers").AddAll({"id", "email"}).Hex(), "d6c14da32ed91d98");
}

TEST(FingerprintTest, PartsOfAnyNameComeBackFromTheirText) {
  const std::vector<PlanPart> parts = {
      {.kind = PlanPart::Kind::kSource, .name = "public.a b", .fingerprint = "1f"},
      {.kind = PlanPart::Kind::kSource, .name = "x.\\n\n\\\\", .fingerprint = "2f"},
      {.kind = PlanPart::Kind::kMapping, .name = "public.users", .fingerprint = "3f"}};
  const std::string text = PartsToText(parts);
  EXPECT_THAT(text, HasSubstr("source 1f public.a b\n"));
  ASSERT_OK_AND_ASSIGN(const std::vector<PlanPart> back, PartsFromText(text));
  EXPECT_EQ(back, parts);
}

TEST(FingerprintTest, WhatPiecesWereBoundToComesBackFromBehindTheParts) {
  const std::vector<PlanPart> parts = {
      {.kind = PlanPart::Kind::kMapping, .name = "public.users", .fingerprint = "3f"}};
  const std::vector<BoundPiece> pieces = {{.written = "1f", .bound = " SELECT 'a\\n'\n  FROM t"},
                                          {.written = "2f", .bound = "app.norm((email)::text)"}};
  const std::string text = PartsToText(parts) + BoundToText(pieces);
  ASSERT_OK_AND_ASSIGN(const std::vector<PlanPart> back, PartsFromText(text));
  EXPECT_EQ(back, parts);
  EXPECT_EQ(BoundFromText(text), pieces);
  EXPECT_THAT(BoundFromText(PartsToText(parts)), IsEmpty());
}

TEST(FingerprintTest, AnOlderStreamHasNoPartsAndRubbishIsRefused) {
  ASSERT_OK_AND_ASSIGN(const std::vector<PlanPart> none, PartsFromText(""));
  EXPECT_THAT(none, IsEmpty());
  for (const char* text : {"source", "source 1f", "table 1f public.a"}) {
    EXPECT_THAT(PartsFromText(text),
                testing::StatusIs(absl::StatusCode::kDataLoss, HasSubstr("no part of a plan")));
  }
}

}  // namespace
}  // namespace switchyard::mapping
