// The rearrangements that compile() may make: the keys below `plan.passes:`.
#pragma once

namespace bn {

// 1x1 convolutions that read the same value, and the batch norms after them, become one of each.
enum class MergeSiblings { kWhereFaster, kAlways, kNever };

struct PlanPasses {
  bool fuse_activation = true;   // batch norm (or bias) and activation become one step
  bool eliminate_concat = true;  // the inputs of a concatenation are written in place
  bool share_memory = true;      // values, gradients and what ops save share memory where their lifetimes allow it
  MergeSiblings merge_siblings = MergeSiblings::kWhereFaster;  // a training plan's
  bool fuse_gradient_sum = true;  // a pool's backward adds the other terms of its input's gradient
};

}  // namespace bn
