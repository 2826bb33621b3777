// Scores of one network or several, over one crop of each image or several.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <optional>

#include "bn/error.hpp"
#include "bn/evaluate.hpp"
#include "bn/loader.hpp"
#include "evaluate/image_account.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

void add_probabilities(const float* logits, int64_t classes, double weight, double* sums) {
  float highest = logits[0];
  for (int64_t j = 1; j < classes; ++j) highest = std::max(highest, logits[j]);
  double sum = 0;
  for (int64_t j = 0; j < classes; ++j) sum += std::exp(static_cast<double>(logits[j]) - highest);
  for (int64_t j = 0; j < classes; ++j) sums[j] += weight * std::exp(static_cast<double>(logits[j]) - highest) / sum;
}

struct ImageScore {
  int64_t image = 0;
  int64_t label = 0;  // -1: skipped
  double loss = 0;
  int64_t rank = 0;
};

class Evaluation {
 public:
  Evaluation(const std::vector<EnsembleMember>& members, Backend& backend, const Dataset& images,
             const DataOptions& data, CropSet crops, const std::function<void(const Prediction&)>& sink,
             const EvaluationWatch& watch, Group& group)
      : members_(members),
        group_(group),
        backend_(backend),
        sink_(sink),
        watch_(watch),
        images_(images),
        crops_(crops_in(crops)),
        batch_(members.front().plan->options().batch),
        classes_(members.front().plan->logits().shape.c),
        account_(images) {
    check();
    if (crops != CropSet::kSingle) cropped_ = open_crops(images, data, crops);
    const Part part{.rank = group.place().rank, .world = group.place().world};
    loader_.emplace(cropped_ ? *cropped_ : images, data,
                    with_memory_of(backend, {.batch = batch_, .split = Split::kValidation, .part = part}));
    logits_.resize(static_cast<size_t>(batch_ * classes_));
    sums_.resize(logits_.size());
    result_.classes.resize(static_cast<size_t>(classes_));
    for (const EnsembleMember& member : members_) member.plan->pack();
  }

