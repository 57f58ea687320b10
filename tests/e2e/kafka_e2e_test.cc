// The pipeline through a real broker, which is killed too.
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/e2e/chaos.h"
#include "tests/support/server/real_kafka.h"
#include "tests/support/status_matchers.h"

namespace switchyard::testing {
namespace {

class KafkaChaosTest : public ChaosTest {};

TEST_F(KafkaChaosTest, NewIsTheMappingOfOldWhateverDiesTheBrokerToo) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<RealKafka> kafka, RealKafka::Start());
  const auto broker_killed = [&]() -> absl::Status {
    LetRun(600);
    kafka->Kill();
    CountKill();
    LetRun(1000);
    return kafka->Restart();
  };
  // Also NEW on another version, where there is one.
  Survive({.new_db = {.bin_dir = PostgresBinaries(18)},
           .log = absl::StrCat("log: {kafka: {bootstrap.servers: \"", kafka->bootstrap_servers(),
                               "\", single_broker: true}}")},
          {{"the broker killed", broker_killed}, {"the broker killed", broker_killed}});
}

}  // namespace
}  // namespace switchyard::testing
