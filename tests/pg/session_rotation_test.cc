#include "tests/pg/session_fixture.h"

namespace switchyard::pg {
namespace {

using ::switchyard::testing::MiniPostgres;
using ::switchyard::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A role with a password, and a connection string that the test rewrites as it goes on.
class SessionRotationTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto started = MiniPostgres::Start({.hba = {"local all rotated scram-sha-256"}});
    ASSERT_OK(started);
    server_ = std::move(*started).release();
  }
  static void TearDownTestSuite() { delete server_; }
  void SetUp() override {
    ASSERT_OK(server_->Execute("postgres", "DROP ROLE IF EXISTS rotated"));
    ASSERT_OK(server_->Execute("postgres", "CREATE ROLE rotated LOGIN PASSWORD 'hunter2'"));
    Write("hunter2");
  }

  void Write(const std::string& password) {
    text_ = "host=" + server_->folder() + " port=" + std::to_string(server_->port()) +
            " user=rotated dbname=postgres password=" + password;
  }
  void ChangeOnServer(const std::string& password) {
    ASSERT_OK(server_->Execute("postgres", "ALTER ROLE rotated PASSWORD '" + password + "'"));
  }
  ConnectionString Dsn(absl::Duration patience) {
    return ConnectionString(
        "dsn_file /run/old.dsn", [this]() -> absl::StatusOr<std::string> { return text_; },
        patience);
  }
  absl::Status Try(const ConnectionString& dsn) {
    return Session::Connect({.dsn = dsn, .application_name = "rotation"}, cancel_).status();
  }

  static inline MiniPostgres* server_ = nullptr;
  std::string text_;
  Cancel cancel_;
};

TEST_F(SessionRotationTest, EachConnectionReadsTheStringAnew) {
  const ConnectionString dsn = Dsn(absl::Hours(1));
  EXPECT_OK(Try(dsn));
  ChangeOnServer("two");
  Write("two");
  EXPECT_OK(Try(dsn));
}

TEST_F(SessionRotationTest, ALoginThatWorkedBeforeMayBeRefusedForAWhile) {
  const ConnectionString dsn = Dsn(absl::Hours(1));
  const ConnectionString copy = dsn;
  EXPECT_OK(Try(dsn));
  ChangeOnServer("two");
  EXPECT_THAT(Try(copy),
              StatusIs(absl::StatusCode::kUnavailable,
                       AllOf(HasSubstr("had worked before"), HasSubstr("dsn_file /run/old.dsn"),
                             Not(HasSubstr("hunter2")))));
  text_ = "host='";  // half written
  EXPECT_THAT(Try(dsn), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("/run/old.dsn")));
  Write("two");
  EXPECT_OK(Try(dsn));
}

TEST_F(SessionRotationTest, ARefusalThatLastsIsOne) {
  const ConnectionString dsn = Dsn(absl::ZeroDuration());
  EXPECT_OK(Try(dsn));
  ChangeOnServer("two");
  EXPECT_THAT(Try(dsn),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("; next: put a connection string that works into dsn_file")));
}

TEST_F(SessionRotationTest, AFirstLoginThatIsRefusedIsNoRotation) {
  ChangeOnServer("two");
  EXPECT_THAT(Try(Dsn(absl::Hours(1))), StatusIs(absl::StatusCode::kFailedPrecondition,
                                                 HasSubstr("password authentication failed")));
}

}  // namespace
}  // namespace switchyard::pg
