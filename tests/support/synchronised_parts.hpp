// Batch normalisation over the rows of several parts, each of which another process computes.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "bn/group.hpp"
#include "support/op_case.hpp"

namespace bn::test {

// The images [first, first + count) of a batch.
struct PartImages {
  int64_t first, count;
};

// `image`: the values of one.
inline Values images_of(const Values& all, const PartImages& part, int64_t image) {
  return {all.begin() + part.first * image, all.begin() + (part.first + part.count) * image};
}

inline void expect_within(const Values& values, const Values& expected, double tolerance, const char* what) {
  ASSERT_EQ(values.size(), expected.size());
  double largest = 0, worst = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    worst = std::max(worst, std::abs(values[i] - expected[i]));
  }
  EXPECT_LE(worst, tolerance * largest) << what;
}

// What this process computes of a batch whose images two processes share.
inline OpResult result_of(Backend& backend, Group& group, const OpCase& whole, const OpData& data,
                          const PartImages& part) {
  const int64_t image = whole.x[0].elements() / whole.x[0].n;
  const std::unique_ptr<Exchange> exchange = backend.join(group);
  const std::unique_ptr<PartExchange> parts = exchange->parts(2);
  OpCase own_case = whole;
  std::get<BatchNorm>(own_case.spec).synchronised_parts = 2;
  own_case.x[0].n = part.count;
  own_case.exchange = parts.get();
  OpData own = data;
  own.x[0] = images_of(data.x[0], part, image);
  own.dy = images_of(data.dy, part, image);
  return run_op(backend, own_case, own);
}

}  // namespace bn::test
