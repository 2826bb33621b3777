#include "report/analysis.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "report/figures.hpp"
#include "report/fixtures.hpp"
#include "report/verdict.hpp"
#include "report/words.hpp"

namespace bn::report {
namespace {

using test::TemporaryFolder;
using test::write_run;
using test::WrittenRun;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr Normalization kBatch = Normalization::kBatch;

TEST(Analysis, StepsBetweenEvaluations) {
  const std::vector<Point> curve = {{100, 0.2}, {200, 0.4}, {300, 0.3}, {400, 0.5}};
  EXPECT_DOUBLE_EQ(*step_reaching(curve, 0.3, 0.1), 150);
  EXPECT_DOUBLE_EQ(*step_reaching(curve, 0.4, 0.1), 200);
  EXPECT_DOUBLE_EQ(*step_reaching(curve, 0.15, 0.1), 50);  // interpolated from chance at step 0
  EXPECT_DOUBLE_EQ(*step_reaching(curve, 0.45, 0.1), 375);
  EXPECT_FALSE(step_reaching(curve, 0.6, 0.1));
  EXPECT_FALSE(step_reaching({}, 0.6, 0.1));
}

// A sweep that is written run by run; its first arm is the baseline.
class WrittenSweep {
 public:
  void add(const std::string& arm, const WrittenRun& run) {
    list_.push_back({arm, run.seed, fmt::format("{}{}", arm, run.seed)});
    write_run(folder_ / list_.back().folder, run);
  }
  Study read() const {
    test::write_sweep(folder_.path(), list_.front().arm, list_);
    return read_study({folder_.path()}, "");
  }

 private:
  const TemporaryFolder folder_;
  std::vector<test::ListedRun> list_;
};

TEST(Analysis, OfAStudyLikeThePapers) {
  const TemporaryFolder folder;
  test::write_study(folder.path());
  const Study study = read_study({folder.path()}, "");
  const Analysis analysis = analyse(study);
  EXPECT_DOUBLE_EQ(analysis.chance, 0.1);
  EXPECT_EQ(analysis.targets.size(), 3U);

  const ArmResult& baseline = analysis.arms[0];
  EXPECT_EQ(baseline.finished, 3);
  EXPECT_TRUE(baseline.best_accuracy.interval);
  EXPECT_NEAR(*baseline.steps.geometric_mean, 400, 1e-9);

  const ArmResult& x5 = analysis.arms[2];
  EXPECT_EQ(x5.accuracy.outcome, Outcome::kHigher);
  EXPECT_EQ(x5.accuracy.method, Method::kDunnett);
  EXPECT_EQ(x5.log_speed_up.outcome, Outcome::kHigher);
  EXPECT_EQ(x5.log_speed_up.pairs, 3);
  EXPECT_NEAR(std::exp(x5.log_speed_up.difference), 400 / *x5.steps.geometric_mean, 1e-9);
  EXPECT_DOUBLE_EQ(*x5.images_per_second, 500);

  const ArmResult& diverged = analysis.arms[4];
  EXPECT_TRUE(diverged.has_diverged());
  EXPECT_THAT(diverged.diverged_at, ElementsAre(41, 42, 43));
  EXPECT_EQ(diverged.accuracy.pairs, 0);
  EXPECT_EQ(divergence_in_words(diverged), "diverged at step 41 to 43 in 3 of 3 seeds");

  const ArmResult& chance = analysis.arms[5];
  EXPECT_FALSE(chance.has_learned());
  EXPECT_EQ(chance.accuracy.pairs, 0);
  EXPECT_EQ(steps_in_words(chance.steps), "not reached in 3 of 3");
}

// Never reached is not a number: no mean, no ratio; a median only when more than half got there.
TEST(Analysis, CountsRunsThatNeverReachTheTarget) {
  WrittenSweep sweep;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    sweep.add("a", {.seed = seed, .accuracies = {0.3, 0.5}});
    sweep.add("b", {.seed = seed, .learning_rate = 0.2, .accuracies = {0.4, seed == 2 ? 0.45 : 0.7}});
  }
  const Analysis analysis = analyse(sweep.read());
  const StepsToTarget& steps = analysis.arms[1].steps;
  EXPECT_EQ(steps.runs, 3);
  EXPECT_EQ(steps.reached, 2);
  EXPECT_FALSE(steps.geometric_mean);
  EXPECT_NEAR(*steps.median, 100 + 100 / 3., 1e-9);
  EXPECT_EQ(analysis.arms[1].log_speed_up.pairs, 0);
  EXPECT_EQ(steps_in_words(steps), "not reached in 1 of 3; median 133");
}

// An arm that is as good as the baseline gets to the baseline's luckiest evaluation earlier than the baseline itself,
// in each seed by chance: no sign of speed.
TEST(Analysis, GivesNoIntervalOfRatiosBetweenEqualAccuracies) {
  WrittenSweep sweep;
  const double own[] = {0, 0.004, 0.0005};
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const double luck = 0.01 * static_cast<double>(seed), extra = own[seed - 1];
    sweep.add("a", {.seed = seed, .accuracies = {0.3, 0.499 + luck, 0.498 + luck, 0.499 + luck, 0.50 + luck}});
    sweep.add("b", {.seed = seed, .normalization = kBatch, .accuracies = {0.3, 0.50 + luck + extra, 0.498 + luck}});
    sweep.add("c", {.seed = seed, .learning_rate = 0.2, .accuracies = {0.3, 0.50 + luck - extra, 0.53 + luck - extra}});
  }
  const Study study = sweep.read();
  const Analysis analysis = analyse(study);
  const ArmResult &equal = analysis.arms[1], &better = analysis.arms[2];
  ASSERT_EQ(equal.accuracy.outcome, Outcome::kIndistinguishable);
  EXPECT_NEAR(std::exp(equal.log_speed_up.difference), 500.0 / 200, 0.05);
  EXPECT_FALSE(equal.log_speed_up.interval);
  EXPECT_EQ(equal.log_speed_up.outcome, Outcome::kIndistinguishable);
  EXPECT_EQ(speed_up_in_words(equal), "2.5\u00d7 (3 seeds, no interval)");
  ASSERT_EQ(better.accuracy.outcome, Outcome::kHigher);
  EXPECT_TRUE(better.log_speed_up.interval);
  const Claim claim = judge(study, analysis).claims.at(0);
  EXPECT_EQ(claim.finding, Finding::kUnclear) << claim.evidence;
  EXPECT_EQ(claim.evidence, "b: 2.5\u00d7 fewer steps, but its accuracy cannot be told apart.");
}

