#include "tests/capture/source_fixture.h"

#include "absl/strings/str_cat.h"
#include "tests/support/await.h"

namespace switchyard::capture::testing {

using switchyard::testing::MiniPostgres;

std::unique_ptr<MiniPostgres> SourceTest::server_;

void SourceTest::SetUpTestSuite() {
  auto server = MiniPostgres::Start();
  ASSERT_OK(server);
  server_ = std::move(*server);
}

void SourceTest::SetUp() {
  static int databases = 0;
  database_ = absl::StrCat("d", ++databases);
  ASSERT_OK(server_->CreateDatabase(database_));
  auto owner = server_->Connect(database_);
  ASSERT_OK(owner);
  owner_ = std::move(*owner);
}

// A slot left behind would keep the server's few slots taken.
void SourceTest::TearDown() {
  if (owner_ == nullptr || !owner_->alive()) return;
  EXPECT_OK(switchyard::testing::Await(
      "the slots are dropped", absl::Seconds(10), [&]() -> absl::StatusOr<bool> {
        RETURN_IF_ERROR(
            owner_->Execute("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots "
                            "WHERE database = current_database() AND active"));
        return owner_
            ->Execute(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
                "WHERE database = current_database()")
            .ok();
      }));
}

std::string SourceTest::Scalar(const std::string& sql) {
  auto result = owner_->Query(sql);
  EXPECT_OK(result);
  return result.ok() && result->rows() > 0 ? result->str(0, 0) : "";
}

catalog::Catalog SourceTest::LoadTables() {
  auto catalog = catalog::LoadCatalog(*owner_, tables_, {});
  EXPECT_OK(catalog);
  return catalog.ok() ? *std::move(catalog) : catalog::Catalog();
}

void SourceTest::SetUpSource() {
  ASSERT_OK_AND_ASSIGN(const std::string sql, SourceSetupSql(options(), LoadTables()));
  ASSERT_OK(owner_->Execute(sql)) << sql;
}

std::unique_ptr<pg::Session> SourceTest::ConnectAsCapture() {
  auto session = pg::Session::Connect({.dsn = capture_dsn()}, cancel_);
  EXPECT_OK(session);
  return session.ok() ? *std::move(session) : nullptr;
}

}  // namespace switchyard::capture::testing
