// One cluster for all tests of a binary; every test has a session and a Cancel of its own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/pg/session.h"
#include "tests/support/await.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/server/tcp_proxy.h"
#include "tests/support/status_matchers.h"

namespace switchyard::pg {

class SessionFixture : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (server_ != nullptr) return;
    auto started = testing::MiniPostgres::Start();
    CheckOk(started.status());
    server_ = std::move(*started).release();
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  static void CheckOk(const absl::Status& status) {
    ASSERT_TRUE(status.ok()) << StdSv(status.ToString());
  }

  void SetUp() override {
    auto session = Open();
    ASSERT_OK(session);
    session_ = std::move(*session);
  }

  absl::StatusOr<std::unique_ptr<Session>> Open(
      std::vector<std::pair<std::string, std::string>> settings = {}) {
    settings.insert(settings.begin(), {"search_path", "public"});
    return Session::Connect({.dsn = server_->dsn(),
                             .application_name = "session test",
                             .settings = std::move(settings)},
                            cancel_);
  }

  static std::unique_ptr<testing::TcpProxy> Proxy() {
    auto proxy = testing::TcpProxy::Start({.unix_path = server_->socket_path()});
    CheckOk(proxy.status());
    return std::move(*proxy);
  }

  static std::string Scalar(const std::string& sql) {
    auto value = server_->Scalar("postgres", sql);
    CheckOk(value.status());
    return *value;
  }

  // Waits until `sql` gives "t", at most half a minute.
  static bool Await(const std::string& sql) {
    return testing::Await(sql, absl::Seconds(30), [&] { return Scalar(sql) == "t"; }).ok();
  }
  // Waits until backend `pid` is in pg_sleep.
  static bool AwaitAsleep(int pid) {
    return Await(
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND pid = " +
        std::to_string(pid));
  }

  static inline testing::MiniPostgres* server_ = nullptr;
  Cancel cancel_;
  std::unique_ptr<Session> session_;
};

}  // namespace switchyard::pg
