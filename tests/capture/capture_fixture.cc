#include "tests/capture/capture_fixture.h"

#include "absl/strings/str_cat.h"
#include "capture/publish/message_table.h"
#include "common/base/strings.h"
#include "common/pg/server_version.h"

namespace switchyard::capture::testing {

void CaptureTest::Begin(std::string_view sql) {
  Run(sql);
  SetUpSource();
  Start();
  ASSERT_TRUE(running_->AwaitStreaming()) << running_->Stop();
}

void CaptureTest::AwaitCaughtUp() {
  // A message of the test's own, behind everything committed so far.
  const std::string text = absl::StrCat("caught up ", Scalar("SELECT pg_current_wal_lsn()"));
  if (owner_->server_version() >= pg::kSendsMessages) {
    Run(absl::StrCat("SELECT pg_logical_emit_message(true, 'test', '", text, "')"));
  } else {
    ASSERT_OK(EmitMessage(*owner_, options().stream.name, "test", text));
  }
  LogFollower follower(*log_, options().stream.change_topic);
  ASSERT_TRUE(follower.ReadUntil([&](const event::v1::Event& event) {
    return event.has_message() && event.message().content() == text;
  })) << "the capture did not catch up";
}

void CaptureTest::AwaitScalar(const std::string& sql, const std::string& expected) {
  std::string seen;
  ASSERT_OK(switchyard::testing::Await(sql + " gives " + expected, absl::Minutes(1),
                                       [&] { return (seen = Scalar(sql)) == expected; }))
      << "it gives " << seen;
}

void CaptureTest::AwaitCopied() {
  AwaitScalar("SELECT count(*) FROM switchyard.capture_copy WHERE state IN ('pending', 'copying')",
              "0");
}

std::vector<event::v1::Event> CaptureTest::Changes() {
  return LogFollower(*log_, options().stream.change_topic).ReadAll();
}

std::vector<event::v1::Event> CaptureTest::Copies() {
  return LogFollower(*log_, options().stream.copy_topic).ReadAll();
}

void CaptureTest::ExpectReplicaEqualsSource() {
  AwaitCopied();
  AwaitCaughtUp();
  const ReplicaModel replica = Replica();
  for (const spec::TableName& name : tables_) {
    const std::string schema = name.schema.empty() ? "public" : name.schema;
    EXPECT_EQ(replica.Rows(schema, name.name),
              SourceRows(*owner_, QuoteQualified(schema, name.name)))
        << name.name;
  }
}

}  // namespace switchyard::capture::testing
