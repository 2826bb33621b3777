// Evaluation by several processes: each image once, and the sums of one process.
#include <nlohmann/json.hpp>

#include "processes/fixtures.hpp"

namespace bn::test {
namespace {

using testing::HasSubstr;

class EvaluateProcesses : public Processes {
 protected:
  void SetUp() override {
    Processes::SetUp();
    if (IsSkipped()) return;
    write_shapes(root_ / "set", 16, 60, 403);
    std::string experiment = kExperiment;
    experiment.replace(experiment.find("  kind: shapes\n"), 15,
                       "  kind: folder\n  on_corrupt: skip\n  train: [" + (root_ / "set/train") + "]\n  validation: [" +
                           (root_ / "set/validation") + "]\n");
    write_bytes(root_ / "experiment.yaml", experiment);
    ASSERT_EQ(run_program(train_arguments("run", {"--set", "train.parts=1"})).exit_code, 0);
    const auto images = names_in(root_ / "set/validation/arrow");
    ASSERT_FALSE(images.empty());
    write_bytes(root_ / ("set/validation/arrow/" + *images.begin()), "no image");
  }

  // The report as JSON, without what differs from one run of the program to the next.
  nlohmann::json evaluated_by(int64_t processes, const std::vector<std::string>& more) const {
    std::vector<std::string> command{BN_PROGRAM, "evaluate", root_ / "run", "--json", "--per-class"};
    command.insert(command.end(), more.begin(), more.end());
    const ProgramResult result =
        processes == 1 ? run_program(command) : run_program(launched(processes, command), options());
    EXPECT_EQ(result.exit_code, 0) << result.err;
    nlohmann::json report = nlohmann::json::parse(result.out, nullptr, false);
    EXPECT_TRUE(report.is_object()) << result.out;
    report.erase("seconds");
    report.erase("images_per_second");
    return report;
  }
};

TEST_F(EvaluateProcesses, TheirNumberChangesNoBit) {
  const std::vector<std::vector<std::string>> ways{{}, {"--crops", "10"}};
  for (const std::vector<std::string>& way : ways) {
    const nlohmann::json one = evaluated_by(1, way);
    EXPECT_EQ(one.at("skipped"), 1) << one;
    for (const int64_t processes : {2, 3, 4}) EXPECT_EQ(evaluated_by(processes, way), one) << processes;
  }
}

TEST_F(EvaluateProcesses, AFileOfPredictionsIsRefused) {
  const ProgramResult result =
      run_program(launched(2, {BN_PROGRAM, "evaluate", root_ / "run", "--csv", root_ / "all.csv"}), options());
  EXPECT_EQ(result.exit_code, code(ExitCode::kUsage)) << result.err;
  EXPECT_THAT(result.err,
              HasSubstr("--csv and --page are written by a process alone: start evaluate without the launcher"));
}

}  // namespace
}  // namespace bn::test
