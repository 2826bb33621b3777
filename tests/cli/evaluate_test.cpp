// Evaluation as a user meets it: several networks, several crops, statistics, lists of images, what it writes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "bn/error.hpp"
#include "cli/program.hpp"
#include "support/shapes_experiment.hpp"
#include "support/temporary_folder.hpp"
#include "system/files.hpp"

namespace bn::test {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kEvaluateExperiment = small_model() + shapes_data(300, 70) + R"(  workers: 2
train: {batch: 20, steps: 30, learning_rate: {initial: 0.1}, statistics_decay: 0.9, log_every: 10,
  evaluate_every: 30, evaluate_batch: 30}
threads: 1
)";

class Evaluate : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    shared() = std::make_unique<TemporaryFolder>();
    write_bytes(folder() / "experiment.yaml", kEvaluateExperiment);
    train("first", {});
    train("second", {"train.seed=2"});
  }
  static void TearDownTestSuite() { shared().reset(); }

  static std::string train(const std::string& run, const Words& keys) {
    return test::train(folder() / "experiment.yaml", folder() / run, test::set(keys));
  }
  static void write_images(const std::string& out) { write_shapes(folder() / out, 16, 40, 20); }
  static std::string train_on_images(const std::string& run, const std::string& images, const Words& keys) {
    return train(run, joined({"data.kind=folder", "data.train=[" + (folder() / images) + "/train]",
                              "data.validation=[" + (folder() / images) + "/validation]", "train.steps=2"},
                             keys));
  }
  static ProgramResult evaluate(const Words& words) { return bninception(joined({"evaluate"}, words)); }
  static nlohmann::json report(const Words& words) {
    return nlohmann::json::parse(output_of(joined({"evaluate", "--json"}, words)));
  }
  static std::string error(const Words& words, ExitCode code) { return error_of(code, joined({"evaluate"}, words)); }
  // The column's value for each image, by the image's name.
  static std::map<std::string, std::string> column(const std::string& path, size_t number) {
    std::map<std::string, std::string> values;
    for (const Words& row : rows_of(read_bytes(path))) {
      EXPECT_TRUE(values.emplace(row.front(), row.at(number)).second) << row.front();
    }
    values.erase("image");  // the heading
    return values;
  }

  static std::unique_ptr<TemporaryFolder>& shared() {
    static std::unique_ptr<TemporaryFolder> folder;
    return folder;
  }
  static const TemporaryFolder& folder() { return *shared(); }
  const std::string first_ = folder() / "first", second_ = folder() / "second";
};

// Paper: sec. 4.2.3.
TEST_F(Evaluate, AnEnsembleIsTheMeanOfItsMembersProbabilities) {
  const std::string a = folder() / "a.csv", b = folder() / "b.csv", both = folder() / "both.csv";
  EXPECT_EQ(evaluate({first_, "--csv", a}).exit_code, 0);
  EXPECT_EQ(evaluate({second_, "--csv", b}).exit_code, 0);
  const ProgramResult result = evaluate({first_, second_, "--csv", both});
  EXPECT_THAT(result.out, HasSubstr("2 networks: top-1 "));
  constexpr size_t kLabelProbability = 3;
  const auto of_a = column(a, kLabelProbability), of_b = column(b, kLabelProbability);
  const auto of_both = column(both, kLabelProbability);
  ASSERT_EQ(of_both.size(), 70U);
  for (const auto& [image, probability] : of_both) {
    EXPECT_NEAR(std::stod(probability), (std::stod(of_a.at(image)) + std::stod(of_b.at(image))) / 2, 2e-6) << image;
  }
}

TEST_F(Evaluate, TheSameNetworkTwiceScoresAsOnce) {
  const nlohmann::json once = report({first_}), twice = report({first_, first_});
  EXPECT_EQ(once.at("top1"), twice.at("top1"));
  EXPECT_NEAR(once.at("loss").get<double>(), twice.at("loss").get<double>(), 1e-6);
  EXPECT_EQ(twice.at("members").size(), 2U);
}

