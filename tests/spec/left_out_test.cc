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
      "    - {table: public.w, from: {v: id}, select: SELECT id FROM v}\n"
      "    - {table: public.x, from: {y: id}, select: 'SELECT y.id, z.b FROM y JOIN z USING (c)'}\n"
      "    - {table: public.r, from: {r: id}, select: 'SELECT id, to_jsonb(a) AS j FROM r AS a'}\n"
      "    - {table: public.q, from: {q: id}, select: SELECT q.* FROM q}\n"
      "    - {table: public.n, from: {n: id}, select: SELECT id FROM n NATURAL JOIN m}\n",
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
  EXPECT_TRUE(left_out("v", "b"));         // nor does the select read it
  EXPECT_FALSE(left_out("v", "id"));
  EXPECT_FALSE(left_out("other", "x"));  // nobody reads the table
  EXPECT_FALSE(left_out("y", "b"));      // named, of whichever table
  EXPECT_FALSE(left_out("y", "c"));      // USING
  EXPECT_TRUE(left_out("y", "d"));
  for (const char* whole : {"r", "q", "n"}) EXPECT_FALSE(left_out(whole, "d")) << whole;
}

}  // namespace
}  // namespace switchyard::spec
