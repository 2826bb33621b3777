#include "report/statistics.hpp"

#include <algorithm>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/fisher_f.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <boost/math/tools/roots.hpp>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

namespace bn::report {
namespace {

constexpr double kOddLevel = 0.05;  // level of the tests for variances that may not be pooled
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double sum_of_squares(const std::vector<double>& values) {
  const double mean = mean_of(values);
  double sum = 0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return sum;
}

std::vector<double> present(const std::vector<double>& row) {
  std::vector<double> values;
  std::ranges::copy_if(row, std::back_inserter(values), [](double value) { return !std::isnan(value); });
  return values;
}

// The two-way layout without replicates: value = arm + seed + residual.
struct Blocks {
  int64_t arms = 0, seeds = 0;
  double seed_mean_square = 0, residual_mean_square = 0;

  // The variance of one value and its degrees of freedom; the seeds' luck is part of it.
  double value_variance() const {
    return (seed_mean_square + static_cast<double>(arms - 1) * residual_mean_square) / static_cast<double>(arms);
  }
  double value_degrees() const {
    const auto k = static_cast<double>(arms), n = static_cast<double>(seeds);
    const double residual = (k - 1) * residual_mean_square, total = seed_mean_square + residual;
    double squares = seed_mean_square * seed_mean_square / (n - 1);
    if (arms > 1) squares += residual * residual / ((n - 1) * (k - 1));
    return total * total / squares;
  }
  double residual_degrees() const { return static_cast<double>((arms - 1) * (seeds - 1)); }
};

Blocks decompose(const SeedTable& complete) {
  Blocks blocks{.arms = static_cast<int64_t>(complete.size()), .seeds = static_cast<int64_t>(complete.front().size())};
  std::vector<double> seed_means(complete.front().size(), 0);
  for (const auto& row : complete) {
    for (size_t i = 0; i < row.size(); ++i) seed_means[i] += row[i] / static_cast<double>(complete.size());
  }
  const double grand = mean_of(seed_means);
  double residual_sum = 0;
  for (const auto& row : complete) {
    const double arm_mean = mean_of(row);
    for (size_t i = 0; i < row.size(); ++i) {
      const double residual = row[i] - arm_mean - seed_means[i] + grand;
      residual_sum += residual * residual;
    }
  }
  if (blocks.seeds > 1) {
    blocks.seed_mean_square =
        static_cast<double>(blocks.arms) * sum_of_squares(seed_means) / static_cast<double>(blocks.seeds - 1);
  }
  if (blocks.residual_degrees() > 0) blocks.residual_mean_square = residual_sum / blocks.residual_degrees();
  return blocks;
}

// False for a variance of the size that rounding alone leaves.
bool varies(double variance, double scale) {
  constexpr double kRounding = 1e-12;
  return std::sqrt(variance) > kRounding * std::max(1.0, std::abs(scale));
}

Interval around(double centre, double half_width) { return {centre - half_width, centre + half_width}; }

void decide(Comparison& comparison, Method method, double half_width) {
  comparison.method = method;
  comparison.interval = around(comparison.difference, half_width);
  comparison.outcome = comparison.interval->low > 0    ? Outcome::kHigher
                       : comparison.interval->high < 0 ? Outcome::kLower
                                                       : Outcome::kIndistinguishable;
}

Comparison describe_pairs(const std::vector<double>& pairs) {
  return {.pairs = static_cast<int64_t>(pairs.size()), .difference = pairs.empty() ? kNaN : mean_of(pairs)};
}

// The quantile for one of `comparisons` intervals that together err in 1 - kConfidence of all cases at most.
double bonferroni_quantile(size_t comparisons, double degrees_of_freedom) {
  return student_quantile(1 - (1 - kConfidence) / 2 / static_cast<double>(comparisons), degrees_of_freedom);
}

Comparison compare_alone(const std::vector<double>& pairs, size_t comparisons) {
  Comparison comparison = describe_pairs(pairs);
  if (pairs.size() < 2) return comparison;
  const auto n = static_cast<double>(pairs.size());
  const double variance = sum_of_squares(pairs) / (n - 1);
  if (!varies(variance, comparison.difference)) return comparison;
  decide(comparison, Method::kPairedT, bonferroni_quantile(comparisons, n - 1) * std::sqrt(variance / n));
  return comparison;
}

size_t count_comparable(const SeedTable& differences) {
  const auto is_comparable = [](const std::vector<double>& row) { return present(row).size() > 1; };
  return static_cast<size_t>(std::ranges::count_if(differences, is_comparable));
}

std::vector<Comparison> compare_each_alone(const SeedTable& differences) {
  const size_t compared = std::max<size_t>(count_comparable(differences), 1);
  std::vector<Comparison> comparisons;
  for (const auto& row : differences) comparisons.push_back(compare_alone(present(row), compared));
  return comparisons;
}

double cached_dunnett_quantile(double probability, int64_t comparisons, double degrees_of_freedom) {
  using Key = std::pair<double, std::pair<int64_t, double>>;
  static thread_local std::map<Key, double> cache;  // a simulation asks for the same ones again and again
  const auto [entry, is_new] = cache.try_emplace({probability, {comparisons, degrees_of_freedom}}, 0);
  if (is_new) entry->second = dunnett_quantile(probability, comparisons, degrees_of_freedom);
  return entry->second;
}

// Two-sided p of one row's contrast with the mean of the others.
double odd_variance_p(const SeedTable& complete, size_t row) {
  SeedTable others = complete;
  others.erase(others.begin() + static_cast<std::ptrdiff_t>(row));
  const auto k = static_cast<double>(complete.size());
  std::vector<double> contrast = complete[row];
  for (const auto& other : others) {
    for (size_t seed = 0; seed < contrast.size(); ++seed) contrast[seed] -= other[seed] / (k - 1);
  }
  const Blocks rest = decompose(others);
  const double degrees = static_cast<double>(contrast.size() - 1);
  const double variance = sum_of_squares(contrast) / degrees * (k - 1) / k;
  if (!varies(rest.residual_mean_square, 0)) return varies(variance, 0) ? 0 : 1;
  const boost::math::fisher_f distribution(degrees, rest.residual_degrees());
  const double below = cdf(distribution, variance / rest.residual_mean_square);
  return 2 * std::min(below, 1 - below);
}

// The rows without a gap and of like variance, as a table and by their index.
struct PooledRows {
  SeedTable table{};
  std::vector<size_t> rows{};

