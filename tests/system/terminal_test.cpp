#include "system/terminal.hpp"

#include <gtest/gtest.h>

namespace bn {
namespace {

TEST(Wrap, BreaksAtSpaces) {
  EXPECT_EQ(wrap("", 10), "");
  EXPECT_EQ(wrap("one two three", 13), "one two three");
  EXPECT_EQ(wrap("one two three", 12), "one two\nthree");
  EXPECT_EQ(wrap("one two three", 7), "one two\nthree");
  EXPECT_EQ(wrap("one two three", 1), "one\ntwo\nthree");
}

TEST(WithoutCommands, ShowsControlCharacters) {
  const std::string text = "Ä 日本 \t é\n";
  EXPECT_EQ(without_commands(text), text);
  EXPECT_EQ(without_commands("a\x1b[31m\r\x7f"), "a\\x1b[31m\\x0d\\x7f");
  EXPECT_EQ(without_commands("a\xC2\x9b"
                             "31m"),
            "a\\x9b31m");
}

TEST(Erasing, TakesTheRowsThatANarrowerWindowMade) {
  EXPECT_EQ(erasing(0, 40), "\r\033[K");
  EXPECT_EQ(erasing(40, 40), "\r\033[K");
  EXPECT_EQ(erasing(41, 40), "\033[1A\r\033[J");
  EXPECT_EQ(erasing(81, 40), "\033[2A\r\033[J");
}

TEST(LiveLine, IsALineEachTimeWhereThereIsNoTerminal) {
  testing::internal::CaptureStderr();
  {
    LiveLine line;
    EXPECT_FALSE(line.is_on_terminal());
    line.show("1 of 3");
    line.show(std::string(2 * kTerminalWidth, 'x'));
    line.erase();
    line.keep("done\x1b[2K");
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "1 of 3\n" + std::string(2 * kTerminalWidth, 'x') + "\ndone\\x1b[2K\n");
}

TEST(Wrap, KeepsLinesAndTheirIndent) {
  EXPECT_EQ(wrap("a b\n\n  c d e\n", 5), "a b\n\n  c d\n  e\n");
  EXPECT_EQ(wrap("  c d e", 5, 2), "  c d\n    e");
  EXPECT_EQ(wrap("  0  success", 20), "  0  success");
}

TEST(Wrap, ALongWordHasALineToItself) { EXPECT_EQ(wrap("a /very/long/path b", 8), "a\n/very/long/path\nb"); }

}  // namespace
}  // namespace bn
