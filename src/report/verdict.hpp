// Which of the paper's claims held, by the arms that are there. An arm's part is read from its configuration: whether
// it normalises, its activation, and its learning rate against the baseline's.
#pragma once

#include <string>
#include <vector>

#include "report/analysis.hpp"
#include "report/study.hpp"

namespace bn::report {

enum class Finding { kHeld, kFailed, kUnclear };

struct Claim {
  Finding finding = Finding::kUnclear;
  std::string claim{};     // the paper's, as a sentence
  std::string evidence{};  // ours
};

struct Verdict {
  std::string headline{};
  std::vector<Claim> claims{};         // present when the baseline does not normalise and some other arm does
  std::vector<std::string> effects{};  // else: a sentence for each arm
};

Verdict judge(const Study& study, const Analysis& analysis);

struct FindingWords {
  const char* name;   // "held", "did not hold", "cannot be told"
  const char* style;  // the page's class of CSS
  const char* sign;   // stands beside the colour, which print and colour blindness may take away
};
const FindingWords& words_of(Finding finding);

}  // namespace bn::report
