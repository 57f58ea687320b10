// Transactions, and COMMITs whose answer never comes (promise 3 rests on them).
#include <string>
#include <thread>

#include "tests/pg/session_fixture.h"

namespace switchyard::pg {
namespace {

using ::switchyard::testing::StatusIs;
using ::testing::HasSubstr;

// A deferred trigger keeps COMMIT busy.
constexpr char kSlowCommit[] =
    "CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
    "$$BEGIN PERFORM pg_sleep(600); RETURN NULL; END$$;"
    "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON c DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW EXECUTE FUNCTION slow()";

class SessionCommitTest : public SessionFixture {
 protected:
  void SetUp() override {
    SessionFixture::SetUp();
    ASSERT_OK(session_->Execute("DROP TABLE IF EXISTS c; CREATE TABLE c (id int PRIMARY KEY)"));
    proxy_ = Proxy();
    auto session = Session::Connect({.dsn = proxy_->dsn(),
                                     .application_name = "commit test",
                                     .settings = {{"search_path", "public"}}},
                                    cancel_);
    ASSERT_OK(session);
    through_proxy_ = std::move(*session);
  }

  std::unique_ptr<testing::TcpProxy> proxy_;
  std::unique_ptr<Session> through_proxy_;
};

TEST_F(SessionCommitTest, ACommitWhoseAnswerIsLostIsInDoubtThoughItHappened) {
  ASSERT_OK(through_proxy_->Begin());
  ASSERT_OK(through_proxy_->Execute("INSERT INTO c VALUES (1)"));
  proxy_->CutReplyTo("COMMIT");
  EXPECT_THAT(through_proxy_->Commit(),
              StatusIs(absl::StatusCode::kUnknown, HasSubstr("no answer to COMMIT")));
  EXPECT_FALSE(through_proxy_->alive());
  EXPECT_EQ(Scalar("SELECT count(*) FROM c"), "1");
}

TEST_F(SessionCommitTest, ACommitThatNeverArrivedIsInDoubtToo) {
  ASSERT_OK(through_proxy_->Begin());
  ASSERT_OK(through_proxy_->Execute("INSERT INTO c VALUES (1)"));
  proxy_->CutBefore("COMMIT");
  EXPECT_THAT(through_proxy_->Commit(), StatusIs(absl::StatusCode::kUnknown, HasSubstr("")));
  EXPECT_TRUE(Await("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = " +
                    std::to_string(through_proxy_->backend_pid())));
  EXPECT_EQ(Scalar("SELECT count(*) FROM c"), "0");
}

TEST_F(SessionCommitTest, AConnectionLostBeforeCommitIsNotInDoubt) {
  ASSERT_OK(through_proxy_->Begin());
  ASSERT_OK(through_proxy_->Execute("INSERT INTO c VALUES (1)"));
  proxy_->CutBefore("INSERT");
  EXPECT_THAT(through_proxy_->Execute("INSERT INTO c VALUES (2)"),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("lost the connection")));
  EXPECT_THAT(through_proxy_->Commit(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("")));
}

TEST_F(SessionCommitTest, ABackendTerminatedDuringCommitIsInDoubt) {
  ASSERT_OK(session_->Execute(kSlowCommit));
  ASSERT_OK(session_->Begin());
  ASSERT_OK(session_->Execute("INSERT INTO c VALUES (1)"));
  std::thread killer([pid = session_->backend_pid()] {
    EXPECT_TRUE(AwaitAsleep(pid));
    Scalar("SELECT pg_terminate_backend(" + std::to_string(pid) + ")");
  });
  const absl::Status status = session_->Commit();
  killer.join();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnknown, HasSubstr("")));
  EXPECT_EQ(StatusSqlState(status), "57P01");
}

TEST_F(SessionCommitTest, AConstraintThatFailsAtCommitIsAPlainFailure) {
  ASSERT_OK(
      session_->Execute("DROP TABLE IF EXISTS child; CREATE TABLE child "
                        "(id int REFERENCES c DEFERRABLE INITIALLY DEFERRED)"));
  ASSERT_OK(session_->Begin());
  ASSERT_OK(session_->Execute("INSERT INTO child VALUES (7)"));
  EXPECT_THAT(session_->Commit(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("23503")));
  EXPECT_TRUE(session_->alive());
  EXPECT_OK(session_->Execute("DROP TABLE child"));
}

TEST_F(SessionCommitTest, CommitOfAFailedTransactionSaysThatItRolledBack) {
  ASSERT_OK(session_->Begin());
  EXPECT_FALSE(session_->Execute("SELECT 1/0").ok());
  EXPECT_THAT(session_->Commit(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("rolled back")));
  EXPECT_OK(session_->Execute("SELECT 1"));
}

TEST_F(SessionCommitTest, ShutdownGivesACommitAFewSecondsAndThenCallsItInDoubt) {
  ASSERT_OK(session_->Execute(kSlowCommit));
  ASSERT_OK(session_->Begin());
  ASSERT_OK(session_->Execute("INSERT INTO c VALUES (1)"));
  const std::string pid = std::to_string(session_->backend_pid());
  std::thread stopper([&] {
    EXPECT_TRUE(AwaitAsleep(session_->backend_pid()));
    cancel_.Request();
  });
  const absl::Status status = session_->Commit();
  stopper.join();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnknown, HasSubstr("no answer to COMMIT")));
  EXPECT_FALSE(session_->alive());
  // The server watches for closed connections.
  EXPECT_TRUE(Await("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = " + pid));
}

TEST_F(SessionCommitTest, InTransactionCommitsAllOrNothing) {
  ASSERT_OK(session_->InTransaction([&] { return session_->Execute("INSERT INTO c VALUES (1)"); }));
  EXPECT_THAT(session_->InTransaction([&]() -> absl::Status {
    RETURN_IF_ERROR(session_->Execute("INSERT INTO c VALUES (2)"));
    return session_->Execute("INSERT INTO c VALUES (1)");
  }),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("23505")));
  EXPECT_EQ(Scalar("SELECT string_agg(id::text, ',') FROM c"), "1");
  EXPECT_OK(session_->Begin("ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  ASSERT_OK_AND_ASSIGN(const Result level, session_->Query("SHOW transaction_isolation"));
  EXPECT_EQ(level.text(0, 0), "repeatable read");
  session_->Rollback();
  session_->Rollback();  // nothing to do
  EXPECT_OK(session_->Execute("INSERT INTO c VALUES (3)"));
}

}  // namespace
}  // namespace switchyard::pg
