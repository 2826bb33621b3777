// What compile() may rearrange: the keys below `plan.passes:`.
#pragma once

namespace bn {

struct PlanPasses {
  bool fuse_activation = true;   // batch norm (or bias) and activation in one step
  bool eliminate_concat = true;  // what a concatenation joins is written in place
  bool share_memory = true;      // values, gradients and what ops save share memory where their lifetimes allow it
};

}  // namespace bn
