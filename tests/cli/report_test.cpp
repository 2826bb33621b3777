// `bninception report` over runs that the program made.
#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>

#include "cli/program.hpp"
#include "support/shapes_experiment.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {
namespace {

using testing::HasSubstr;

const std::string kReportExperiment =
    small_model() + shapes_data(300, 70) +
    R"(train: {batch: 20, steps: 30, learning_rate: {initial: 0.1}, log_every: 10, evaluate_every: 10,
  evaluate_batch: 30, probe: {op: hidden1/act, unit: 3, images: 50, every: 10}}
threads: 1
)";

// The folder "two" of a sweep with two runs.
void train_two(const TemporaryFolder& folder) {
  write_bytes(folder / "experiment.yaml", kReportExperiment);
  write_bytes(folder / "sweep.yaml", "name: two\nseeds: [1, 2]\nconfigs: [{arm: bn, config: experiment.yaml}]\n");
  output_of({"sweep", folder / "sweep.yaml", "--out", folder / "two"});
}

TEST(ReportCommand, ReportsRunsOfTheProgram) {
  const TemporaryFolder folder;
  write_bytes(folder / "experiment.yaml", kReportExperiment);
  for (const char* seed : {"1", "2"}) {
    for (const char* normalization : {"none", "batch"}) {
      test::train(folder / "experiment.yaml", folder / (std::string(normalization) + "_seed" + seed),
                  test::set({std::string("train.seed=") + seed, std::string("model.normalization=") + normalization}));
    }
  }
  EXPECT_THAT(output_of({"report", folder / "none_seed1", folder / "none_seed2", folder / "batch_seed1",
                         folder / "batch_seed2", "--out", folder / "report"}),
              HasSubstr(folder / "report/index.html"));
  EXPECT_THAT(read_bytes(folder / "report/index.html"), HasSubstr("Input of hidden1/act, unit 3"));
}

// A report goes where nothing is, or where a report was, or beside what has other names.
TEST(ReportCommand, ReplacesNoFileOfSomebodyElse) {
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "experiment.yaml", kReportExperiment);
  const std::string run = test::train(folder / "experiment.yaml", folder / "run");
  const auto refused = [&](const std::string& out, const std::string& file, const test::Words& more) {
    folder.write(out + "/" + file, "mine");
    EXPECT_EQ(error_of(3, test::joined({"report", run, "--out", folder / out}, more)),
              "error: --out: '" + folder / out + "/" + file +
                  "' is there already and was not written by this command: give another name\n");
    EXPECT_EQ(test::read_bytes(folder / out + "/" + file), "mine");
  };
  refused("page", "report.md", {});
  refused("drawn", "figures/accuracy.svg", {});
  refused("kept", "study.yaml", {"--keep"});
  refused("curves", "curves.csv", {"--keep"});
  refused("figure", "figures/accuracy.svg", {"--keep", "--figures", "accuracy"});
  folder.write("beside/README.md", "mine");
  for (int i = 0; i < 2; ++i) {
    output_of({"report", run, "--out", folder / "beside", "--keep"});
    output_of({"report", run, "--out", folder / "beside"});
  }
  EXPECT_EQ(test::read_bytes(folder / "beside/README.md"), "mine");
}

// Two runs of one sweep and one beside it: TensorBoard's names are the folders below the one that holds all.
TEST(ReportCommand, WritesEventsForTensorBoard) {
  const TemporaryFolder folder;
  error_of(4, {"report", folder / "two", "--tensorboard", folder / "logs"});
  train_two(folder);
  const std::string network =
      "model.network={kind: inception, image_size: 16, image_channels: 1, rows: [{row: conv1, type: convolution, "
      "patch: 3, stride: 2, filters: 8}, {row: pool2, type: average_pool, patch: 0}]}";
  test::train(folder / "experiment.yaml", folder / "other", test::set({"train.probe.op=\"\"", network}));
  // The file's version, the session, the hyperparameters, 4 probes, 3 times train and evaluate, the end. The
  // convolutional network has a picture of its filters in place of the probes.
  EXPECT_EQ(output_of({"report", folder / "two", folder / "other", "--tensorboard", folder / "logs"}),
            folder / "logs/two/bn/seed_1" + ": 14 events\n" + (folder / "logs/two/bn/seed_2") + ": 14 events\n" +
                (folder / "logs/other") + ": 11 events\n");
  const auto events_of = [&](const char* run) { return read_bytes(folder / run + "/events.out.tfevents.bninception"); };
  for (const char* part : {"loss/train", "top1/validation", "probe/percentile_85", "train.learning_rate.initial"}) {
    EXPECT_THAT(events_of("logs/two/bn/seed_1"), HasSubstr(part));
  }
  EXPECT_THAT(events_of("logs/other"), HasSubstr("first_filters"));
  EXPECT_FALSE(std::filesystem::exists(folder / "logs/other/first_filters.png"));
  folder.write("logs/other/first_filters.png", "mine");
  output_of({"report", folder / "other", "--tensorboard", folder / "logs"});
  EXPECT_EQ(test::read_bytes(folder / "logs/other/first_filters.png"), "mine");
}

