// These tests make whole reports, gnuplot included.
#include "bn/report.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "bn/error.hpp"
#include "report/chart.hpp"
#include "report/document.hpp"
#include "report/fixtures.hpp"
#include "support/child_process.hpp"
#include "support/error_message.hpp"

namespace bn {
namespace {

using test::read_bytes;
using test::TemporaryFolder;
using test::write_run;
using testing::ElementsAre;
using testing::HasSubstr;

// Does not print a whole page when the part is missing.
bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(Report, IsOnePageAndMarkdown) {
  const TemporaryFolder folder;
  test::write_study(folder.path());
  write_run(folder / "plain/seed_1", {.accuracies = {0.30, 0.40, 0.48, 0.504}, .probed = "hidden1/act"});
  const std::vector<std::string> lines = write_report({.inputs = {folder.path()}, .out = folder / "out"});
  EXPECT_EQ(lines.front(), "7 of 7 of the paper's claims held here.");

  const std::string page = read_bytes(folder / "out/index.html");
  for (const char* part :
       {"<h1>a study</h1>", "7 of 7", "id=\"accuracy_gnuplot_canvas\"", "id=\"effects_gnuplot_canvas\"",
        "id=\"probe_1_gnuplot_canvas\"", "Input of hidden1/act, unit 0", "href=\"#config-bn_x5\"",
        "id=\"config-bn_x5\"", "model.normalization: none -&gt; batch", "Dunnett", "not reached in 3 of 3",
        "diverged at step 41", "0.1.0-1-gabcdef0", "1:02:05"}) {
    EXPECT_TRUE(contains(page, part)) << part;
  }
  // Self-contained: nothing is fetched.
  for (const char* part : {"<script src", "<link", "<img", "src=\"http"}) EXPECT_FALSE(contains(page, part)) << part;

  const std::string text = read_bytes(folder / "out/report.md");
  for (const char* part :
       {"# a study", "**7 of 7", "![Validation accuracy, as the paper's Figure 2](figures/accuracy.svg)",
        "[bn\\_x5](#config-bn_x5)", "<a id=\"config-bn_x5\">", "train.learning_rate.initial: 0.1 -> 0.5"}) {
    EXPECT_TRUE(contains(text, part)) << part;
  }
  for (const char* name : {"accuracy", "effects", "probe_1", "loss", "learning_rate"}) {
    for (const char* format : {"gp", "svg", "png"}) {
      EXPECT_GT(read_bytes(folder / fmt::format("out/figures/{}.{}", name, format)).size(), 500U) << name;
    }
  }
}

// A kept study gives the same report as its run folders, bit for bit, for the whole and for single runs of it.
TEST(Report, OfAKeptStudyIsTheSame) {
  const TemporaryFolder folder;
  test::write_study(folder / "runs");
  write_run(folder / "runs/plain/seed_1", {.accuracies = {0.30, 0.40, 0.48, 1.0 / 3}, .probed = "hidden1/act"});
  write_run(folder / "runs/bn/seed_2", {.seed = 2, .normalization = Normalization::kBatch, .end = "interrupted"});
  write_report({.inputs = {folder / "runs"}, .out = folder / "full"});
  const std::vector<std::string> lines =
      write_report({.inputs = {folder / "runs"}, .out = folder / "kept", .keep = true});
  EXPECT_EQ(write_report({.inputs = {folder / "kept"}, .out = folder / "again"}), lines);
  EXPECT_EQ(lines.back(), "bn with seed 2 is left out: it was interrupted at step 0.");
  for (const char* name : {"index.html", "report.md", "figures/accuracy.gp", "figures/probe_1.gp", "figures/loss.gp"}) {
    EXPECT_EQ(read_bytes(folder / fmt::format("full/{}", name)), read_bytes(folder / fmt::format("again/{}", name)))
        << name;
  }
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / "kept")) {
    if (entry.is_regular_file()) files.insert(std::filesystem::relative(entry.path(), folder / "kept").string());
  }
  EXPECT_THAT(files, ElementsAre("configs.yaml", "curves.csv", "figures/accuracy.svg", "figures/effects.svg",
                                 "report.md", "study.json"));
  const std::string text = read_bytes(folder / "kept/report.md");
  EXPECT_TRUE(contains(text, "figures/effects.svg"));
  EXPECT_FALSE(contains(text, "figures/loss.svg"));

  write_report({.inputs = {folder / "runs/bn_x5/seed_1", folder / "runs/bn_x5/seed_2", folder / "runs/bn_x5/seed_3",
                           folder / "runs/bn_x30/seed_1"},
                .out = folder / "runs_of_two"});
  write_report({.inputs = {folder / "kept/bn_x5", folder / "kept/bn_x30/seed_1"}, .out = folder / "kept_of_two"});
  EXPECT_EQ(read_bytes(folder / "runs_of_two/report.md"), [&] {
    std::string kept = read_bytes(folder / "kept_of_two/report.md");
    return kept.replace(kept.find("# 2 runs"), 8, "# 4 runs");
  }());
}

