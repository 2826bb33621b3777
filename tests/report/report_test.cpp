// These tests make whole reports, gnuplot included.
#include "bn/report.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include "bn/error.hpp"
#include "bn/provenance.hpp"
#include "bn/rng.hpp"
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
using testing::Not;

// Does not print a whole page when the part is missing.
TEST(Report, IsOnePageAndMarkdown) {
  const TemporaryFolder folder;
  test::write_study(folder.path());
  write_run(folder / "plain/seed_1", {.accuracies = {0.30, 0.40, 0.48, 0.504}, .probed = "hidden1/act"});
  const std::vector<std::string> lines = write_report({.inputs = {folder.path()}, .out = folder / "out"});
  EXPECT_THAT(lines.front(), HasSubstr("bn_x30 beats plain by 11."));
  EXPECT_THAT(lines.front(), HasSubstr(" 7 of 7 of the paper's claims held here."));

  const std::string page = read_bytes(folder / "out/index.html");
  for (const char* part :
       {"<h1>a study</h1>", "7 of 7", "id=\"accuracy_gnuplot_canvas\"", "id=\"effects_gnuplot_canvas\"",
        "id=\"probe_1_gnuplot_canvas\"", "Input of hidden1/act, unit 0", "href=\"#config-bn_x5\"",
        "id=\"config-bn_x5\"", "model.normalization: none -&gt; batch", "Dunnett", "not reached in 3 of 3",
        "diverged at step 41", "0.1.0-1-gabcdef0", "1:02:05"}) {
    EXPECT_THAT(page, HasSubstr(part));
  }
  // The page and each figure have a title, which browsers show beside the pointer and screen readers read out.
  size_t titles = 0;
  for (size_t at = 0; (at = page.find("<title>", at)) != std::string::npos; ++at) {
    ++titles;
    EXPECT_EQ(page.substr(at, 60).find('$'), std::string::npos) << page.substr(at, 60);
  }
  EXPECT_EQ(titles, 1U + 5U);
  EXPECT_THAT(page, Not(HasSubstr("Produced by GNUPLOT")));
  EXPECT_THAT(page, Not(HasSubstr("<title>Gnuplot")));
  // Self-contained: nothing is fetched.
  for (const char* part : {"<script src", "<link", "<img", "src=\"http"}) EXPECT_THAT(page, Not(HasSubstr(part)));

  const std::string text = read_bytes(folder / "out/report.md");
  for (const char* part :
       {"# a study", "7 of 7 of the paper's claims held here.**",
        "![Validation accuracy, as the paper's Figure 2](figures/accuracy.svg)", "[bn\\_x5](#config-bn_x5)",
        "<a id=\"config-bn_x5\">", "train.learning_rate.initial: 0.1 -> 0.5"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  for (const char* name : {"accuracy", "effects", "probe_1", "loss", "learning_rate"}) {
    for (const char* format : {"gp", "svg", "png"}) {
      EXPECT_GT(read_bytes(folder / fmt::format("out/figures/{}.{}", name, format)).size(), 500U) << name;
    }
  }
}

// A kept study gives the same report as its run folders, bit for bit, for the whole and for single runs of it. Only the
// curves of losses and rates differ, by the rounding to floats.
TEST(Report, OfAKeptStudyIsTheSame) {
  const TemporaryFolder folder;
  test::write_study(folder / "runs");
  write_run(folder / "runs/plain/seed_1", {.accuracies = {0.30, 0.40, 0.48, 1.0 / 3}, .probed = "hidden1/act"});
  write_run(folder / "runs/bn/seed_2", {.seed = 2, .normalization = Normalization::kBatch, .end = "interrupted"});
  write_report({.inputs = {folder / "runs"}, .out = folder / "full"});
  const std::vector<std::string> lines =
      write_report({.inputs = {folder / "runs"}, .out = folder / "kept", .keep = true, .figures = {"effects"}});
  EXPECT_EQ(write_report({.inputs = {folder / "kept"}, .out = folder / "again"}), lines);
  EXPECT_EQ(lines.back(), "bn with seed 2 is left out: it was interrupted at step 0.");
  for (const char* name : {"index.html", "report.md", "figures/accuracy.gp", "figures/probe_1.gp"}) {
    EXPECT_EQ(read_bytes(folder / fmt::format("full/{}", name)), read_bytes(folder / fmt::format("again/{}", name)))
        << name;
  }
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / "kept")) {
    if (entry.is_regular_file()) files.insert(std::filesystem::relative(entry.path(), folder / "kept").string());
  }
  EXPECT_THAT(files, ElementsAre("curves.csv", "figures/effects.svg", "report.md", "study.yaml"));
  const std::string text = read_bytes(folder / "kept/report.md");
  EXPECT_THAT(text, HasSubstr("figures/effects.svg"));
  EXPECT_THAT(text, Not(HasSubstr("figures/loss.svg")));
  write_report({.inputs = {folder / "kept"}, .out = folder / "kept_again", .keep = true});
  EXPECT_EQ(read_bytes(folder / "kept_again/report.md"), text);
  const auto with_unknown_figure = [&] {
    write_report({.inputs = {folder / "kept"}, .out = folder / "kept_again", .keep = true, .figures = {"errors"}});
  };
  EXPECT_EQ(test::error_message<ConfigError>(with_unknown_figure),
            "there is no figure 'errors'; the figures are: accuracy, effects, probe_1, loss, learning_rate");

  write_report({.inputs = {folder / "runs/bn_x5/seed_1", folder / "runs/bn_x5/seed_2", folder / "runs/bn_x5/seed_3",
                           folder / "runs/bn_x30/seed_1"},
                .out = folder / "runs_of_two"});
  write_report({.inputs = {folder / "kept/bn_x5", folder / "kept/bn_x30/seed_1"}, .out = folder / "kept_of_two"});
  EXPECT_EQ(read_bytes(folder / "runs_of_two/report.md"), [&] {
    std::string kept = read_bytes(folder / "kept_of_two/report.md");
    return kept.replace(kept.find("# 2 runs"), 8, "# 4 runs");
  }());
}