TEST_F(Evaluate, CropsScoreEveryImageOnce) {
  for (const char* crops : {"10", "144"}) {
    const std::string csv = folder() / "crops.csv";
    const nlohmann::json scores = report({first_, "--crops", crops, "--csv", csv});
    EXPECT_EQ(scores.at("images"), 70);
    EXPECT_EQ(scores.at("crops"), std::stoi(crops));
    EXPECT_EQ(column(csv, 1).size(), 70U);
    EXPECT_GT(scores.at("top1").get<double>(), 0.1);
  }
  EXPECT_EQ(evaluate({first_, "--crops", "12"}).exit_code, code(ExitCode::kUsage));
}

TEST_F(Evaluate, ErrorsHaveAnIntervalAndClassesAddUp) {
  const nlohmann::json scores = report({first_});
  const auto& error = scores.at("top1_error");
  EXPECT_DOUBLE_EQ(error.at("value").get<double>(), 1 - scores.at("top1").get<double>());
  EXPECT_LT(error.at("low").get<double>(), error.at("value").get<double>());
  EXPECT_GT(error.at("high").get<double>(), error.at("value").get<double>());
  int64_t images = 0, right = 0;
  for (const auto& of_class : scores.at("classes")) {
    images += of_class.at("images").get<int64_t>();
    right += of_class.at("right").get<int64_t>();
  }
  EXPECT_EQ(images, 70);
  EXPECT_NEAR(static_cast<double>(right) / 70, scores.at("top1").get<double>(), 1e-12);
  const ProgramResult text = evaluate({first_, "--per-class"});
  EXPECT_THAT(text.out, HasSubstr("error with its 95 % interval: top-1 "));
  EXPECT_THAT(text.out, HasSubstr("    7 right, "));
}

// Paper: Algorithm 2.
TEST_F(Evaluate, StatisticsCanBeEstimatedAnew) {
  const nlohmann::json stored = report({first_});
  EXPECT_EQ(report({first_, "--statistics", "moving"}).at("loss"), stored.at("loss"));
  const nlohmann::json population = report({first_, "--statistics", "population(15)"});
  EXPECT_EQ(report({first_, "--statistics", "population:15"}).at("loss"), population.at("loss"));
  EXPECT_NE(population.at("loss"), stored.at("loss"));
  EXPECT_NEAR(population.at("loss").get<double>(), stored.at("loss").get<double>(), 0.5);
}

TEST_F(Evaluate, TheReportSaysWhichStatisticsWereUsed) {
  const std::string heading = "statistics of batch normalisation: ";
  EXPECT_EQ(report({first_}).at("statistics"), "moving");
  EXPECT_THAT(evaluate({first_}).out, HasSubstr(heading + "moving\n"));
  const Words estimated{first_, "--statistics", "population:15"};
  EXPECT_EQ(report(estimated).at("statistics"), "population(15)");
  EXPECT_THAT(evaluate(estimated).out, HasSubstr(heading + "population(15)\n"));
  const std::string algorithm2 = train("algorithm2", {"train.statistics=population", "train.statistics_batches=7"});
  EXPECT_EQ(report({algorithm2}).at("statistics"), "population(7)");
  const nlohmann::json both = report({first_, algorithm2});
  EXPECT_EQ(both.at("members").at(0).at("statistics"), "moving");
  EXPECT_EQ(both.at("members").at(1).at("statistics"), "population(7)");
  EXPECT_THAT(evaluate({first_, algorithm2}).out, HasSubstr(heading + "moving, population(7)\n"));
  const std::string without = train("without", {"model.normalization=none"});
  EXPECT_EQ(report({without}).at("statistics"), "none");
}

TEST_F(Evaluate, StatisticsThatAreNotThereAreRefused) {
  EXPECT_THAT(error({first_, "--statistics", "population"}, ExitCode::kConfig),
              HasSubstr("--statistics: got 'population', expected moving or population(N)"));
  const std::string plain = train("plain", {"model.normalization=none"});
  EXPECT_THAT(error({plain, "--statistics", "population(3)"}, ExitCode::kConfig), HasSubstr("no batch normalisation"));
  const std::string population = train("population", {"train.statistics=population"});
  EXPECT_THAT(error({population, "--statistics", "moving"}, ExitCode::kConfig), HasSubstr("holds no moving averages"));
}

