// What a rehearsal makes up, without a database: rows that could be, and SQL over temporary tables.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "common/mapping/sql_analysis.h"
#include "operate/check/rehearse/made_rows.h"
#include "tests/support/status_matchers.h"

namespace switchyard::operate {
namespace {

using mapping::SourceIndex;

// parents(id, code unique) and children(id, parent -> parents.id).
mapping::Plan TwoTables() {
  mapping::Plan plan;
  for (const char* name : {"children", "parents"}) {
    mapping::SourcePlan source{.alias = name};
    source.columns = {{.name = "id"}, {.name = name[0] == 'c' ? "parent" : "code"}};
    source.key = {0};
    plan.sources.push_back(source);
  }
  return plan;
}

Pools FewValues() {
  const Pool values = {"1", "2", "3", "4", "5", std::nullopt};
  const Pool keys(values.begin(), values.begin() + 5);
  return {.columns = {{keys, values}, {keys, values}}};
}

Constraints KeyedAndReferred() {
  return {.unique = {{{0}}, {{0}, {1}}},
          .foreign_keys = {{.source = SourceIndex(0),
                            .parent = SourceIndex(1),
                            .columns = {1},
                            .parent_columns = {0}}}};
}

// The rows as they are, changed as a database would change them.
class Model {
 public:
  void Apply(const Changes& changes) {
    for (const RowChange& change : changes) {
      if (!change.before) continue;
      auto& table = tables_[change.source.value()];
      EXPECT_EQ(table[*(*change.before)[0]], *change.before);
      table.erase(*(*change.before)[0]);
    }
    for (const RowChange& change : changes) {
      if (!change.after) continue;
      const bool is_new =
          tables_[change.source.value()].emplace(*(*change.after)[0], *change.after).second;
      EXPECT_TRUE(is_new) << "two rows under one key";
    }
  }

  void ExpectSound() {
    std::set<std::string> codes;
    for (const auto& [id, parent] : tables_[1]) {
      if (!parent[1]) continue;
      EXPECT_TRUE(codes.insert(*parent[1]).second) << "two parents of one code";
    }
    for (const auto& [id, child] : tables_[0]) {
      if (!child[1]) continue;
      EXPECT_TRUE(tables_[1].contains(*child[1])) << "a child without its parent";
    }
  }

  size_t rows() const { return tables_[0].size() + tables_[1].size(); }

 private:
  std::map<std::string, Row> tables_[2];
};

TEST(RehearsalRowsTest, WhatOldDemandsOfItsRowsHoldsInEachBatch) {
  const mapping::Plan plan = TwoTables();
  RowMaker maker(plan, FewValues(), KeyedAndReferred(), 7);
  size_t made = 0;
  std::set<std::pair<bool, bool>> kinds;  // there before, there after
  for (int epoch = 0; epoch < 40; ++epoch) {
    Model model;
    Changes batch = maker.BeginEpoch();
    for (int i = 0; i < 20; ++i) {
      model.Apply(batch);
      model.ExpectSound();
      maker.Keep(batch);
      batch = maker.NextBatch();
      made += batch.empty() ? 0 : 1;
      for (const RowChange& change : batch) {
        kinds.emplace(change.before.has_value(), change.after.has_value());
      }
    }
    EXPECT_LE(model.rows(), 14u);
  }
  EXPECT_EQ(made, 800u);
  EXPECT_EQ(kinds.size(), 3u);
}

TEST(RehearsalRowsTest, OneSeedMakesTheSameBatches) {
  const mapping::Plan plan = TwoTables();
  const auto all = [&](uint64_t seed) {
    RowMaker maker(plan, FewValues(), KeyedAndReferred(), seed);
    std::string text;
    for (int i = 0; i < 50; ++i) {
      const Changes batch = i % 10 == 0 ? maker.BeginEpoch() : maker.NextBatch();
      for (const RowChange& change : batch) {
        for (const auto& row : {change.before, change.after}) {
          for (const Cell& cell : row.value_or(Row())) text += cell.value_or("-") + ",";
        }
        text += ";";
      }
      maker.Keep(batch);
    }
    return text;
  };
  EXPECT_EQ(all(7), all(7));
  EXPECT_NE(all(7), all(8));
}

// 'b1' of one column and 'b1@guest' of another are compared by an expression of the mapping.
TEST(RehearsalRowsTest, ValuesThatMeetAreTakenTogether) {
  const mapping::Plan plan = TwoTables();
  Pools pools = FewValues();
  for (int i = 1; i <= 40; ++i) {
    const std::string id = "b" + std::to_string(i);
    pools.columns[0][0].push_back(id);
    pools.columns[1][1].push_back(id + "@guest");
    pools.kin[id] = pools.kin[id + "@guest"] = id;
  }
  RowMaker maker(plan, pools, {.unique = {{}, {}}}, 7);
  int met = 0;
  for (int epoch = 0; epoch < 100; ++epoch) {
    std::set<std::string> ids, guests;
    for (const RowChange& row : maker.BeginEpoch()) {
      const Cell& cell = row.source == SourceIndex(0) ? (*row.after)[0] : (*row.after)[1];
      if (cell) (row.source == SourceIndex(0) ? ids : guests).insert(*cell);
    }
    met += std::ranges::any_of(ids, [&](const auto& id) { return guests.contains(id + "@guest"); });
  }
  EXPECT_GT(met, 50) << "of 100; 40 values each, of which a table has up to five";
}

TEST(RehearsalRowsTest, AStatementIsMovedWithEverythingThatNamesItsTables) {
  const std::map<mapping::SqlName, std::string> moved = {{{"public", "users"}, "t0"},
                                                         {{"App", "Or\"der"}, "t1"}};
  const auto to = [&](const std::string& sql) {
    const auto text = mapping::MoveRelations(sql, moved);
    return text.ok() ? *text : std::string(text.status().message());
  };
  EXPECT_EQ(to("SELECT users.id, public.users.name FROM public.users"),
            "SELECT users.id, users.name FROM pg_temp.\"t0\" AS \"users\"");
  EXPECT_EQ(to("SELECT u.id FROM \"public\" . users u, other.users, users"),
            "SELECT u.id FROM pg_temp.\"t0\" u, other.users, users");
  EXPECT_EQ(to("INSERT INTO public.users (id) SELECT 1 FROM \"App\".\"Or\"\"der\" AS o"),
            "INSERT INTO pg_temp.\"t0\" AS \"users\" (id) SELECT 1 FROM pg_temp.\"t1\" AS o");
  EXPECT_EQ(to("DELETE FROM public.users AS sy_t WHERE EXISTS (SELECT FROM public.users)"),
            "DELETE FROM pg_temp.\"t0\" AS sy_t WHERE EXISTS (SELECT FROM pg_temp.\"t0\" AS "
            "\"users\")");
  EXPECT_EQ(to("CREATE VIEW public.users AS TABLE public.users"),
            "CREATE VIEW pg_temp.\"t0\" AS TABLE pg_temp.\"t0\"");
  EXPECT_EQ(to("SELECT 'public.users'"), "SELECT 'public.users'");
}

}  // namespace
}  // namespace switchyard::operate
