// The work between the passes of batch normalisation: a few values per column, in double precision. The loops are
// plain; the compiler turns them into vectors.
#include "cpu/kernels/tables.hpp"

namespace bn::cpu::BN_CPU_ISA {
namespace {

void merge_moments(double* __restrict mean, double* __restrict m2, int64_t count, const double* __restrict other_mean,
                   const double* __restrict other_m2, int64_t other_count, int64_t columns) {
  // Chan, Golub, LeVeque 1983.
  const double other_share = static_cast<double>(other_count) / static_cast<double>(count + other_count);
  const double cross = static_cast<double>(count) * other_share;
  for (int64_t j = 0; j < columns; ++j) {
    const double delta = other_mean[j] - mean[j];
    mean[j] += delta * other_share;
    m2[j] += other_m2[j] + delta * delta * cross;
  }
}

void add(double* __restrict sum, const double* __restrict other, int64_t columns) {
  for (int64_t j = 0; j < columns; ++j) sum[j] += other[j];
}

void to_float(float* __restrict to, const double* __restrict from, int64_t columns) {
  for (int64_t j = 0; j < columns; ++j) to[j] = static_cast<float>(from[j]);
}

void prepare_batch(const BatchColumns& batch, const double* __restrict mean, const double* __restrict m2,
                   const AffineColumns& affine, int64_t m, int64_t columns) {
  float* __restrict mean_high = batch.mean;
  float* __restrict mean_low = batch.mean_low;
  float* __restrict var = batch.var;
  float* __restrict scale = batch.scale;
  float* __restrict shift = batch.shift;
  const double share = 1.0 / static_cast<double>(m), eps = affine.eps;
  for (int64_t j = 0; j < columns; ++j) {
    mean_high[j] = static_cast<float>(mean[j]);
    const double low = mean[j] - static_cast<double>(mean_high[j]);
    const double variance = m2[j] * share;
    const double factor = static_cast<double>(affine.gamma[j]) / __builtin_sqrt(variance + eps);
    mean_low[j] = static_cast<float>(low);
    var[j] = static_cast<float>(variance);
    scale[j] = static_cast<float>(factor);
    shift[j] = static_cast<float>(static_cast<double>(affine.beta[j]) - low * factor);
  }
}

void prepare_population(float* __restrict scale, const float* __restrict var, const AffineColumns& affine,
                        int64_t columns) {
  const double eps = affine.eps;
  for (int64_t j = 0; j < columns; ++j) {
    scale[j] =
        static_cast<float>(static_cast<double>(affine.gamma[j]) / __builtin_sqrt(static_cast<double>(var[j]) + eps));
  }
}

// Let s = sqrt(var + eps) and xhat = (x - mean - mean_low) / s. Then
//   dx = gamma / s * (dz - dbeta / m - xhat * dgamma / m)
void prepare_gradient(const GradientColumns& gradient, const double* __restrict sum_dz,
                      const double* __restrict sum_dz_x, const BatchColumns& batch, const AffineColumns& affine,
                      int64_t m, int64_t columns) {
  float* __restrict dgamma = gradient.dgamma;
  float* __restrict dbeta = gradient.dbeta;
  float* __restrict dz_factor = gradient.dz_factor;
  float* __restrict x_factor = gradient.x_factor;
  float* __restrict constant = gradient.constant;
  const double share = 1.0 / static_cast<double>(m), eps = affine.eps;
  for (int64_t j = 0; j < columns; ++j) {
    const double inverse = 1.0 / __builtin_sqrt(static_cast<double>(batch.var[j]) + eps);
    const double low = batch.mean_low[j];
    const double scale_gradient = inverse * (sum_dz_x[j] - low * sum_dz[j]);
    const double factor = static_cast<double>(affine.gamma[j]) * inverse;
    const double deviation_factor = -factor * inverse * scale_gradient * share;
    dgamma[j] = static_cast<float>(scale_gradient);
    dbeta[j] = static_cast<float>(sum_dz[j]);
    dz_factor[j] = static_cast<float>(factor);
    x_factor[j] = static_cast<float>(deviation_factor);
    constant[j] = static_cast<float>(-factor * sum_dz[j] * share - deviation_factor * low);
  }
}

}  // namespace

extern constinit const StatisticsKernels kStatistics = {.merge_moments = merge_moments,
                                                        .add = add,
                                                        .to_float = to_float,
                                                        .prepare_batch = prepare_batch,
                                                        .prepare_population = prepare_population,
                                                        .prepare_gradient = prepare_gradient};

}  // namespace bn::cpu::BN_CPU_ISA
