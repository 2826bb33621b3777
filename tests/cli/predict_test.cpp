// The classes of images of one's own, as a user asks for them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>

#include "bn/checkpoint.hpp"
#include "bn/config.hpp"
#include "bn/cpu_backend.hpp"
#include "bn/error.hpp"
#include "bn/models.hpp"
#include "cli/program.hpp"
#include "support/small_inception.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {
namespace {

using testing::EndsWith;
using testing::StartsWith;

const std::string kPredictExperiment = "model:\n  network: " + small_inception_text(16, "max") + R"(  classes: 10
data:
  kind: folder
  image_size: 16
  resize_shorter: 18
  mean: [0.5, 0.5, 0.5]
  std: [0.25, 0.25, 0.25]
  augment: {random_crop: false}
train: {batch: 20, steps: 30, learning_rate: {initial: 0.05}, statistics_decay: 0.9, evaluate_batch: 16, evaluate_every: 30}
threads: 1
)";

using Table = std::vector<Words>;

class Predict : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    shared() = std::make_unique<TemporaryFolder>();
    write_shapes(folder() / "photos", 20, 40, 20);
    std::string classes;
    for (const std::string& name : names_in(photos())) classes += name + " a " + name + ", drawn\n";
    write_bytes(folder() / "classes.txt", classes);
    write_bytes(folder() / "experiment.yaml", kPredictExperiment);
    train("run", {"data.classes=" + (folder() / "classes.txt")});
  }
  static void TearDownTestSuite() { shared().reset(); }

  static std::string train(const std::string& run, const Words& keys) {
    const std::string images = "data.train=[" + (folder() / "photos/train") + "]";
    return test::train(folder() / "experiment.yaml", folder() / run,
                       test::set(joined({images, "data.validation=[" + photos() + "]"}, keys)));
  }
  static ProgramResult predict(const Words& words) { return bninception(joined({"predict", run()}, words)); }
  static nlohmann::json json_of(const Words& words) { return nlohmann::json::parse(predict(words).out); }
  static std::unique_ptr<TemporaryFolder>& shared() {
    static std::unique_ptr<TemporaryFolder> folder;
    return folder;
  }
  static const TemporaryFolder& folder() { return *shared(); }
  static std::string run() { return folder() / "run"; }
  static std::string photos() { return folder() / "photos/validation"; }
  static std::string photo() { return photos() + "/arrow/000000.png"; }
};

TEST_F(Predict, AnswersAsEvaluationDoes) {
  const std::string scored = folder() / "scored.csv";
  ASSERT_EQ(bninception({"evaluate", run(), "--csv", scored}).exit_code, 0);
  std::map<std::string, Words> by_name;
  for (const auto& row : rows_of(read_bytes(scored))) by_name[row.at(0)] = row;
  const std::string place = photos() + "/";
  const Table table = rows_of(output_of({"predict", run(), photos(), "--csv"}));
  ASSERT_EQ(table.size(), 21U);
  EXPECT_EQ(table[0].at(10), "probability5");
  for (size_t i = 1; i < table.size(); ++i) {
    const Words& expected = by_name.at(table[i].at(0).substr(place.size()));
    for (size_t k = 1; k <= 10; k += 2) {
      EXPECT_EQ(table[i].at(k), expected.at(k + 3));
      EXPECT_NEAR(std::stod(table[i].at(k + 1)), std::stod(expected.at(k + 4)), 1e-5);
    }
  }
  EXPECT_NE(table[1].at(2), table[20].at(2));
}

// As they were typed, or below the folder that was; evaluate names them below the folder of its set.
TEST_F(Predict, NamesImagesAsTheyWereTyped) {
  const ProgramOptions here{.folder = folder().path()};
  const Words typed{"photos/validation/arrow", "./photos/validation/arrow/000000.png", photo()};
  const auto answers = [&](const Words& words, const char* form) {
    return output_of(joined({"predict", run(), form, "--top", "1"}, words), here);
  };
  const Table table = rows_of(answers(typed, "--csv"));
  Words names, expected;
  for (size_t i = 1; i < table.size(); ++i) names.push_back(table[i].at(0));
  for (const std::string& file : names_in(photos() + "/arrow")) expected.push_back(typed[0] + "/" + file);
  expected.insert(expected.end(), {typed[1], typed[2]});
  EXPECT_EQ(names, expected);
  EXPECT_EQ(nlohmann::json::parse(answers({typed[1]}, "--json")).at("image"), typed[1]);
  const ProgramOptions data{.environment = {{"BN_DATA_ROOT", folder().path()}}};
  for (const std::string& set : {photos(), std::string("photos/validation/")}) {
    const std::string csv = folder() / "named.csv", list = folder() / "one.txt";
    ASSERT_EQ(bninception({"evaluate", run(), "--data", set, "--csv", csv}, data).exit_code, 0);
    EXPECT_EQ(rows_of(read_bytes(csv)).at(1).at(0), "arrow/000000.png");
    write_bytes(list, "arrow/000000.png\n");
    const ProgramResult less = bninception({"evaluate", run(), "--data", set, "--exclude", list, "--json"}, data);
    EXPECT_EQ(nlohmann::json::parse(less.out).at("excluded"), 1) << less.err;
  }
}

