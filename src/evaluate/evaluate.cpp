#include "bn/evaluate.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cmath>

#include "bn/error.hpp"

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

EvaluationResult evaluate(Plan& plan, Backend& backend, const Dataset& dataset, const DataOptions& data) {
  const auto start = std::chrono::steady_clock::now();
  const int64_t classes = plan.logits().shape.c;
  const auto dataset_classes = static_cast<int64_t>(dataset.class_names().size());
  if (dataset_classes > classes) {
    throw DataError(fmt::format("the data have {} classes, the network only {}", dataset_classes, classes));
  }
  Loader loader(dataset, data, {.batch = plan.options().batch, .split = Split::kValidation});
  const ImageNormalization normalization = normalization_of(data);
  std::vector<float> logits(static_cast<size_t>(plan.logits().shape.elements()));
  plan.pack();

  EvaluationResult result;
  Batch batch;
  while (loader.next(batch)) {
    backend.load_images(plan.images(), batch.images, normalization);
    plan.forward();
    backend.download(logits.data(), plan.logits().data, plan.logits().bytes());
    for (int64_t i = 0; i < plan.options().batch; ++i) {
      if (batch.labels[i] < 0) continue;
      const Score score = score_logits(&logits[static_cast<size_t>(i * classes)], classes, batch.labels[i]);
      result.loss += score.loss;
      result.top1 += score.rank < 1 ? 1 : 0;
      result.top5 += score.rank < 5 ? 1 : 0;
      ++result.images;
    }
  }
  const LoaderCounters counters = loader.counters();
  result.skipped = counters.skipped;
  result.skipped_names = counters.skipped_names;
  if (result.images + result.skipped != dataset.size()) {
    throw DataError(fmt::format("{} images were scored and {} skipped, but the set holds {}", result.images,
                                result.skipped, dataset.size()));
  }
  const auto scored = static_cast<double>(std::max<int64_t>(result.images, 1));
  result.loss /= scored;
  result.top1 /= scored;
  result.top5 /= scored;
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace bn
