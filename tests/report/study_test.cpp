#include "report/study.hpp"

#include <gmock/gmock.h>

#include "bn/error.hpp"
#include "report/fixtures.hpp"
#include "support/error_message.hpp"

namespace bn::report {
namespace {

using test::error_message;
using test::TemporaryFolder;
using test::write_run;
using test::WrittenRun;
using testing::ElementsAre;
using testing::HasSubstr;

std::string read_error(const std::vector<std::string>& inputs) {
  return error_message<DataError>([&] { read_study(inputs, ""); });
}

TEST(Study, ReadsASweep) {
  const TemporaryFolder folder;
  test::write_study(folder.path());
  const Study study = read_study({folder.path()}, "");
  EXPECT_EQ(study.name, "a study");
  ASSERT_EQ(study.arms.size(), 7U);
  EXPECT_EQ(study.arms[study.baseline].name, "plain");
  EXPECT_THAT(study.seeds(), ElementsAre(1, 2, 3));
  EXPECT_EQ(study.arms[4].runs[2].state, "diverged at step 43");
  EXPECT_TRUE(study.notes.empty());
  EXPECT_EQ(read_study({folder.path()}, "bn_x5").baseline, 2U);
}

// A configuration that a sweep lists under two names is run once.
TEST(Study, CountsTheSameRunsOnce) {
  const TemporaryFolder folder;
  test::write_study(folder.path());
  std::vector<test::ListedRun> list;
  for (const auto& [arm, of] :
       {std::pair{"copy_of_plain", "plain"}, {"bn", "bn"}, {"plain", "plain"}, {"copy", "bn"}}) {
    for (uint64_t seed = 1; seed <= 3; ++seed) list.push_back({arm, seed, fmt::format("{}/seed_{}", of, seed)});
  }
  test::write_sweep(folder.path(), "plain", list);
  const Study study = read_study({folder.path()}, "");
  ASSERT_EQ(study.arms.size(), 2U);
  EXPECT_EQ(study.arms[0].name, "bn");
  EXPECT_EQ(study.arms[1].name, "plain");
  EXPECT_EQ(study.baseline, 1U);
  EXPECT_THAT(study.notes, testing::UnorderedElementsAre("copy is left out: its runs are those of bn.",
                                                         "copy_of_plain is left out: its runs are those of plain."));
}

TEST(Study, SortsListedRunsIntoArmsByTheirConfigurations) {
  const TemporaryFolder folder;
  const WrittenRun plain{.accuracies = {0.5}}, batch{.normalization = Normalization::kBatch, .accuracies = {0.6}};
  std::vector<std::string> runs;
  for (const auto& [name, run] :
       {std::pair{"plain/seed_2", plain}, {"plain/seed_1", plain}, {"bn_seed1", batch}, {"bn-2", batch}}) {
    WrittenRun seeded = run;
    seeded.seed = std::string(name).back() == '2' ? 2 : 1;
    runs.push_back(folder / name);
    write_run(runs.back(), seeded);
  }
  const Study study = read_study(runs, "");
  ASSERT_EQ(study.arms.size(), 2U);
  EXPECT_EQ(study.arms[0].name, "plain");
  EXPECT_EQ(study.arms[0].runs[0].seed, 1U);
  EXPECT_EQ(study.arms[1].name, "bn");
  EXPECT_EQ(study.arms[1].runs.size(), 2U);
}

TEST(Study, LeavesOutWhatHasNotEnded) {
  const TemporaryFolder folder;
  write_run(folder / "a", {.accuracies = {0.5}});
  write_run(folder / "b", {.seed = 2, .accuracies = {0.5, 0.6}, .end = "interrupted"});
  write_run(folder / "c", {.seed = 3, .accuracies = {0.5, 0.6}, .end = "train"});
  test::write_sweep(folder.path(), "",
                    {{"bn", 1, "e"},
                     {"plain", 1, "a"},
                     {"plain", 2, "b"},
                     {"plain", 3, "c", "killed by signal 9"},
                     {"plain", 4, "d"},
                     {"bn", 2, "f"},
                     {"bn", 5, "g"}});
  const Study study = read_study({folder.path()}, "");
  EXPECT_EQ(study.arms[0].runs.size(), 1U);
  EXPECT_THAT(study.notes, ElementsAre("bn is left out with seeds 1, 2 and 5: these runs have not begun.",
                                       "plain with seed 4 is left out: it has not begun.",
                                       "plain with seed 2 is left out: it was interrupted at step 200.",
                                       "plain with seed 3 is left out: it crashed: killed by signal 9."));
}

// The run would be left out in any case, so the damage in its folder must not cost the report.
TEST(Study, ACrashedRunMayBeDamaged) {
  const TemporaryFolder folder;
  write_run(folder / "a", {.accuracies = {0.5}});
  for (const char* name : {"b", "c", "d"}) write_run(folder / name, {.seed = 2, .accuracies = {0.5}});
  test::write_bytes(folder / "b/log.jsonl", "garbage\n");
  std::filesystem::remove(folder / "c/config.yaml");
  test::write_bytes(folder / "d/config.yaml", "");
  test::write_sweep(folder.path(), "",
                    {{"plain", 1, "a"},
                     {"plain", 2, "b", "exit code 4"},
                     {"x", 3, "c", "exit code 7"},
                     {"x", 4, "d", "exit code 3"}});
  const Study study = read_study({folder.path()}, "");
  ASSERT_EQ(study.arms.size(), 1U);
  EXPECT_EQ(study.arms[0].runs.size(), 1U);
  EXPECT_THAT(study.notes,
              ElementsAre(HasSubstr(fmt::format("plain with seed 2 is left out: it crashed: exit code 4; its folder "
                                                "cannot be read: {}/b/log.jsonl:1: not a record of a run log: ",
                                                folder.path())),
                          HasSubstr(fmt::format("x with seed 3 is left out: it crashed: exit code 7; its folder cannot "
                                                "be read: '{}/c' is no run folder: it has no config.yaml",
                                                folder.path())),
                          HasSubstr(fmt::format("x with seed 4 is left out: it crashed: exit code 3; its folder cannot "
                                                "be read: {}/d/config.yaml:1:1: is empty",
                                                folder.path()))));
  test::write_sweep(folder.path(), "", {{"plain", 1, "a"}, {"plain", 2, "b"}});
  const std::string error = read_error({folder.path()});
  EXPECT_THAT(error, HasSubstr("b/log.jsonl:1: not a record of a run log: "));
  test::write_sweep(folder.path(), "", {{"plain", 1, "a"}, {"plain", 2, "b", "exit code 4, error: " + error}});
  EXPECT_THAT(read_study({folder.path()}, "").notes,
              ElementsAre("plain with seed 2 is left out: it crashed: exit code 4, error: " + error + "."));
}

TEST(Study, AResumedRunIsAsItEndedLast) {
  const TemporaryFolder folder;
  write_run(folder / "a", {.accuracies = {0.5}, .end = "interrupted"});
  RunLog log(folder / "a/log.jsonl", 100);
  log.write({.event = "start", .step = 100});
  log.write({.event = "end", .step = 200});
  EXPECT_EQ(read_run(folder / "a").end, RunEnd::kFinished);
}

// As runs/* names it.
TEST(Study, AFolderInWhichNoRunHasBegunIsLeftOut) {
  const TemporaryFolder folder;
  write_run(folder / "plain", {.accuracies = {0.5}});
  std::filesystem::create_directory(folder / "stub");
  test::write_bytes(folder / "stub/config.yaml", test::kReportedConfig);
  const Study study = read_study({folder / "plain", folder / "stub"}, "");
  EXPECT_EQ(study.arms.size(), 1U);
  EXPECT_THAT(study.notes, ElementsAre(folder / "stub is left out: it has not begun."));
}

TEST(Study, NoRunHasEnded) {
  const TemporaryFolder folder;
  write_run(folder / "plain", {.accuracies = {0.5}, .end = "evaluate"});
  EXPECT_EQ(read_error({folder / "plain"}),
            "none of the runs has finished or diverged, so there is nothing to report:\n"
            "  plain with seed 1 is left out: it has not ended; its last record is of step 100.");
}

TEST(Study, WhatIsNoRun) {
  const TemporaryFolder folder;
  EXPECT_EQ(read_error({folder / "nowhere"}), "there is no folder '" + folder / "nowhere" + "'");
  EXPECT_EQ(read_error({folder.path()}),
            "'" + folder.path() + "' is no run folder: it has no config.yaml; a sweep folder would have a sweep.json");
  test::write_bytes(folder / "config.yaml", test::kReportedConfig);
  EXPECT_THAT(read_error({folder.path()}), HasSubstr("it has no log.jsonl"));
  test::write_bytes(folder / "sweep.json", "{\"name\": \"x\"}");
  EXPECT_THAT(read_error({folder.path()}), HasSubstr("/sweep.json' is not the record of a sweep: "));
}

TEST(Study, NamesTheLineThatIsNoRecord) {
  const TemporaryFolder folder;
  write_run(folder / "a", {.accuracies = {0.5}});
  test::write_bytes(folder / "a/log.jsonl", test::read_bytes(folder / "a/log.jsonl") + "rubbish\n");
  EXPECT_THAT(read_error({folder / "a"}), HasSubstr("a/log.jsonl:5: not a record of a run log: "));
}

TEST(Study, RefusesDifferentData) {
  const TemporaryFolder folder;
  write_run(folder / "a", {.accuracies = {0.5}});
  const WrittenRun other{.seed = 2, .accuracies = {0.5}};
  Config config = config_of(other);
  config.data.shapes.validation_images = 90;
  write_run(folder / "b", other, config);
  EXPECT_EQ(read_error({folder / "a", folder / "b"}),
            fmt::format("the runs were validated on different data, so their accuracies cannot be compared:\n"
                        "  {0}/a: 70 generated shapes of 16 pixels, seed 1 (10 classes)\n"
                        "  {0}/b: 90 generated shapes of 16 pixels, seed 1 (10 classes)\nMake a report of each.",
                        folder.path()));
}

// One path may have named other images, or other classes, when another run was made.
TEST(Study, RefusesOtherImagesBehindOnePath) {
  const TemporaryFolder folder;
  write_run(folder / "a", {.accuracies = {0.5}});
  write_run(folder / "b", {.learning_rate = 0.2, .accuracies = {0.5}});
  const auto made = [&](const char* run, const Provenance& of) { test::write_bytes(folder / run, to_json(of)); };
  const Provenance usual{.classes = {"cat", "dog"},
                         .training = {.images = 300, .fingerprint = "t"},
                         .validation = {.images = 70, .fingerprint = "v"}};
  made("a/made_of.json", usual);
  const auto refusal = [&](const Provenance& of) {
    made("b/made_of.json", of);
    return read_error({folder / "a", folder / "b"});
  };
  const auto words = [&](const char* difference) {
    return fmt::format(
        "the runs were validated on different data, so their accuracies cannot be compared:\n"
        "  {0}/a and {0}/b: {1}\nMake a report of each.",
        folder.path(), difference);
  };
  Provenance other = usual;
  other.validation.images = 69;
  EXPECT_EQ(refusal(other), words("70 against 69 validation images"));
  other = usual;
  other.validation.fingerprint = "w";
  EXPECT_EQ(refusal(other), words("other validation images, though as many"));
  other = usual;
  other.classes = {"dog", "cat"};
  EXPECT_EQ(refusal(other), words("other classes"));
  other = usual;
  other.training.images = 299;
  made("b/made_of.json", other);
  EXPECT_THAT(read_study({folder / "a", folder / "b"}, "").notes,
              ElementsAre(HasSubstr("300 against 299 training images")));
}

TEST(Study, SaysWhereNothingTellsTheImages) {
  const TemporaryFolder folder;
  write_run(folder / "a", {.accuracies = {0.5}});
  write_run(folder / "b", {.learning_rate = 0.2, .accuracies = {0.5}});
  write_run(folder / "c", {.learning_rate = 0.3, .accuracies = {0.5}});
  const std::vector<std::string> inputs{folder / "a", folder / "b", folder / "c"};
  EXPECT_TRUE(read_study(inputs, "").notes.empty());
  test::write_bytes(folder / "b/made_of.json", "{\"classes\": [");
  const std::string damaged =
      "made_of.json of b with seed 1 is damaged, so nothing tells which images stand behind the accuracies.";
  EXPECT_THAT(read_study(inputs, "").notes, ElementsAre(damaged));
  test::write_bytes(folder / "c/made_of.json", to_json({.validation = {.images = 70, .fingerprint = "v"}}));
  EXPECT_THAT(read_study(inputs, "").notes,
              ElementsAre(damaged,
                          "Nothing tells whether a with seed 1 saw the images of c with seed 1, for there is no record "
                          "of it."));
}

TEST(Study, RefusesOneSeedTwice) {
  const TemporaryFolder folder;
  write_run(folder / "a", {.accuracies = {0.5}});
  write_run(folder / "b", {.accuracies = {0.6}});
  EXPECT_EQ(read_error({folder / "a", folder / "b"}),
            fmt::format("'{0}/a' and '{0}/b' are both runs of a with seed 1; give one of them", folder.path()));
}

TEST(Study, RefusesAnArmOfTwoConfigurations) {
  const TemporaryFolder folder;
  write_run(folder / "a", {.accuracies = {0.5}});
  write_run(folder / "b", {.seed = 2, .learning_rate = 0.2, .accuracies = {0.6}});
  test::write_sweep(folder.path(), "", {{"plain", 1, "a"}, {"plain", 2, "b"}});
  EXPECT_THAT(read_error({folder.path()}),
              HasSubstr("of arm plain differ in more than their seed:\n  train.learning_rate.initial: 0.1 -> 0.2"));
}

class KeptStudy : public testing::Test {
 protected:
  KeptStudy() {
    write_run(folder_ / "a/seed_1", {.accuracies = {0.5, 0.6}});
    const WrittenRun batch{.normalization = Normalization::kBatch, .accuracies = {0.6}};
    write_run(folder_ / "b/seed_1", batch);
    test::write_sweep(folder_.path(), "q \"2\", x", {{"a", 1, "a/seed_1"}, {"q \"2\", x", 1, "b/seed_1"}});
    std::filesystem::create_directories(kept_);
    keep_study(read_study({folder_.path()}, ""), kept_);
  }
  // The message of reading the study once `from` in the file is `to`.
  std::string error_with(const std::string& name, const std::string& from, const std::string& to) const {
    const std::string path = kept_ + "/" + name, text = test::read_bytes(path);
    std::string damaged = text;
    EXPECT_NE(text.find(from), std::string::npos);
    test::write_bytes(path, damaged.replace(damaged.find(from), from.size(), to));
    std::string message = error_message<Error>([&] { read_study({kept_}, ""); });
    test::write_bytes(path, text);
    return message.substr(std::min(message.size(), message.find(name)));
  }
  const TemporaryFolder folder_;
  const std::string kept_ = folder_ / "kept";
};

// A sixtieth of this run is 100 steps.
TEST(RowsOfALog, AreMeansOverTheRecordsSinceTheRowBefore) {
  std::vector<LogRecord> log{{.event = "start"}};
  for (int64_t step = 10; step <= 6000; step += 10) {
    const auto value = static_cast<double>(step);
    log.push_back({.event = "train", .step = step, .loss = value, .images_per_second = value});
    if (step == 150) log.push_back({.event = "evaluate", .step = step, .validation_top1 = 0.5});
  }
  log.push_back({.event = "end", .step = 6000});
  report::Run run, again;
  take_log(run, log);
  take_log(again, run.rows);
  for (const report::Run& from : {run, again}) {
    const std::vector<Point> losses = curve_of(from, &LogRecord::loss);
    ASSERT_EQ(losses.size(), 61U);
    const auto expect = [&](size_t row, int64_t step, double loss) {
      EXPECT_EQ(losses[row].step, step);
      EXPECT_EQ(losses[row].value, loss) << step;
    };
    expect(0, 100, 55);
    expect(1, 150, 130);  // closed by the evaluation
    expect(2, 250, 205);
    expect(60, 6000, 5980);
    EXPECT_EQ(images_per_second(from), 3010);
    EXPECT_EQ(best_accuracy(from)->step, 150);
    EXPECT_EQ(from.state, "finished");
  }
}

TEST(RowsOfALog, BeyondTheStepOfADivergenceDoNotCount) {
  report::Run run;
  take_log(run, {{.event = "evaluate", .step = 100, .validation_top1 = 0.5},
                 {.event = "evaluate", .step = 150, .validation_top1 = 0.9},
                 {.event = "diverged", .step = 120}});
  EXPECT_EQ(best_accuracy(run)->step, 100);
  EXPECT_EQ(run.rows.back().step, 120);
  EXPECT_EQ(run.rows.back().event, "diverged");
}

TEST_F(KeptStudy, NamesMayHoldAnything) {
  const Study study = read_study({kept_}, "");
  EXPECT_EQ(study.arms[1].name, "q \"2\", x");
  EXPECT_EQ(study.baseline, 1U);
  EXPECT_EQ(best_accuracy(study.arms[0].runs[0])->value, 0.6);
  EXPECT_EQ(read_study({kept_ + "/b"}, "").arms[0].config().model.normalization, Normalization::kBatch);
}

TEST(Study, NamesNoArmByWhatAKeptStudyCannotHold) {
  Study study;
  EXPECT_EQ(study.arm_named("x\ny").name, "x?y");
  EXPECT_EQ(&study.arm_named("x\ny"), &study.arms.front());
  EXPECT_EQ(study.arm_named("\xC3\xA4").name, "\xC3\xA4");
  EXPECT_EQ(study.arm_named("pl\xFF\xC3\xA4in").name, "pl???in");
}

TEST_F(KeptStudy, LaterArmsAreWrittenAsDifferences) {
  EXPECT_THAT(test::read_bytes(kept_ + "/study.yaml"),
              testing::EndsWith("\n--- # q \"2\", x: what differs from a\nmodel:\n  normalization: batch\n"));
  Study study = read_study({kept_}, "");
  const Arm a = study.arms.front();
  study.arms.clear();
  const auto add = [&](const char* name, std::string text, const std::string& from = "", const std::string& to = "") {
    EXPECT_NE(text.find(from), std::string::npos) << name;
    text.replace(text.find(from), from.size(), to);
    study.arms.push_back(a);
    study.arms.back().name = study.arms.back().runs.front().folder = name;
    return study.arms.back().runs.front().config_text = text;
  };
  const std::string last_keys = "distributed:\n  overlap: where_faster\n  timeout_seconds: 120\n";
  const std::string first = add("first", a.runs.front().config_text, last_keys);
  add("same", first);
  add("more", a.runs.front().config_text);
  add("less", first, "  momentum: 0.9\n");
  add("other_list", first, "hidden: [20]", "hidden: [20, 10]");
  keep_study(study, folder_.path());
  const Study again = read_kept_study(folder_.path());
  ASSERT_EQ(again.arms.size(), study.arms.size());
  for (size_t i = 0; i < again.arms.size(); ++i) {
    EXPECT_EQ(again.arms[i].runs.front().config_text, study.arms[i].runs.front().config_text) << again.arms[i].name;
  }
  const std::string text = test::read_bytes(folder_ / "study.yaml");
  EXPECT_THAT(text, HasSubstr("\n--- # same: what differs from first\n--- # more: what differs from first\n" +
                              last_keys + "--- # less\nmodel:\n"));
  EXPECT_THAT(text, testing::EndsWith("\n--- # other_list: what differs from first\nmodel:\n  network:\n"
                                      "    hidden: [20, 10]\n"));
  keep_study(again, kept_);
  EXPECT_EQ(test::read_bytes(kept_ + "/study.yaml"), text);
}

TEST_F(KeptStudy, HasNoColumnForWhatNoRunHas) {
  const std::string curves = test::read_bytes(kept_ + "/curves.csv");
  EXPECT_EQ(curves.substr(0, curves.find('\n')),
            "arm,seed,step,end,loss,learning_rate,validation_top1,images_per_second,seconds");
}

TEST_F(KeptStudy, SaysWhatIsDamaged) {
  EXPECT_EQ(error_with("curves.csv", "0.6,", "0.6x,"),
            "curves.csv:3: is no line of a kept study: '0.6x' is not a number");
  EXPECT_EQ(error_with("curves.csv", "0.6,", "0.6,,"),
            "curves.csv:3: is no line of a kept study: it has 10 cells, not 9");
  EXPECT_EQ(error_with("curves.csv", "a,1,200,end", "a,7,200,end"),
            "curves.csv' has lines of a with seed 7, which study.yaml does not name");
  EXPECT_EQ(error_with("curves.csv", "step", "stop"),
            "curves.csv:1: is no line of a kept study: it does not begin with arm,seed,step,end");
  EXPECT_EQ(error_with("curves.csv", ",loss", ",los"),
            "curves.csv:1: is no line of a kept study: there is no column 'los'");
  EXPECT_EQ(error_with("study.yaml", "--- # a", "--- # c"), "study.yaml' has no line --- # a");
  EXPECT_THAT(error_with("study.yaml", "normalization:", "normalisation:"),
              HasSubstr("unknown key; did you mean model.normalization?"));
  EXPECT_THAT(error_with("study.yaml", "\"runs\"", "\"run\""),
              HasSubstr("study.yaml' is not the record of a kept study: "));
  EXPECT_EQ(error_with("study.yaml", "\"seed\":1", "\"seed\":4"),
            "study.yaml' names a with seed 4, of which curves.csv has no line");
  EXPECT_EQ(read_error({kept_ + "/c/seed_1"}),
            "the kept study '" + kept_ + "' has no run 'c/seed_1'; its runs are a/seed_1, b/seed_1");
  std::filesystem::remove(kept_ + "/study.yaml");
  EXPECT_EQ(read_error({kept_}), "'" + kept_ + "/study.yaml' is missing");
}

TEST(Study, AnUnknownBaseline) {
  const TemporaryFolder folder;
  test::write_study(folder.path());
  EXPECT_EQ(error_message<ConfigError>([&] { read_study({folder.path()}, "bn_x6"); }),
            "the baseline 'bn_x6' has no run that has ended; the arms are: plain, bn, bn_x5, bn_x30, plain_x5, "
            "plain_sigmoid, bn_sigmoid");
}

}  // namespace
}  // namespace bn::report
