// Quantiles, by Boost's distributions and quadrature.
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <boost/math/tools/roots.hpp>
#include <cmath>

#include "report/statistics.hpp"

namespace bn::report {
namespace {

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