// The quantiles of the binomial distribution, by exact sums elsewhere.
TEST(Analysis, GuessesReachMoreInFewImagesAndManyEvaluations) {
  EXPECT_DOUBLE_EQ(least_learned(0.5, 100, 1), 0.58);
  EXPECT_DOUBLE_EQ(least_learned(0.5, 1000, 1), 0.526);
  EXPECT_DOUBLE_EQ(least_learned(0.1, 1000, 1), 0.116);
  EXPECT_DOUBLE_EQ(least_learned(0.1, 1000, 50), 0.130);
  EXPECT_DOUBLE_EQ(least_learned(0.1, 10, 1), 0.3);
}

// Many images tell an accuracy from guessing where few do not, with two classes and with ten.
TEST(Analysis, AnAccuracyAboveChanceIsLearned) {
  const TemporaryFolder folder;
  const auto learned = [&](int64_t classes, double accuracy, int64_t images) {
    const WrittenRun run{.accuracies = {accuracy}};
    Config config = config_of(run);
    config.model.classes = config.data.classes_limit = classes;
    config.data.shapes.validation_images = images;
    write_run(folder / "a", run, config);
    const Analysis analysis = analyse(read_study({folder / "a"}, ""));
    std::filesystem::remove_all(folder / "a");
    EXPECT_EQ(analysis.images.count, images);
    EXPECT_FALSE(analysis.images.is_assumed);
    return analysis.arms[0].has_learned();
  };
  EXPECT_TRUE(learned(2, 0.9, 70));
  EXPECT_TRUE(learned(2, 0.7, 200));
  EXPECT_TRUE(learned(2, 0.66, 200));
  EXPECT_FALSE(learned(2, 0.7, 10));
  EXPECT_TRUE(learned(10, 0.19, 1000));
  EXPECT_FALSE(learned(10, 0.19, 21));
  EXPECT_FALSE(learned(10, 0.1, 1000));
}