// The studies of this repository report the same to the byte as ever. Checksums stand for each report.md, which is not
// kept, since the READMEs quote the reports.
TEST(Report, OfTheStudiesKeptHere) {
  const std::map<std::string, uint64_t> known = {
      {"ablation_tiny_imagenet/results", 0x5995d3d89de20f36},
      {"figure2_fair/longer/results", 0x35fce38ea93cde53},
      {"figure2_fair/one_change/results_add_one", 0xa4f186bcbcbc7131},
      {"figure2_fair/one_change/results_leave_one_out", 0xac636233dd891e52},
      {"figure2_fair/results", 0x40c37e9577d4f972},
      {"figure2_tiny_imagenet/results", 0x981ec70ce8746dcd},
      {"figure2_tiny_imagenet/results_bn_x30_apart", 0x901cbc9ad5f6066c},
      {"figure2_tiny_imagenet/results_paper_rates", 0xe361ffe76edda9a0},
      {"figure4_ensemble/results", 0xc40e76ebdd3b3b24},
      {"fine_tuning/results", 0xf00955f02aae787d},
      {"what_bn_does/gamma_and_beta/results_relu", 0x96e072ff9ff79a99},
      {"what_bn_does/gamma_and_beta/results_sigmoid", 0xa17342bda5ded147},
      {"what_bn_does/inference_statistics/results", 0xdc98ec4f3399a820},
      {"what_bn_does/placement/results_relu", 0xc26de88a6faf7adc},
      {"what_bn_does/placement/results_sigmoid", 0x0107d301de7cbdfe},
      {"what_bn_does/regulariser/results", 0x79c18e57b6144f53},
      {"what_bn_does/small_batches/results", 0x6d61b1e67807afae},
      {"what_bn_does/workers/results", 0xb79ea9162077aad6},
      {"what_bn_does/workers/results_of_32", 0xad4dbaae3d088a6e},
  };
  const TemporaryFolder folder;
  const std::string root = BN_SOURCE_DIR "/experiments";
  std::map<std::string, uint64_t> made;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.path().filename() != "curves.csv") continue;
    const std::string kept = entry.path().parent_path().string();
    write_report({.inputs = {kept}, .out = folder / "again", .keep = true});
    for (const char* name : {"curves.csv", "study.yaml"}) {
      EXPECT_TRUE(read_bytes(folder / fmt::format("again/{}", name)) == read_bytes(fmt::format("{}/{}", kept, name)))
          << name << " is stale: bninception report " << kept << " --out " << kept << " --keep";
    }
    made[std::filesystem::relative(kept, root).string()] = hash_name(read_bytes(folder / "again/report.md"));
  }
  for (const auto& [study, checksum] : made) {
    const auto entry = known.find(study);
    EXPECT_TRUE(entry != known.end() && entry->second == checksum)
        << "the report of " << study << " is new or another: compare it with the study's README, then write here "
        << fmt::format("0x{:016x}", checksum);
  }
  EXPECT_EQ(made.size(), known.size());
}

