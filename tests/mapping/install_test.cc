// Installing a mapping in the target database, on a real Postgres.
#include "common/mapping/install.h"

#include <thread>

#include "absl/time/clock.h"
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
  std::thread waiter(
      [&] { installed = InstallTarget(*second, plan, Catalog(), {.stream = "shop.forward"}); });
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (server->Scalar("postgres", kWaiting).value_or("") != "1" && absl::Now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_OK(first->Execute(TargetSetupSql()));
  EXPECT_OK(first->Execute("SELECT pg_advisory_unlock_all()"));
  waiter.join();
  EXPECT_OK(installed);
  ASSERT_OK_AND_ASSIGN(const std::string streams,
                       server->Scalar("postgres", "SELECT count(*) FROM switchyard.stream"));
  EXPECT_EQ(streams, "1");
}

}  // namespace
}  // namespace switchyard::mapping