TEST_F(Predict, NamesClassesAndWhatTheyAreCalled) {
  const ProgramResult text = predict({photo(), "--top", "2"});
  EXPECT_THAT(text.out, StartsWith(photo() + ": "));
  const std::regex answers(R"(: (\w+) \(a \1\) [0-9.]+ %, (\w+) \(a \2\) [0-9.]+ %\n$)");
  EXPECT_TRUE(std::regex_search(text.out, answers)) << text.out;
  const auto json = json_of({photo(), "--json", "--top", "1"});
  ASSERT_EQ(json.at("classes").size(), 1U);
  const auto& first = json.at("classes")[0];
  EXPECT_EQ(first.at("words"), "a " + first.at("class").get<std::string>() + ", drawn");
}

TEST_F(Predict, NamesAsManyClassesAsAreAskedForAndThereAre) {
  const Words five = rows_of(predict({photo(), "--csv"}).out).at(1);
  for (const auto& [top, named] : {std::pair("7", 7U), {"10", 10U}, {"99", 10U}}) {
    const Table table = rows_of(predict({photo(), "--csv", "--top", top}).out);
    ASSERT_EQ(table.size(), 2U);
    EXPECT_EQ(table[0].size(), 1 + 2 * named);
    EXPECT_EQ(table[0].back(), "probability" + std::to_string(named));
    ASSERT_EQ(table[1].size(), table[0].size());
    EXPECT_TRUE(std::equal(five.begin(), five.end(), table[1].begin()));
  }
  for (const char* crops : {"1", "10"}) {
    const auto json = json_of({photo(), "--json", "--top", "99", "--crops", crops});
    std::set<std::string> names;
    double sum = 0, before = 1;
    for (const auto& one : json.at("classes")) {
      const double probability = one.at("probability");
      EXPECT_LE(probability, before);
      before = probability;
      sum += probability;
      names.insert(one.at("class"));
    }
    EXPECT_EQ(names, names_in(photos()));
    EXPECT_NEAR(sum, 1, 1e-6);
  }
  EXPECT_THAT(error_of(ExitCode::kUsage, {"predict", run(), photo(), "--top", "0"}),
              testing::AnyOf(testing::HasSubstr("--top: Value 0 not in range 1 to 16384"),     // CLI11 2.1
                             testing::HasSubstr("--top: Value 0 not in range [1 - 16384]")));  // 2.4
}

TEST_F(Predict, ReadsNamesFromStandardInput) {
  const std::string list = folder() / "list.txt";
  std::filesystem::path any;
  for (const auto& entry : std::filesystem::directory_iterator(photos() + "/disk")) any = entry.path();
  write_bytes(list, photo() + "\n\n" + any.string() + "\n");
  const ProgramResult piped =
      run_program({"/bin/sh", "-c", std::string(BN_PROGRAM) + " predict " + run() + " - --csv < " + list});
  EXPECT_EQ(piped.exit_code, 0) << piped.err;
  EXPECT_EQ(piped.out, predict({photo(), any.string(), "--csv"}).out);
  EXPECT_EQ(rows_of(piped.out).size(), 3U);
  test::write_bytes(list, "\xEF\xBB\xBF" + photo() + "\r\n\r\n" + any.string() + "\r\n");
  const ProgramResult from_windows =
      test::run_program({"/bin/sh", "-c", std::string(BN_PROGRAM) + " predict " + run() + " - --csv < " + list});
  EXPECT_EQ(from_windows.err, "");
  EXPECT_EQ(from_windows.out, piped.out);
  const ProgramResult none =
      run_program({"/bin/sh", "-c", std::string(BN_PROGRAM) + " predict " + run() + " - < /dev/null"});
  EXPECT_EQ(none.err, "error: there is no file name on standard input; it needs one a line\n");
  const ProgramResult failing =
      run_program({"/bin/sh", "-c", std::string(BN_PROGRAM) + " predict " + run() + " - < " + photos()});
  EXPECT_EQ(failing.exit_code, code(ExitCode::kStorage));
  EXPECT_EQ(failing.err, "error: cannot read the file names on standard input to their end\n");
}