// A network that always names the class of 900 images in 1,000 is right for 90 % of them.
TEST(Analysis, TheClassWithMostImagesIsAGuess) {
  const TemporaryFolder folder;
  const auto learned = [&](double accuracy) {
    const WrittenRun run{.accuracies = {accuracy}};
    Config config = config_of(run);
    config.model.classes = config.data.classes_limit = 2;
    write_run(folder / "a", run, config);
    test::write_bytes(folder / "a/made_of.json",
                      to_json({.training = {.images = 20, .fingerprint = "f"},
                               .validation = {.images = 1000, .fingerprint = "g", .largest_class = 900}}));
    const Study study = read_study({folder / "a"}, "");
    std::filesystem::create_directories(folder / "kept");
    keep_study(study, folder / "kept");
    const Analysis analysis = analyse(study), kept = analyse(read_study({folder / "kept"}, ""));
    EXPECT_DOUBLE_EQ(analysis.chance, 0.9);
    EXPECT_DOUBLE_EQ(kept.chance, 0.9);
    std::filesystem::remove_all(folder / "a");
    return analysis.arms[0].has_learned();
  };
  EXPECT_FALSE(learned(0.9));
  EXPECT_FALSE(learned(0.91));
  EXPECT_TRUE(learned(0.93));
}

// The number of images is the record's; where there is none, the fewest that the accuracies allow.
TEST(Analysis, KnowsOrAssumesTheValidationImages) {
  const TemporaryFolder folder;
  const WrittenRun run{.accuracies = {123.0 / 300, 0.5, 299.0 / 300}};
  Config config = config_of(run);
  config.data.kind = DatasetKind::kMnist;
  config.data.train = config.data.validation = {"images", "labels"};
  write_run(folder / "a", run, config);
  const auto images = [&](const std::string& input) { return analyse(read_study({input}, "")).images; };
  EXPECT_EQ(images(folder / "a").count, 300);
  EXPECT_TRUE(images(folder / "a").is_assumed);
  test::write_bytes(folder / "a/made_of.json", to_json({.training = {.images = 20, .fingerprint = "f"},
                                                        .validation = {.images = 600, .fingerprint = "g"}}));
  EXPECT_EQ(images(folder / "a").count, 600);
  EXPECT_FALSE(images(folder / "a").is_assumed);
  keep_study(read_study({folder / "a"}, ""), folder.path());
  EXPECT_EQ(images(folder.path()).count, 600);
  EXPECT_EQ(images(folder / "a").count, 600);
  std::filesystem::remove_all(folder / "a");
  EXPECT_EQ(images(folder / "a").count, 600);
}

// A run that diverged at one seed takes neither its own nor the baseline's value of that seed along.
TEST(Analysis, PairsWhatFinished) {
  WrittenSweep sweep;
  const double own[] = {0, 0.003, -0.004, 0.001};
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    const double luck = 0.01 * static_cast<double>(seed);
    sweep.add("a", {.seed = seed, .accuracies = {0.3, 0.5 + luck}});
    sweep.add("b", {.seed = seed,
                    .learning_rate = 0.2,
                    .accuracies = {0.4, 0.6 + luck + own[seed - 1]},
                    .end = seed == 4 ? "diverged" : "end"});
  }
  const ArmResult result = analyse(sweep.read()).arms[1];
  EXPECT_EQ(result.finished, 3);
  EXPECT_EQ(result.accuracy.pairs, 3);
  EXPECT_NEAR(result.accuracy.difference, 0.1 - 0.001 / 3, 1e-9);
  EXPECT_EQ(result.accuracy.method, Method::kPairedT);
  EXPECT_EQ(divergence_in_words(result), "diverged at step 200 in 1 of 4 seeds");
}

Verdict judge_study(const Study& study) { return judge(study, analyse(study)); }

TEST(Verdict, JudgesThePapersClaims) {
  const TemporaryFolder folder;
  test::write_study(folder.path());
  const Verdict verdict = judge_study(read_study({folder.path()}, ""));
  ASSERT_EQ(verdict.claims.size(), 7U);
  for (const Claim& claim : verdict.claims) EXPECT_EQ(claim.finding, Finding::kHeld) << claim.claim << claim.evidence;
  EXPECT_THAT(verdict.headline, StartsWith("bn_x30 beats plain by 11."));
  EXPECT_THAT(verdict.headline, EndsWith(". 7 of 7 of the paper's claims held here."));
  EXPECT_THAT(verdict.claims[1].claim, HasSubstr("5 times the learning rate"));
  EXPECT_THAT(verdict.claims[5].evidence, HasSubstr("plain_x5 diverged at step 41"));
  EXPECT_THAT(verdict.claims[6].evidence, HasSubstr("plain_sigmoid does not learn"));
}