TEST_F(Evaluate, ImagesCanBeExcluded) {
  const std::string csv = folder() / "all.csv", list = folder() / "list.txt";
  ASSERT_EQ(evaluate({first_, "--csv", csv}).exit_code, 0);
  write_bytes(list, column(csv, 1).begin()->first + "\n");
  const nlohmann::json scores = report({first_, "--exclude", list});
  EXPECT_EQ(scores.at("images"), 69);
  EXPECT_EQ(scores.at("excluded"), 1);
  write_bytes(list, "nobody.jpg\n");
  EXPECT_THAT(error({first_, "--exclude", list}, ExitCode::kData),
              HasSubstr("list.txt:1: there is no image nobody.jpg to exclude"));
}

TEST_F(Evaluate, SaysThatTheImagesAreOthersThanInTraining) {
  write_images("changing");
  const std::string run = train_on_images("of_changing", "changing", {});
  EXPECT_EQ(report({run}).at("same_images"), true);
  EXPECT_EQ(evaluate({run}).err.find("other images"), std::string::npos);
  const std::string image =
      folder() / "changing/validation/disk/" + *test::names_in(folder() / "changing/validation/disk").begin();
  std::filesystem::remove(image);
  EXPECT_THAT(evaluate({run}).err,
              HasSubstr("warning: " + run +
                        "/checkpoints/best.safetensors was validated on 20 other images when it was "
                        "trained, so the two scores do not compare\n"));
  EXPECT_EQ(report({run}).at("same_images"), false);
  std::filesystem::copy_file(
      folder() / "changing/train/disk/" + *test::names_in(folder() / "changing/train/disk").begin(), image + "x.png");
  EXPECT_THAT(evaluate({run}).err, HasSubstr("was validated on 20, as many, other images"));
  EXPECT_THAT(evaluate({run, "--data", folder() / "changing/validation"}).err, Not(HasSubstr("other images")));
}

// Images that were added may lie on either side of the split.
TEST_F(Evaluate, ExcludingImagesDoesNotExcuseAChangedSplit) {
  write_images("whole");
  const std::string run = train_on_images("of_whole", "whole", {"data.validation=[]", "data.split.validation=0.4"});
  const std::string csv = folder() / "split.csv", list = folder() / "one.txt";
  ASSERT_EQ(evaluate({run, "--csv", csv}).exit_code, 0);
  test::write_bytes(list, column(csv, 1).begin()->first + "\n");
  EXPECT_EQ(report({run, "--exclude", list}).at("excluded"), 1);
  for (const std::string& name : test::names_in(folder() / "whole/validation")) {
    std::filesystem::copy(folder() / "whole/validation/" + name, folder() / "whole/train/" + name + "/more");
  }
  for (const Words& words : {Words{run}, Words{run, "--exclude", list}}) {
    EXPECT_THAT(error(words, ExitCode::kData), HasSubstr("the images of data.train were changed"));
  }
}

TEST_F(Evaluate, WritesItsTableWhereItsReportGoes) {
  const std::string out = folder() / "out.txt";
  const auto run_in_shell = [&](const std::string& redirection) {
    const std::string command = std::string(BN_PROGRAM) + " evaluate " + first_ + " --csv /dev/stdout " + redirection;
    EXPECT_EQ(test::run_program({"/bin/sh", "-c", command}).exit_code, 0);
    return test::read_bytes(out);
  };
  const std::string once = run_in_shell("> " + out);
  EXPECT_EQ(once.find("image,label,"), 0U);
  EXPECT_THAT(once, HasSubstr("step 30: top-1 "));
  EXPECT_EQ(test::lines_of(once).size(), 71U + 3U);
  test::write_bytes(out, "image,of mine\n");
  EXPECT_EQ(run_in_shell(">> " + out).find("image,of mine\nimage,label,"), 0U);
}

TEST_F(Evaluate, EmptyValuesAreNoAbsentOnes) {
  for (const char* option : {"--exclude", "--labels", "--page", "--csv", "--data"}) {
    EXPECT_THAT(error({first_, option, ""}, ExitCode::kUsage), HasSubstr(std::string(option) + ": the value is empty"));
  }
  EXPECT_THAT(test::error_of(ExitCode::kUsage, {"train", folder() / "experiment.yaml", "--out", ""}),
              HasSubstr("--out: the value is empty"));
}