TEST_F(Predict, PrintsARowsOutput) {
  const Table table = rows_of(predict({photos(), "--features", "pool3"}).out);
  ASSERT_EQ(table.size(), 21U);
  EXPECT_EQ(table[0].at(32), "feature32");
  EXPECT_EQ(table[1].size(), 33U);
  EXPECT_NE(table[1], table[2]);
  // The scores are a row too, whose softmax the probabilities are.
  const auto json = json_of({photo(), "--json", "--features", "logits"});
  double sum = 0, most = 0;
  for (const double score : json.at("features").get<std::vector<double>>()) {
    sum += std::exp(score);
    most = std::max(most, std::exp(score));
  }
  EXPECT_NEAR(json.at("classes")[0].at("probability").get<double>(), most / sum, 1e-5);
  EXPECT_EQ(rows_of(predict({photos(), "--features", "pool3", "--crops", "10"}).out).size(), 21U);
  EXPECT_THAT(error_of(ExitCode::kConfig, {"predict", run(), photo(), "--features", "pool4"}),
              EndsWith("its rows are conv1, inception_2a, pool3, logits; did you mean pool3?\n"));
}

TEST_F(Predict, DrawsWhereTheClassIsSeen) {
  const std::string maps = folder() / "maps";
  const ProgramResult result = predict({photos() + "/arrow", photos() + "/disk", "--heatmap", maps, "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  std::set<std::string> pictures;
  for (const std::string& line : lines_of(result.out)) {
    const std::string picture = nlohmann::json::parse(line).at("heatmap");
    EXPECT_THAT(read_bytes(picture), StartsWith("\x89PNG"));
    pictures.insert(std::filesystem::path(picture).filename().string());
  }
  EXPECT_EQ(pictures, names_in(maps));
  EXPECT_EQ(pictures.size(), 4U);
  EXPECT_EQ(result.err, "heat maps in " + maps +
                            ": red speaks most for the likeliest class, then yellow, green and blue; what keeps its "
                            "own colours does not speak for it, or lies outside of the square that the network sees\n");
  EXPECT_EQ(predict({photo(), "--heatmap", maps, "--crops", "10"}).err,
            "error: --heatmap draws what one crop shows, so it needs --crops 1\n");
}

TEST_F(Predict, SaysThatMovingAveragesTrail) {
  const std::string brief = train("brief", {"train.steps=3"});
  EXPECT_EQ(bninception({"predict", brief, photo()}).err,
            "warning: after 3 steps, of 30 that they need, the moving averages of " + brief +
                "/checkpoints/best.safetensors trail behind its weights, so answers may be far off\n");
  EXPECT_THAT(bninception({"export", brief, "--onnx", folder() / "brief.onnx"}).err,
              StartsWith("warning: after 3 steps, of 30 that they need, the moving averages of "));
  EXPECT_EQ(predict({photo()}).err, "");
  EXPECT_EQ(bninception({"evaluate", brief, "--statistics", "population(2)"}).err, "");
}

TEST_F(Predict, DrawsNoMapOverAPhoto) {
  const std::string folder = std::filesystem::path(photo()).parent_path(), before = read_bytes(photo());
  EXPECT_EQ(error_of(3, {"predict", run(), photo(), "--heatmap", folder}),
            "error: --heatmap: '" + folder + "' holds 000000.png itself: name another folder\n");
  EXPECT_TRUE(read_bytes(photo()) == before);
}

// A photo may have the name of a heat map, or be a link to a file of the folder.
TEST_F(Predict, DrawsNoMapOverAnotherFile) {
  const std::string maps = folder() / "other_maps", linked = folder() / "linked";
  std::filesystem::create_directories(maps);
  std::filesystem::create_directories(linked);
  const std::string mine = maps + "/000000.png";
  std::filesystem::copy_file(photo(), mine);
  std::filesystem::create_symlink(mine, linked + "/000000.png");
  const std::string before = test::read_bytes(mine);
  const std::string message =
      "error: --heatmap: '" + mine + "' is there already and was not written by this command: give another name\n";
  for (const std::string& name : {photo(), linked + "/000000.png"}) {
    EXPECT_EQ(test::error_of(3, {"predict", run(), name, "--heatmap", maps}), message);
  }
  EXPECT_TRUE(test::read_bytes(mine) == before);
  std::filesystem::remove(mine);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(predict({photo(), "--heatmap", maps}).exit_code, 0);  // its own it replaces
  EXPECT_EQ(test::names_in(maps), std::set<std::string>{"000000.png"});
}

// Evaluation cuts out the centre; a photo is resized.
TEST_F(Predict, SaysWhereEvaluationSeesSomethingElse) {
  const std::string uncut = train("uncut", {"data.resize_shorter=0"});
  EXPECT_EQ(bninception({"predict", uncut, photo()}).err,
            "images were resized to 16 pixels on the shorter side, such as " + photo() +
                "; the run's validation cuts out the centre as it is (data.resize_shorter: 0), so evaluate may score "
                "them otherwise\n");
}

// Also where the program starts itself anew, which it does unless one of these variables is set.
TEST_F(Predict, NeedsAnOutput) {
  const std::string command =
      std::string("unset OMP_WAIT_POLICY GOMP_SPINCOUNT; ") + BN_PROGRAM + " predict " + run() + " " + photo() + " >&-";
  const ProgramResult result = test::run_program({"/bin/sh", "-c", command});
  EXPECT_EQ(result.exit_code, code(ExitCode::kStorage));
  EXPECT_EQ(result.err, "error: standard output is closed, so the results would be lost\n");
}

TEST_F(Predict, NamesEachFileThatItCannotRead) {
  const std::string broken = folder() / "broken.jpg", empty = folder() / "empty.png";
  write_bytes(broken, "no image");
  write_bytes(empty, "");
  const ProgramResult mixed = predict({broken, photo(), empty});
  EXPECT_EQ(mixed.exit_code, code(ExitCode::kData));
  EXPECT_THAT(mixed.out, StartsWith(photo() + ": "));
  const std::string reasons =
      broken + ": the data is damaged or in no format that is read here (JPEG, PNG, BMP, WebP, PPM, PGM, TIFF)\n" +
      empty + ": the file is empty\n";
  EXPECT_EQ(mixed.err, reasons);
  const ProgramResult all = predict({broken, empty, "--crops", "10"});
  EXPECT_EQ(all.exit_code, code(ExitCode::kData));
  EXPECT_EQ(all.out, "");
  EXPECT_EQ(all.err, reasons);
  EXPECT_EQ(predict({folder() / "nowhere"}).err, "error: there is no file or folder '" + folder() / "nowhere" + "'\n");
  const ProgramResult some = predict({photo(), folder() / "nowhere"});
  EXPECT_EQ(some.exit_code, code(ExitCode::kData));
  EXPECT_THAT(some.out, StartsWith(photo() + ": "));
  EXPECT_EQ(some.err, "there is no file or folder '" + folder() / "nowhere" + "'\n");
  const std::string answers = folder() / "answers.csv";
  EXPECT_EQ(predict({photo(), "--csv", answers}).err, "error: there is no file or folder '" + answers +
                                                          "'; answers are printed: to write them to a file, add > " +
                                                          answers + "\n");
  std::filesystem::create_directory(folder() / "nothing");
  EXPECT_EQ(predict({folder() / "nothing"}).err, "error: no images found in " + folder() / "nothing" +
                                                     "; image files are, by their names, JPEG, PNG, BMP, WebP, "
                                                     "PPM, PGM and TIFF\n");
}

TEST_F(Predict, NamesClassesAfterTheWayToPytorchAndBack) {
  const std::string there = folder() / "there.safetensors", back = folder() / "back.safetensors";
  const auto convert_back = [&](const std::string& from) {
    return bninception({"convert", from, back, "--names", "bninception", "--config", run() + "/config.yaml"}).err;
  };
  EXPECT_EQ(error_of(0, {"convert", run(), there, "--names", "pytorch"}), "");
  EXPECT_EQ(convert_back(there), "");
  EXPECT_EQ(bninception({"predict", back, photo()}).out, predict({photo()}).out);
  // Other programs may have lost them, or hold names of other classes.
  const std::string changed = folder() / "changed.safetensors";
  std::string bytes = read_bytes(there);
  const auto with = [&](const std::string& before, const std::string& after) {
    const size_t place = bytes.find(before);
    EXPECT_LT(place, bytes.size()) << before;
    write_bytes(changed, std::string(bytes).replace(place, before.size(), after));
    return convert_back(changed);
  };
  EXPECT_THAT(with("\"classes\":", "\"klasses\":"),
              EndsWith("; a program that changes such a file has to leave the metadata 'checksum' out\n"));
  bytes.replace(bytes.find("\"checksum\""), 10, "\"old_sum_\"");
  const std::string nameless = changed + ": it names no classes, so the checkpoint has numbers alone\n";
  EXPECT_EQ(with("\"classes\":", "\"klasses\":"), nameless);
  EXPECT_EQ(bninception({"predict", back, photo()}).err, back + " holds no class names, so classes are numbers\n");
  EXPECT_EQ(
      with("arrow\\n", "arrow, "),
      changed + ": its metadata 'classes' has 9 lines, and the network has 10 classes: they are left out\n" + nameless);
  EXPECT_EQ(with("a arrow, drawn\\n", "a arrow, drawn, "),
            changed + ": its metadata 'class_words' has 9 lines, and the network has 10 classes: they are left out\n");
  EXPECT_THAT(bninception({"predict", back, photo(), "--top", "1"}).out,
              testing::MatchesRegex(photo() + ": [a-z]+ [0-9.]+ %\n"));
}

// As a user who may not look into every folder: root may, unless a program starts without two of root's capabilities.
std::string predict_as_user(const Words& words) {
  return result_in_child([&]() -> std::string {
    for (const int capability : {CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH}) {
      if (getuid() == 0 && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return "cannot drop privileges";
    }
    const ProgramResult result = bninception(joined({"predict"}, words));
    return std::to_string(result.exit_code) + "\n" + result.out + result.err;
  });
}

TEST_F(Predict, NamesEachFolderThatItCannotRead) {
  namespace fs = std::filesystem;
  const std::string mixed = folder() / "mixed", closed = mixed + "/b", blind = mixed + "/c";
  for (const std::string& name : {closed, blind}) {
    fs::create_directories(name);
    fs::copy_file(photo(), name + "/1.png");
  }
  fs::copy_file(photo(), mixed + "/a.png");
  fs::permissions(closed, fs::perms::none);
  fs::permissions(blind, fs::perms::owner_read);  // its files are listed, but not opened
  const std::string some = predict_as_user({run(), mixed, "--csv", "--top", "1"});
  EXPECT_THAT(some, StartsWith("4\nimage,class1,probability1\n" + mixed + "/a.png,"));
  EXPECT_THAT(some, EndsWith("\n" + closed + ": the folder cannot be read (Permission denied)\n" + blind +
                             "/1.png: cannot open " + blind + "/1.png (Permission denied)\n"));
  EXPECT_EQ(predict_as_user({run(), closed}),
            "4\nerror: " + closed + ": the folder cannot be read (Permission denied)\n");
  EXPECT_EQ(predict_as_user({run(), closed + "/1.png"}),
            "4\n" + closed + "/1.png: cannot open " + closed + "/1.png (Permission denied)\n");
  for (const std::string& name : {closed, blind}) fs::permissions(name, fs::perms::owner_all);
  EXPECT_EQ(predict({mixed}).exit_code, 0);
}

TEST_F(Predict, SaysThatACheckpointHasNoNames) {
  const Config config = parse_config(read_bytes(run() + "/config.yaml"), "config.yaml");
  const std::unique_ptr<Backend> backend = make_cpu_backend({.threads = 1});
  const Net net = build_network(config.model);
  Parameters parameters(net, *backend, config.train.l2_scope, false);
  parameters.initialize(1, {});
  const std::string old = folder() / "old.safetensors";
  save_checkpoint(old, parameters, {.step = 1}, to_yaml(config));
  const ProgramResult result = bninception({"predict", old, photo(), "--csv"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, old + " holds no class names, so classes are numbers\n");
  EXPECT_EQ(bninception({"convert", old, folder() / "old_there", "--names", "pytorch"}).err,
            old + ": it names no classes, so the file has numbers alone\n");
  EXPECT_LT(std::stoi(rows_of(result.out).at(1).at(1)), 10);
}

}  // namespace
}  // namespace bn::test