TEST(Verdict, ReportsAClaimThatFails) {
  WrittenSweep sweep;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const double luck = 0.01 * static_cast<double>(seed), own = 0.001 * static_cast<double>(seed * seed % 4);
    sweep.add("a", {.seed = seed, .accuracies = {0.5, 0.6 + luck}});
    sweep.add("b", {.seed = seed, .normalization = kBatch, .accuracies = {0.3, 0.4 + luck + own}});
    sweep.add("c", {.seed = seed, .learning_rate = 0.5, .accuracies = {0.5, 0.7 + luck + own}});
  }
  const Verdict verdict = judge_study(sweep.read());
  ASSERT_EQ(verdict.claims.size(), 3U);
  for (const Claim& claim : verdict.claims) EXPECT_EQ(claim.finding, Finding::kFailed) << claim.claim << claim.evidence;
  EXPECT_EQ(verdict.claims[0].evidence, "b did not reach it in 3 of 3 seeds.");
  EXPECT_THAT(verdict.headline, StartsWith("c beats a by 10."));
  EXPECT_THAT(verdict.headline, EndsWith(". 0 of 3 of the paper's claims held here; 3 did not."));
}

TEST(Verdict, ASpeedThatMostSeedsDoNotReachFails) {
  WrittenSweep sweep;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    sweep.add("a", {.seed = seed, .accuracies = {0.5, 0.6}});
    sweep.add("b",
              {.seed = seed, .normalization = kBatch, .accuracies = {seed == 1 ? 0.7 : 0.5, seed == 1 ? 0.71 : 0.52}});
  }
  const Claim claim = judge_study(sweep.read()).claims.at(0);
  EXPECT_EQ(claim.finding, Finding::kFailed);
  EXPECT_EQ(claim.evidence, "b did not reach it in 2 of 3 seeds.");
}

TEST(Verdict, SaysInHowManySeedsANetworkLearned) {
  WrittenSweep sweep;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    sweep.add("a", {.seed = seed, .accuracies = {0.5, 0.6 + 0.01 * static_cast<double>(seed)}});
    sweep.add("b", {.seed = seed, .learning_rate = 0.5, .accuracies = {0.1, seed == 1 ? 0.4 : 0.1}});
  }
  sweep.add("c", {.normalization = kBatch, .accuracies = {0.6, 0.7}});
  const Study study = sweep.read();
  const Analysis analysis = analyse(study);
  EXPECT_EQ(analysis.arms[1].learned, 1);
  EXPECT_EQ(learned_in_words(analysis.arms[1]), "learned in 1 of 3 seeds");
  EXPECT_EQ(learned_in_words(analysis.arms[0]), "");
  const Verdict verdict = judge(study, analysis);
  const auto claim = std::ranges::find_if(verdict.claims, [](const Claim& candidate) {
    return candidate.claim.find("harms the network") != std::string::npos;
  });
  ASSERT_NE(claim, verdict.claims.end());
  EXPECT_THAT(claim->evidence, HasSubstr("(learned in 1 of 3 seeds)"));
}

TEST(Verdict, OneSeedTellsNothing) {
  WrittenSweep sweep;
  sweep.add("a", {.accuracies = {0.5, 0.6}});
  sweep.add("b", {.normalization = kBatch, .accuracies = {0.7, 0.8}});
  const Verdict verdict = judge_study(sweep.read());
  ASSERT_EQ(verdict.claims.size(), 2U);
  for (const Claim& claim : verdict.claims) EXPECT_EQ(claim.finding, Finding::kUnclear);
  EXPECT_THAT(verdict.claims[0].evidence, HasSubstr("by one seed: no interval can be given"));
  EXPECT_EQ(
      verdict.headline,
      "b against a: +20.0 points, by one seed: no interval can be given. 0 of 2 of the paper's claims held here; 2 "
      "cannot be told from these runs.");
}

