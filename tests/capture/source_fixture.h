// A real source database with a least-privilege capture role, for tests of capture.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "capture/source/source_setup.h"
#include "common/base/wait/cancel.h"
#include "common/catalog/catalog.h"
#include "common/pg/session.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/status_matchers.h"

namespace switchyard::capture::testing {

inline constexpr char kRole[] = "switchyard_capture";

// One server per test suite, a database per test.
class SourceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite() { server_.reset(); }
  void SetUp() override;
  void TearDown() override;

  // As the owner (a superuser).
  void Run(std::string_view sql) { ASSERT_OK(owner_->Execute(sql)); }
  std::string Scalar(const std::string& sql);
  catalog::Catalog LoadTables();
  // Runs what SourceSetupSql prints for `tables_`.
  void SetUpSource();
  // As the capture role.
  std::unique_ptr<pg::Session> ConnectAsCapture();
  std::string capture_dsn() const { return server_->dsn(database_) + " user=" + kRole; }
  SourceOptions options() const {
    return {.stream = records::StreamNamed("shop_" + database_, records::Direction::kForward),
            .role = kRole};
  }

  static std::unique_ptr<switchyard::testing::MiniPostgres> server_;
  Cancel cancel_;
  std::string
      database_;  // lower case; also in the stream's name, so that slots have names of their own
  std::unique_ptr<pg::Session> owner_;
  std::vector<spec::TableName> tables_ = {{"", "t"}};
};

}  // namespace switchyard::capture::testing
