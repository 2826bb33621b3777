// Statistics over the rows of several parts, each of which another process holds.
#include "cpu/cpu_kernels.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "bn/error.hpp"
#include "bn/rng.hpp"
#include "cpu/cpu_backend.hpp"
#include "support/error_message.hpp"
#include "support/reference.hpp"
#include "support/synchronised_parts.hpp"
#include "support/thread_group.hpp"

namespace bn::test {
namespace {

// One part sends its number of rows, and the mean and the sum of squared deviations of its one column.
using Sent = std::vector<double>;

// Knows what all parts send.
class Recorded final : public PartExchange {
 public:
  explicit Recorded(std::vector<Sent> parts) : parts_(std::move(parts)) {}
  void gather(std::span<const double>, std::span<double> all) override {
    auto to = all.begin();
    for (const Sent& part : parts_) to = std::copy(part.begin(), part.end(), to);
  }

 private:
  std::vector<Sent> parts_;
};

// In a longer type, so that rounding in these sums does not hide that of merging.
Sent summarised(const std::vector<double>& rows) {
  const auto count = static_cast<long double>(rows.size());
  const long double mean = std::accumulate(rows.begin(), rows.end(), 0.0L) / count;
  long double m2 = 0;
  for (const double row : rows) m2 += (row - mean) * (row - mean);
  return {static_cast<double>(count), static_cast<double>(mean), static_cast<double>(m2)};
}

struct Merged {
  int64_t rows = 0;
  double mean = 0, variance = 0;
};

Merged merge(const std::vector<Sent>& parts) {
  Recorded exchange(parts);
  const auto count = static_cast<int64_t>(parts.size());
  std::vector<double> scratch(static_cast<size_t>(ops::PartColumns::elements(count, 1)));
  std::vector<double> moments{parts[0][1], parts[0][2]};
  const int64_t rows =
      cpu::merge_moments(moments.data(), static_cast<int64_t>(parts[0][0]), 1,
                         {.exchange = &exchange, .parts = count, .scratch = scratch.data()}, cpu::kernels());
  return {rows, moments[0], moments[1] / static_cast<double>(rows)};
}

// The mean lies ten thousand deviations from zero: a variance from the squares' mean would keep eight digits.
TEST(PartMoments, OfUnevenPartsInAnyOrderAreThoseOfAllRows) {
  RandomStream random(5, 0);
  std::vector<std::vector<double>> rows;
  std::vector<double> all;
  for (const size_t count : {1, 7, 100'000}) {
    std::vector<double>& part = rows.emplace_back(count);
    for (double& row : part) row = 1e4 + random.normal();
    all.insert(all.end(), part.begin(), part.end());
  }
  const Sent whole = summarised(all);
  std::vector<size_t> order{0, 1, 2};
  do {
    std::vector<Sent> parts;
    for (const size_t part : order) parts.push_back(summarised(rows[part]));
    const Merged merged = merge(parts);
    EXPECT_EQ(merged.rows, 100'008);
    EXPECT_NEAR(merged.mean / whole[1], 1, 1e-12);
    EXPECT_NEAR(merged.variance / (whole[2] / whole[0]), 1, 1e-12);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(PartMoments, OfOneRowInAllAreRefused) {
  const std::string message = error_message<ShapeError>([] { merge({{1, 5, 0}}); });
  EXPECT_EQ(message, "Batch normalisation needs at least two values per feature in all its parts together.");
}

// Five images in two parts of two and three, against the double-precision reference of all five.
TEST(SynchronisedBatchNorm, OfUnevenPartsIsThatOfTheWholeBatch) {
  const PartImages images[] = {{0, 2}, {2, 3}};
  for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kSigmoid}) {
    const OpCase whole{.spec = BatchNorm{.activation = activation}, .x = {{5, 4, 3, 40}}};
    const int64_t image = 4 * 3 * 40;
    const OpData data = make_data(whole);
    const OpResult expected = reference(whole, data);
    std::vector<OpResult> parts(2);
    ThreadGroup(2).run([&](Group& group) {
      const auto rank = static_cast<size_t>(group.place().rank);
      parts[rank] = result_of(*make_cpu_backend({.threads = 1}), group, whole, data, images[rank]);
    });
    EXPECT_EQ(parts[0].state, parts[1].state) << "the processes' statistics have different bits";
    for (const size_t rank : {0, 1}) {
      expect_within(parts[rank].y, images_of(expected.y, images[rank], image), 1e-6, "y");
      expect_within(parts[rank].dx[0], images_of(expected.dx[0], images[rank], image), 1e-5, "dx");
      for (const size_t i : {0, 1}) expect_within(parts[rank].state[i], expected.state[i], 1e-6, "statistics");
    }
    for (const size_t i : {0, 1}) {  // each part's own share of the gradients of gamma and beta
      Values sum = parts[0].dw[i];
      for (size_t j = 0; j < sum.size(); ++j) sum[j] += parts[1].dw[i][j];
      expect_within(sum, expected.dw[i], 1e-5, "the gradients of gamma and beta");
    }
  }
}

// One image in each part: one value per feature, but two together.
TEST(SynchronisedBatchNorm, CountsTheRowsOfAllParts) {
  const OpCase alone{.spec = BatchNorm{.synchronised_parts = 2}, .x = {{1, 1, 1, 8}}};
  EXPECT_THROW(run_op(cpu_backend(), alone, make_data(alone)), ShapeError);
  ThreadGroup(2).run([&](Group& group) {
    OpData data = make_data(alone);
    for (double& x : data.x[0]) x = group.is_first() ? 1 : 3;
    const OpResult result = result_of(*make_cpu_backend({.threads = 1}), group, alone, data, {0, 1});
    for (const double mean : result.state[0]) EXPECT_EQ(mean, 2);
    for (const double variance : result.state[1]) EXPECT_EQ(variance, 1);
  });
}

TEST(SynchronisedBatchNorm, OfALibraryIsRefused) {
  Recorded exchange({});
  OpCase library{.spec = BatchNorm{.implementation = BatchNormImplementation::kOnednn, .synchronised_parts = 2},
                 .x = {{4, 2, 2, 8}}};
  library.exchange = &exchange;
  EXPECT_EQ(error_message<UnsupportedError>([&] { run_op(cpu_backend(), library, make_data(library)); }),
            "batch_norm.synchronised_parts above 1 needs batch_norm.implementation: custom.");
}

}  // namespace
}  // namespace bn::test