// Seeds that diverged are part of the result: what the others reached does not make a claim hold.
TEST(Verdict, DoesNotRestOnSurvivors) {
  const TemporaryFolder folder;
  test::write_study(folder.path());
  write_run(folder / "bn_x30/seed_2", {.seed = 2,
                                       .normalization = kBatch,
                                       .learning_rate = 3,
                                       .accuracies = {0.45},
                                       .end = "diverged",
                                       .end_step = 130});
  const Verdict verdict = judge_study(read_study({folder.path()}, ""));
  ASSERT_EQ(verdict.claims.size(), 7U);
  EXPECT_THAT(verdict.claims[3].claim, HasSubstr("end at a higher accuracy"));
  EXPECT_EQ(verdict.claims[3].finding, Finding::kUnclear);
  EXPECT_THAT(verdict.claims[3].evidence, HasSubstr("but it diverged at step 130 in 1 of 3 seeds"));
  EXPECT_THAT(verdict.claims[4].claim, HasSubstr("the highest ends highest"));
  EXPECT_EQ(verdict.claims[4].finding, Finding::kUnclear);
  EXPECT_THAT(verdict.claims[4].evidence, HasSubstr("but it diverged at step 130 in 1 of 3 seeds"));
}

// All three reach the target, but what one finished run says of the accuracy has no interval, so neither has the ratio.
TEST(Verdict, ClaimsNoSpeedOfRunsThatDivergedLater) {
  WrittenSweep sweep;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const double luck = 0.01 * static_cast<double>(seed);
    sweep.add("a", {.seed = seed, .accuracies = {0.4, 0.5, 0.6 + luck}});
    sweep.add("b", {.seed = seed,
                    .normalization = kBatch,
                    .accuracies = {0.62 + 2 * luck},
                    .end = seed == 1 ? "end" : "diverged",
                    .end_step = 130});
  }
  const Study study = sweep.read();
  const Analysis analysis = analyse(study);
  EXPECT_EQ(analysis.arms[1].log_speed_up.pairs, 3);
  EXPECT_FALSE(analysis.arms[1].log_speed_up.interval);
  const Claim claim = judge(study, analysis).claims.at(0);
  EXPECT_EQ(claim.finding, Finding::kUnclear);
  EXPECT_THAT(claim.evidence, HasSubstr("fewer steps: no interval can be given, but it diverged at step 130"));
}

// The ensemble's members are BN-x30 with something else: the paper's claims are about BN-x30.
TEST(Verdict, JudgesTheFirstArmOfEachKind) {
  const TemporaryFolder folder;
  test::write_study(folder.path());
  std::vector<test::ListedRun> list;
  for (const char* arm : {"plain", "bn", "bn_x5", "bn_x30", "plain_x5", "plain_sigmoid", "bn_sigmoid"}) {
    for (uint64_t seed = 1; seed <= 3; ++seed) list.push_back({arm, seed, fmt::format("{}/seed_{}", arm, seed)});
  }
  const WrittenRun member{.seed = 9, .normalization = kBatch, .learning_rate = 3, .accuracies = {0.1, 0.2, 0.3}};
  Config config = config_of(member);
  config.model.dropout = 0.1;
  write_run(folder / "member", member, config);
  list.push_back({"member", 9, "member"});
  test::write_sweep(folder.path(), "plain", list);
  const Verdict verdict = judge_study(read_study({folder.path()}, ""));
  EXPECT_THAT(verdict.headline, StartsWith("bn_x30 beats plain by 11."));
  EXPECT_THAT(verdict.headline, EndsWith(". 7 of 7 of the paper's claims held here."));
}

// A search for a learning rate, for one.
TEST(Verdict, ClaimsNothingWhereNoNetworkNormalises) {
  WrittenSweep sweep;
  sweep.add("a", {.accuracies = {0.5, 0.6}});
  sweep.add("b", {.learning_rate = 0.2, .accuracies = {0.5, 0.7}});
  const Verdict verdict = judge_study(sweep.read());
  EXPECT_TRUE(verdict.claims.empty());
  ASSERT_EQ(verdict.effects.size(), 1U);
  EXPECT_THAT(verdict.effects[0], HasSubstr("b: +10.0 points (1 seed, no interval)"));
}

