// SQL over libpqxx: scopes, deadlines, and COMMITs whose answer never comes.
#include "common/pg/control_session.h"

#include <thread>

#include "tests/pg/session_fixture.h"

namespace switchyard::pg {
namespace {

using ::switchyard::testing::StatusIs;
using ::testing::HasSubstr;

class ControlSessionTest : public SessionFixture {
 protected:
  void SetUp() override {
    SessionFixture::SetUp();
    ASSERT_OK(session_->Execute("DROP TABLE IF EXISTS k; CREATE TABLE k (id int PRIMARY KEY)"));
    control_ = Control(server_->dsn());
    ASSERT_NE(control_, nullptr);
  }
  std::unique_ptr<ControlSession> Control(const std::string& dsn) {
    auto control = ControlSession::Connect({.dsn = dsn, .application_name = "control"}, cancel_);
    CheckOk(control.status());
    return control.ok() ? *std::move(control) : nullptr;
  }
  static absl::Status Insert(ControlSession& session, const std::string& id) {
    return session.Query("INSERT INTO public.k VALUES ($1::int)", {id}).status();
  }
  static std::string Count() { return Scalar("SELECT count(*) FROM k"); }

  std::unique_ptr<ControlSession> control_;
};

TEST_F(ControlSessionTest, GivesValuesNullsAndCounts) {
  ASSERT_OK_AND_ASSIGN(const Rows rows, control_->Query("SELECT $1::text, $2::text, 7, true",
                                                        {"a'b", std::nullopt}));
  ASSERT_EQ(rows.rows(), 1);
  EXPECT_EQ(rows.str(0, 0), "a'b");
  EXPECT_TRUE(rows.is_null(0, 1));
  EXPECT_EQ(rows.text(0, 1), "");
  EXPECT_EQ(rows.i64(0, 2), 7);
  EXPECT_TRUE(rows.boolean(0, 3));
  ASSERT_OK_AND_ASSIGN(const Rows touched,
                       control_->Query("INSERT INTO public.k SELECT generate_series(1, 3)"));
  EXPECT_EQ(touched.affected(), 3);
}

TEST_F(ControlSessionTest, HasTheSettingsOfEverySession) {
  ASSERT_OK_AND_ASSIGN(const Rows style, control_->Query("SHOW DateStyle"));
  EXPECT_EQ(style.str(0, 0), "ISO, MDY");
  ASSERT_OK_AND_ASSIGN(const Rows name, control_->Query("SHOW application_name"));
  EXPECT_EQ(name.str(0, 0), "control");
}

TEST_F(ControlSessionTest, ABodyThatFailsLeavesNothing) {
  const absl::Status status = control_->InTransaction([](ControlTransaction& tx) -> absl::Status {
    RETURN_IF_ERROR(tx.Execute("INSERT INTO public.k VALUES (1)"));
    return absl::FailedPreconditionError("a gate is red");
  });
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("a gate is red")));
  EXPECT_EQ(Count(), "0");
}

TEST_F(ControlSessionTest, AFailedStatementThatTheBodyPassesOverStillLeavesNothing) {
  const absl::Status status = control_->InTransaction([](ControlTransaction& tx) -> absl::Status {
    RETURN_IF_ERROR(tx.Execute("INSERT INTO public.k VALUES (1)"));
    EXPECT_FALSE(tx.Execute("INSERT INTO public.k VALUES (1)").ok());
    EXPECT_THAT(tx.Execute("SELECT 1"), StatusIs(absl::StatusCode::kAborted, HasSubstr("failed")));
    return absl::OkStatus();
  });
  EXPECT_EQ(StatusSqlState(status), "23505");
  EXPECT_EQ(Count(), "0");
  EXPECT_OK(Insert(*control_, "2"));
}

