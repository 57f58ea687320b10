// The studio-bookings mapping by itself, evaluated over what the generator makes: the numbers its
// specification promises, before any program moves a row.
#include <map>
#include <string>

#include "common/mapping/compile/compiler.h"
#include "gtest/gtest.h"
#include "tests/support/oracle/studio_example.h"
#include "tests/support/status_matchers.h"

namespace switchyard::testing {
namespace {

std::map<std::string, int64_t> RowsExpected(int scale, bool nasty) {
  const auto example = StudioExample::Start({.scale = scale, .nasty = nasty});
  EXPECT_OK(example);
  if (!example.ok()) return {};
  const auto tables = (*example)->Compare();
  EXPECT_OK(tables);
  if (!tables.ok()) return {};
  std::map<std::string, int64_t> rows;
  for (const TableComparison& table : *tables) {
    EXPECT_EQ(table.rows_in_new, 0);
    rows[table.table] = table.rows_expected;
  }
  return rows;
}

TEST(StudioMappingTest, MakesTheExactNumbersOfRows) {
  EXPECT_EQ(RowsExpected(1, false),
            (std::map<std::string, int64_t>{{"public.users", 198},
                                            {"public.user_role_assignments", 200},
                                            {"public.user_sources", 200},
                                            {"public.studios", 47},
                                            {"public.studio_ownership", 47},
                                            {"public.new_accounts", 20},
                                            {"public.new_sessions", 30},
                                            {"public.new_bookings", 312}}));
}

TEST(StudioMappingTest, MakesTheExactNumbersOfRowsWithTheHardCases) {
  EXPECT_EQ(RowsExpected(3, true),
            (std::map<std::string, int64_t>{{"public.users", 3 * 198 + 13},
                                            {"public.user_role_assignments", 3 * 200 + 16},
                                            {"public.user_sources", 3 * 200 + 14},
                                            {"public.studios", 3 * 47 + 2},
                                            {"public.studio_ownership", 3 * 47 + 2},
                                            {"public.new_accounts", 3 * 20 + 1},
                                            {"public.new_sessions", 3 * 30 + 1},
                                            {"public.new_bookings", 3 * 312 + 8}}));
}

// The generator's promise, on which comparing runs with each other rests.
TEST(StudioMappingTest, GeneratesTheSameRowsEachTime) {
  const std::string sum =
      "SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM (SELECT b::text FROM bookings b "
      "UNION ALL SELECT c::text FROM customers c UNION ALL SELECT o::text FROM studio_owners o "
      "UNION "
      "ALL SELECT s::text FROM studios s UNION ALL SELECT a::text FROM accounts a UNION ALL SELECT "
      "s::text FROM sessions s) r(t)";
  std::string first;
  for (int run = 0; run < 2; ++run) {
    ASSERT_OK_AND_ASSIGN(auto example, StudioExample::Start({.scale = 2, .nasty = true}));
    ASSERT_OK_AND_ASSIGN(const std::string digest, example->old_db().Scalar("studio", sum));
    if (run == 0) first = digest;
    EXPECT_EQ(digest, first);
  }
}

// What `check` asks of every mapping, on tables that are said to be large.
TEST(StudioMappingTest, EveryBatchIsFoundByIndex) {
  ASSERT_OK_AND_ASSIGN(auto example, StudioExample::Start({.scale = 1}));
  ASSERT_OK(example->old_db().Execute("studio",
                                      "ANALYZE; UPDATE pg_class SET reltuples = 1e6 WHERE relkind "
                                      "= 'r' AND relnamespace = 'public'::regnamespace"));
  ASSERT_OK_AND_ASSIGN(spec::MigrationFile file,
                       spec::LoadMigrationFile(example->migration_file()));
  ASSERT_OK_AND_ASSIGN(const auto old_session, example->old_db().Connect("studio"));
  ASSERT_OK_AND_ASSIGN(const auto new_session, example->new_db().Connect("studio"));
  ASSERT_OK_AND_ASSIGN(const catalog::Catalog source,
                       catalog::LoadCatalog(*old_session, catalog::SourceTables(file.forward), {}));
  ASSERT_OK_AND_ASSIGN(const catalog::Catalog target,
                       catalog::LoadCatalog(*new_session, catalog::TargetTables(file.forward), {}));
  const records::Stream stream = records::ForwardOf(file);
  const auto compiled = [&] {
    return mapping::Compile({.stream = &stream,
                             .source = &source,
                             .target = &target,
                             .schemas = file.schemas,
                             .check_restrictions = true},
                            *new_session, nullptr);
  };
  EXPECT_OK(compiled());
  // Rules of its own making find what they look for; one of somebody else's may not.
  file.forward.mappings.back().from.push_back(
      {.table = {.schema = "", .name = "customers"},
       .touches = "SELECT b.id FROM bookings b WHERE b.customer_name = customers.name"});
  EXPECT_THAT(compiled(), StatusIs(absl::StatusCode::kInvalidArgument,
                                   ::testing::HasSubstr("{bookings: ['customer_name']}")));
}

}  // namespace
}  // namespace switchyard::testing