// An ablation has a normalised baseline: effects instead of the paper's claims.
TEST(Verdict, ListsEffectsOfAnAblation) {
  WrittenSweep sweep;
  const double own[] = {0.004, -0.003, 0.001};
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const double luck = 0.01 * static_cast<double>(seed), last = 0.6 + luck + own[seed - 1];
    sweep.add("a", {.seed = seed, .normalization = kBatch, .accuracies = {0.5, 0.6 + luck}});
    sweep.add("b", {.seed = seed, .normalization = kBatch, .learning_rate = 0.5, .accuracies = {0.3, last}});
  }
  const Verdict verdict = judge_study(sweep.read());
  EXPECT_TRUE(verdict.claims.empty());
  ASSERT_EQ(verdict.effects.size(), 1U);
  EXPECT_THAT(verdict.effects[0], HasSubstr("; cannot be told apart."));
  EXPECT_THAT(verdict.headline, StartsWith("b cannot be told apart from a: +0.07 points, 95\u00a0% interval \u2212"));
}

TEST(Verdict, SeveralNetworksWithoutAClaimAreCounted) {
  WrittenSweep sweep;
  const double best[] = {0.6, 0.6, 0.8, 0.9}, luck[] = {0, 0.002, 0.001};
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    for (size_t arm = 0; arm < std::size(best); ++arm) {
      const double last = best[arm] + luck[(seed + arm) % 3];
      sweep.add(std::string(1, static_cast<char>('a' + arm)),
                {.seed = seed, .normalization = kBatch, .accuracies = {0.3, last}});
    }
  }
  const Verdict verdict = judge_study(sweep.read());
  EXPECT_TRUE(verdict.claims.empty());
  EXPECT_THAT(verdict.headline, EndsWith(". Of the 3 networks beside a 2 are higher, 1 cannot be told apart from it."));
}

TEST(Verdict, ABaselineThatDidNotLearnMeasuresNothing) {
  WrittenSweep sweep;
  sweep.add("a", {.accuracies = {0.1, 0.1}});
  sweep.add("b", {.normalization = kBatch, .accuracies = {0.7, 0.8}});
  const Study study = sweep.read();
  const Analysis analysis = analyse(study);
  EXPECT_TRUE(analysis.targets.empty());
  EXPECT_EQ(judge(study, analysis).headline,
            "The baseline a did not learn: its best accuracy is not above 17.1\u00a0%, which guesses of 10.0\u00a0% "
            "reach by luck on 70 images, so nothing can be measured against it.");
}

TEST(Figures, LossesAreSmoothed) {
  std::vector<Point> curve;
  for (int64_t i = 1; i <= 113; ++i) curve.push_back({100 * i, static_cast<double>(i % 2)});
  const std::vector<Point> means = smooth(curve);
  ASSERT_EQ(means.size(), 57U);
  for (size_t i = 0; i + 1 < means.size(); ++i) EXPECT_EQ(means[i].value, 0.5);
  EXPECT_EQ(means.back().step, 11300);
  EXPECT_EQ(means.back().value, 1);  // the mean over the values left over
  curve.resize(60);
  EXPECT_EQ(smooth(curve).size(), 60U);
}

TEST(Words, Numbers) {
  EXPECT_EQ(percent(0.7219), "72.2\u00a0%");
  EXPECT_EQ(percent(0.98154), "98.15\u00a0%");
  EXPECT_EQ(signed_points(0.0131), "+1.3");
  EXPECT_EQ(signed_points(-0.0021), "\u22120.21");
  EXPECT_EQ(signed_points(0), "0.00");
  EXPECT_EQ(ratio(14.3), "14\u00d7");
  EXPECT_EQ(ratio(2.34), "2.3\u00d7");
  EXPECT_EQ(ratio(0.423), "0.42\u00d7");
  EXPECT_EQ(percent_pm({.count = 3, .value = 0.331, .interval = Interval{0.321, 0.341}}),
            "33.1\u00a0\u00b1\u00a01.0\u00a0%");
  EXPECT_EQ(percent_pm({.count = 3, .value = 0.061, .interval = Interval{-0.03, 0.156}}),
            "6.1\u00a0% (0.0\u00a0to\u00a015.6)");
}

}  // namespace
}  // namespace bn::report
