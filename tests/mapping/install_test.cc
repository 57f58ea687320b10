// Installing a mapping in the target database, on a real Postgres.
#include "common/mapping/install/install.h"

#include <thread>
#include <vector>

#include "common/mapping/install/target_setup.h"
#include "common/records/stream/stream.h"
#include "common/records/target_sql.h"
#include "tests/support/await.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/status_matchers.h"

namespace switchyard::mapping {
namespace {

using testing::MiniPostgres;

Plan PlanOf(records::Direction direction) {
  const records::Stream stream = records::StreamNamed("shop", direction);
  return {
      .mirror_schema = stream.mirror_schema, .view_prefix = stream.view_prefix, .fingerprint = "f"};
}

constexpr char kWaiting[] =
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";

TEST(InstallTest, TwoAtOnceInstallOneAfterTheOther) {
  ASSERT_OK_AND_ASSIGN(const auto server, MiniPostgres::Start());
  ASSERT_OK_AND_ASSIGN(const auto first, server->Connect("postgres"));
  ASSERT_OK_AND_ASSIGN(const auto second, server->Connect("postgres"));
  // As in a replayer that has looked around: this session's caches are warm, and remember that
  // there is no such schema.
  ASSERT_OK(second->Execute("BEGIN; CREATE SCHEMA switchyard_other; ROLLBACK"));
  ASSERT_OK(second->Query("SELECT to_regclass('switchyard.stream')").status());
  ASSERT_OK(first->Execute("SELECT pg_advisory_lock(hashtextextended('switchyard install', 0))"));
  const Plan plan = PlanOf(records::Direction::kForward);
  absl::Status installed;
  std::thread waiter([&] {
    installed = InstallTarget(*second, plan, catalog::Catalog(), {.stream = "shop.forward"});
  });
  EXPECT_OK(testing::Await("the second one waits", absl::Seconds(20), [&] {
    return server->Scalar("postgres", kWaiting).value_or("") == "1";
  }));
  EXPECT_OK(first->Execute(records::TargetSetupSql()));
  EXPECT_OK(first->Execute("SELECT pg_advisory_unlock_all()"));
  waiter.join();
  EXPECT_OK(installed);
  ASSERT_OK_AND_ASSIGN(const std::string streams,
                       server->Scalar("postgres", "SELECT count(*) FROM switchyard.stream"));
  EXPECT_EQ(streams, "1");
}

// A reverse stream writes the database that a forward stream of another migration may write too.
TEST(InstallTest, StreamsOfBothDirectionsStandBesideEachOtherInOneDatabase) {
  ASSERT_OK_AND_ASSIGN(const auto server, MiniPostgres::Start());
  ASSERT_OK_AND_ASSIGN(const auto session, server->Connect("postgres"));
  ASSERT_OK(session->Execute("CREATE TABLE t (id int)"));
  const auto install = [&](const std::string& stream, bool replace) {
    const records::Direction direction = records::DirectionOf(stream);
    Plan plan = PlanOf(direction);
    plan.fingerprint = replace ? "another" : "f";
    plan.sources = {
        {.name = "t",
         .mirrored = true,
         .mirror_ddl = {"CREATE TABLE IF NOT EXISTS " + plan.mirror_schema + ".t (id int)"}}};
    MappingPlan mapping{.target = "public.t"};
    mapping.keyed.view_ddl = "CREATE VIEW switchyard." + plan.view_prefix + "0_t AS TABLE t";
    plan.mappings = {mapping};
    return InstallTarget(*session, plan, catalog::Catalog(),
                         {.stream = stream, .replace = replace});
  };
  ASSERT_OK(install("shop.forward", false));
  ASSERT_OK(install("bar.reverse", false));
  EXPECT_EQ(server
                ->Scalar("postgres",
                         "SELECT string_agg(view_schema || '.' || view_name || ' reads ' || "
                         "table_schema, ', ' ORDER BY 1) FROM (SELECT * FROM "
                         "information_schema.view_table_usage) AS v "
                         "WHERE view_schema = 'switchyard'")
                .value_or(""),
            "switchyard.map_0_t reads switchyard_old, "
            "switchyard.reverse_map_0_t reads switchyard_new");
  // The views of one are replaced without the other's.
  ASSERT_OK(install("bar.reverse", true));
  // Two of one direction would share a mirror: the second one is told of the first.
  EXPECT_THAT(install("other.forward", false),
              testing::StatusIs(absl::StatusCode::kFailedPrecondition,
                                ::testing::AllOf(::testing::HasSubstr("stream shop.forward is"),
                                                 ::testing::HasSubstr("other.forward needs"))));
  EXPECT_THAT(install("other.reverse", false),
              testing::StatusIs(absl::StatusCode::kFailedPrecondition,
                                ::testing::HasSubstr("stream bar.reverse is")));
}

// What was given to the world is kept by every version, on every server.
TEST(InstallTest, AnIdOfAKeyIsTheSameForEver) {
  ASSERT_OK_AND_ASSIGN(const auto server, MiniPostgres::Start());
  ASSERT_OK(server->Execute("postgres", records::TargetSetupSql()));
  const std::pair<const char*, const char*> kIds[] = {
      {"'user', '1'", "f3dd36ae-d1c2-8762-96a3-81bfd26bf375"},
      {"'use', 'r1'", "248d9d09-255b-8ca3-af7b-4245f8385838"},
      {R"('user', '\x41')", "511f643c-9475-8990-bf63-4a654f09371f"},
      {"'ü', 'straße'", "4d0412d3-7746-8111-97f8-909b4759a099"},
      {"'user', ''", "0f8bf724-3e67-89e0-9c5c-a3563e497889"}};
  for (const auto& [key, id] : kIds) {
    const std::string sql = std::string("SELECT switchyard.uuid_of(") + key + ")";
    ASSERT_OK_AND_ASSIGN(const std::string given, server->Scalar("postgres", sql));
    EXPECT_EQ(given, id) << sql;
  }
}

}  // namespace
}  // namespace switchyard::mapping