// It starts before the runs of the sweep do, and ends when the last of them has.
TEST(ReportCommand, FollowsASweepUntilAllRunsHaveEnded) {
  const TemporaryFolder folder;
  train_two(folder);
  std::filesystem::rename(folder / "two/bn/seed_2", folder / "later");
  const auto follow = [&](const std::string& logs) {
    return bninception_command({"report", folder / "two", "--tensorboard", folder / logs, "--follow"});
  };
  RunningProgram following(follow("logs"));
  const std::string first = folder / "logs/bn/seed_1/events.out.tfevents.bninception";
  EXPECT_TRUE(wait_until(std::chrono::seconds(20), [&] { return std::filesystem::exists(first); }));
  EXPECT_FALSE(following.has_ended());
  RunningProgram stopped(follow("logs_until_stopped"));
  const std::string until = folder / "logs_until_stopped/bn/seed_1";
  EXPECT_TRUE(wait_until(std::chrono::seconds(20), [&] { return std::filesystem::exists(until); }));
  stopped.signal(SIGTERM);
  EXPECT_EQ(stopped.wait().exit_code, 9);
  std::filesystem::rename(folder / "later", folder / "two/bn/seed_2");
  const ProgramResult result = following.wait();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("logs/bn/seed_2: 14 events\n"));
}

TEST(ReportCommand, ExplainsWhatIsNoRun) {
  const TemporaryFolder folder;
  const std::string missing = "error: there is no folder '" + folder / "nowhere" + "'\n";
  EXPECT_EQ(error_of(4, {"report", folder / "nowhere", "--out", folder / "report"}), missing);
  EXPECT_EQ(error_of(4, {"report", folder / "nowhere", "--tensorboard", folder / "logs"}), missing);
  EXPECT_THAT(error_of(2, {"report", folder.path()}), HasSubstr("report needs --out FOLDER or --tensorboard FOLDER; "));
  EXPECT_THAT(error_of(2, {"report", folder.path(), "--out", folder / "report", "--follow"}),
              HasSubstr("--follow requires --tensorboard"));
}

TEST(ReportCommand, NamesTheRunsInAFolderThatIsNone) {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& input) {
    return error_of(4, {"report", folder / input, "--out", folder / "report"});
  };
  const auto add_run = [&](const std::string& run) {
    folder.write(run + "/config.yaml", "");
    folder.write(run + "/log.jsonl", "");
  };
  std::filesystem::create_directory(folder / "study");
  const std::string plain = "error: '" + folder / "study" +
                            "' is no run folder: it has no config.yaml; a sweep folder would have a sweep.json";
  EXPECT_EQ(error("study"), plain + "\n");
  add_run("study/bn/seed_1");
  EXPECT_EQ(error("study"), plain + "; its runs are " + folder / "study/bn/seed_1" + "\n");
  add_run("study/bn/seed_2");
  add_run("study/plain/seed_1");
  EXPECT_EQ(error("study"), plain + "; its runs are " + folder / "study/*/seed_*" + "\n");
  add_run("flat/a");
  add_run("flat/b");
  EXPECT_THAT(error("flat/"), HasSubstr("; its runs are " + folder / "flat/*" + "\n"));
}

}  // namespace
}  // namespace bn::test
