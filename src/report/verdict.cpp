#include "report/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "report/words.hpp"

namespace bn::report {
namespace {

struct Part {
  size_t arm = 0;
  bool is_normalized = false;
  bool has_own_activation = false;  // not the baseline's
  double rate = 1;                  // initial learning rate over the baseline's
  bool is_variant = false;          // an arm before it has the same part: the claims are about that one

  bool has_rate_near(double other) const { return std::abs(rate / other - 1) < 0.06; }
  bool is_faster() const { return rate > 1.05; }
  bool is_claimed() const { return !has_own_activation && !is_variant; }
  bool has_same_rate() const { return has_rate_near(1); }
};

std::vector<Part> parts_of(const Study& study) {
  const Config& baseline = study.arms[study.baseline].config();
  std::vector<Part> parts;
  for (size_t arm = 0; arm < study.arms.size(); ++arm) {
    if (arm == study.baseline) continue;
    const Config& config = study.arms[arm].config();
    Part part{.arm = arm,
              .is_normalized = config.model.normalization == Normalization::kBatch,
              .has_own_activation = config.model.activation != baseline.model.activation,
              .rate = config.train.learning_rate.initial / baseline.train.learning_rate.initial};
    part.is_variant = std::ranges::any_of(parts, [&](const Part& other) {
      return other.is_normalized == part.is_normalized && other.has_own_activation == part.has_own_activation &&
             other.has_rate_near(part.rate);
    });
    parts.push_back(part);
  }
  return parts;
}

std::string rate_of(const Part& part) { return fmt::format("{:.3g}", part.rate); }

Finding finding_of(Outcome outcome) {
  return outcome == Outcome::kHigher  ? Finding::kHeld
         : outcome == Outcome::kLower ? Finding::kFailed
                                      : Finding::kUnclear;
}

// Names the seeds that diverged: where there are some, the mean over the others is not the whole result.
std::string with_divergence(const std::string& text, const ArmResult& arm) {
  const std::string divergence = divergence_in_words(arm);
  return divergence.empty() || arm.has_diverged() ? text : text + ", but it " + divergence;
}

// Paper: Figure 3, 31.0e6 steps of Inception over each network's.
const char* paper_speed_up(const Part& part) {
  if (part.has_same_rate()) return "2.3\u00d7";
  if (part.has_rate_near(5)) return "14\u00d7";
  if (part.has_rate_near(30)) return "11\u00d7";
  return "";
}

// ". Of the 7 others 1 is higher than bn, 5 cannot be told apart from it"; "" where none can be compared.
std::string counts_of_outcomes(const std::vector<ArmResult>& arms, size_t others, const std::string& baseline) {
  std::vector<std::string> counts;
  const auto add = [&](Outcome outcome, const char* one, const char* several) {
    const auto count =
        std::ranges::count_if(arms, [&](const ArmResult& arm) { return arm.accuracy.outcome == outcome; });
    if (count > 0) counts.push_back(fmt::format("{} {}", count, count == 1 ? one : several));
  };
  add(Outcome::kHigher, "is higher", "are higher");
  add(Outcome::kLower, "is lower", "are lower");
  add(Outcome::kIndistinguishable, "cannot be told apart from it", "cannot be told apart from it");
  if (counts.empty()) return "";
  return fmt::format(". Of the {} networks beside {} {}", others, baseline, fmt::join(counts, ", "));
}

class Judge {
 public:
  Judge(const Study& study, const Analysis& analysis) : study_(study), analysis_(analysis), parts_(parts_of(study)) {}
  Verdict judge() {
    const bool is_plain = study_.arms[study_.baseline].config().model.normalization == Normalization::kNone;
    const bool has_normalized = std::ranges::any_of(parts_, &Part::is_normalized);
    const bool is_measurable = analysis_.arms[study_.baseline].is_comparable();
    // The paper's claims are about what batch normalisation changes.
    if (is_measurable && is_plain && has_normalized) judge_claims();
    if (is_measurable && verdict_.claims.empty()) describe_effects();
    verdict_.headline = headline();
    return verdict_;
  }

 private:
  const ArmResult& result(const Part& part) const { return analysis_.arms[part.arm]; }
  const std::string& name(const Part& part) const { return study_.arms[part.arm].name; }
  void judge_claims() {
    for (const Part& part : parts_) {
      if (part.is_claimed() && part.is_normalized) judge_speed(part);
    }
    judge_accuracy();
    judge_highest_rate();
    for (const Part& part : parts_) {
      if (part.is_claimed() && !part.is_normalized && part.is_faster()) judge_plain_rate(part);
    }
    judge_sigmoid();
  }

