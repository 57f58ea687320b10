#include "common/pg/error.h"

#include <string>

#include "common/base/finding.h"
#include "tests/support/status_matchers.h"

namespace switchyard::pg {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

absl::StatusCode CodeOf(std::string sqlstate, std::string severity = "ERROR") {
  return StatusFromFields({.sqlstate = std::move(sqlstate), .severity = std::move(severity)})
      .code();
}

TEST(PgErrorTest, CodeSaysWhatTheCallerDoes) {
  for (const char* state :
       {"08000", "08006", "53100", "53200", "53300", "57P01", "57P02", "57P03"}) {
    EXPECT_EQ(CodeOf(state), absl::StatusCode::kUnavailable) << state;
  }
  for (const char* state : {"40001", "40P01", "55P03", "57014"}) {
    EXPECT_EQ(CodeOf(state), absl::StatusCode::kAborted) << state;
  }
  for (const char* state : {"42601", "42P01", "42703", "42883", "08P01"}) {
    EXPECT_EQ(CodeOf(state), absl::StatusCode::kInvalidArgument) << state;
  }
  for (const char* state : {"22P02", "23505", "28P01", "3D000", "42501", "53400", "55006", "55000",
                            "P0001", "XX000", "0A000", "25006", "57P04"}) {
    EXPECT_EQ(CodeOf(state), absl::StatusCode::kFailedPrecondition) << state;
  }
  EXPECT_EQ(CodeOf("40003"), absl::StatusCode::kUnknown);
  EXPECT_EQ(CodeOf("XX001"), absl::StatusCode::kDataLoss);
  EXPECT_EQ(CodeOf("08P01", "FATAL"), absl::StatusCode::kUnavailable);
}

// What a person must act on says how, whatever the server said; what mends itself says nothing.
TEST(PgErrorTest, EveryErrorThatAsksForAPersonGetsANextStep) {
  for (const char* state :
       {"22P02", "23505", "28P01", "3D000", "42501", "42P01", "53400", "54000", "55006", "55000",
        "P0001", "XX000", "XX001", "XX002", "0A000", "25006", "57P04", "58030", "21000"}) {
    const absl::Status status = WithNextStepFor(StatusFromFields({.sqlstate = state}));
    EXPECT_NE(FindingOf(status, "").next, "") << state;
    EXPECT_EQ(StatusSqlState(status), state);
  }
  for (const char* state : {"08006", "53100", "40001", "57014", "40003"}) {
    const absl::Status status = WithNextStepFor(StatusFromFields({.sqlstate = state}));
    EXPECT_EQ(FindingOf(status, "").next, "") << state;
  }
  EXPECT_EQ(FindingOf(WithNextStepFor(absl::DataLossError("cut off")), "").next, kCopyAllAnew);
  EXPECT_EQ(WithNextStepFor(Refuse("a", "b")), Refuse("a", "b"));
}

TEST(PgErrorTest, TooFewLocksComeWithWhatToRaise) {
  const absl::Status status =
      StatusFromFields({.sqlstate = "53200",
                        .primary = "out of shared memory",
                        .hint = "You might need to increase max_locks_per_transaction."});
  EXPECT_THAT(std::string(status.message()), HasSubstr("next: raise max_locks_per_transaction"));
}

TEST(PgErrorTest, FieldsRideAlongThroughAnnotations) {
  const ErrorFields fields = {.sqlstate = "23505",
                              .schema = "public",
                              .table = "users",
                              .column = "",
                              .constraint = "users_email_key",
                              .detail = "Key (email)=(a@b) already exists.",
                              .primary = "duplicate key value",
                              .position = "12",
                              .source_function = "_bt_check_unique"};
  const absl::Status status = Annotate(StatusFromFields(fields), "stream shop");
  EXPECT_EQ(StatusSqlState(status), "23505");
  const ErrorFields back = StatusErrorFields(status);
  EXPECT_EQ(back.table, "users");
  EXPECT_EQ(back.column, "");
  EXPECT_EQ(back.constraint, "users_email_key");
  EXPECT_EQ(back.detail, fields.detail);
  EXPECT_EQ(back.position, "12");
  EXPECT_EQ(back.source_function, "_bt_check_unique");
}

TEST(PgErrorTest, MessagesHoldNoRowValues) {
  const auto message = [](ErrorFields fields) {
    return std::string(StatusFromFields(fields).message());
  };
  EXPECT_THAT(message({.sqlstate = "23505", .detail = "Key (email)=(a@b)", .primary = "duplicate"}),
              Not(HasSubstr("a@b")));
  EXPECT_EQ(message({.sqlstate = "22P02",
                     .primary = "invalid input syntax for type integer: \"secret\""}),
            "invalid input syntax for type integer (SQLSTATE 22P02)");
  EXPECT_EQ(message({.sqlstate = "22003",
                     .primary = "value \"70000\" is out of range for type smallint"}),
            "value ... is out of range for type smallint (SQLSTATE 22003)");
  // What triggers and functions of the database say may quote a row.
  EXPECT_THAT(message({.sqlstate = "P0001", .primary = "no room for a@b"}), Not(HasSubstr("a@b")));
  EXPECT_THAT(message({.sqlstate = "23514",
                       .primary = "no room for a@b",
                       .source_function = "exec_stmt_raise"}),
              Not(HasSubstr("a@b")));
  EXPECT_THAT(message({.sqlstate = "55000", .detail = "the slot was invalidated", .primary = "no"}),
              HasSubstr("the slot was invalidated"));
}

TEST(PgErrorTest, OtherStatusesHaveNoSqlState) {
  EXPECT_EQ(StatusSqlState(absl::UnavailableError("x")), "");
  EXPECT_EQ(StatusSqlState(absl::OkStatus()), "");
  EXPECT_FALSE(IsRowRefused(absl::UnavailableError("x")));
  EXPECT_TRUE(IsRowRefused(StatusFromFields({.sqlstate = "22001"})));
  EXPECT_TRUE(IsRowRefused(StatusFromFields({.sqlstate = "23514"})));
  EXPECT_FALSE(IsRowRefused(StatusFromFields({.sqlstate = "42P01"})));
}

}  // namespace
}  // namespace switchyard::pg
