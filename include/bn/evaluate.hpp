// Validation accuracy: every image scored exactly once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bn/data.hpp"
#include "bn/plan.hpp"

namespace bn {

struct EvaluationResult {
  int64_t images = 0;                        // scored
  int64_t skipped = 0;                       // undecodable, on_corrupt: skip
  std::vector<std::string> skipped_names{};  // the first 100
  double loss = 0;                           // mean cross-entropy
  double top1 = 0, top5 = 0;                 // fractions
  double seconds = 0;
};

// Runs the plan (purpose kEvaluate or kEvaluateFolded, packed by this call) over the whole split. Throws DataError
// unless images + skipped == dataset.size(), and when the set has more classes than the network.
EvaluationResult evaluate(Plan& plan, Backend& backend, const Dataset& dataset, const DataOptions& data);

// Per image: cross-entropy, and the rank of the label's logit (0 = top-1; ties count against the label).
struct Score {
  double loss = 0;
  int64_t rank = 0;
};
Score score_logits(const float* logits, int64_t classes, int32_t label);

ImageNormalization normalization_of(const DataOptions& data);

}  // namespace bn