TEST_F(Evaluate, APageReplacesNoPictureOfSomebodyElse) {
  const std::string page = folder() / "own_page";
  std::filesystem::create_directories(page + "/images");
  test::write_bytes(page + "/images/mistake01.png", "a picture of mine");
  EXPECT_EQ(error({first_, "--page", page}, ExitCode::kConfig),
            "error: --page: '" + page +
                "/images/mistake01.png' is there already and was not written by this command: give another name\n");
  EXPECT_EQ(test::names_in(page), std::set<std::string>{"images"});
  std::filesystem::rename(page + "/images/mistake01.png", page + "/images/mine.png");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(evaluate({first_, "--page", page}).exit_code, 0);
  EXPECT_EQ(test::read_bytes(page + "/images/mine.png"), "a picture of mine");
}

TEST_F(Evaluate, AnEnsembleNeedsTheSameClassesAndInput) {
  const std::string five = train("five", {"data.classes_limit=5", "model.classes=5"});
  const std::string message = error({first_, five}, ExitCode::kConfig);
  EXPECT_THAT(message, HasSubstr("an ensemble needs networks of the same classes, but " + first_));
  EXPECT_THAT(message, HasSubstr("has 10 and " + five));
  const std::string binary = train("binary", {"data.binarize=127"});
  EXPECT_THAT(
      error({first_, binary}, ExitCode::kConfig),
      HasSubstr("an ensemble needs networks of the same input, but " + first_ + "/checkpoints/best.safetensors and " +
                binary + "/checkpoints/best.safetensors differ: data.binarize: -1 -> 127\n"));
  const std::string turned = train("turned", {"data.exif_orientation=apply"});
  EXPECT_THAT(error({first_, turned}, ExitCode::kConfig),
              HasSubstr("differ: data.exif_orientation: ignore -> apply\n"));
}

TEST_F(Evaluate, AnEnsembleNeedsOneSetOfImages) {
  const std::string other = train("other", {"data.shapes.seed=2", "data.shapes.train_images=200"});
  const std::string message = error({first_, other}, ExitCode::kConfig);
  EXPECT_THAT(message,
              HasSubstr("an ensemble needs networks of one list of classes and one set of images, but " + first_ +
                        "/checkpoints/best.safetensors and " + other + "/checkpoints/best.safetensors differ: "));
  EXPECT_THAT(message, HasSubstr("differ: data.shapes.seed: 1 -> 2\n"));
}

TEST_F(Evaluate, AnEnsembleNeedsOneListOfClasses) {
  write_images("images");
  const std::string original = folder() / "classes.txt";
  const std::string same = folder() / "same.txt", reversed = folder() / "reversed.txt";
  const std::set<std::string> names = names_in(folder() / "images/validation");
  std::string forwards, backwards;
  for (const std::string& name : names) {
    forwards += name + "\n";
    backwards.insert(0, name + "\n");
  }
  write_bytes(original, forwards);
  write_bytes(same, forwards);
  write_bytes(reversed, backwards);
  const std::string a = train_on_images("listed", "images", {"data.classes=" + original});
  const std::string b = train_on_images("moved", "images", {"data.classes=" + same});
  const std::string c = train_on_images("reversed", "images", {"data.classes=" + reversed});
  EXPECT_EQ(report({a, b}).at("members").size(), 2U);
  const std::string difference = "one list of classes, but class 0 is 'arrow' in " + a +
                                 "/checkpoints/best.safetensors and 'triangle' in " + c +
                                 "/checkpoints/best.safetensors\n";
  EXPECT_THAT(error({a, c}, ExitCode::kConfig), HasSubstr(difference));
  // The user's own images do not make them one list.
  EXPECT_THAT(error({a, c, "--data", folder() / "images/train"}, ExitCode::kConfig), HasSubstr(difference));
}

