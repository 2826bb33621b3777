#include "bn/evaluate.hpp"

#include <algorithm>
#include <cmath>

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

}  // namespace bn
