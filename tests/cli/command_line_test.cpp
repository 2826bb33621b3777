// First contact: what the programs say to a mistyped command or option, their help and their versions.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "bn/version.hpp"
#include "cli/program.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string usage_error(const ProgramResult& result) {
  EXPECT_EQ(result.exit_code, 2) << result.out << result.err;
  EXPECT_EQ(result.out, "");
  return result.err;
}

TEST(StandardOutput, ThatIsFullIsAnError) {
  for (const char* words : {"--version", "--help", "config keys train"}) {
    const ProgramResult result = run_program({"/bin/sh", "-c", fmt::format("{} {} >/dev/full", BN_PROGRAM, words)});
    EXPECT_EQ(result.exit_code, 7) << words;
    EXPECT_EQ(result.err, "error: cannot write standard output\n") << words;
  }
}

// As some daemons and schedulers start programs.
TEST(StandardOutput, ThatIsClosedIsAnErrorOfWhatPrints) {
  const TemporaryFolder root;
  for (const std::string words :
       {"--version", "--help", "help train", "config --help", "config keys train", "config schema",
        "config show a.yaml", "config show a.yaml --schedule", "config diff a.yaml a.yaml", "config check a.yaml",
        "profile a.yaml", "sweep sweep.yaml --list", "sweep sweep.yaml --status", "sweep sweep.yaml --dry-run",
        "new pictures", "export run --onnx model.onnx", "convert run model.safetensors --names pytorch",
        "report run --out page"}) {
    const ProgramResult result =
        run_program({"/bin/sh", "-c", fmt::format("exec {} {} >&-", BN_PROGRAM, words)}, {.folder = root.path()});
    EXPECT_EQ(result.exit_code, 7) << words;
    EXPECT_EQ(result.err, "error: standard output is closed, so the results would be lost\n") << words;
  }
  for (const std::string words :
       {"--version", "stats --help", "stats set", "verify set", "verify set --json", "throughput set --kind folder"}) {
    const ProgramResult result =
        run_program({"/bin/sh", "-c", fmt::format("exec {} {} >&-", BN_DATA_PROGRAM, words)}, {.folder = root.path()});
    EXPECT_EQ(result.exit_code, 7) << words;
    EXPECT_EQ(result.err, "bn-data: standard output is closed, so the results would be lost\n") << words;
  }
  EXPECT_TRUE(names_in(root.path()).empty());
}

TEST(UnknownCommand, GetsTheNearest) {
  EXPECT_EQ(
      usage_error(bninception({"trian", "x.yaml"})),
      "error: unknown command 'trian'; did you mean 'train'? The commands are: new, train, evaluate, predict, export, "
      "convert, sweep, profile, report, config\n");
  EXPECT_EQ(usage_error(bninception({"fly"})),
            "error: unknown command 'fly'; the commands are: new, train, evaluate, predict, export, convert, sweep, "
            "profile, report, "
            "config\n");
  EXPECT_EQ(usage_error(bninception({"config", "shwo", "x.yaml"})),
            "error: unknown command 'config shwo'; did you mean 'config show'? The commands of config are: show, diff, "
            "keys, schema, check\n");
  EXPECT_EQ(usage_error(bn_data({"verfy"})),
            "bn-data: unknown command 'verfy'; did you mean 'verify'? The commands are: pack, verify, stats, "
            "throughput, shapes\n");
  EXPECT_EQ(usage_error(bn_data({"pack", "imagnet", "--out", "x"})),
            "bn-data: unknown command 'pack imagnet'; did you mean 'pack imagenet'? The commands of pack are: "
            "imagenet, folder\n");
}

TEST(MissingCommand, ListsTheCommands) {
  EXPECT_THAT(usage_error(bninception({})),
              AllOf(StartsWith("error: a command is missing; there are:\n  new         Write the YAML file that trains "
                               "on images of one's own\n"),
                    HasSubstr("\n  config      Show, compare and check configurations; list their keys\n"),
                    HasSubstr("\n`bninception --help` tells more\n")));
  EXPECT_THAT(usage_error(bninception({"config"})),
              AllOf(StartsWith("error: a command of config is missing; there are:\n  show  "),
                    HasSubstr("\n`bninception config --help` tells more\n")));
  EXPECT_THAT(usage_error(bn_data({})), StartsWith("bn-data: a command is missing; there are:\n  pack "));
  EXPECT_THAT(usage_error(bn_data({"pack"})),
              StartsWith("bn-data: a command of pack is missing; there are:\n  imagenet  "));
}

