// Numbers as the report prints them.
#pragma once

#include <cstdint>
#include <string>

#include "report/analysis.hpp"

namespace bn::report {

std::string percent(double share);                   // "72.2 %", "98.15 %": a digit more where all is near 100 %
std::string percent_pm(const Mean& mean);            // "72.2 ± 0.4 %"; "6.1 % (0.0 to 15.6)" at a border
std::string signed_points(double share);             // "+1.3", "−0.20"
std::string points_between(const Interval& shares);  // "+0.8 to +1.8"
std::string ratio(double value);                     // "14×", "2.3×"
std::string ratios_between(const Interval& logarithms);
std::string plural(int64_t count, const std::string& noun);  // "1 seed", "3 seeds"

// "2,150", "not reached in 2 of 5", with the median when more than half got there.
std::string steps_in_words(const StepsToTarget& steps);
// "diverged at step 310 in 2 of 5 seeds"; "" when none did.
std::string divergence_in_words(const ArmResult& result);
// "learned in 1 of 5 seeds"; "" when none or all did.
std::string learned_in_words(const ArmResult& result);
// "1 of 2 seeds finished without an evaluation"; "" when none did.
std::string unscored_in_words(const ArmResult& result);
// Why the arm cannot be compared: "did not learn", "was never evaluated" or as divergence_in_words(); "" where it can.
std::string shortcoming_in_words(const ArmResult& result);
// "2,000 images", "an assumed 100 images".
std::string images_in_words(const ImageCount& images);
// "+1.3 points (+0.8 to +1.8)", or why there is no such number.
std::string effect_in_words(const ArmResult& result);
// "14× (11 to 17)"
std::string speed_up_in_words(const ArmResult& result);

}  // namespace bn::report
