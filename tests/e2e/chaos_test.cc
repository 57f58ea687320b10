#include "tests/e2e/chaos.h"

namespace switchyard::testing {
namespace {

TEST_F(ChaosTest, NewIsTheMappingOfOldWhateverDies) { Survive({}, {}); }

}  // namespace
}  // namespace switchyard::testing
