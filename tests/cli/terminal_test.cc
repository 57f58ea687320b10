#include "cli/commands/terminal.h"

#include "gtest/gtest.h"

namespace switchyard::cli {
namespace {

TEST(TerminalTest, DrawsOverTheLastScreenLineByLine) {
  EXPECT_EQ(ScreenOver("ab\ncd", 80, 24), "\x1b[Hab\x1b[K\ncd\x1b[K\n\x1b[J");
}

TEST(TerminalTest, CutsLinesByCharactersAndKeepsColoursWhole) {
  EXPECT_EQ(ScreenOver("äöüx", 3, 24), "\x1b[Häö>\x1b[K\n\x1b[J");
  EXPECT_EQ(ScreenOver("\x1b[31mabc\x1b[0m", 2, 24), "\x1b[H\x1b[31ma\x1b[0m>\x1b[K\n\x1b[J");
  EXPECT_EQ(ScreenOver("\x1b[31mab\x1b[0m", 2, 24), "\x1b[H\x1b[31mab\x1b[0m\x1b[K\n\x1b[J");
}

TEST(TerminalTest, NeverScrollsAndSaysWhatIsLeftOut) {
  EXPECT_EQ(ScreenOver("1\n2\n", 80, 3), "\x1b[H1\x1b[K\n2\x1b[K\n\x1b[J");
  EXPECT_EQ(ScreenOver("1\n2\n3\n4", 80, 3), "\x1b[H1\x1b[K\n... and 3 more lines\x1b[K\n\x1b[J");
}

}  // namespace
}  // namespace switchyard::cli
