#include <algorithm>
#include <random>
#include <string>
#include <thread>

#include "tests/pg/session_fixture.h"

namespace switchyard::pg {
namespace {

using ::switchyard::testing::StatusIs;
using ::testing::HasSubstr;

class SessionCopyTest : public SessionFixture {
 protected:
  void SetUp() override {
    SessionFixture::SetUp();
    ASSERT_OK(session_->Execute("DROP TABLE IF EXISTS t; CREATE TABLE t (id int, x text)"));
  }

  absl::StatusOr<std::string> CopiedOut(const std::string& sql) {
    std::string all;
    RETURN_IF_ERROR(session_->CopyOut(sql, [&](std::string_view line) {
      EXPECT_EQ(line.find('\n'), line.size() - 1);
      all += line;
      return absl::OkStatus();
    }));
    return all;
  }
};

TEST_F(SessionCopyTest, CarriesAnyTextWhereverTheDataIsCut) {
  std::string data;
  for (int i = 0; i < 2000; ++i) {
    data += std::to_string(i) + "\t" +
            (i % 3 == 0   ? "\\N"
             : i % 3 == 1 ? ""
                          : "tab\\tnewline\\n ü\\\\") +
            "\n";
  }
  std::minstd_rand random(7);
  ASSERT_OK(session_->BeginCopyIn("COPY t FROM STDIN"));
  for (size_t at = 0; at < data.size();) {
    const size_t size = std::min<size_t>(random() % 50, data.size() - at);
    ASSERT_OK(session_->PutCopyData(data.substr(at, size)));
    at += size;
  }
  EXPECT_THAT(session_->EndCopyIn(), testing::IsOk());
  EXPECT_THAT(CopiedOut("COPY (SELECT * FROM t ORDER BY id) TO STDOUT").value(), data);
  ASSERT_OK_AND_ASSIGN(const Result counts,
                       session_->Query("SELECT count(*) FILTER (WHERE x IS NULL), "
                                       "count(*) FILTER (WHERE x = '') FROM t"));
  EXPECT_EQ(counts.i64(0, 0), 667);
  EXPECT_EQ(counts.i64(0, 1), 667);
}

TEST_F(SessionCopyTest, CountsTheRowsCopied) {
  ASSERT_OK(session_->BeginCopyIn("COPY t FROM STDIN"));
  ASSERT_OK(session_->PutCopyData("1\ta\n2\tb\n3"));
  ASSERT_OK(session_->PutCopyData("\tc"));  // no newline at the end
  ASSERT_OK_AND_ASSIGN(const int64_t rows, session_->EndCopyIn());
  EXPECT_EQ(rows, 3);
  ASSERT_OK(session_->BeginCopyIn("COPY t FROM STDIN"));
  ASSERT_OK_AND_ASSIGN(const int64_t none, session_->EndCopyIn());
  EXPECT_EQ(none, 0);
  EXPECT_EQ(CopiedOut("COPY (SELECT 1 WHERE false) TO STDOUT").value(), "");
}

TEST_F(SessionCopyTest, CarriesAValueLargerThanAnyBuffer) {
  const std::string value(20 << 20, 'x');
  ASSERT_OK(session_->BeginCopyIn("COPY t FROM STDIN"));
  ASSERT_OK(session_->PutCopyData("1\t" + value + "\n"));
  ASSERT_OK(session_->EndCopyIn());
  size_t size = 0;
  ASSERT_OK(session_->CopyOut("COPY t TO STDOUT", [&](std::string_view line) {
    size = line.size();
    return absl::OkStatus();
  }));
  EXPECT_EQ(size, value.size() + 3);
}

TEST_F(SessionCopyTest, ARefusedRowIsReportedAtTheEndAndTheSessionGoesOn) {
  ASSERT_OK(session_->BeginCopyIn("COPY t FROM STDIN"));
  ASSERT_OK(session_->PutCopyData("one\ta\n"));
  const std::string more(1 << 20, '\n');
  ASSERT_OK(session_->PutCopyData(more));
  const absl::Status status = session_->EndCopyIn().status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("22P02")));
  EXPECT_THAT(StatusErrorFields(status).context, HasSubstr("line 1, column id"));
  EXPECT_OK(session_->Execute("SELECT 1"));
}

TEST_F(SessionCopyTest, AbortLeavesNothingBehind) {
  ASSERT_OK(session_->BeginCopyIn("COPY t FROM STDIN"));
  ASSERT_OK(session_->PutCopyData("1\ta\n"));
  ASSERT_OK(session_->AbortCopyIn("the test says so"));
  EXPECT_EQ(Scalar("SELECT count(*) FROM t"), "0");
  ASSERT_OK(session_->Begin());
  ASSERT_OK(session_->BeginCopyIn("COPY t FROM STDIN"));
  session_->Rollback();  // in the middle of it
  EXPECT_OK(session_->Execute("SELECT 1"));
}