  void judge_speed(const Part& part) {
    const ArmResult& arm = result(part);
    const std::string with_rate =
        part.has_same_rate() ? "" : fmt::format(" and {} times the learning rate", rate_of(part));
    const std::string claim =
        fmt::format("With batch normalisation{}, the network needs fewer steps to the plain network's best accuracy{}.",
                    with_rate, paper(paper_speed_up(part)));
    if (arm.steps.runs == 0) {
      add(Finding::kUnclear, claim,
          fmt::format("there is no seed in which both {} and the baseline finished.", name(part)));
      return;
    }
    if (arm.steps.reached < arm.steps.runs) {
      const bool mostly_not = 2 * arm.steps.reached < arm.steps.runs && arm.steps.runs > 1;
      std::string evidence = fmt::format("{} did not reach it in {} of {}", name(part),
                                         arm.steps.runs - arm.steps.reached, plural(arm.steps.runs, "seed"));
      const std::string divergence = divergence_in_words(arm);
      if (!divergence.empty()) evidence += "; it " + divergence;
      add(mostly_not ? Finding::kFailed : Finding::kUnclear, claim, evidence + ".");
      return;
    }
    const Comparison& speed = arm.log_speed_up;
    std::string evidence = fmt::format("{}: {} fewer steps", name(part), ratio(std::exp(speed.difference)));
    if (speed.interval) {
      evidence += fmt::format(", 95\u00a0% interval {}", ratios_between(*speed.interval));
      if (speed.outcome == Outcome::kIndistinguishable) evidence += ": cannot be told apart from no gain";
    } else if (arm.accuracy.outcome == Outcome::kIndistinguishable) {
      evidence += ", but its accuracy cannot be told apart";
    } else {
      evidence += speed.pairs < 2 ? ", by one seed: no interval can be given" : ": no interval can be given";
    }
    const bool is_held_by_survivors = speed.outcome == Outcome::kHigher && !arm.diverged_at.empty();
    add(is_held_by_survivors ? Finding::kUnclear : finding_of(speed.outcome), claim,
        with_divergence(evidence, arm) + ".");
  }

  void judge_accuracy() {
    std::vector<std::string> words;
    int64_t higher = 0, lower = 0, all = 0;
    for (const Part& part : parts_) {
      if (!part.is_claimed() || !part.is_normalized) continue;
      const ArmResult& arm = result(part);
      ++all;
      if (arm.accuracy.outcome == Outcome::kHigher && arm.diverged_at.empty()) ++higher;
      if (arm.accuracy.outcome == Outcome::kLower || arm.has_diverged() || !arm.has_learned()) ++lower;
      std::string text = fmt::format("{} {}", name(part), effect_in_words(arm));
      if (arm.accuracy.outcome == Outcome::kIndistinguishable) text += ", not told apart";
      words.push_back(with_divergence(text, arm));
    }
    if (all == 0) return;
    const Finding finding = higher == all ? Finding::kHeld : lower > 0 ? Finding::kFailed : Finding::kUnclear;
    add(finding, "Batch-normalised networks end at a higher accuracy" + paper("+0.5 to +2.6 points") + ".",
        fmt::format("{}.", fmt::join(words, "; ")));
  }

  // Paper: sec. 4.2.2, BN-x30 starts slower than BN-x5 and ends higher.
  void judge_highest_rate() {
    std::vector<Part> faster;
    for (const Part& part : parts_) {
      if (part.is_claimed() && part.is_normalized && part.is_faster()) faster.push_back(part);
    }
    if (faster.size() < 2) return;
    std::ranges::sort(faster, [](const Part& a, const Part& b) { return a.rate < b.rate; });
    const Part &highest = faster.back(), &next = faster[faster.size() - 2];
    const bool is_papers_pair = highest.has_rate_near(30) && next.has_rate_near(5);
    const std::string claim =
        fmt::format("Of the higher learning rates the highest ends highest, {} against {} times{}.", rate_of(highest),
                    rate_of(next), paper(is_papers_pair ? "74.8 against 73.0 %" : ""));
    const ArmResult& arm = result(highest);
    if (!arm.is_comparable() || !result(next).is_comparable()) {
      const Part& failed = arm.is_comparable() ? next : highest;
      add(arm.has_diverged() ? Finding::kFailed : Finding::kUnclear, claim,
          fmt::format("{}: {}.", name(failed), effect_in_words(result(failed))));
      return;
    }
    ArmResult difference{.finished = 1, .scored = 1, .learned = 1};
    difference.accuracy = compare_accuracy(study_, analysis_, highest.arm, next.arm);
    const Outcome outcome = difference.accuracy.outcome;
    const bool is_held_by_survivors = outcome == Outcome::kHigher && !arm.diverged_at.empty();
    const std::string evidence =
        fmt::format("{} against {}: {}{}", name(highest), name(next), effect_in_words(difference),
                    outcome == Outcome::kIndistinguishable ? ", not told apart" : "");
    add(is_held_by_survivors ? Finding::kUnclear : finding_of(outcome), claim, with_divergence(evidence, arm) + ".");
  }

