#include "capture/capture.h"

#include "tests/capture/capture_fixture.h"

namespace switchyard::capture {
namespace {

using event::v1::Event;
using ::switchyard::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CaptureTest : public testing::CaptureTest {};

TEST_F(CaptureTest, CopiesAndStreamsATable) {
  Begin(
      "CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t SELECT i, i FROM "
      "generate_series(1, 1000) i");
  Run("INSERT INTO t VALUES (2000, 'new'), (2001, NULL)");
  Run("UPDATE t SET a = 'changed' WHERE id < 10; DELETE FROM t WHERE id = 500");
  Run("UPDATE t SET id = 3000 WHERE id = 3");
  ExpectReplicaEqualsSource();
  EXPECT_THAT(Stop(), StatusIs(absl::StatusCode::kCancelled, HasSubstr("shut down")));
}

}  // namespace
}  // namespace switchyard::capture