TEST_F(SessionCopyTest, AnErrorOfTheReceiverCancelsTheCopyAndIsReturned) {
  int lines = 0;
  const absl::Status status = session_->CopyOut(
      "COPY (SELECT repeat('x', 100), generate_series(1, 100000000)) TO STDOUT",
      [&](std::string_view) {
        return ++lines < 10 ? absl::OkStatus() : absl::DataLossError("the log is full");
      });
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDataLoss, "the log is full"));
  EXPECT_EQ(lines, 10);
  EXPECT_OK(session_->Execute("SELECT 1"));
}

TEST_F(SessionCopyTest, ShutdownEndsACopyInEitherDirection) {
  const std::string pid = std::to_string(session_->backend_pid());
  EXPECT_THAT(
      session_->CopyOut("COPY (SELECT repeat('x', 100), generate_series(1, 100000000)) TO STDOUT",
                        [&](std::string_view) {
                          cancel_.Request();
                          return absl::OkStatus();
                        }),
      StatusIs(absl::StatusCode::kCancelled, HasSubstr("")));
  EXPECT_EQ(Scalar("SELECT state FROM pg_stat_activity WHERE pid = " + pid), "idle");

  Cancel cancel;
  ASSERT_OK_AND_ASSIGN(auto blocker, server_->Connect());
  ASSERT_OK_AND_ASSIGN(auto session, Session::Connect({.dsn = server_->dsn(),
                                                       .application_name = "copy in",
                                                       .settings = {{"search_path", "public"}}},
                                                      cancel));
  // The server reads nothing: a trigger sleeps on the first row.
  ASSERT_OK(blocker->Execute(
      "CREATE OR REPLACE FUNCTION sleepy() RETURNS trigger LANGUAGE plpgsql AS "
      "$$BEGIN PERFORM pg_sleep(600); RETURN NEW; END$$;"
      "CREATE TRIGGER sleepy BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION sleepy()"));
  const std::string rows = [] {
    std::string text;
    for (int i = 0; i < 100'000; ++i) text += "1\tabcdefghij\n";
    return text;
  }();
  ASSERT_OK(session->BeginCopyIn("COPY t FROM STDIN"));
  std::thread stopper([&, pid = session->backend_pid()] {
    EXPECT_TRUE(
        Await("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND "
              "pid = " +
              std::to_string(pid)));
    cancel.Request();
  });
  absl::Status status;
  while (status.ok()) status = session->PutCopyData(rows);
  stopper.join();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled, HasSubstr("")));
}

TEST_F(SessionCopyTest, ALostConnectionIsUnavailableInEitherDirection) {
  auto proxy = Proxy();
  const auto open = [&] {
    return Session::Connect(
        {.dsn = proxy->dsn(), .application_name = "copy", .settings = {{"search_path", "public"}}},
        cancel_);
  };
  ASSERT_OK_AND_ASSIGN(auto out, open());
  EXPECT_THAT(out->CopyOut("COPY (SELECT repeat('x', 1000), generate_series(1, 1000000)) TO STDOUT",
                           [&](std::string_view) {
                             proxy->CutAll();
                             return absl::OkStatus();
                           }),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("")));
  EXPECT_FALSE(out->alive());

  ASSERT_OK_AND_ASSIGN(auto in, open());
  ASSERT_OK(in->BeginCopyIn("COPY t FROM STDIN"));
  ASSERT_OK(in->PutCopyData("1\ta\n"));
  proxy->CutAll();
  absl::Status status;
  const std::string rows(1 << 20, 'x');
  for (int i = 0; i < 100 && status.ok(); ++i) status = in->PutCopyData(rows);
  if (status.ok()) status = in->EndCopyIn().status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("")));
  EXPECT_EQ(Scalar("SELECT count(*) FROM t"), "0");
}

TEST_F(SessionCopyTest, RefusesTheWrongKindOfStatementAndStaysUsable) {
  EXPECT_THAT(session_->BeginCopyIn("SELECT 1"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("COPY")));
  EXPECT_THAT(session_->BeginCopyIn("COPY (SELECT 1) TO STDOUT"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("COPY")));
  const auto ignore = [](std::string_view) { return absl::OkStatus(); };
  EXPECT_FALSE(session_->CopyOut("COPY t FROM STDIN", ignore).ok());
  EXPECT_THAT(session_->CopyOut("COPY missing TO STDOUT", ignore),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("42P01")));
  EXPECT_FALSE(session_->Execute("COPY t FROM STDIN").ok());
  EXPECT_FALSE(session_->Execute("COPY (SELECT generate_series(1, 100000)) TO STDOUT").ok());
  ASSERT_OK_AND_ASSIGN(const Result result, session_->Query("SELECT 1"));
  EXPECT_EQ(result.i64(0, 0), 1);
}

}  // namespace
}  // namespace switchyard::pg
