// Scores the network's answers to the images of a training step.
#pragma once

#include <vector>

#include "bn/group.hpp"
#include "bn/plan.hpp"

namespace bn {

struct PartScore {
  double loss = 0;            // mean over the part's images
  double top1 = 0, top5 = 0;  // fractions of them
};

// Scores the training plan's last forward pass.
PartScore score_part(const Plan& plan, Backend& backend);

// The mean over the parts of all processes, in the order of the parts.
PartScore mean_over_parts(Group& group, const std::vector<PartScore>& own);

}  // namespace bn
