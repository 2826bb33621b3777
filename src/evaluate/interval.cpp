#include <algorithm>
#include <cmath>

#include "bn/evaluate.hpp"

namespace bn {

Interval wilson_interval(int64_t successes, int64_t trials) {
  if (trials <= 0) return {};
  constexpr double kZ = 1.959963984540054;  // the normal distribution's quantile at 97.5 %
  const auto n = static_cast<double>(trials);
  const double share = static_cast<double>(successes) / n, z2 = kZ * kZ;
  const double centre = (share + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kZ / (1 + z2 / n) * std::sqrt(share * (1 - share) / n + z2 / (4 * n * n));
  // At its ends rounding must not leave the share itself outside.
  return {.low = successes == 0 ? 0 : std::max(0.0, centre - half),
          .high = successes == trials ? 1 : std::min(1.0, centre + half)};
}

}  // namespace bn