// The report.md of each study in this repository is what its curves give with this program.
TEST(Report, OfTheStudiesKeptHere) {
  const TemporaryFolder folder;
  int64_t studies = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(BN_SOURCE_DIR "/experiments")) {
    if (entry.path().filename() != "curves.csv") continue;
    const std::string kept = entry.path().parent_path().string();
    write_report({.inputs = {kept}, .out = folder / "again", .keep = true});
    for (const char* name : {"report.md", "curves.csv", "configs.yaml", "study.json"}) {
      EXPECT_TRUE(read_bytes(folder / fmt::format("again/{}", name)) == read_bytes(fmt::format("{}/{}", kept, name)))
          << name << " is stale: bninception report " << kept << " --out " << kept << " --keep";
    }
    ++studies;
  }
  EXPECT_GE(studies, 5);
}

TEST(Report, OfOneRunAlone) {
  const TemporaryFolder folder;
  write_run(folder / "only", {.accuracies = {0.3, 0.5}});
  EXPECT_EQ(write_report({.inputs = {folder / "only"}, .out = folder / "out"}).front(),
            "only: best validation accuracy 50.0\u00a0%. There is no other network to compare it with.");
}

TEST(Report, OfRunsThatAllDivergedAtOnce) {
  const TemporaryFolder folder;
  write_run(folder / "a", {.end = "diverged", .end_step = 3});
  write_run(folder / "b", {.learning_rate = 3, .end = "diverged", .end_step = 1});
  EXPECT_EQ(write_report({.inputs = {folder / "a", folder / "b"}, .out = folder / "out"}).front(),
            "The baseline a diverged at step 3 in 1 of 1 seed, so nothing can be measured against it.");
}

TEST(Report, NamesOfArmsAreText) {
  const TemporaryFolder folder;
  const std::string name = "a'b_<i>|\"{x}^2";
  write_run(folder / "1", {.accuracies = {0.3, 0.5}});
  write_run(folder / "2", {.normalization = Normalization::kBatch, .accuracies = {0.5, 0.6}});
  test::write_sweep(folder.path(), "", {{name, 1, "1"}, {"b", 1, "2"}});
  write_report({.inputs = {folder.path()}, .out = folder / "out"});
  const std::string page = read_bytes(folder / "out/index.html");
  EXPECT_TRUE(contains(page, "a'b_&lt;i&gt;|&quot;{x}^2</a>"));
  EXPECT_FALSE(contains(page, "<i>"));
  EXPECT_TRUE(contains(read_bytes(folder / "out/report.md"), "a'b\\_\\<i\\>\\|\"{x}^2"));
}

TEST(Report, SaysThatGnuplotIsMissing) {
  const TemporaryFolder folder;
  write_run(folder / "a", {.accuracies = {0.3, 0.5}});
  const std::string message = test::result_in_child([&]() -> std::string {
    setenv("PATH", folder.path().c_str(), 1);
    try {
      write_report({.inputs = {folder / "a"}, .out = folder / "out"});
    } catch (const UnsupportedError& error) {
      return error.what();
    }
    return "no error";
  });
  EXPECT_EQ(message,
            "figures are drawn by gnuplot: cannot start 'gnuplot': No such file or directory; Debian's package is "
            "gnuplot-nox");
}

TEST(Report, CannotWriteWhereAFileIs) {
  const TemporaryFolder folder;
  write_run(folder / "a", {.accuracies = {0.3, 0.5}});
  test::write_bytes(folder / "out", "a file");
  EXPECT_THAT(
      test::error_message<StorageError>([&] { write_report({.inputs = {folder / "a"}, .out = folder / "out"}); }),
      HasSubstr("cannot create folder '"));
}

TEST(Chart, MovesLabelsApartAsLittleAsItTakes) {
  using report::spread;
  EXPECT_THAT(spread({0.9, 0.1, 0.5}, 0.1), ElementsAre(0.9, 0.1, 0.5));
  const std::vector<double> close = spread({0.5, 0.52, 0.1}, 0.1);
  EXPECT_NEAR(close[0], 0.46, 1e-9);
  EXPECT_NEAR(close[1], 0.56, 1e-9);
  EXPECT_NEAR(close[2], 0.1, 1e-9);
  const std::vector<double> top = spread({1, 1, 1}, 0.1);
  EXPECT_NEAR(top[0], 0.8, 1e-9);
  EXPECT_NEAR(top[2], 1.0, 1e-9);
  // Moving two apart runs into a third.
  const std::vector<double> chain = spread({0.5, 0.5, 0.58}, 0.1);
  EXPECT_NEAR(chain[1] - chain[0], 0.1, 1e-9);
  EXPECT_NEAR(chain[2] - chain[1], 0.1, 1e-9);
}

TEST(Chart, Ticks) {
  EXPECT_THAT(report::ticks(0, 9000, 6), ElementsAre(0, 2000, 4000, 6000, 8000));
  EXPECT_EQ(report::with_separators(12500), "12,500");
  EXPECT_EQ(report::with_separators(31e6), "31M");
  EXPECT_EQ(report::with_separators(999), "999");
  EXPECT_EQ(report::gnuplot_quote("it's \\ {a}_b"), "'it''s \\ {a}_b'");
}

}  // namespace
}  // namespace bn