  bool contains(size_t row) const { return std::ranges::find(rows, row) != rows.end(); }
};

PooledRows pooled_rows(const SeedTable& values) {
  PooledRows complete;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i].size() < 2 || present(values[i]).size() != values[i].size()) continue;
    complete.table.push_back(values[i]);
    complete.rows.push_back(i);
  }
  const std::vector<size_t> odd = find_odd_variances(complete.table);
  PooledRows pooled;
  for (size_t i = 0; i < complete.rows.size(); ++i) {
    if (std::ranges::find(odd, i) != odd.end()) continue;
    pooled.table.push_back(complete.table[i]);
    pooled.rows.push_back(complete.rows[i]);
  }
  return pooled;
}

// The values at the seeds where row `reference` has one.
SeedTable at_seeds_of(size_t reference, const SeedTable& values) {
  SeedTable kept(values.size());
  for (size_t row = 0; row < values.size(); ++row) {
    for (size_t seed = 0; seed < values[reference].size(); ++seed) {
      if (!std::isnan(values[reference][seed])) kept[row].push_back(values[row][seed]);
    }
  }
  return kept;
}

using Quadrature = boost::math::quadrature::gauss_kronrod<double, 31>;
constexpr unsigned kDepth = 6;
constexpr double kTolerance = 1e-9;

// P(all |Z_j - Z_0| <= sqrt(2) width), Z independent standard normal: the arms' noise given the baseline's.
double range_probability(double width, int64_t comparisons) {
  const boost::math::normal normal;
  const double reach = std::sqrt(2.0) * width;
  const auto given_baseline = [&](double z) {
    const double inside = cdf(normal, z + reach) - cdf(normal, z - reach);
    return pdf(normal, z) * std::pow(inside, static_cast<double>(comparisons));
  };
  constexpr double kFar = 8.5;  // beyond lies 2e-17 of a normal distribution
  return Quadrature::integrate(given_baseline, -kFar, kFar, kDepth, kTolerance);
}

}  // namespace

std::vector<size_t> find_odd_variances(const SeedTable& complete) {
  SeedTable rest = complete;
  std::vector<size_t> indices(complete.size()), odd;
  std::iota(indices.begin(), indices.end(), size_t{0});
  while (rest.size() > 2) {
    size_t worst = 0;
    double smallest = 1;
    for (size_t row = 0; row < rest.size(); ++row) {
      const double p = odd_variance_p(rest, row);
      if (p < smallest) {
        smallest = p;
        worst = row;
      }
    }
    if (smallest >= kOddLevel / static_cast<double>(rest.size())) break;
    odd.push_back(indices[worst]);
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(worst));
    indices.erase(indices.begin() + static_cast<std::ptrdiff_t>(worst));
  }
  return odd;
}