TEST(Help, IsACommandToo) {
  for (const Words& words : {Words{}, Words{"train"}, Words{"config", "show"}, Words{"config"}}) {
    const ProgramResult by_command = bninception(joined({"help"}, words));
    const ProgramResult by_option = bninception(joined(words, {"--help"}));
    EXPECT_EQ(by_command.exit_code, 0);
    EXPECT_EQ(by_command.err, "");
    EXPECT_EQ(by_command.out, by_option.out);
    EXPECT_THAT(by_option.out, HasSubstr(fmt::format("Usage: bninception{}{} [OPTIONS]", words.empty() ? "" : " ",
                                                     fmt::join(words, " "))));
  }
  EXPECT_THAT(usage_error(bninception({"help", "trian"})), HasSubstr("unknown command 'trian'; did you mean 'train'?"));
  EXPECT_THAT(bn_data({"help", "pack", "folder"}).out, HasSubstr("Usage: bn-data pack folder [OPTIONS]"));
}

TEST(Help, FitsATerminal) {
  const auto expect_narrow = [](const ProgramResult& result, const std::string& name) {
    EXPECT_EQ(result.exit_code, 0) << name;
    EXPECT_NE(result.out, "") << name;
    for (const std::string& line : lines_of(result.out)) EXPECT_LE(line.size(), 100U) << name << ": " << line;
  };
  for (const char* words : {"", "train", "evaluate", "predict", "sweep", "profile", "report", "config", "config show",
                            "config diff", "config keys", "config check"}) {
    std::istringstream stream(std::string("help ") + words);
    expect_narrow(bninception(Words(std::istream_iterator<std::string>(stream), {})), words);
  }
  for (const char* words : {"", "pack", "pack imagenet", "pack folder", "verify", "stats", "throughput", "shapes"}) {
    std::istringstream stream(std::string("help ") + words);
    expect_narrow(bn_data(Words(std::istream_iterator<std::string>(stream), {})), words);
  }
  expect_narrow(bninception({"config", "keys"}), "keys");
}

TEST(Help, OfBothProgramsHasTheSameWordsForAnExitCode) {
  const std::string own = output_of({"--help"});
  const ProgramResult of_data = bn_data({"--help"});
  EXPECT_EQ(of_data.exit_code, 0);
  const std::string& data = of_data.out;
  EXPECT_THAT(own, HasSubstr("Exit codes:"));
  int common = 0;
  for (const std::string& line : lines_of(data.substr(data.find("Exit codes:")))) {
    if (line.size() < 5 || !line.starts_with("  ")) continue;
    EXPECT_THAT(own, HasSubstr("\n" + line + "\n"));
    ++common;
  }
  EXPECT_EQ(common, 7);
  EXPECT_THAT(data, HasSubstr("\n  3  bad configuration file or value\n"));
  EXPECT_THAT(data, HasSubstr("Usage: bn-data [OPTIONS]"));
}

TEST(Version, NamesWhatWasBuilt) {
  const ProgramResult own = bninception({"--version"}), data = bn_data({"--version"});
  EXPECT_EQ(own.exit_code, 0);
  const std::string sources = fmt::format(" {}, sources {}\n", program_version(), source_version());
  EXPECT_THAT(own.out, StartsWith("bninception" + sources + "backend cpu: oneDNN "));
  EXPECT_THAT(own.out, HasSubstr("\nbackend cuda: "));
  EXPECT_THAT(own.out.substr(own.out.find("cuda: ")),
              testing::AnyOf("cuda: not built\n", StartsWith("cuda: built as a module, for cuDNN 9.")));
  EXPECT_EQ(data.exit_code, 0);
  EXPECT_THAT(data.out, StartsWith("bn-data" + sources + "images: OpenCV 4."));
}

