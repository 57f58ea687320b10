// A target with Switchyard's own tables, empty before each test, and a session of either client.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "common/base/wait/cancel.h"
#include "common/pg/control_session.h"
#include "common/pg/session.h"
#include "common/records/target_sql.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/status_matchers.h"

namespace switchyard::records {

class RecordsFixture : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto postgres = testing::MiniPostgres::Start();
    ASSERT_OK(postgres);
    postgres_ = std::move(*postgres).release();
    ASSERT_OK(postgres_->CreateDatabase("target"));
    ASSERT_OK(postgres_->Execute("target", TargetSetupSql()));
  }
  static void TearDownTestSuite() { delete postgres_; }

  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(session_,
                         pg::Session::Connect({.dsn = postgres_->dsn("target")}, cancel_));
    ASSERT_OK_AND_ASSIGN(control_,
                         pg::ControlSession::Connect({.dsn = postgres_->dsn("target")}, cancel_));
    ASSERT_OK(session_->Execute(
        "TRUNCATE switchyard.stream, switchyard.request, switchyard.copy, switchyard.copy_lane, "
        "switchyard.relation, switchyard.quarantine, switchyard.missed_rows, switchyard.id_map, "
        "switchyard.rehearsal, switchyard.ownership, switchyard.journal, switchyard.lease, "
        "switchyard.mark"));
  }

  static inline testing::MiniPostgres* postgres_ = nullptr;
  Cancel cancel_;
  std::unique_ptr<pg::Session> session_;
  std::unique_ptr<pg::ControlSession> control_;
};

}  // namespace switchyard::records
