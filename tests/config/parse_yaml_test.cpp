// Text is refused before any key is understood if it is not one plain YAML document.
#include <gtest/gtest.h>

#include "config/fixtures.hpp"

namespace bn::test {
namespace {

TEST(ParseYaml, NamesBothPositionsOfADuplicateKey) {
  EXPECT_EQ(parse_error("train:\n  batch: 32\n  steps: 3\n  batch: 60\n"),
            "run.yaml:4:3: train.batch: duplicate key, already given at run.yaml:2:3");
  EXPECT_EQ(parse_error("train: {steps: 3}\ndata: {}\ntrain: {steps: 4}\n"),
            "run.yaml:3:1: train: duplicate key, already given at run.yaml:1:1");
  EXPECT_EQ(parse_error("model: {network: {rows: [{row: a}, {row: b, row: c}]}}"),
            "run.yaml:1:45: model.network.rows[1].row: duplicate key, already given at run.yaml:1:37");
  EXPECT_EQ(override_error("train={batch: 3, batch: 4}"),
            "--set train={batch: 3, batch: 4}: train.batch: duplicate key");
}

TEST(ParseYaml, TranslatesTheParsersMessages) {
  EXPECT_EQ(parse_error("train:\n  batch: 1\n    steps: 2\n"), "run.yaml:3:10: not valid YAML: illegal map value");
  EXPECT_EQ(parse_error("train:\n\tbatch: 1\n"),
            "run.yaml:2:7: not valid YAML: illegal map value; indent with spaces, not with tabs");
  EXPECT_EQ(parse_error("train: \"abc"), "run.yaml:1:12: not valid YAML: illegal EOF in scalar");
  EXPECT_EQ(override_error("train.batch={"),
            "--set train.batch={: train.batch: got a list or a map as a key, expected a word");
}

TEST(ParseYaml, PointsAtTheBracketThatIsNotClosed) {
  EXPECT_EQ(parse_error("train:\n  batch: [1, 2\n"), "run.yaml:2:10: not valid YAML: end of sequence flow not found");
  EXPECT_EQ(parse_error("train: {batch: 3\n"), "run.yaml:1:8: not valid YAML: end of map flow not found");
}

TEST(ParseYaml, RefusesWhatIsNotAMapOfKeys) {
  EXPECT_EQ(parse_error(""), "run.yaml:1:1: is empty, expected the keys of an experiment");
  EXPECT_EQ(parse_error("# nothing but a comment\n"), "run.yaml:1:1: is empty, expected the keys of an experiment");
  EXPECT_EQ(parse_error("- train\n"), "run.yaml:1:1: got a list, expected a map of keys");
  EXPECT_EQ(parse_error("train\n"), "run.yaml:1:1: got 'train', expected a map of keys");
  EXPECT_EQ(parse_error("train: {}\n---\ndata: {}\n"),
            "run.yaml:2:1: a second document starts here, expected one document in a file");
  EXPECT_EQ(parse_error("? [train]\n: 3\n"), "run.yaml:1:3: got a list or a map as a key, expected a word");
  EXPECT_EQ(parse_error("train: {: 3}\n"), "run.yaml:1:9: train: got no key, expected a word before the colon");
}

TEST(ParseYaml, RefusesAnchorsAliasesAndTags) {
  const std::string anchors =
      "anchors and aliases (& and *) are not read here; `base:` names a file to share settings with";
  EXPECT_EQ(parse_error("train: &all\n  batch: 3\n"), "run.yaml:1:8: train: " + anchors);
  EXPECT_EQ(parse_error("train: &all {batch: *all}\n"), "run.yaml:1:8: train: " + anchors);
  EXPECT_EQ(parse_error("data: &a [x, x]\ntrain: [*a, *a]\n"), "run.yaml:1:7: data: " + anchors);
  EXPECT_EQ(parse_error("train: {batch: !!int 3}\n"),
            "run.yaml:1:16: train.batch: got the tag 'tag:yaml.org,2002:int', expected a value without a tag");
}

TEST(ParseYaml, RefusesDeepNestingAtAnyLength) {
  const std::string message = "run.yaml:1:49: nested more than 24 levels deep";
  for (const int depth : {30, 3000, 300000}) {
    std::string text;
    for (int i = 0; i < depth; ++i) text += "- ";
    EXPECT_EQ(parse_error(text), message);
  }
  const std::string flow = "train: " + std::string(300, '[') + std::string(300, ']');
  EXPECT_EQ(parse_error(flow), "run.yaml:1:31: nested more than 24 levels deep");
  EXPECT_NE(parse_error("train: " + std::string(300000, '[')), "");
}

TEST(ParseYaml, RefusesBinaryText) {
  EXPECT_EQ(parse_error(std::string("train: {}\0\1\2", 12)), "run.yaml: holds a zero byte; expected YAML text");
  std::string bytes;
  for (int i = 1; i < 256; ++i) bytes += static_cast<char>(i);
  EXPECT_NE(parse_error(bytes), "");
  EXPECT_EQ(parse_error("\"tr\\x01ain\\n\": 3\n"), "run.yaml:1:1: tr\\x01ain\\x0a: unknown key; did you mean train?");
}

TEST(ParseYaml, CutsLongTextInItsMessages) {
  const std::string message = parse_error("train: {batch: " + std::string(10000, '7') + "}\n");
  EXPECT_EQ(message,
            "run.yaml:1:16: train.batch: got '" + std::string(60, '7') + "...', expected an integer from 1 to 1048576");
  const std::string umlauts = "\xc3\xbc";  // two bytes a letter: a cut must not halve one
  std::string key = "k";
  for (int i = 0; i < 100; ++i) key += umlauts;
  EXPECT_TRUE(parse_error(key + ": 3\n").find("\xc3...") == std::string::npos);
}

// A mutated experiment is read or refused; nothing else happens.
TEST(ParseYaml, SurvivesDamagedText) {
  const std::string good = kExperiment + kTrain + "batch_norm: {eps: 1e-3}\ndevice: cpu\n";
  uint64_t random = 88172645463325252ULL;
  const auto next = [&random](uint64_t limit) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return random % limit;
  };
  const std::string signs = "[]{}:,-?&*!|>'\"%@`#\n \t~.0\x80\xff";
  int read = 0, refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string text = good;
    for (uint64_t i = 0, changes = 1 + next(4); i < changes; ++i) {
      const size_t place = next(text.size());
      switch (next(4)) {
        case 0:
          text[place] = signs[next(signs.size())];
          break;
        case 1:
          text.insert(place, 1, signs[next(signs.size())]);
          break;
        case 2:
          text.erase(place, 1 + next(5));
          break;
        default:
          text.insert(place, text.substr(next(text.size()), next(20)));
      }
    }
    try {
      parse_config(text, "run.yaml");
      ++read;
    } catch (const ConfigError& error) {
      EXPECT_NE(std::string(error.what()), "");
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(read, 10);
}

}  // namespace
}  // namespace bn::test
