// Scores of one network or several, over one crop of each image or several.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "bn/error.hpp"
#include "bn/evaluate.hpp"
#include "bn/loader.hpp"
#include "evaluate/image_account.hpp"

namespace bn {
namespace {

using Clock = std::chrono::steady_clock;

// A logit that is no number gives no probability to any class.
void add_probabilities(const float* logits, int64_t classes, double weight, double* sums) {
  float highest = logits[0];
  for (int64_t j = 1; j < classes; ++j) highest = std::max(highest, logits[j]);
  double sum = 0;
  for (int64_t j = 0; j < classes; ++j) sum += std::exp(static_cast<double>(logits[j]) - highest);
  for (int64_t j = 0; j < classes; ++j) sums[j] += weight * std::exp(static_cast<double>(logits[j]) - highest) / sum;
}

class Evaluation {
 public:
  Evaluation(const std::vector<EnsembleMember>& members, Backend& backend, const Dataset& images,
             const DataOptions& data, CropSet crops, const std::function<void(const Prediction&)>& sink)
      : members_(members),
        backend_(backend),
        sink_(sink),
        images_(images),
        crops_(crops_in(crops)),
        batch_(members.front().plan->options().batch),
        classes_(members.front().plan->logits().shape.c),
        account_(images) {
    check();
    if (crops != CropSet::kSingle) cropped_ = open_crops(images, data, crops);
    loader_.emplace(cropped_ ? *cropped_ : images, data,
                    with_memory_of(backend, {.batch = batch_, .split = Split::kValidation}));
    logits_.resize(static_cast<size_t>(batch_ * classes_));
    sums_.resize(logits_.size());
    result_.classes.resize(static_cast<size_t>(classes_));
    for (const EnsembleMember& member : members_) member.plan->pack();
  }

  EvaluationResult run() {
    const auto start = Clock::now();
    Batch batch;
    while (loader_->next(batch)) {
      score_batch(batch);
      for (int64_t i = 0; i < batch.valid / crops_; ++i) score_image(batch, i);
    }
    finish();
    result_.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return std::move(result_);
  }

 private:
  void check() const {
    if (batch_ % crops_ != 0) {
      throw ConfigError(fmt::format("a batch of {} cannot hold all {} crops of each image", batch_, crops_));
    }
    for (const EnsembleMember& member : members_) {
      const Plan& plan = *member.plan;
      if (plan.logits().shape.c != classes_) {
        throw ConfigError(fmt::format("an ensemble needs networks of the same classes, but one has {}, another {}",
                                      classes_, plan.logits().shape.c));
      }
    }
    const auto known = static_cast<int64_t>(images_.class_names().size());
    if (known > classes_) {
      throw DataError(fmt::format("the data have {} classes, the network only {}", known, classes_));
    }
  }

  // Sums each crop's probabilities over the members; a single network without crops gives its logits.
  void score_batch(const Batch& batch) {
    std::fill(sums_.begin(), sums_.end(), 0.0);
    for (const EnsembleMember& member : members_) {
      backend_.load_images(member.plan->images(), batch.images, member.normalization);
      member.plan->forward();
      backend_.download(logits_.data(), member.plan->logits().data, member.plan->logits().bytes());
      if (is_single() && !sink_) continue;  // its logits are all that is wanted
      const double weight = 1.0 / static_cast<double>(crops_ * static_cast<int64_t>(members_.size()));
      for (int64_t i = 0; i < batch_; ++i) {
        const auto at = static_cast<size_t>(i * classes_);
        add_probabilities(&logits_[at], classes_, weight, &sums_[at]);
      }
    }
  }

