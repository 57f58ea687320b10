// The answers that plan_golden_test goes by are those a server gives today.
#include <fstream>

#include "common/mapping/compile/compiler.h"
#include "common/records/target_sql.h"
#include "gtest/gtest.h"
#include "tests/mapping/golden_plans.h"
#include "tests/support/oracle/recorded_session.h"
#include "tests/support/oracle/studio_example.h"
#include "tests/support/status_matchers.h"

namespace switchyard::testing {
namespace {

void Expect(const GoldenPlan& golden, const std::string& file, const std::string& text) {
  if (UpdatesGolden()) std::ofstream(golden.path(file)) << text;
  EXPECT_EQ(text, ReadFileOrEmpty(golden.path(file)))
      << "if it is meant: SWITCHYARD_UPDATE_GOLDEN=1, then this and plan_golden_test once more";
}

void ExpectRecorded(const GoldenPlan& golden, pg::Session& old_session, pg::Session& new_session) {
  ASSERT_OK(new_session.Execute(records::TargetSetupSql()));
  ASSERT_OK_AND_ASSIGN(const spec::MigrationFile file,
                       spec::LoadMigrationFile(golden.migration_file));
  ASSERT_OK_AND_ASSIGN(catalog::Catalog source,
                       catalog::LoadCatalog(old_session, catalog::SourceTables(file.forward),
                                            {.schemas = file.schemas}));
  ASSERT_OK_AND_ASSIGN(catalog::Catalog target,
                       catalog::LoadCatalog(new_session, catalog::TargetTables(file.forward), {}));
  source = Normalised(std::move(source));
  target = Normalised(std::move(target));
  const records::Stream stream = records::ForwardOf(file);
  RecordingSession recording(new_session);
  ASSERT_OK(mapping::Compile(
      {.stream = &stream, .source = &source, .target = &target, .schemas = file.schemas}, recording,
      nullptr));
  Expect(golden, "old.json", catalog::CatalogToJson(source));
  Expect(golden, "new.json", catalog::CatalogToJson(target));
  Expect(golden, "answers.jsonl", recording.answers());
}

TEST(PlanRecordingTest, StudioBookings) {
  ASSERT_OK_AND_ASSIGN(const auto example, StudioExample::Start({.scale = 1}));
  ASSERT_OK_AND_ASSIGN(const auto old_session, example->old_db().Connect("studio"));
  ASSERT_OK_AND_ASSIGN(const auto new_session, example->new_db().Connect("studio"));
  ExpectRecorded(StudioBookings(), *old_session, *new_session);
}

// `statistics`: what NEW's planner goes by, which no answer may hang on.
void ExpectFourTables(const std::string& statistics) {
  ASSERT_OK_AND_ASSIGN(const auto server, MiniPostgres::Start());
  ASSERT_OK(server->CreateDatabase("old_db"));
  ASSERT_OK(server->CreateDatabase("new_db"));
  ASSERT_OK(server->Execute("old_db", ReadFileOrEmpty(FourTables().path("old.sql"))));
  ASSERT_OK(server->Execute("new_db", ReadFileOrEmpty(FourTables().path("new.sql"))));
  ASSERT_OK(server->Execute("new_db", statistics));
  ASSERT_OK_AND_ASSIGN(const auto old_session, server->Connect("old_db"));
  ASSERT_OK_AND_ASSIGN(const auto new_session, server->Connect("new_db"));
  ExpectRecorded(FourTables(), *old_session, *new_session);
}

TEST(PlanRecordingTest, FourTablesWithForeignKeys) { ExpectFourTables(""); }

TEST(PlanRecordingTest, AnAnalyzedCatalogAnswersTheSame) {
  ExpectFourTables(
      "VACUUM ANALYZE pg_attribute, pg_class, pg_collation, pg_depend, pg_namespace, pg_operator, "
      "pg_proc, pg_rewrite, pg_type");
}

TEST(PlanRecordingTest, ADifferentWayToJoinAnswersTheSame) {
  ExpectFourTables(
      "ALTER DATABASE new_db SET enable_hashjoin = off;"
      "ALTER DATABASE new_db SET enable_hashagg = off");
}

}  // namespace
}  // namespace switchyard::testing