TEST_F(ControlSessionTest, ErrorsCarryTheSqlStateAndNoRow) {
  ASSERT_OK(Insert(*control_, "4711"));
  const absl::Status twice = Insert(*control_, "4711");
  EXPECT_EQ(StatusSqlState(twice), "23505");
  EXPECT_THAT(std::string(StdSv(twice.message())), ::testing::Not(HasSubstr("4711")));
  EXPECT_THAT(control_->Query("SELECT nonsense").status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nonsense")));
  EXPECT_EQ(StatusSqlState(control_->Query("SELECT nonsense").status()), "42703");
  EXPECT_EQ(StatusSqlState(control_->Query("SELECT FROM no_table").status()), "42P01");
  ASSERT_OK(control_->Query("CREATE VIEW public.reads_k AS SELECT FROM public.k"));
  const absl::Status used = control_->Query("DROP TABLE public.k").status();
  EXPECT_THAT(used, StatusIs(absl::StatusCode::kFailedPrecondition,
                             HasSubstr("(SQLSTATE 2BP01): view public.reads_k depends on table")));
  ASSERT_OK(control_->Query("DROP VIEW public.reads_k"));
  EXPECT_THAT(control_->InTransaction([](ControlTransaction& tx) -> absl::Status {
    RETURN_IF_ERROR(tx.Execute("SET LOCAL ROLE pg_monitor"));
    return tx.Execute("DROP TABLE public.k");
  }),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("must be owner of table k (SQLSTATE 42501)")));
}

TEST_F(ControlSessionTest, AReadOnlyTransactionCanNotWrite) {
  const auto wrote = control_->Query("INSERT INTO public.k VALUES (1)", {},
                                     {.repeatable_read = true, .read_only = true});
  EXPECT_EQ(StatusSqlState(wrote.status()), "25006");
}

TEST_F(ControlSessionTest, AStatementEndsAtItsDeadlineAndTheSessionGoesOn) {
  EXPECT_THAT(
      control_->Query("SELECT pg_sleep(600)", {}, {.statement_timeout = absl::Milliseconds(50)})
          .status(),
      StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("50ms")));
  EXPECT_OK(Insert(*control_, "1"));
}

TEST_F(ControlSessionTest, AServerThatIsSilentEndsTheConnectionAtTheDeadline) {
  const auto proxy = Proxy();
  const auto control = Control(proxy->dsn());
  ASSERT_NE(control, nullptr);
  proxy->Stall();
  EXPECT_THAT(
      control->Query("SELECT 1", {}, {.statement_timeout = absl::Milliseconds(50)}).status(),
      StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("")));
  EXPECT_FALSE(control->Query("SELECT 1").ok());
}

TEST_F(ControlSessionTest, ShutdownEndsAStatement) {
  std::thread waiter([&] {
    EXPECT_THAT(control_->Query("SELECT pg_sleep(600)").status(),
                StatusIs(absl::StatusCode::kCancelled, HasSubstr("")));
  });
  EXPECT_TRUE(AwaitAsleep(control_->backend_pid()));
  cancel_.Request();
  waiter.join();
}

TEST_F(ControlSessionTest, ALostConnectionIsNotMadeAgainInSilence) {
  ASSERT_TRUE(control_->alive());
  ASSERT_OK(session_->Query("SELECT pg_terminate_backend($1)",
                            {std::to_string(control_->backend_pid())}));
  EXPECT_THAT(Insert(*control_, "1"), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("")));
  EXPECT_FALSE(Insert(*control_, "2").ok());
  EXPECT_EQ(Count(), "0");
}

// Promise 3 rests on it.
TEST_F(ControlSessionTest, ACommitWhoseAnswerIsLostIsInDoubtThoughItHappened) {
  const auto proxy = Proxy();
  const auto control = Control(proxy->dsn());
  ASSERT_NE(control, nullptr);
  proxy->CutReplyTo("COMMIT");
  EXPECT_THAT(Insert(*control, "1"), StatusIs(absl::StatusCode::kUnknown, HasSubstr("may have")));
  EXPECT_EQ(Count(), "1");
}

}  // namespace
}  // namespace switchyard::pg