  void score_image(const Batch& batch, int64_t slot) {
    const int32_t* labels = batch.labels + slot * crops_;
    const int64_t image = batch.first_index / crops_ + slot;
    if (const auto unread = std::count(labels, labels + crops_, -1); unread > 0) {
      if (unread < crops_) {
        throw DataError(fmt::format("{}: {} of its {} crops could not be read", images_.name(image), unread, crops_));
      }
      account_.add_skipped(image);
      return;
    }
    account_.add_scored(image);
    double* probabilities = &sums_[static_cast<size_t>(slot * crops_ * classes_)];
    for (int64_t crop = 1; crop < crops_; ++crop) {
      for (int64_t j = 0; j < classes_; ++j) probabilities[j] += probabilities[crop * classes_ + j];
    }
    const Score score = score_of(probabilities, slot, labels[0]);
    count(score, labels[0]);
    if (!sink_) return;
    Prediction prediction{
        .image = image, .label = labels[0], .rank = score.rank, .label_probability = probabilities[labels[0]]};
    name_likeliest(probabilities, slot, prediction);
    sink_(prediction);
  }

  // One network's single crop is ranked by its logits: probabilities that underflow would tie.
  void name_likeliest(const double* probabilities, int64_t slot, Prediction& prediction) const {
    const float* logits = &logits_[static_cast<size_t>(slot * classes_)];
    const auto value = [&](int64_t j) {
      const double v = is_single() ? static_cast<double>(logits[j]) : probabilities[j];
      return std::isnan(v) ? -std::numeric_limits<double>::infinity() : v;  // or there would be no order
    };
    std::vector<int32_t> order(static_cast<size_t>(classes_));
    std::iota(order.begin(), order.end(), 0);
    const auto shown = std::min<int64_t>(5, classes_);
    std::partial_sort(order.begin(), order.begin() + shown, order.end(),
                      [&](int32_t a, int32_t b) { return value(a) > value(b); });
    for (int64_t i = 0; i < shown; ++i) {
      prediction.classes.push_back(order[static_cast<size_t>(i)]);
      prediction.probabilities.push_back(probabilities[order[static_cast<size_t>(i)]]);
    }
  }

  bool is_single() const { return crops_ == 1 && members_.size() == 1; }

  Score score_of(const double* probabilities, int64_t slot, int32_t label) const {
    if (is_single()) return score_logits(&logits_[static_cast<size_t>(slot * classes_)], classes_, label);
    Score score{.loss = -std::log(probabilities[label])};
    for (int64_t j = 0; j < classes_; ++j) {
      if (j != label && !(probabilities[j] < probabilities[label])) ++score.rank;  // ties count against the label
    }
    return score;
  }

  void count(const Score& score, int32_t label) {
    ClassScore& of_class = result_.classes[static_cast<size_t>(label)];
    ++of_class.images;
    if (score.rank < 1) ++of_class.right;
    result_.loss += score.loss;
    result_.top1 += score.rank < 1 ? 1 : 0;
    result_.top5 += score.rank < 5 ? 1 : 0;
  }

  void finish() {
    account_.close();
    result_.images = account_.scored();
    result_.skipped = account_.skipped();
    result_.skipped_names = loader_->counters().skipped_names;
    if (result_.images == 0) {
      throw DataError(fmt::format("none of the {} images can be read; the first: {}", result_.skipped,
                                  result_.skipped_names.empty() ? "" : result_.skipped_names.front()));
    }
    const auto scored = static_cast<double>(result_.images);
    result_.loss /= scored;
    result_.top1 /= scored;
    result_.top5 /= scored;
  }

  const std::vector<EnsembleMember>& members_;
  Backend& backend_;
  const std::function<void(const Prediction&)>& sink_;  // may be empty
  const Dataset& images_;
  const int64_t crops_, batch_, classes_;
  std::unique_ptr<Dataset> cropped_;
  std::optional<Loader> loader_;
  std::vector<float> logits_;  // the last member's, [batch, classes]
  std::vector<double> sums_;   // [batch, classes]
  ImageAccount account_;
  EvaluationResult result_;
};

}  // namespace

EvaluationResult evaluate_ensemble(const std::vector<EnsembleMember>& members, Backend& backend, const Dataset& images,
                                   const DataOptions& data, CropSet crops,
                                   const std::function<void(const Prediction&)>& sink) {
  return Evaluation(members, backend, images, data, crops, sink).run();
}

}  // namespace bn