  EvaluationResult run() {
    const auto start = std::chrono::steady_clock::now();
    together(group_, [this] {
      Batch batch;
      for (int64_t done = 0; loader_->next(batch); done += batch.valid / crops_) {
        follow(done);
        score_batch(batch);
        for (int64_t i = 0; i < batch.valid / crops_; ++i) score_image(batch, i);
      }
    });
    gather_scores();
    together(group_, [this] { finish(); });
    result_.seconds = seconds_since(start);
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

  // The other processes are taken to be as far as this one.
  void follow(int64_t own) const {
    const int64_t done = std::min(images_.size(), own * group_.place().world);
    if (watch_.progress) watch_.progress(done, images_.size());
    if (watch_.stop && watch_.stop()) {
      throw InterruptedError(fmt::format("interrupted after {} of {} images", done, images_.size()));
    }
  }

  // Sums each crop's probabilities over the members; a single network without crops gives its logits.
  void score_batch(const Batch& batch) {
    std::ranges::fill(sums_, 0.0);
    for (const EnsembleMember& member : members_) {
      backend_.load_images(member.plan->images(), batch.images, member.normalization);
      member.plan->forward();
      backend_.download(logits_.data(), member.plan->logits().data, member.plan->logits().bytes());
      expect_finite(batch);
      if (is_single() && !sink_) continue;  // its logits are all that is wanted
      const double weight = 1.0 / static_cast<double>(crops_ * static_cast<int64_t>(members_.size()));
      for (int64_t i = 0; i < batch_; ++i) {
        const auto at = static_cast<size_t>(i * classes_);
        add_probabilities(&logits_[at], classes_, weight, &sums_[at]);
      }
    }
  }

  // A network that has diverged would have an accuracy if this were not asked.
  void expect_finite(const Batch& batch) const {
    for (int64_t i = 0; i < batch.valid; ++i) {
      const float* logits = &logits_[static_cast<size_t>(i * classes_)];
      if (std::all_of(logits, logits + classes_, [](float logit) { return std::isfinite(logit); })) continue;
      throw DivergedError(fmt::format(
          "{}: the network's outputs are not finite, so it has no accuracy; use a checkpoint of before it diverged",
          images_.name((batch.first_index + i) / crops_)));
    }
  }

  void score_image(const Batch& batch, int64_t slot) {
    const int32_t* labels = batch.labels + slot * crops_;
    const int64_t image = batch.first_index / crops_ + slot;
    if (const auto unread = std::count(labels, labels + crops_, -1); unread > 0) {
      if (unread < crops_) {
        throw DataError(fmt::format("{}: {} of its {} crops could not be read", images_.name(image), unread, crops_));
      }
      scores_.push_back({.image = image, .label = -1});
      return;
    }
    double* probabilities = &sums_[static_cast<size_t>(slot * crops_ * classes_)];
    for (int64_t crop = 1; crop < crops_; ++crop) {
      for (int64_t j = 0; j < classes_; ++j) probabilities[j] += probabilities[crop * classes_ + j];
    }
    const Score score = score_of(probabilities, slot, labels[0]);
    scores_.push_back({.image = image, .label = labels[0], .loss = score.loss, .rank = score.rank});
    if (!sink_) return;
    Prediction prediction{.image = image,
                          .place = slot * crops_,
                          .label = labels[0],
                          .rank = score.rank,
                          .label_probability = probabilities[labels[0]]};
    name_likeliest(probabilities, slot, prediction);
    sink_(prediction);
  }

  // One network's single crop is ranked by its logits: probabilities that underflow would tie.
  void name_likeliest(const double* probabilities, int64_t slot, Prediction& prediction) const {
    const float* logits = &logits_[static_cast<size_t>(slot * classes_)];
    const auto value = [&](int64_t j) { return is_single() ? static_cast<double>(logits[j]) : probabilities[j]; };
    std::vector<int32_t> order(static_cast<size_t>(classes_));
    std::iota(order.begin(), order.end(), 0);
    const auto shown = std::min(watch_.likeliest, classes_);
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
    // A probability that is lost below the smallest double counts as that one, so that the mean stays a number.
    Score score{.loss = -std::log(std::max(probabilities[label], std::numeric_limits<double>::denorm_min()))};
    for (int64_t j = 0; j < classes_; ++j) {
      if (j != label && !(probabilities[j] < probabilities[label])) ++score.rank;  // ties count against the label
    }
    return score;
  }

  // The images of all processes, in the order of the set: so are the sums taken.
  void gather_scores() {
    if (group_.is_alone()) return;
    const auto* bytes = reinterpret_cast<const char*>(scores_.data());
    const std::vector<std::string> all = group_.gather(std::string(bytes, scores_.size() * sizeof(ImageScore)));
    scores_.clear();
    for (const std::string& some : all) {
      const size_t before = scores_.size();
      scores_.resize(before + some.size() / sizeof(ImageScore));
      std::memcpy(scores_.data() + before, some.data(), some.size());
    }
    std::ranges::stable_sort(scores_, [](const ImageScore& a, const ImageScore& b) { return a.image < b.image; });
  }

  void count(const ImageScore& score) {
    if (score.label < 0) {
      account_.add_skipped(score.image);
      name_skipped(images_.name(score.image));
      return;
    }
    account_.add_scored(score.image);
    ClassScore& of_class = result_.classes[static_cast<size_t>(score.label)];
    ++of_class.images;
    if (score.rank < 1) ++of_class.right;
    result_.loss += score.loss;
    result_.top1 += score.rank < 1 ? 1 : 0;
    result_.top5 += score.rank < 5 ? 1 : 0;
  }

  void name_skipped(const std::string& name) {
    constexpr size_t kNames = 100;
    std::vector<std::string>& names = result_.skipped_names;
    const bool is_known = std::ranges::find(names, name) != names.end();
    if (!is_known && names.size() < kNames) names.push_back(name);
  }

  void finish() {
    for (const ImageScore& score : scores_) count(score);
    account_.close();
    result_.images = account_.scored();
    result_.skipped = account_.skipped();
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
  Group& group_;
  Backend& backend_;
  const std::function<void(const Prediction&)>& sink_;  // may be empty
  const EvaluationWatch& watch_;
  const Dataset& images_;
  const int64_t crops_, batch_, classes_;
  std::unique_ptr<Dataset> cropped_;
  std::optional<Loader> loader_;
  std::vector<float> logits_;  // the last member's, [batch, classes]
  std::vector<double> sums_;   // [batch, classes]
  std::vector<ImageScore> scores_;
  ImageAccount account_;
  EvaluationResult result_;
};

}  // namespace

EvaluationResult evaluate_ensemble(const std::vector<EnsembleMember>& members, Backend& backend, const Dataset& images,
                                   const DataOptions& data, CropSet crops,
                                   const std::function<void(const Prediction&)>& sink, const EvaluationWatch& watch,
                                   Group* group) {
  const std::unique_ptr<Group> alone = bn::alone();
  Group& processes = group == nullptr ? *alone : *group;
  std::optional<Evaluation> evaluation;
  together(processes, [&] { evaluation.emplace(members, backend, images, data, crops, sink, watch, processes); });
  return evaluation->run();
}

}  // namespace bn