TEST_F(Evaluate, ImagesNamedByTheUserAreThoseOfAllMembers) {
  write_images("here");
  write_images("there");
  const std::string a = train_on_images("on_here", "here", {}), b = train_on_images("on_there", "there", {});
  const std::string message = error({a, b}, ExitCode::kConfig);
  EXPECT_THAT(message, HasSubstr("differ: data.validation: "));
  EXPECT_THAT(message, HasSubstr("; --data names the images for all of them"));
  const std::string images = folder() / "there/validation";
  EXPECT_EQ(report({a, b, "--data", images}).at("images"), 20);
  write_images("renamed");
  for (const char* split : {"train", "validation"}) {
    const std::string classes = folder() / "renamed" + "/" + split;
    std::filesystem::rename(classes + "/disk", classes + "/coin");
  }
  const std::string c = train_on_images("on_renamed", "renamed", {});
  const std::string classes = error({a, c, "--data", images}, ExitCode::kConfig);
  EXPECT_THAT(classes, HasSubstr("but class 1 is 'crescent' in "));
  EXPECT_THAT(classes, HasSubstr(" and 'coin' in "));
}

TEST_F(Evaluate, APageShowsConfusionsMistakesAndFilters) {
  const std::string run =
      train("convolutional", {"model.network={kind: inception, image_size: 16, image_channels: 1, rows: [{row: conv1, "
                              "type: convolution, patch: 3, stride: 2, filters: 8}, {row: pool2, type: average_pool, "
                              "patch: 0}]}"});
  const std::string page = folder() / "page", csv = folder() / "page.csv";
  const nlohmann::json scores = report({run, "--page", page, "--csv", csv});
  const std::string html = read_bytes(page + "/index.html");
  const std::regex cell(R"re(rgba\((\d+)[^)]*\)">(\d+)</td>)re");
  int64_t images = 0, right = 0;
  for (std::sregex_iterator one(html.begin(), html.end(), cell), end; one != end; ++one) {
    images += std::stoll((*one)[2]);
    if ((*one)[1] == "11") right += std::stoll((*one)[2]);  // the diagonal's blue
  }
  EXPECT_EQ(images, 70);
  EXPECT_NEAR(static_cast<double>(right) / 70, scores.at("top1").get<double>(), 1e-12);
  constexpr size_t kRank = 2, kMistakes = 24;
  size_t wrong = 0;
  for (const auto& [image, rank] : column(csv, kRank)) wrong += rank == "0" ? 0U : 1U;
  std::set<std::string> pictures = names_in(page + "/images");
  EXPECT_EQ(pictures.erase("filters.png"), 1U);
  EXPECT_EQ(pictures.size(), std::min(wrong, kMistakes));
  for (const std::string& picture : pictures) EXPECT_THAT(html, HasSubstr("src=\"images/" + picture + '"'));
  // An mlp has no filters.
  report({first_, "--page", folder() / "mlp"});
  EXPECT_EQ(names_in(folder() / "mlp/images").count("filters.png"), 0U);
}

TEST_F(Evaluate, PagesIntoOneFolderAreWrittenInTurn) {
  const std::string page = folder() / "in_turn";
  FileDescriptor turn = take_turn(page);
  RunningProgram program(bninception_command({"evaluate", first_, "--page", page}));
  EXPECT_FALSE(wait_until(std::chrono::milliseconds(1500),
                          [&] { return program.has_ended() || !std::filesystem::is_empty(page); }));
  turn.reset();
  const ProgramResult result = program.wait();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(read_bytes(page + "/index.html"), HasSubstr("top-1"));
}

TEST_F(Evaluate, AnImageThatCannotBeReadIsCountedAndNamedOrEndsIt) {
  write_images("damaged");
  const std::string folder_of_class = folder() / "damaged/validation/disk";
  const std::string image = folder_of_class + "/" + *names_in(folder_of_class).begin();
  const std::string strict = train_on_images("strict", "damaged", {});
  const std::string lenient = train_on_images("lenient", "damaged", {"data.on_corrupt=skip"});
  write_bytes(image, "no image");
  EXPECT_THAT(error({strict}, ExitCode::kData), HasSubstr(image));
  const ProgramResult text = evaluate({lenient});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("over 19 images (1 skipped)"));
  EXPECT_THAT(text.out, HasSubstr("skipped, as they cannot be read: " + image + "\n"));
  for (const char* crops : {"1", "10"}) {
    const nlohmann::json scores = report({lenient, "--crops", crops});
    EXPECT_EQ(scores.at("images"), 19);
    EXPECT_EQ(scores.at("skipped"), 1);
    EXPECT_EQ(scores.at("skipped_names"), nlohmann::json::array({image}));
  }
  EXPECT_THAT(evaluate({first_}).out, Not(HasSubstr("cannot be read")));
  std::string help = evaluate({"--help"}).out;
  std::ranges::replace(help, '\n', ' ');
  EXPECT_THAT(help, HasSubstr("left out instead, counted and named as skipped"));
}

