// The ops in naive double-precision loops, straight from the equations in bn/ops.hpp; a finite-difference check that
// proves their gradients; and the comparison of a backend's op with them.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "support/op_case.hpp"

namespace bn::test {

using Reference = std::function<OpResult(const OpCase&, const OpData&)>;

// The reference for every op but the convolutions and linear.
OpResult reference(const OpCase& op_case, const OpData& data);
// reference_conv.cpp: that for Conv2d, SeparableConv2d and Linear, folded or not.
OpResult reference_conv(const OpCase& op_case, const OpData& data);

double activate(Activation activation, double z);
double activation_slope(Activation activation, double y);  // dy/dz as a function of y

// Fails the running test unless the reference's dx and dw agree with central differences of
// sum(dy * y) (softmax_loss: of its mean loss) to 1e-6, at up to `samples` elements of each tensor.
void expect_gradients_proven(const OpCase& op_case, const OpData& data, const Reference& of = reference,
                             int64_t samples = 64);

// How far `actual` is from `expected`, relative to the size of `expected` (absolute where that is all zeros). NaN
// anywhere, or different sizes, give infinity.
struct Difference {
  double max = 0;  // max |a - b| / max |b|
  double rms = 0;  // rms(a - b) / rms(b)
};
Difference difference(std::span<const double> actual, std::span<const double> expected);

// Largest Difference::max allowed, per kind of result.
struct Tolerance {
  double y = 0, dx = 0, dw = 0, state = 0;
};

// The tolerance of dw. If `implementation` says that the library could give dw in bf16 only, it is that type's
// rounding.
double dw_tolerance(const Tolerance& tolerance, std::string_view implementation);

// Fails the running test where `actual` is further from `expected` than allowed.
void expect_close(const OpResult& actual, const OpResult& expected, const Tolerance& tolerance);

// run_op() against the reference on the same data.
void expect_matches(Backend& backend, const OpCase& op_case, const OpData& data, const Tolerance& tolerance,
                    const Reference& of = reference, const Runs& runs = {});

}  // namespace bn::test