std::vector<Mean> estimate_means(const SeedTable& values) {
  std::vector<Mean> means;
  for (const auto& row : values) {
    const std::vector<double> own = present(row);
    Mean mean{.count = static_cast<int64_t>(own.size()), .value = own.empty() ? kNaN : mean_of(own)};
    const auto n = static_cast<double>(own.size());
    if (own.size() > 1) {
      mean.deviation = std::sqrt(sum_of_squares(own) / (n - 1));
      if (varies(mean.deviation * mean.deviation, mean.value)) {
        mean.interval =
            around(mean.value, student_quantile((1 + kConfidence) / 2, n - 1) * mean.deviation / std::sqrt(n));
      }
    }
    means.push_back(mean);
  }
  const PooledRows pooled = pooled_rows(values);
  if (pooled.rows.size() < 2) return means;
  const Blocks blocks = decompose(pooled.table);
  if (!varies(blocks.value_variance(), 0)) return means;
  const double half_width = student_quantile((1 + kConfidence) / 2, blocks.value_degrees()) *
                            std::sqrt(blocks.value_variance() / static_cast<double>(blocks.seeds));
  for (const size_t row : pooled.rows) means[row].interval = around(means[row].value, half_width);
  return means;
}

std::vector<Comparison> compare_with_baseline(const SeedTable& values, size_t baseline) {
  const SeedTable paired = at_seeds_of(baseline, values);
  SeedTable differences;  // the arms' differences, without the baseline
  std::vector<size_t> arms;
  for (size_t arm = 0; arm < values.size(); ++arm) {
    if (arm == baseline) continue;
    arms.push_back(arm);
    differences.push_back(paired[arm]);
    for (size_t seed = 0; seed < paired[arm].size(); ++seed) differences.back()[seed] -= paired[baseline][seed];
  }
  std::vector<Comparison> comparisons(values.size());
  const std::vector<Comparison> alone = compare_each_alone(differences);
  for (size_t i = 0; i < arms.size(); ++i) comparisons[arms[i]] = alone[i];
  const PooledRows pooled = pooled_rows(paired);
  if (pooled.rows.size() < 2 || !pooled.contains(baseline)) return comparisons;

  const Blocks blocks = decompose(pooled.table);
  if (!varies(blocks.residual_mean_square, 0)) return comparisons;
  const size_t count = pooled.rows.size() - 1;
  const double error =
      (1 - kConfidence) * static_cast<double>(count) / static_cast<double>(count_comparable(differences));
  const double half_width = cached_dunnett_quantile(1 - error, static_cast<int64_t>(count), blocks.residual_degrees()) *
                            std::sqrt(2 * blocks.residual_mean_square / static_cast<double>(blocks.seeds));
  for (const size_t arm : pooled.rows) {
    if (arm != baseline) decide(comparisons[arm], Method::kDunnett, half_width);
  }
  return comparisons;
}

std::vector<Comparison> compare_ratios(const SeedTable& logarithms) {
  std::vector<Comparison> comparisons = compare_each_alone(logarithms);
  const PooledRows pooled = pooled_rows(logarithms);
  // With so few seeds nobody can tell whether two variances are alike: they stay apart.
  if (pooled.rows.size() < 3) return comparisons;
  const Blocks blocks = decompose(pooled.table);
  if (!varies(blocks.value_variance(), 0)) return comparisons;
  const double half_width = bonferroni_quantile(count_comparable(logarithms), blocks.value_degrees()) *
                            std::sqrt(blocks.value_variance() / static_cast<double>(blocks.seeds));
  for (const size_t row : pooled.rows) decide(comparisons[row], Method::kPooledRatio, half_width);
  return comparisons;
}

double student_quantile(double probability, double degrees_of_freedom) {
  return quantile(boost::math::students_t(degrees_of_freedom), probability);
}

// The statistics are T_j = (Z_j - Z_0) / (sqrt(2) s), where s^2 is a chi-squared over its degrees of freedom. The
// function averages over s the probability given s.
double dunnett_probability(double t, int64_t comparisons, double degrees_of_freedom) {
  const boost::math::chi_squared chi_squared(degrees_of_freedom);
  const auto scale_at = [&](double probability) {
    return std::sqrt(quantile(chi_squared, probability) / degrees_of_freedom);
  };
  const auto given_scale = [&](double s) {
    const double density = 2 * degrees_of_freedom * s * pdf(chi_squared, degrees_of_freedom * s * s);
    return density * range_probability(t * s, comparisons);
  };
  constexpr double kTail = 1e-10;
  return Quadrature::integrate(given_scale, scale_at(kTail), scale_at(1 - kTail), kDepth, kTolerance);
}

double dunnett_quantile(double probability, int64_t comparisons, double degrees_of_freedom) {
  const auto excess = [&](double t) { return dunnett_probability(t, comparisons, degrees_of_freedom) - probability; };
  // The quantile lies between one comparison's and Bonferroni's bound.
  const double share = (1 - probability) / 2;
  const double low = student_quantile(1 - share, degrees_of_freedom);
  if (comparisons == 1) return low;
  const double high = student_quantile(1 - share / static_cast<double>(comparisons), degrees_of_freedom);
  std::uintmax_t iterations = 50;
  const auto bracket =
      boost::math::tools::toms748_solve(excess, low, high, boost::math::tools::eps_tolerance<double>(24), iterations);
  return (bracket.first + bracket.second) / 2;
}

}  // namespace bn::report
