// Every statement of two plans, as text that a reader and a reviewer see change. No server: the
// answers it gave while the mapping was compiled are kept (plan_recording_test keeps them true).
#include <fstream>
#include <string>

#include "common/mapping/compile/compiler.h"
#include "common/mapping/plan_sql.h"
#include "common/records/stream/stream.h"
#include "gtest/gtest.h"
#include "tests/mapping/golden_plans.h"
#include "tests/support/oracle/recorded_session.h"
#include "tests/support/server/subprocess.h"
#include "tests/support/status_matchers.h"

namespace switchyard::testing {
namespace {

absl::StatusOr<mapping::Plan> CompileKept(const GoldenPlan& golden) {
  ASSIGN_OR_RETURN(const spec::MigrationFile file, spec::LoadMigrationFile(golden.migration_file));
  ASSIGN_OR_RETURN(const catalog::Catalog source,
                   catalog::CatalogFromJson(ReadFileOrEmpty(golden.path("old.json"))));
  ASSIGN_OR_RETURN(const catalog::Catalog target,
                   catalog::CatalogFromJson(ReadFileOrEmpty(golden.path("new.json"))));
  const records::Stream stream = records::ForwardOf(file);
  const auto answers = ReplayedSession::Of(ReadFileOrEmpty(golden.path("answers.jsonl")));
  return mapping::Compile(
      {.stream = &stream, .source = &source, .target = &target, .schemas = file.schemas}, *answers,
      nullptr);
}

void ExpectGolden(const GoldenPlan& golden) {
  ASSERT_OK_AND_ASSIGN(const mapping::Plan plan, CompileKept(golden));
  const std::string sql = mapping::PlanSql(plan);
  if (UpdatesGolden()) std::ofstream(golden.path("plan.sql")) << sql;
  EXPECT_EQ(sql, ReadFileOrEmpty(golden.path("plan.sql")))
      << "if it is meant: SWITCHYARD_UPDATE_GOLDEN=1, then plan_recording_test and this once more";
}

TEST(PlanGoldenTest, StudioBookings) { ExpectGolden(StudioBookings()); }

TEST(PlanGoldenTest, FourTablesWithForeignKeys) { ExpectGolden(FourTables()); }

}  // namespace
}  // namespace switchyard::testing
