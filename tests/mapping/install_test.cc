// Installing a mapping in the target database, on a real Postgres.
#include "common/mapping/install/install.h"

#include <thread>

#include "common/records/target_sql.h"
#include "tests/support/await.h"
#include "tests/support/mini_postgres.h"
#include "tests/support/status_matchers.h"

namespace switchyard::mapping {
namespace {

using testing::MiniPostgres;

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
  const Plan plan{.fingerprint = "f"};
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
