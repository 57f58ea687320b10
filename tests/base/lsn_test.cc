#include "common/base/lsn.h"

#include "tests/support/status_matchers.h"

namespace switchyard {
namespace {

TEST(LsnTest, ParsesWhatPostgresPrints) {
  ASSERT_OK_AND_ASSIGN(const Lsn lsn, Lsn::Parse("1A/16B3748"));
  EXPECT_EQ(lsn.value(), (uint64_t{0x1A} << 32) | 0x16B3748);
  EXPECT_EQ(lsn.ToString(), "1A/16B3748");
}

TEST(LsnTest, RefusesAnythingElse) {
  for (const char* text : {"", "/", "0/", "/0", "0/123456789", "x/0", "0/0 ", "0/0/0", "-1/0"}) {
    EXPECT_FALSE(Lsn::Parse(text).ok()) << text;
  }
}

TEST(LsnTest, OrdersByPosition) { EXPECT_LT(Lsn(0xFFFFFFFF), Lsn(0x100000000)); }

}  // namespace
}  // namespace switchyard
