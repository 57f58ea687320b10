#include "gmock/gmock.h"
#include "tests/pg/session_fixture.h"
#include "tests/support/server/mini_pgbouncer.h"
#include "tests/support/server/subprocess.h"

namespace switchyard::pg {
namespace {

using ::switchyard::testing::MiniPgBouncer;
using ::switchyard::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

class SessionPoolerTest : public SessionFixture {
 protected:
  void StartPooler(const char* pool_mode, const char* more = "") {
    auto pooler = MiniPgBouncer::Start(*server_, pool_mode, more);
    if (absl::IsNotFound(pooler.status())) GTEST_SKIP() << "pgbouncer is not installed";
    ASSERT_OK(pooler);
    pooler_ = std::move(*pooler);
  }
  absl::StatusOr<std::unique_ptr<Session>> Through(
      std::vector<std::pair<std::string, std::string>> settings = {}) {
    return Session::Connect({.dsn = pooler_->dsn("postgres"),
                             .application_name = "pooler test",
                             .settings = std::move(settings)},
                            cancel_);
  }

  std::unique_ptr<MiniPgBouncer> pooler_;
};

// Whatever it is that hands out the backends: the last one used, one after the other, or the only.
TEST_F(SessionPoolerTest, RefusesOneThatPoolsByTransaction) {
  for (const char* more : {"", "server_round_robin = 1", "default_pool_size = 1",
                           "server_round_robin = 1\ndefault_pool_size = 2\nmin_pool_size = 2"}) {
    StartPooler("transaction", more);
    for (int i = 0; i < 3; ++i) {
      EXPECT_THAT(Through().status(),
                  StatusIs(absl::StatusCode::kFailedPrecondition,
                           AllOf(HasSubstr("gives the statements of one session to several"),
                                 HasSubstr("; next: let the connection string lead to the server "
                                           "itself, or pool by session"))))
          << more;
    }
  }
}

TEST_F(SessionPoolerTest, LeavesNothingBehindInTheBackendsOfTheRefused) {
  StartPooler("transaction", "default_pool_size = 1");
  EXPECT_FALSE(Through({{"session_replication_role", "replica"}}).ok());
  const std::string program =
      "PGOPTIONS= " + server_->bin_dir() + "/psql -XAtc \"SELECT name, setting FROM pg_settings " +
      "WHERE source = 'session' AND name NOT IN ('client_encoding', 'DateStyle', 'TimeZone', " +
      "'standard_conforming_strings', 'application_name')\" '" + pooler_->dsn("postgres") + "'";
  ASSERT_OK_AND_ASSIGN(const std::string left,
                       testing::RunForOutput({.argv = {"/bin/sh", "-c", program}}));
  EXPECT_EQ(left, "");
}

TEST_F(SessionPoolerTest, RefusesOneThatPoolsByStatementInWordsOfItsOwn) {
  StartPooler("statement");
  EXPECT_THAT(Through().status(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                           AllOf(HasSubstr("pools by statement"),
                                                 HasSubstr("; next: let the connection string"))));
}

TEST_F(SessionPoolerTest, WorksThroughOneThatPoolsBySessionAndDropsStartOptions) {
  StartPooler("session");
  ASSERT_OK_AND_ASSIGN(auto session, Through({{"session_replication_role", "replica"}}));
  for (const Setting& setting : kTextFormSettings) {
    if (setting.since_version > session->server_version()) continue;
    ASSERT_OK_AND_ASSIGN(const Result shown, session->Query("SHOW " + std::string(setting.name)));
    EXPECT_EQ(shown.text(0, 0), setting.value) << setting.name;
  }
  ASSERT_OK_AND_ASSIGN(const Result path, session->Query("SHOW search_path"));
  EXPECT_EQ(path.text(0, 0), "pg_catalog");
  ASSERT_OK_AND_ASSIGN(const Result role, session->Query("SHOW session_replication_role"));
  EXPECT_EQ(role.text(0, 0), "replica");
}

// The pool has no second backend to try with: it keeps this one for us, as a pool of sessions does.
TEST_F(SessionPoolerTest, WorksThroughAPoolOfOneSession) {
  StartPooler("session", "default_pool_size = 1");
  EXPECT_OK(Through());
}

}  // namespace
}  // namespace switchyard::pg
