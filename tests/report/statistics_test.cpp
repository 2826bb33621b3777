// Reference values come from scipy 1.10; the commands that made them stand beside them.
#include "report/statistics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>

namespace bn::report {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double half_width(const std::optional<Interval>& interval) {
  EXPECT_TRUE(interval.has_value());
  return interval ? (interval->high - interval->low) / 2 : kNaN;
}

// y in the commands below: rows are arms, columns seeds.
const SeedTable kAccuracies = {
    {70.1, 71.0, 69.5, 70.6}, {72.0, 72.6, 71.5, 71.9}, {71.1, 72.3, 70.2, 71.4}, {73.3, 74.1, 72.4, 74.0}};

TEST(Statistics, StudentQuantiles) {
  // scipy.stats.t.ppf([.975, .9], [7, 2.5])
  EXPECT_NEAR(student_quantile(0.975, 7), 2.36462425, 1e-7);
  EXPECT_NEAR(student_quantile(0.9, 2.5), 1.73025093, 1e-7);
}

// def p_max(c, p, nu):
//   def outer(s):
//     f = lambda z: norm.pdf(z)*(norm.cdf(z+np.sqrt(2)*c*s)-norm.cdf(z-np.sqrt(2)*c*s))**p
//     return quad(f, -9, 9, epsabs=1e-11)[0]*chi.pdf(s*np.sqrt(nu), nu)*np.sqrt(nu)
//   return quad(outer, 0, 12 if nu < 3 else 6, epsabs=1e-10, limit=300)[0]
// brentq(lambda c: p_max(c, p, nu)-0.95, 1.5, 30, xtol=1e-9)
// Rounded to two digits they are also the ones that Dunnett printed (Biometrics 20 (1964) 482, table II).
TEST(Statistics, DunnettQuantiles) {
  struct Case {
    int64_t comparisons;
    double degrees, quantile;
  };
  for (const Case& c : {Case{1, 10, 2.228139}, Case{2, 10, 2.568339}, Case{4, 10, 2.89048}, Case{6, 24, 2.760262},
                        Case{2, 4, 3.310352}, Case{6, 12, 2.976808}, Case{3, 2, 6.064848}}) {
    EXPECT_NEAR(dunnett_quantile(0.95, c.comparisons, c.degrees), c.quantile, 2e-5 * c.quantile)
        << c.comparisons << " comparisons, " << c.degrees << " degrees of freedom";
  }
  EXPECT_NEAR(1 - dunnett_probability(3.0, 4, 16), 0.0280837952, 1e-7);  // 1 - p_max(3.0, 4, 16)
}

TEST(Statistics, ComparesCompleteArmsByDunnett) {
  // r = y-y.mean(0)-y.mean(1, keepdims=True)+y.mean(); s2 = (r**2).sum()/9
  // c = brentq(lambda c: p_max(c, 3, 9)-0.95, 1.5, 30); c*np.sqrt(2*s2/4) = 0.502525405
  const std::vector<Comparison> comparisons = compare_with_baseline(kAccuracies, 0);
  const double differences[] = {0, 1.7, 0.95, 3.15};
  for (size_t arm = 1; arm < 4; ++arm) {
    EXPECT_EQ(comparisons[arm].method, Method::kDunnett);
    EXPECT_EQ(comparisons[arm].pairs, 4);
    EXPECT_NEAR(comparisons[arm].difference, differences[arm], 1e-9);
    EXPECT_NEAR(half_width(comparisons[arm].interval), 0.502525405, 1e-5);
    EXPECT_EQ(comparisons[arm].outcome, Outcome::kHigher);
  }
}

TEST(Statistics, AnArmOfOddVarianceStandsAlone) {
  SeedTable values = kAccuracies;
  values[3] = {70, 90, 60, 95};
  const std::vector<Comparison> comparisons = compare_with_baseline(values, 0);
  // d = np.array([70, 90, 60, 95])-y[0]; t.ppf(1-.025/3, 3)*sem(d)
  EXPECT_EQ(comparisons[3].method, Method::kPairedT);
  EXPECT_NEAR(half_width(comparisons[3].interval), 38.67604135, 1e-6);
  EXPECT_EQ(comparisons[1].method, Method::kDunnett);
  values[3][0] = kNaN;  // a gap
  EXPECT_EQ(compare_with_baseline(values, 0)[3].method, Method::kPairedT);
}

TEST(Statistics, OneComparisonIsThePairedTTest) {
  // scipy.stats.ttest_rel(y[1], y[0]).confidence_interval()
  const Comparison comparison = compare_with_baseline({kAccuracies[0], kAccuracies[1]}, 0)[1];
  EXPECT_NEAR(comparison.interval->low, 1.1968110572, 1e-6);
  EXPECT_NEAR(comparison.interval->high, 2.2031889428, 1e-6);
}

TEST(Statistics, AnArmWithAGapStandsAloneWithItsShareOfTheError) {
  SeedTable values = kAccuracies;
  values[3][0] = kNaN;
  const std::vector<Comparison> comparisons = compare_with_baseline(values, 0);
  // d = (y[3]-y[0])[1:]; d.mean(), t.ppf(1-.025/3, 2)*sem(d)
  EXPECT_EQ(comparisons[3].method, Method::kPairedT);
  EXPECT_EQ(comparisons[3].pairs, 3);
  EXPECT_NEAR(comparisons[3].difference, 3.1333333333, 1e-9);
  EXPECT_NEAR(half_width(comparisons[3].interval), 1.1113454468, 1e-8);
  // c = brentq(lambda c: p_max(c, 2, 6)-(1-0.05*2/3), 1.5, 30); c*np.sqrt(2*s2/4), s2 of y[:3]
  EXPECT_EQ(comparisons[1].method, Method::kDunnett);
  EXPECT_NEAR(half_width(comparisons[1].interval), 0.5565322325, 1e-5);
}

TEST(Statistics, ComparesDifferencesWithZero) {
  // z = np.log([[2.1, 2.4, 1.9], [12, 15, 14], [9, 11, 10]]); mse and msb of its two-way layout;
  // v = (msb+2*mse)/3; df = (msb+2*mse)**2/(msb**2/2+(2*mse)**2/4); t.ppf(1-.025/3, df)*np.sqrt(v/3)
  const SeedTable logs = {{std::log(2.1), std::log(2.4), std::log(1.9)},
                          {std::log(12.), std::log(15.), std::log(14.)},
                          {std::log(9.), std::log(11.), std::log(10.)}};
  const std::vector<Comparison> comparisons = compare_ratios(logs);
  EXPECT_NEAR(comparisons[1].difference, 2.61067139, 1e-8);
  for (const Comparison& comparison : comparisons) {
    EXPECT_EQ(comparison.method, Method::kPooledRatio);
    EXPECT_NEAR(half_width(comparison.interval), 0.2815731189, 1e-8);
  }
  // Two of them: t.ppf(1-.025/2, 2)*sem(row)
  const std::vector<Comparison> two = compare_ratios({logs[0], logs[1]});
  EXPECT_EQ(two[0].method, Method::kPairedT);
  EXPECT_NEAR(half_width(two[0].interval), 0.4199084580, 1e-8);
  EXPECT_NEAR(half_width(two[1].interval), 0.4093112203, 1e-8);
}

TEST(Statistics, MeansShareTheirVariance) {
  // v = (msb+3*mse)/4; df = (msb+3*mse)**2/(msb**2/3+(3*mse)**2/9); t.ppf(.975, df)*np.sqrt(v/4)
  const std::vector<Mean> means = estimate_means(kAccuracies);
  EXPECT_NEAR(means[0].value, 70.3, 1e-9);
  for (const Mean& mean : means) EXPECT_NEAR(half_width(mean.interval), 1.0171427383, 1e-8);
}

TEST(Statistics, SaysNothingWhereNothingCanBeSaid) {
  const std::vector<Comparison> one_seed = compare_with_baseline({{70}, {71}}, 0);
  EXPECT_FALSE(one_seed[1].interval);
  EXPECT_EQ(one_seed[1].outcome, Outcome::kUnknown);
  EXPECT_EQ(one_seed[1].difference, 1);

  const std::vector<Comparison> no_pairs = compare_with_baseline({{70, kNaN}, {kNaN, 71}}, 0);
  EXPECT_EQ(no_pairs[1].pairs, 0);
  EXPECT_TRUE(std::isnan(no_pairs[1].difference));
  EXPECT_FALSE(no_pairs[1].interval);

  // Runs that all came out the same tell nothing about how much they could differ.
  const std::vector<Comparison> constant = compare_with_baseline({{0.1, 0.1, 0.1}, {0.3, 0.3, 0.3}}, 0);
  EXPECT_FALSE(constant[1].interval);
  EXPECT_EQ(constant[1].method, Method::kNone);
  EXPECT_FALSE(estimate_means({{0.1, 0.1, 0.1}})[0].interval);

  const std::vector<Mean> none = estimate_means({{kNaN, kNaN}});
  EXPECT_EQ(none[0].count, 0);
  EXPECT_TRUE(std::isnan(none[0].value));
}

TEST(Statistics, TellsWhenArmsCannotBeToldApart) {
  const Comparison comparison = compare_with_baseline({{70.0, 71.0, 69.5}, {70.2, 70.7, 69.9}}, 0)[1];
  EXPECT_EQ(comparison.outcome, Outcome::kIndistinguishable);
}

// --- Simulations: how often any of the intervals misses the truth. The seed is fixed, so they cannot fail by chance.

struct World {
  std::vector<double> deviations;  // the residual's, one for each arm
  int64_t seeds = 5;
  double seed_deviation = 2;
  double missing = 0;  // probability that a value is absent
};

SeedTable draw(const World& world, std::mt19937_64& random) {
  std::normal_distribution<double> normal;
  std::bernoulli_distribution is_missing(world.missing);
  SeedTable values(world.deviations.size(), std::vector<double>(static_cast<size_t>(world.seeds)));
  for (size_t seed = 0; seed < static_cast<size_t>(world.seeds); ++seed) {
    const double luck = world.seed_deviation * normal(random);
    for (size_t arm = 0; arm < values.size(); ++arm) {
      values[arm][seed] = luck + world.deviations[arm] * normal(random);
      if (arm > 0 && is_missing(random)) values[arm][seed] = kNaN;
    }
  }
  return values;
}

constexpr int kSweeps = 4000;  // a rate of 5 % has a standard error of 0.34 %

// The share of simulated sweeps in which `is_wrong`; all arms are the same in truth.
double error_rate(const World& world, const std::function<bool(const SeedTable&)>& is_wrong) {
  std::mt19937_64 random(20150211);
  int wrong = 0;
  for (int sweep = 0; sweep < kSweeps; ++sweep) wrong += is_wrong(draw(world, random)) ? 1 : 0;
  return static_cast<double>(wrong) / kSweeps;
}

bool claims_a_difference(const std::vector<Comparison>& comparisons) {
  for (const Comparison& comparison : comparisons) {
    if (comparison.outcome == Outcome::kHigher || comparison.outcome == Outcome::kLower) return true;
  }
  return false;
}

bool wrong_against_baseline(const SeedTable& values) { return claims_a_difference(compare_with_baseline(values, 0)); }

bool wrong_by_ratio(const SeedTable& values) {
  SeedTable differences(values.begin() + 1, values.end());
  for (auto& row : differences) {
    for (size_t seed = 0; seed < row.size(); ++seed) row[seed] -= values[0][seed];
  }
  return claims_a_difference(compare_ratios(differences));
}

TEST(StatisticsSimulation, DunnettErrsInOneSweepOfTwenty) {
  EXPECT_NEAR(error_rate({.deviations = {1, 1, 1, 1}}, wrong_against_baseline), 0.05, 0.012);
  EXPECT_NEAR(error_rate({.deviations = {1, 1, 1, 1, 1, 1, 1}, .seeds = 3}, wrong_against_baseline), 0.05, 0.012);
}

TEST(StatisticsSimulation, UncorrectedIntervalsWouldErrMoreOften) {
  const auto wrong_each_alone = [](const SeedTable& values) {
    for (size_t arm = 1; arm < values.size(); ++arm) {
      if (wrong_against_baseline({values[0], values[arm]})) return true;
    }
    return false;
  };
  EXPECT_GT(error_rate({.deviations = {1, 1, 1, 1, 1, 1, 1}}, wrong_each_alone), 0.12);
}

TEST(StatisticsSimulation, MissingRunsDoNotRaiseTheError) {
  const double rate = error_rate({.deviations = {1, 1, 1, 1}, .missing = 0.1}, wrong_against_baseline);
  EXPECT_LT(rate, 0.062);
  EXPECT_GT(rate, 0.02);
}

TEST(StatisticsSimulation, UnequalVariancesAreNoticed) {
  // One arm, or the baseline, of five times the others' deviation. Not all are noticed in five seeds, so the error
  // rises, but not much.
  EXPECT_LT(error_rate({.deviations = {1, 1, 1, 5}}, wrong_against_baseline), 0.1);
  EXPECT_LT(error_rate({.deviations = {5, 1, 1, 1}}, wrong_against_baseline), 0.075);
  std::mt19937_64 random(1);
  int found = 0, falsely_found = 0;
  for (int i = 0; i < 1000; ++i) {
    found += find_odd_variances(draw({.deviations = {1, 1, 1, 5}}, random)) == std::vector<size_t>{3} ? 1 : 0;
    falsely_found += find_odd_variances(draw({.deviations = {1, 1, 1, 1}}, random)).empty() ? 0 : 1;
  }
  EXPECT_GT(found, 700);
  EXPECT_LT(falsely_found, 65);
}

TEST(StatisticsSimulation, RatiosToABaselineOfAnotherVariance) {
  // A baseline that varies much more, or not at all, than the arms do among themselves.
  for (const double baseline : {0.0, 1.0, 4.0}) {
    EXPECT_LT(error_rate({.deviations = {baseline, 1, 1, 1}}, wrong_by_ratio), 0.07) << baseline;
    EXPECT_GT(error_rate({.deviations = {baseline, 1, 1, 1}}, wrong_by_ratio), 0.015) << baseline;
  }
}

TEST(StatisticsSimulation, MeansHoldTheTruth) {
  for (const double seed_deviation : {0.0, 1.0, 5.0}) {
    const auto first_misses = [](const SeedTable& values) {
      const std::vector<Mean> means = estimate_means(values);
      return means[0].interval->low > 0 || means[0].interval->high < 0;
    };
    const World world{.deviations = {1, 1, 1, 1}, .seeds = 4, .seed_deviation = seed_deviation};
    EXPECT_NEAR(error_rate(world, first_misses), 0.05, 0.015) << seed_deviation;
  }
}

}  // namespace
}  // namespace bn::report