  void judge_plain_rate(const Part& part) {
    const ArmResult& arm = result(part);
    const bool fails = arm.has_diverged() || !arm.has_learned() || arm.accuracy.outcome == Outcome::kLower;
    const bool works =
        arm.diverged_at.empty() && arm.has_learned() &&
        (arm.accuracy.outcome == Outcome::kHigher || arm.accuracy.outcome == Outcome::kIndistinguishable);
    std::string evidence = describe_learning(part);
    if (arm.is_comparable()) evidence += fmt::format("; against the baseline {}", effect_in_words(arm));
    add(fails   ? Finding::kHeld
        : works ? Finding::kFailed
                : Finding::kUnclear,
        fmt::format("Without batch normalisation, {} times the learning rate harms the network{}.", rate_of(part),
                    paper(part.has_rate_near(5) ? "it diverged" : "")),
        evidence + ".");
  }

  void judge_sigmoid() {
    const Part* plain = nullptr;
    const Part* normalized = nullptr;
    for (const Part& part : parts_) {
      if (!part.has_own_activation || study_.arms[part.arm].config().model.activation != Activation::kSigmoid) continue;
      const Part*& slot = part.is_normalized ? normalized : plain;
      if (slot == nullptr) slot = &part;
    }
    if (normalized == nullptr && plain == nullptr) return;
    const bool normalized_learns = normalized != nullptr && result(*normalized).is_comparable();
    const bool plain_learns = plain != nullptr && result(*plain).is_comparable();
    std::vector<std::string> words;
    for (const Part* part : {plain, normalized}) {
      if (part != nullptr) words.push_back(describe_learning(*part));
    }
    const bool failed = plain_learns || (normalized != nullptr && !normalized_learns);
    const bool is_whole = plain != nullptr && normalized != nullptr;
    if (!is_whole) words.emplace_back("the other of the two networks is not in this study");
    add(failed     ? Finding::kFailed
        : is_whole ? Finding::kHeld
                   : Finding::kUnclear,
        "With sigmoids the network trains only with batch normalisation" + paper("69.8 % with, chance without") + ".",
        fmt::format("{}.", fmt::join(words, "; ")));
  }

  // "reaches 12.3 %", "diverged at ...", "does not learn: ...".
  std::string describe_learning(const Part& part) const {
    const ArmResult& arm = result(part);
    if (arm.has_diverged() || arm.scored == 0) return fmt::format("{} {}", name(part), shortcoming_in_words(arm));
    std::string text = fmt::format("{} {} {}", name(part),
                                   arm.has_learned() ? "reaches" : "does not learn:", percent_pm(arm.best_accuracy));
    const std::string share = learned_in_words(arm);
    if (!share.empty()) text += fmt::format(" ({})", share);
    if (!arm.has_learned()) text += fmt::format(" where a guess has {}", percent(analysis_.chance));
    const std::string divergence = divergence_in_words(arm);
    return divergence.empty() ? text : text + ", but " + divergence;
  }

  // The paper's measurement, for its Inception networks: the MNIST net has no such numbers.
  std::string paper(const char* text) const {
    const bool is_inception =
        std::holds_alternative<InceptionTable>(study_.arms[study_.baseline].config().model.table) && *text != 0;
    return is_inception ? fmt::format(" (paper: {})", text) : "";
  }
  void add(Finding finding, std::string claim, std::string evidence) {
    verdict_.claims.push_back({finding, std::move(claim), std::move(evidence)});
  }
  void describe_effects() {
    for (const Part& part : parts_) {
      const ArmResult& arm = result(part);
      std::string text = fmt::format("{}: {}", name(part), effect_in_words(arm));
      if (arm.accuracy.outcome == Outcome::kHigher) text += "; better";
      if (arm.accuracy.outcome == Outcome::kLower) text += "; worse";
      if (arm.accuracy.outcome == Outcome::kIndistinguishable) text += "; cannot be told apart";
      verdict_.effects.push_back(with_divergence(text, arm) + ".");
    }
  }

