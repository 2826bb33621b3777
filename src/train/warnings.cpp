// Settings that a user has probably not meant are told when a run starts.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "bn/duplicates.hpp"
#include "bn/sampler.hpp"
#include "system/usable_cores.hpp"
#include "train/trainer.hpp"

namespace bn {
namespace {

std::string check_mean(const DataOptions& data) {
  if (std::ranges::any_of(data.mean, [](double mean) { return mean > 1; })) {
    return "data.mean holds values above 1, but it is of pixels scaled to 0..1";
  }
  if (std::ranges::all_of(data.mean, [](double mean) { return mean >= 0; })) return "";
  return "data.mean holds values below 0, but it is of pixels scaled to 0..1 and is subtracted from them";
}

// A deviation of 1 leaves the pixels as they are.
std::string check_deviation(const DataOptions& data) {
  if (std::ranges::all_of(data.std, [](double deviation) { return deviation <= 1; })) return "";
  return "data.std holds values above 1, but it is of pixels scaled to 0..1";
}

std::string check_threads(int64_t threads) {
  const int cores = cores_of_machine();
  if (threads <= cores) return "";
  return fmt::format("{} threads share the {} core{} of this machine and wait for each other", threads, cores,
                     cores == 1 ? "" : "s");
}

std::string check_classes(const Net& net, const Dataset& training_set) {
  const auto classes = static_cast<int64_t>(training_set.class_names().size());
  if (classes >= net.classes()) return "";
  return fmt::format("model.classes is {}, but the data have only {} classes: no image is of the others", net.classes(),
                     classes);
}

// How many classes a batch holds on average, in the order that training reads the set, and in a random one.
struct ClassesInBatch {
  double found = 0, expected = 0;
};
ClassesInBatch classes_in_batch(const Dataset& training_set, const DataOptions& data, int64_t batch, uint64_t seed) {
  constexpr int64_t kMostBatches = 200;
  ClassesInBatch classes;
  Sampler sampler(training_set.shard_sizes(), data.shuffle, seed);
  const int64_t batches = std::min(kMostBatches, training_set.size() / batch);
  for (int64_t i = 0; i < batches; ++i) {
    std::set<int32_t> found;
    for (int64_t position = i * batch; position < (i + 1) * batch; ++position) {
      found.insert(training_set.label(sampler.index(0, position)));
    }
    classes.found += static_cast<double>(found.size()) / static_cast<double>(batches);
  }
  std::vector<double> counts(training_set.class_names().size());
  for (int64_t i = 0; i < training_set.size(); ++i) ++counts[static_cast<size_t>(training_set.label(i))];
  for (const double count : counts) {
    const double share = count / static_cast<double>(training_set.size());
    classes.expected += 1 - std::pow(1 - share, static_cast<double>(batch));
  }
  return classes;
}

std::string check_order(const Config& config, const Dataset& training_set) {
  if (config.data.shuffle == Shuffle::kFull) return "";
  const ClassesInBatch classes = classes_in_batch(training_set, config.data, config.train.batch, config.train.seed);
  if (classes.found - 1 >= 0.5 * (classes.expected - 1)) return "";  // nearer to a shuffled set than to a sorted one
  return fmt::format(
      "the training images come in runs of one class: a batch of {} holds {:.1f} classes on average, where a shuffled "
      "one would hold {:.1f}; data.shuffle: full mixes them",
      config.train.batch, classes.found, classes.expected);
}

// Paper: sec. 3.1 evaluates by the population's statistics, which a moving average reaches late.
std::string check_statistics(const TrainOptions& train, const Net& net, int64_t first_evaluation) {
  if (net.state().empty() || train.statistics != StatisticsKind::kMovingAverage) return "";
  const int64_t needed = train.updates_until_settled();
  if (first_evaluation >= needed) return "";
  return fmt::format(
      "validation before step {} is by moving averages that trail behind the weights (statistics_decay {}), so it "
      "may be far too low; `bninception evaluate RUN --statistics 'population(100)'` does not use them",
      needed, train.statistics_decay);
}

std::string how_compared(const Duplicates& duplicates) {
  return duplicates.kind == Duplicates::Kind::kContent ? "the same bytes" : "the same name and size";
}

std::string check_shared(const Duplicates& duplicates, const Dataset& validation_set) {
  if (duplicates.shared.count == 0) return "";
  return fmt::format(
      "{} of the {} validation images are training images too ({}), so validation says little about new images; the "
      "first: {} is {}",
      duplicates.shared.count, validation_set.size(), how_compared(duplicates), duplicates.shared.copy,
      duplicates.shared.original);
}

std::string check_repeated(const Duplicates& duplicates, const Dataset& training_set) {
  const Duplicates::Found& repeated = duplicates.repeated;
  if (repeated.count == 0) return "";
  const std::string contradictory =
      repeated.of_other_classes == 0 ? "" : fmt::format(", {} of them in another class", repeated.of_other_classes);
  return fmt::format("{} of the {} training images {} an earlier one ({}){}; the first: {} is {}", repeated.count,
                     training_set.size(), repeated.count == 1 ? "repeats" : "repeat", how_compared(duplicates),
                     contradictory, repeated.copy, repeated.original);
}

}  // namespace

std::vector<std::string> warnings_of(const Config& config, const Net& net, const Dataset& training_set,
                                     const Dataset& validation_set, int64_t first_evaluation) {
  const Duplicates duplicates = find_duplicates(training_set, validation_set);
  std::vector<std::string> warnings{check_mean(config.data),
                                    check_deviation(config.data),
                                    check_threads(config.threads),
                                    check_classes(net, training_set),
                                    check_order(config, training_set),
                                    check_statistics(config.train, net, first_evaluation),
                                    check_shared(duplicates, validation_set),
                                    check_repeated(duplicates, training_set)};
  const std::vector<std::string> of_variables = problems_of_openmp_variables();
  warnings.insert(warnings.end(), of_variables.begin(), of_variables.end());
  std::erase(warnings, "");
  return warnings;
}

}  // namespace bn