// Where other images or another computation stand behind a difference, one sentence says so; it is kept with the study.
TEST(Report, SaysWhereRunsWereMadeOfOtherThings) {
  const TemporaryFolder folder;
  const auto made = [&](const char* run, int64_t images, const char* fingerprint, const char* computation) {
    test::write_bytes(folder / (std::string("runs/") + run + "/made_of.json"),
                      to_json({.classes = {"a", "b"},
                               .training = {.images = images, .fingerprint = fingerprint},
                               .validation = {.images = 20, .fingerprint = "f"},
                               .computation = computation}));
  };
  write_run(folder / "runs/a", {.accuracies = {0.3, 0.5}});
  write_run(folder / "runs/b", {.learning_rate = 0.2, .accuracies = {0.3, 0.5}});
  write_run(folder / "runs/c", {.learning_rate = 0.3, .accuracies = {0.3, 0.5}});
  const std::vector<std::string> inputs{folder / "runs/a", folder / "runs/b", folder / "runs/c"};
  const auto last_line = [&] { return write_report({.inputs = inputs, .out = folder / "out", .keep = true}).back(); };
  made("a", 60, "x", "avx2");
  made("b", 60, "x", "avx2");
  EXPECT_THAT(last_line(), testing::Not(HasSubstr("differ")));
  made("c", 60, "y", "avx2");
  const std::string other =
      "c with seed 1 did not see the images of a with seed 1, so more than the networks differs: ";
  EXPECT_EQ(last_line(), other + "other training images, though as many.");
  made("b", 59, "y", "avx2");
  EXPECT_EQ(last_line(),
            "b with seed 1 and 1 more did not see the images of a with seed 1, so more than the networks "
            "differs: 60 against 59 training images.");
  made("b", 60, "x", "generic");
  made("c", 60, "x", "avx2");
  const std::string computed =
      "b with seed 1 was computed by generic, a with seed 1 by avx2: their last bits differ for that reason too.";
  EXPECT_EQ(last_line(), computed);
  EXPECT_EQ(write_report({.inputs = {folder / "out"}, .out = folder / "again"}).back(), computed);
}

