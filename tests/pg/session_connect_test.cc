#include <string>
#include <thread>

#include "tests/pg/session_fixture.h"
#include "tests/support/server/subprocess.h"

namespace switchyard::pg {
namespace {

using ::switchyard::testing::MiniPostgres;
using ::switchyard::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class SessionConnectTest : public SessionFixture {
 protected:
  absl::Status Try(const std::string& dsn, absl::Duration timeout = absl::Seconds(10)) {
    return Session::Connect(
               {.dsn = dsn, .application_name = "connect test", .connect_timeout = timeout},
               cancel_)
        .status();
  }
  std::string Local(const std::string& more) { return "host=" + server_->folder() + " " + more; }
};

TEST_F(SessionConnectTest, RefusesAMalformedConnectionStringWithoutQuotingIt) {
  for (const char* dsn :
       {"postgresql://u:hunter2@[::1/db", "host=x hunter2", "hunter2=1", "host='hunter2",
        "postgresql://u:hunter2%zz@h/db", "postgresql://u@h/db?hunter2=1"}) {
    const absl::Status status = Try(dsn);
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("does not parse")));
    EXPECT_THAT(std::string(StdSv(status.ToString())), Not(HasSubstr("hunter2"))) << dsn;
  }
  EXPECT_THAT(std::string(StdSv(Try("host=x pasword=hunter2").message())),
              HasSubstr("one of its keywords is none that libpq knows"));
}

TEST_F(SessionConnectTest, NeverShowsThePiecesOfAMistypedUri) {
  // '@' and '/' that should have been percent-encoded shift parts of the password elsewhere.
  for (const char* dsn :
       {"postgresql://u:pass@hunter2@127.0.0.1/db", "postgresql://u:hunter2/x@127.0.0.1/db",
        "postgresql://u:12345/hunter2@127.0.0.1/db", "host=127.0.0.1 port=hunter2",
        "host=127.0.0.1 sslmode=hunter2", "host=127.0.0.1 port=1 keepalives=hunter2"}) {
    const absl::Status status = Try(dsn);
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(StdSv(status.ToString())), Not(HasSubstr("hunter2"))) << dsn;
    EXPECT_THAT(std::string(StdSv(status.ToString())), Not(HasSubstr("12345"))) << dsn;
  }
}

TEST_F(SessionConnectTest, NamesABadValueOfAConnectionStringThatParses) {
  EXPECT_THAT(Try("host=127.0.0.1 sslmode=sometimes"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("sslmode")));
  EXPECT_THAT(Try("host=127.0.0.1 port=99999"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("port")));
}

TEST_F(SessionConnectTest, MissingDatabaseOrRoleWaitsForAPerson) {
  absl::Status status = Try(Local("user=postgres dbname=no_such_db password=hunter2"));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition,
                               AllOf(HasSubstr("\"no_such_db\""), HasSubstr("3D000"))));
  EXPECT_EQ(StatusSqlState(status), "3D000");
  status = Try(Local("user=no_such_role dbname=postgres"));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no_such_role")));
  status = Try(Local("user=postgres dbname=postgres options='-c no_such_setting=1'"));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("42704")));
}

TEST_F(SessionConnectTest, WrongMissingAndForbiddenLoginsWaitForAPersonAndLeakNothing) {
  ASSERT_OK_AND_ASSIGN(auto server,
                       MiniPostgres::Start({.hba = {"host all secured 127.0.0.1/32 scram-sha-256",
                                                    "host all shut_out 127.0.0.1/32 reject"},
                                            .tcp = true}));
  ASSERT_OK(server->Execute("postgres",
                            "CREATE ROLE secured LOGIN PASSWORD 'correct';"
                            "CREATE ROLE shut_out LOGIN"));
  const std::string base =
      "host=127.0.0.1 dbname=postgres port=" + std::to_string(server->port()) + " user=";
  EXPECT_OK(Try(base + "secured password=correct"));
  absl::Status status = Try(base + "secured password=hunter2");
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition,
                               AllOf(HasSubstr("28P01"), HasSubstr("\"secured\""),
                                     HasSubstr("at 127.0.0.1 port"))));
  EXPECT_THAT(std::string(StdSv(status.ToString())), Not(HasSubstr("hunter2")));
  EXPECT_THAT(Try(base + "secured"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no password supplied")));
  EXPECT_THAT(Try(base + "shut_out"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("28000")));
  EXPECT_THAT(Try(base + "postgres sslmode=require"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("SSL")));
}

TEST_F(SessionConnectTest, TooManyConnectionsAndUnreachableServersAreRetried) {
  ASSERT_OK(session_->Execute("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0"));
  EXPECT_THAT(Try(Local("user=crowded dbname=postgres")),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("53300")));
  ASSERT_OK_AND_ASSIGN(const int port, testing::FreePort());
  EXPECT_THAT(
      Try("host=127.0.0.1 user=x dbname=y port=" + std::to_string(port)),
      StatusIs(absl::StatusCode::kUnavailable,
               AllOf(HasSubstr("Connection refused"), HasSubstr("; next: start the server"))));
  EXPECT_THAT(Try("host=/nowhere user=x dbname=y"),
              StatusIs(absl::StatusCode::kUnavailable,
                       AllOf(HasSubstr("No such file"), HasSubstr("; next: "))));
  EXPECT_THAT(Try("host=no-such-host.invalid user=x dbname=y"),
              StatusIs(absl::StatusCode::kUnavailable,
                       AllOf(HasSubstr("host name"), HasSubstr("; next: "))));
}

TEST_F(SessionConnectTest, ASilentServerIsGivenUpInTime) {
  auto proxy = Proxy();
  proxy->Stall();
  const absl::Time begin = absl::Now();
  EXPECT_THAT(Try(proxy->dsn(), absl::Milliseconds(200)),
              StatusIs(absl::StatusCode::kUnavailable,
                       AllOf(HasSubstr("no answer in time"), HasSubstr("; next: "))));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(5));
}

TEST_F(SessionConnectTest, ShutdownEndsConnecting) {
  auto proxy = Proxy();
  proxy->Stall();
  std::thread stopper([&] { cancel_.Request(); });
  EXPECT_THAT(Try(proxy->dsn(), absl::Minutes(5)),
              StatusIs(absl::StatusCode::kCancelled, HasSubstr("")));
  stopper.join();
  EXPECT_TRUE(absl::IsCancelled(Try(server_->dsn())));
}

TEST_F(SessionConnectTest, ASilentFirstHostLeavesTimeForTheSecond) {
  auto silent = Proxy();
  auto good = Proxy();
  silent->Stall();
  const std::string dsn = "host=127.0.0.1,127.0.0.1 user=postgres dbname=postgres port=" +
                          std::to_string(silent->port()) + "," + std::to_string(good->port());
  EXPECT_OK(Try(dsn, absl::Seconds(2)));
  EXPECT_EQ(good->accepted_connections(), 1);
}

}  // namespace
}  // namespace switchyard::pg
