#include "bn/evaluate.hpp"

#include "bn/error.hpp"
#include "bn/loader.hpp"

namespace bn {

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
