// Comparisons of arms that ran with the same seeds. Runs of one seed share their order of data and, where shapes agree,
// their initial weights, so arms are compared in pairs and a seed's luck cancels. No bootstrap: it needs more seeds
// than a study of this kind has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace bn::report {

constexpr double kConfidence = 0.95;

// One row an arm, one column a seed; NaN where there is no value.
using SeedTable = std::vector<std::vector<double>>;

struct Interval {
  double low = 0, high = 0;
};

struct Mean {
  int64_t count = 0;   // seeds with a value
  double value = 0;    // NaN without any
  double deviation{};  // deviation of this row's own values
  std::optional<Interval> interval{};
};

// The source of an interval's width.
enum class Method {
  kNone,         // fewer than two pairs, or values that do not vary at all: no interval
  kDunnett,      // accuracies: variance pooled over arms in blocks of seeds; Dunnett's quantile
  kPooledRatio,  // ratios: variance pooled over arms, degrees of freedom by Satterthwaite; Bonferroni
  kPairedT       // paired t of a row that cannot be pooled; Bonferroni
};

enum class Outcome { kUnknown, kHigher, kLower, kIndistinguishable };

// A row against the baseline's, or a row of differences against zero. Intervals hold together with the confidence
// above.
struct Comparison {
  int64_t pairs = 0;
  double difference = 0;  // mean over the pairs; NaN without any
  std::optional<Interval> interval{};
  Method method = Method::kNone;
  Outcome outcome = Outcome::kUnknown;  // follows from whether the interval holds zero
};

// P(max |T_j| <= t) of `comparisons` arms with one baseline, equal numbers of seeds (so correlations of one half).
// Dunnett, J. Am. Stat. Assoc. 50 (1955) 1096.
double dunnett_probability(double t, int64_t comparisons, double degrees_of_freedom);
double dunnett_quantile(double probability, int64_t comparisons, double degrees_of_freedom);
double student_quantile(double probability, double degrees_of_freedom);

// The indices of rows whose variance is not the others'; the table has no gaps. A row's contrast with the mean of the
// others is compared with the residuals of those in an F test, at 5 % divided by the number of rows. The worst row goes
// first, and the rest is tested again. Two rows cannot be tested.
std::vector<size_t> find_odd_variances(const SeedTable& complete);

// A mean for each row. Complete rows of like variance share the variances of seeds and of residuals, with
// Satterthwaite's degrees of freedom (Biometrics 2 (1946) 110).
std::vector<Mean> estimate_means(const SeedTable& values);

// Compares each row with row `baseline`, whose own entry stays empty. Rows of like variance with a value at every seed
// that the baseline has are compared by Dunnett's method, the others by a paired t test each; the error rate is divided
// among the rows. All rows are compared by paired t tests if the baseline cannot be pooled.
std::vector<Comparison> compare_with_baseline(const SeedTable& values, size_t baseline);

// Compares rows of logarithms of ratios, one for each pair of runs, with zero. The baseline's variance is in all of
// them, so what is pooled is the variance of the ratios themselves.
std::vector<Comparison> compare_ratios(const SeedTable& logarithms);

}  // namespace bn::report
