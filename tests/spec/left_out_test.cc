#include "common/spec/left_out.h"

#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace switchyard::spec {
namespace {

TEST(LeftOutTest, OnlyWhatNoSqlNames) {
  const auto file = ParseMigrationFile(
      "migration: shop\nold: {dsn_env: A}\nnew: {dsn_env: B}\nforward:\n"
      "  ignore: [t.ignored, s.other.x]\n  tables:\n"
      "    - {table: public.t, copy: t, drop: [note, part, whole], set: {n: \"part || ''\"}}\n"
      "    - {table: public.u, copy: u, drop: [a], set: {j: to_jsonb(u)}}\n"
      "    - {table: public.v, copy: v, drop: [b]}\n"
      "    - {table: public.w, from: {v: id}, select: SELECT id FROM v}\n",
      "shop.yaml");
  ASSERT_OK(file);
  const auto left_out = [&](const char* table, const char* column) {
    return LeavesOut(file->forward, {"public", table}, column);
  };
  EXPECT_TRUE(left_out("t", "note"));
  EXPECT_TRUE(left_out("t", "ignored"));
  EXPECT_FALSE(left_out("t", "part"));     // an expression reads it
  EXPECT_FALSE(left_out("t", "another"));  // it may be mapped by its name
  EXPECT_FALSE(left_out("u", "a"));        // the whole row is read
  EXPECT_FALSE(left_out("v", "b"));        // so may a select
  EXPECT_FALSE(left_out("other", "x"));    // nobody copies it
}

}  // namespace
}  // namespace switchyard::spec
