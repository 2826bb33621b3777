#include "bn/evaluate.hpp"

#include <algorithm>
#include <cmath>

#include "bn/error.hpp"
#include "bn/loader.hpp"

namespace bn {

ImageNormalization normalization_of(const DataOptions& data) {
  ImageNormalization normalization;
  for (int64_t c = 0; c < data.image_channels; ++c) {
    normalization.mean.push_back(static_cast<float>(255.0 * data.mean.at(static_cast<size_t>(c))));
    normalization.scale.push_back(static_cast<float>(1.0 / (255.0 * data.std.at(static_cast<size_t>(c)))));
  }
  return normalization;
}

// A NaN never compares below or above, so a network that has diverged scores the worst rank.
Score score_logits(const float* logits, int64_t classes, int32_t label) {
  float highest = logits[0];
  for (int64_t j = 1; j < classes; ++j) highest = std::max(highest, logits[j]);
  double sum = 0;
  Score score;
  for (int64_t j = 0; j < classes; ++j) {
    sum += std::exp(static_cast<double>(logits[j]) - highest);
    if (j != label && !(logits[j] < logits[label])) ++score.rank;
  }
  score.loss = std::log(sum) - (static_cast<double>(logits[label]) - highest);
  return score;
}

EvaluationResult evaluate(Plan& plan, Backend& backend, const Dataset& dataset, const DataOptions& data,
                          const EvaluationWatch& watch, Group* group) {
  return evaluate_ensemble({{.plan = &plan, .normalization = normalization_of(data)}}, backend, dataset, data,
                           CropSet::kSingle, nullptr, watch, group);
}

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

void estimate_population(Plan& plan, Parameters& parameters, Backend& backend, const Dataset& training_set,
                         const DataOptions& data, int64_t batches, uint64_t seed, const std::function<bool()>& stop) {
  constexpr uint64_t kStatisticsStream = 0x504f50554c4154ULL;  // batches of their own, the same ones every time
  Loader loader(
      training_set, data,
      with_memory_of(backend,
                     {.batch = plan.options().batch, .split = Split::kTrain, .seed = seed ^ kStatisticsStream}));
  const ImageNormalization normalization = normalization_of(data);
  plan.pack();
  Batch batch;
  for (int64_t i = 1; i <= batches; ++i) {
    if (stop && stop()) throw InterruptedError("interrupted while the population's statistics were estimated");
    loader.next(batch);
    backend.load_images(plan.images(), batch.images, normalization);
    plan.begin({.step = static_cast<uint64_t>(i), .statistics_weight = 1.0F / static_cast<float>(i)});
    plan.forward();
    plan.update_statistics();
  }
  parameters.statistics_updates = batches;
}

}  // namespace bn