// A rate that no training can have logged, nor any axis show.
TEST(Report, OfALogWithExtremeNumbers) {
  const TemporaryFolder folder;
  write_run(folder / "a", {.accuracies = {0.3, 0.5}});
  RunLog log(folder / "a/log.jsonl", 1000);
  for (const double value : {5e-324, 1e-300, 1.7e308, -1.0, 1e17, 9.1e15, 9.1e15 + 2}) {
    log.write({.event = "train",
               .step = 800 + static_cast<int64_t>(std::log(std::abs(value))),
               .loss = value,
               .learning_rate = value});
  }
  log.write({.event = "end", .step = 2000});
  EXPECT_FALSE(write_report({.inputs = {folder / "a"}, .out = folder / "out"}).empty());
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

TEST(Report, OfFinishedRunsWithoutAnEvaluation) {
  const TemporaryFolder folder;
  write_run(folder / "a/seed_1", {.accuracies = {0.3, 0.5}});
  write_run(folder / "a/seed_2", {.seed = 2, .end_step = 200});
  write_run(folder / "b/seed_1", {.learning_rate = 3, .end_step = 200});
  const std::string half = folder / "a/seed_1", without = folder / "a/seed_2", other = folder / "b/seed_1";
  EXPECT_EQ(write_report({.inputs = {half, without}, .out = folder / "out"}).front(),
            "a: best validation accuracy 50.0\u00a0%; 1 of 2 seeds finished without an evaluation. There is no other "
            "network to compare it with.");
  EXPECT_EQ(write_report({.inputs = {without}, .out = folder / "out"}).front(),
            "The baseline a was never evaluated, so nothing can be measured against it.");
  EXPECT_THAT(write_report({.inputs = {half, other}, .out = folder / "out"}).back(),
              HasSubstr("b: was never evaluated"));
}

// Each waits for those before it, so all are whole.
TEST(Report, IntoOneFolderAtOnce) {
  const TemporaryFolder folder;
  write_run(folder / "a", {.accuracies = {0.3, 0.5}});
  const std::string out = folder / "out";
  std::vector<std::thread> writers;
  std::vector<std::string> errors(3);
  for (std::string& error : errors) {
    writers.emplace_back([&] {
      try {
        write_report({.inputs = {folder / "a"}, .out = out});
      } catch (const Error& failure) {
        error = failure.what();
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_THAT(errors, testing::Each(""));
  EXPECT_THAT(read_bytes(out + "/index.html"), HasSubstr("id=\"accuracy_gnuplot_canvas\""));
  EXPECT_EQ(test::names_in(out + "/figures").size(), 9U);  // three figures, each as gp, svg and png
}

TEST(Report, NamesOfArmsAreText) {
  const TemporaryFolder folder;
  const std::string name = "a'b_<i>|\"{x}^2";
  write_run(folder / "1", {.accuracies = {0.3, 0.5}});
  write_run(folder / "2", {.normalization = Normalization::kBatch, .accuracies = {0.5, 0.6}});
  test::write_sweep(folder.path(), "", {{name, 1, "1"}, {"b", 1, "2"}});
  write_report({.inputs = {folder.path()}, .out = folder / "out"});
  const std::string page = read_bytes(folder / "out/index.html");
  EXPECT_THAT(page, HasSubstr("a'b_&lt;i&gt;|&quot;{x}^2</a>"));
  EXPECT_THAT(page, Not(HasSubstr("<i>")));
  EXPECT_THAT(read_bytes(folder / "out/report.md"), HasSubstr("a'b\\_\\<i\\>\\|\"{x}^2"));
}

TEST(Report, SaysThatGnuplotIsMissing) {
  const TemporaryFolder folder;
  write_run(folder / "a", {.accuracies = {0.3, 0.5}});
  const std::string message = test::result_in_child([&]() -> std::string {
    setenv("PATH", folder.path().c_str(), 1);
    return test::error_message<UnsupportedError>(
        [&] { write_report({.inputs = {folder / "a"}, .out = folder / "out"}); });
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

TEST(Chart, ALabelWithoutAPlaceEnds) {
  report::LineChart chart{.name = "a", .y_low = 0};
  chart.series.push_back({.label = "b", .marks = {{.x = std::nan(""), .y = 1}}});
  EXPECT_THAT(report::script_of(chart).body, HasSubstr("'b'"));
}

TEST(Chart, AnAxisOfAccuraciesEndsAtAllRight) {
  report::LineChart chart{.name = "a", .y_low = 100, .y_most = 100};
  chart.series.push_back({.label = "b", .points = {{1, 100, 100, 100}, {2, 100, 100, 100}}});
  EXPECT_THAT(report::script_of(chart).body, HasSubstr("set yrange [99:100]\n"));
}

TEST(Chart, Ticks) {
  EXPECT_THAT(report::ticks(9e15, 9e15 + 2, 6), testing::SizeIs(testing::Le(8U)));  // steps of less than the spacing
  EXPECT_THAT(report::ticks(0, 9000, 6), ElementsAre(0, 2000, 4000, 6000, 8000));
  EXPECT_EQ(report::with_separators(12500), "12,500");
  EXPECT_EQ(report::with_separators(31e6), "31M");
  EXPECT_EQ(report::with_separators(999), "999");
  EXPECT_EQ(report::gnuplot_quote("it's \\ {a}_b"), "'it''s \\ {a}_b'");
  EXPECT_EQ(report::gnuplot_tic("100% 'of' it"), "'100%% ''of'' it'");
}

}  // namespace
}  // namespace bn