TEST(UnknownOption, MayBeAValueOfTheConfiguration) {
  const char* start = "error: unknown option '{}'; a value of the configuration is set by --set {}\n";
  const auto expected = [&](const char* option, const char* set) {
    return fmt::format(fmt::runtime(start), option, set);
  };
  EXPECT_EQ(usage_error(bninception({"train", "x.yaml", "--epochs", "5"})), expected("--epochs", "train.epochs=5"));
  EXPECT_EQ(usage_error(bninception({"train", "--epochs", "5", "x.yaml"})), expected("--epochs", "train.epochs=5"));
  EXPECT_EQ(usage_error(bninception({"train", "x.yaml", "--seed=7"})), expected("--seed", "train.seed=7"));
  EXPECT_EQ(usage_error(bninception({"profile", "--threads", "x.yaml"})), expected("--threads", "threads=VALUE"));
  EXPECT_EQ(usage_error(bninception({"train", "x.yaml", "--learning-rate", "0.1"})),
            "error: unknown option '--learning-rate'; the configuration has several values in train.learning_rate, "
            "which `bninception config keys train.learning_rate` lists\n");
}

TEST(UnknownOption, GetsTheNearest) {
  EXPECT_EQ(usage_error(bninception({"train", "x.yaml", "--resmue"})),
            "error: unknown option '--resmue'; did you mean '--resume'?\n");
  EXPECT_EQ(usage_error(bninception({"--verison"})), "error: unknown option '--verison'; did you mean '--version'?\n");
  // `evaluate` reads no configuration, so it has no keys to suggest.
  EXPECT_EQ(usage_error(bninception({"evaluate", "run", "--epochs", "5"})),
            "error: unknown option '--epochs'; `bninception evaluate --help` lists the options\n");
  EXPECT_EQ(usage_error(bn_data({"shapes", "--sise", "3"})),
            "bn-data: unknown option '--sise'; did you mean '--size'?\n");
}

TEST(CommandLine, OtherMistakesAreOneSentenceToo) {
  EXPECT_EQ(usage_error(bninception({"train"})),
            "error: config is required; `bninception train --help` tells what the command takes\n");
  EXPECT_EQ(usage_error(bninception({"train", "x.yaml", "y.yaml"})),
            "error: unexpected argument 'y.yaml'; `bninception train --help` tells what the command takes\n");
  EXPECT_THAT(usage_error(bninception({"profile", "x.yaml", "--steps", "0"})),
              AllOf(StartsWith("error: --steps: "), Not(HasSubstr("Run with"))));
}

TEST(ConfigKeys, MayBeFiltered) {
  const ProgramResult rate = bninception({"config", "keys", "train.learning_rate"});
  EXPECT_EQ(rate.exit_code, 0);
  EXPECT_THAT(rate.out, AllOf(StartsWith("train.learning_rate\n"), HasSubstr("\ntrain.learning_rate.initial: ")));
  for (const std::string& line : lines_of(rate.out)) {
    EXPECT_TRUE(line.starts_with(' ') || line.starts_with("train.learning_rate")) << line;
  }
  const std::string both = bninception({"config", "keys", "threads", "train.l2"}).out;
  EXPECT_THAT(both, AllOf(StartsWith("train.l2: "), HasSubstr("\nthreads: "), Not(HasSubstr("train.l2_scope"))));
}

TEST(ConfigKeys, NameTheNearestOfAnUnknownPrefix) {
  EXPECT_EQ(error_of(3, {"config", "keys", "train", "train.lerning_rate"}),
            "error: no key is called 'train.lerning_rate'; did you mean train.learning_rate?\n");
}

TEST(ConfigCheck, ListsAllMistakesOfEachFile) {
  const TemporaryFolder folder;
  write_bytes(folder / "wrong.yaml", "train: {batch: x, stpes: 3}\n");
  const std::string wrong = folder / "wrong.yaml";
  for (const Words& words : {Words{"config", "check", wrong}, Words{"config", "show", wrong}}) {
    EXPECT_EQ(error_of(3, words),
              fmt::format("error: 2 mistakes:\n"
                          "  {0}:1:16: train.batch: got 'x', expected an integer from 1 to 1048576\n"
                          "  {0}:1:19: train.stpes: unknown key; did you mean train.steps?\n",
                          wrong));
  }
}

}  // namespace
}  // namespace bn::test
