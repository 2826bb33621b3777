#include "system/text.hpp"

#include <gtest/gtest.h>

namespace bn {
namespace {

TEST(Text, IsUtf8WhereEachCharacterIsWholeAndInItsShortestForm) {
  for (const char* text : {"", "a", "\u00e4", "\u20ac", "\uffff", "\U0001F600", "\U0010FFFF", "a\u00e4b"}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
  for (const char* text : {"\x80", "\xC0\x80", "\xC1\xBF", "\xC3", "\xC3(", "\xE0\x9F\xBF", "\xE2\x82", "\xED\xA0\x80",
                           "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
}

TEST(Text, CharactersAreCountedNotBytes) { EXPECT_EQ(count_characters("\u00e4b\u20ac"), 3U); }

TEST(Text, ANumberIsTheWholeText) {
  EXPECT_EQ(number_in<int64_t>("-12"), -12);
  EXPECT_EQ(number_in<double>("1.5e3"), 1500);
  for (const char* text : {"", "1x", " 1", "1 ", "+1", "9223372036854775808"}) EXPECT_FALSE(number_in<int64_t>(text));
}

TEST(Text, FieldsOfCsvAreQuotedWhereTheyMust) {
  EXPECT_EQ(csv_field("plain text"), "plain text");
  EXPECT_EQ(csv_field("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
}

TEST(Duration, HasTheUnitsItNeeds) {
  EXPECT_EQ(describe_duration(0), "0:00");
  EXPECT_EQ(describe_duration(59.4), "0:59");
  EXPECT_EQ(describe_duration(59.5), "1:00");
  EXPECT_EQ(describe_duration(47.5 * 3600), "47:30:00");
  EXPECT_EQ(describe_duration(72 * 3600), "3.0 days");
}

TEST(Suggest, CountsEdits) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("batch", "batch"), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("momentm", "momentum"), 1U);
  EXPECT_EQ(edit_distance("bacth", "batch"), 1U);  // neighbours swapped
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(Suggest, FindsTheNearestOrNothing) {
  const std::vector<std::string> words{"batch", "epochs", "steps"};
  EXPECT_EQ(nearest("step", words), "steps");
  EXPECT_EQ(nearest("epoch", words), "epochs");
  EXPECT_EQ(nearest("zebra", words), "");
  EXPECT_EQ(nearest("x", words), "");
  EXPECT_EQ(nearest(std::string(100000, 'a'), words), "");
  EXPECT_EQ(suggestion("bach", words), "; did you mean batch?");
  EXPECT_EQ(suggestion("zebra", words), "");
}

}  // namespace
}  // namespace bn
