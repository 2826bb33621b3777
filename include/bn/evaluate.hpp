// Validation accuracy: every image scored exactly once, or skipped by name.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bn/crops.hpp"
#include "bn/group.hpp"
#include "bn/plan.hpp"

namespace bn {

struct ClassScore {
  int64_t images = 0, right = 0;  // right: top-1
};

struct EvaluationResult {
  int64_t images = 0;                        // scored
  int64_t skipped = 0;                       // undecodable, on_corrupt: skip
  std::vector<std::string> skipped_names{};  // the first 100
  double loss = 0;                           // mean over images of -log(the label's probability)
  double top1 = 0, top5 = 0;                 // fractions
  double seconds = 0;
  std::vector<ClassScore> classes{};  // one for each of the network's classes, in their order
};

// How a caller follows an evaluation while it runs; each function may be missing.
struct EvaluationWatch {
  std::function<void(int64_t images, int64_t all)> progress{};  // called after each batch
  std::function<bool()> stop{};                                 // asked before each batch; true = InterruptedError
  int64_t likeliest = 5;                                        // classes that each Prediction names
};

// Runs the plan (purpose kEvaluate or kEvaluateFolded, packed by this call) over the whole split. Throws DataError
// unless every image was scored exactly once or skipped, and when the set has more classes than the network;
// DivergedError for an output that is not finite. The processes of a group take whole batches in turn; each has the
// result, whose bits do not depend on their number.
EvaluationResult evaluate(Plan& plan, Backend& backend, const Dataset& dataset, const DataOptions& data,
                          const EvaluationWatch& watch = {}, Group* group = nullptr);

// One of the networks that score an image together; all have the same batch, input and classes.
struct EnsembleMember {
  Plan* plan = nullptr;  // a plan that evaluate() accepts
  ImageNormalization normalization{};
};

struct Prediction {
  int64_t image = 0;  // index in the set
  int64_t place = 0;  // its first crop's in the plans' batch, which is kept until the sink returns
  int32_t label = 0;
  int64_t rank = 0;  // the label's rank, 0 = top-1
  double label_probability = 0;
  std::vector<int32_t> classes{};       // EvaluationWatch::likeliest of them, or all if there are fewer
  std::vector<double> probabilities{};  // those classes' probabilities
};

// Paper: sec. 4.2.3, the prediction is the mean of the class probabilities, over members and crops alike. A batch must
// be a multiple of the crops. Each prediction is handed to `sink`, if there is one, in the order of the set; in a
// group, to the process that made it. Throws as evaluate() does, and DataError for an image of which only some crops
// can be read.
EvaluationResult evaluate_ensemble(const std::vector<EnsembleMember>& members, Backend& backend, const Dataset& images,
                                   const DataOptions& data, CropSet crops,
                                   const std::function<void(const Prediction&)>& sink,
                                   const EvaluationWatch& watch = {}, Group* group = nullptr);

// Wilson's score interval for a share, 95 %.
struct Interval {
  double low = 0, high = 1;
};
Interval wilson_interval(int64_t successes, int64_t trials);

// Paper: Algorithm 2, steps 8-10: means and variances over `batches` training batches with the weights held still. All
// layers are collected together, each in training mode. The plan's purpose is kStatistics. The batches depend on the
// seed alone. `stop` is asked before each batch, if it is given: true = InterruptedError.
void estimate_population(Plan& plan, Parameters& parameters, Backend& backend, const Dataset& training_set,
                         const DataOptions& data, int64_t batches, uint64_t seed,
                         const std::function<bool()>& stop = {});

// Per image: cross-entropy, and the rank of the label's logit (0 = top-1; ties count against the label).
struct Score {
  double loss = 0;
  int64_t rank = 0;
};
Score score_logits(const float* logits, int64_t classes, int32_t label);

ImageNormalization normalization_of(const DataOptions& data);

}  // namespace bn
