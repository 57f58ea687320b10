#include "verify/comparison.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace switchyard::verify {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uint32_t kInt4 = 23;
constexpr uint32_t kText = 25;
constexpr uint32_t kChar = 18;

// orders(id, note, kind) of OLD, mirrored, copied to NEW's orders, read by the query of NEW's days.
class ComparisonTest : public ::testing::Test {
 protected:
  void SetUp() override {
    source_.tables = {{.oid = 1, .schema = "public", .name = "orders", .rows_estimate = 70}};
    source_.tables[0].columns = {{.name = "id", .type_oid = kInt4, .type = "integer"},
                                 {.name = "note", .type_oid = kText, .type = "text"},
                                 {.name = "kind", .type_oid = kChar, .type = "\"char\""}};
    target_.tables = {{.schema = "public", .name = "orders"}, {.schema = "public", .name = "days"}};
    target_.tables[0].columns = source_.tables[0].columns;
    target_.tables[0].columns.push_back({.name = "extra", .type_oid = kInt4, .type = "integer"});
    target_.tables[1].columns = {{.name = "day", .type_oid = kText, .type = "text"}};
    mapping::SourcePlan orders{.relation_id = 1,
                               .relation_ids = {1},
                               .schema = "public",
                               .name = "orders",
                               .alias = "orders",
                               .columns = {{.name = "id", .type = "int4", .type_oid = kInt4},
                                           {.name = "note", .type = "text", .type_oid = kText},
                                           {.name = "kind", .type = "\"char\"", .type_oid = kChar}},
                               .key = {0},
                               .mirrored = true,
                               .mirror_columns = {"id", "kind"}};
    orders.mirror.target = "\"m\".\"orders\"";
    orders.mirror.display = "m.orders";
    plan_.sources = {orders};
    mapping::MappingPlan copied{.display = "public.orders",
                                .target = "\"public\".\"orders\"",
                                .row_local = true,
                                .source = mapping::SourceIndex(0),
                                .key = {"id"},
                                .columns = {"id", "note", "kind"},
                                .reads_sources = {"public.orders"}};
    copied.write.copy_in = "COPY";
    copied.write.copy_columns = {0, 1, 2};
    copied.write.copy_targets = copied.columns;
    copied.write.rows = "SELECT id, note, kind FROM {load} AS orders";
    mapping::MappingPlan derived{.display = "public.days",
                                 .target = "\"public\".\"days\"",
                                 .key = {"day"},
                                 .columns = {"day"},
                                 .owns = "day > ''",
                                 .owned = "day > ''::text",
                                 .reads_sources = {"public.orders"}};
    derived.keyed.view = "\"switchyard\".\"map_1_days\"";
    plan_.mappings = {copied, derived};
    types_["\"public\".\"days\""] = {{"day", "text"}};
  }
  CompareInput Input() const {
    return {.plan = &plan_, .source = &source_, .target = &target_, .types = &types_};
  }
  std::vector<std::string> Names(const std::vector<Comparison>& comparisons) {
    std::vector<std::string> names;
    for (const Comparison& one : comparisons) names.push_back(one.table);
    return names;
  }

  mapping::Plan plan_;
  catalog::Catalog source_;
  catalog::Catalog target_;
  ColumnTypes types_;
};

TEST_F(ComparisonTest, EachStandsAfterWhatItStandsOn) {
  const auto all = ComparisonsOf(Input());
  EXPECT_THAT(Names(all), ElementsAre("m.orders", "public.orders", "public.days"));
  EXPECT_EQ(all[0].kind, Kind::kMirror);
  EXPECT_EQ(all[0].expected.from, "FROM ONLY \"public\".\"orders\" AS sy_t");
  ASSERT_EQ(all[0].expected.columns.size(), 2);
  EXPECT_EQ(all[0].expected.columns[1].sql, "(sy_t.\"kind\")::pg_catalog.int4");
  EXPECT_EQ(all[1].kind, Kind::kCopied);
  EXPECT_THAT(all[1].expected.key, ElementsAre(0));
  EXPECT_EQ(all[1].rows_estimate, 70);
  EXPECT_EQ(all[2].kind, Kind::kDerived);
  EXPECT_EQ(all[2].expected.from, "FROM \"switchyard\".\"map_1_days\" AS sy_v");
  EXPECT_EQ(all[2].expected.columns[0].sql, "CAST(sy_v.\"day\" AS text)");
  EXPECT_EQ(all[2].actual.from, "FROM \"public\".\"days\" AS sy_t WHERE (day > ''::text)");
}

TEST_F(ComparisonTest, OneTableBringsWhatItIsMadeOf) {
  const auto all = ComparisonsOf(Input());
  // A table of NEW that has the name of what it reads, too: rather one too many.
  EXPECT_THAT(Names(ComparisonsOfTable(all, "days")),
              ElementsAre("m.orders", "public.orders", "public.days"));
  EXPECT_THAT(Names(ComparisonsOfTable(all, "public.orders")),
              ElementsAre("m.orders", "public.orders"));
  EXPECT_THAT(Names(ComparisonsOfTable(all, "ders")), ElementsAre());
}

// Whose text is not the same on both sides: the mapping's own expressions are run.
TEST_F(ComparisonTest, ACopyIntoAnotherTypeIsComputed) {
  target_.tables[0].columns[0].type = "bigint";
  const auto all = ComparisonsOf(Input());
  EXPECT_EQ(all[1].kind, Kind::kComputed);
  EXPECT_EQ(all[1].expected.from,
            "FROM (SELECT id, note, kind FROM pg_temp.sy_source AS orders) AS sy_x");
  EXPECT_THAT(all[1].load_table_ddl, HasSubstr("(\"id\" int4, \"note\" text, \"kind\" \"char\")"));
  EXPECT_THAT(all[1].load_from, HasSubstr("SELECT sy_t.\"id\", sy_t.\"note\", sy_t.\"kind\" FROM"));
}

TEST_F(ComparisonTest, LeavesAreReadEachByItself) {
  for (const uint32_t id : {2, 3}) {
    source_.tables.push_back({.oid = id, .schema = "public", .name = id == 2 ? "a" : "b"});
  }
  plan_.sources[0].relation_ids = {2, 3};
  EXPECT_EQ(ComparisonsOf(Input())[0].expected.from,
            "FROM (SELECT \"id\", \"kind\" FROM ONLY \"public\".\"a\" UNION ALL "
            "SELECT \"id\", \"kind\" FROM ONLY \"public\".\"b\") AS sy_t");
}

TEST_F(ComparisonTest, WhatIsLeftOutIsSaid) {
  plan_.unread_columns = {"orders.shoe_size"};
  const auto lines = LeftOut(Input());
  EXPECT_THAT(lines, Contains("columns no mapping reads: orders.shoe_size"));
  EXPECT_THAT(lines, Contains("rows of public.days outside: day > ''"));
  EXPECT_THAT(lines, Contains("columns of public.orders no mapping fills: extra"));
}

}  // namespace
}  // namespace switchyard::verify
