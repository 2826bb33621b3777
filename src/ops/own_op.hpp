// The parts that all our own ops share.
#pragma once

#include <string>

#include "ops/own_ops.hpp"

namespace bn::ops {

class OwnOp : public Op {
 public:
  explicit OwnOp(const OwnKernels& kernels) : kernels_(kernels) {}
  std::string implementation() const override { return kernels_.name(); }

 protected:
  const OwnKernels& kernels() const { return kernels_; }

 private:
  const OwnKernels& kernels_;
};

}  // namespace bn::ops