  // "bn beats plain by 4.2 points, 95 % interval 1.9 to 6.4": of the network that differs most to the better.
  std::string finding() const {
    const ArmResult* best = nullptr;
    std::string name;
    for (size_t arm = 0; arm < study_.arms.size(); ++arm) {
      const ArmResult& result = analysis_.arms[arm];
      if (arm == study_.baseline || result.accuracy.pairs == 0) continue;
      const auto rank = [](const Comparison& one) {
        return std::make_pair(one.outcome == Outcome::kHigher, one.difference);
      };
      if (best != nullptr && rank(result.accuracy) <= rank(best->accuracy)) continue;
      best = &result;
      name = study_.arms[arm].name;
    }
    const std::string& baseline = study_.arms[study_.baseline].name;
    if (best == nullptr) return fmt::format("No other network can be compared with {}", baseline);
    const Comparison& comparison = best->accuracy;
    if (!comparison.interval) {
      return fmt::format("{} against {}: {} points, {}: no interval can be given", name, baseline,
                         signed_points(comparison.difference),
                         comparison.pairs < 2 ? "by one seed" : "the same in each seed");
    }
    const bool is_told = comparison.outcome == Outcome::kHigher || comparison.outcome == Outcome::kLower;
    if (!is_told) {
      return fmt::format("{} cannot be told apart from {}: {} points, 95\u00a0% interval {}", name, baseline,
                         signed_points(comparison.difference), points_between(*comparison.interval));
    }
    const bool is_higher = comparison.outcome == Outcome::kHigher;
    const Interval& interval = *comparison.interval;
    std::string by = fmt::format("{} points, 95\u00a0% interval {}", signed_points(std::abs(comparison.difference)),
                                 points_between(is_higher ? interval : Interval{-interval.high, -interval.low}));
    std::erase(by, '+');  // all of it is positive
    return fmt::format("{} beats {} by {}", is_higher ? name : baseline, is_higher ? baseline : name, by);
  }

  std::string headline() const {
    const std::string& baseline = study_.arms[study_.baseline].name;
    const ArmResult& result = analysis_.arms[study_.baseline];
    if (!result.is_comparable()) {
      std::string why = shortcoming_in_words(result);
      if (result.scored > 0) {
        why += fmt::format(": its best accuracy is not above {}, which guesses of {} reach by luck on {}",
                           percent(result.least_learned), percent(analysis_.chance), images_in_words(analysis_.images));
      }
      return fmt::format("The baseline {} {}, so nothing can be measured against it.", baseline, why);
    }
    if (study_.arms.size() == 1) {
      std::string seeds = result.scored > 1 ? fmt::format(", the mean of {} seeds", result.scored) : "";
      if (result.scored < result.finished) seeds += "; " + unscored_in_words(result);
      return fmt::format("{}: best validation accuracy {}{}. There is no other network to compare it with.", baseline,
                         percent_pm(result.best_accuracy), seeds);
    }
    if (verdict_.claims.empty()) {
      std::string text = finding();
      const size_t others = study_.arms.size() - 1;
      if (others > 1) text += counts_of_outcomes(analysis_.arms, others, baseline);
      const auto failed =
          std::ranges::count_if(analysis_.arms, [](const ArmResult& arm) { return !arm.is_comparable(); });
      if (failed > 0) text += fmt::format("; {} diverged or did not learn", failed);
      return text + ".";
    }
    const auto count = [&](Finding finding) {
      return std::ranges::count_if(verdict_.claims, [&](const Claim& claim) { return claim.finding == finding; });
    };
    const auto held = count(Finding::kHeld), failed = count(Finding::kFailed), unclear = count(Finding::kUnclear);
    std::string text =
        fmt::format("{}. {} of {} of the paper's claims held here", finding(), held, verdict_.claims.size());
    if (failed > 0) text += fmt::format("; {} did not", failed);
    if (unclear > 0) text += fmt::format("; {} cannot be told from these runs", unclear);
    return text + ".";
  }

  const Study& study_;
  const Analysis& analysis_;
  const std::vector<Part> parts_;
  Verdict verdict_{};
};

}  // namespace

Verdict judge(const Study& study, const Analysis& analysis) { return Judge(study, analysis).judge(); }

const FindingWords& words_of(Finding finding) {
  static constexpr FindingWords kWords[] = {
      {"held", "held", "\u2713"}, {"did not hold", "failed", "\u2717"}, {"cannot be told", "unclear", "?"}};
  return kWords[static_cast<size_t>(finding)];
}

}  // namespace bn::report