TEST_F(Evaluate, ALabelFileGivesImagesTheirClasses) {
  write_images("labelled");
  namespace fs = std::filesystem;
  const std::string flat = folder() / "flat", csv = folder() / "flat.csv", labels = folder() / "labels.txt";
  fs::create_directory(flat);
  for (const auto& entry : fs::recursive_directory_iterator(folder() / "labelled/validation")) {
    if (entry.is_regular_file()) fs::copy_file(entry.path(), fs::path(flat) / entry.path().filename());
  }
  const auto score = [&](const std::string& text) {
    write_bytes(labels, text);
    return report({first_, "--data", flat, "--labels", labels, "--csv", csv});
  };
  std::string any, right, wrong;
  for (const std::string& image : names_in(flat)) any += image + " 9 n01\n";
  const nlohmann::json scores = score(any);
  EXPECT_EQ(scores.at("images"), 20);
  EXPECT_EQ(scores.at("classes").at(9).at("images"), 20);
  constexpr size_t kLikeliest = 4;
  for (const auto& [name, index] : column(csv, kLikeliest)) {
    right += name + " " + index + "\n";
    wrong += name + " " + std::to_string((std::stoi(index) + 1) % 10) + "\n";
  }
  EXPECT_EQ(score(right).at("top1"), 1);
  EXPECT_EQ(score(wrong).at("top1"), 0);
}

TEST_F(Evaluate, WhatCannotBeReadOrWrittenIsSaidBeforeTheScoring) {
  EXPECT_THAT(error({first_, "--csv", first_ + "/config.yaml/x.csv"}, ExitCode::kStorage), HasSubstr("x.csv"));
  EXPECT_THAT(error({first_, "--labels", folder() / "no.txt", "--data", "/nowhere/val.tar"}, ExitCode::kData),
              HasSubstr("cannot open /nowhere/val.tar"));
  write_images("unlabelled");
  const std::string images = folder() / "unlabelled/validation";
  EXPECT_THAT(error({first_, "--labels", folder() / "no.txt", "--data", images}, ExitCode::kData),
              HasSubstr("cannot open " + (folder() / "no.txt") + ": no such file"));
}

// It ends although it waits, here for somebody to read the pipe.
TEST_F(Evaluate, EndsWithinASecondOfCtrlC) {
  ASSERT_EQ(run_program({"/usr/bin/mkfifo", folder() / "pipe"}).exit_code, 0);
  RunningProgram program(bninception_command({"evaluate", first_, "--csv", folder() / "pipe"}));
  wait_until(std::chrono::milliseconds(3000), [&] { return program.has_ended(); });
  const auto start = std::chrono::steady_clock::now();
  program.signal(SIGINT);
  EXPECT_EQ(program.wait().exit_code, 128 + SIGINT);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));  // a busy machine may be late
}

TEST_F(Evaluate, SaysWhatItLeavesOut) {
  write_images("beside");
  write_bytes(folder() / "beside/validation/arrow/notes.txt", "not an image");
  write_bytes(folder() / "beside/validation/stray.png", "in no class");
  const std::string run = train_on_images("of_beside", "beside", {});
  const nlohmann::json result = report({run});
  EXPECT_EQ(result.at("left_out"), 2);
  EXPECT_THAT(result.at("left_out_names").dump(), HasSubstr("arrow/notes.txt")) << result;
  EXPECT_THAT(result.at("left_out_names").dump(), HasSubstr("validation/stray.png")) << result;
  EXPECT_THAT(evaluate({run}).out, HasSubstr("left out, as they are no images of the set: "));
}

}  // namespace
}  // namespace bn::test
