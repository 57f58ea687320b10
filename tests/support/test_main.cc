#include <csignal>

#include "gmock/gmock.h"

int main(int argc, char** argv) {
  // A write to a peer that is gone is an error to handle, not the end of the test.
  std::signal(SIGPIPE, SIG_IGN);
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
