// Backend::update on a device: what one pass over the slabs does must be what unpack(), the updates and pack() do one
// after another.
#include <gtest/gtest.h>

#include "bn/rng.hpp"
#include "cuda/backend.hpp"
#include "cuda/updates.hpp"
#include "own_ops/tested_backend.hpp"

namespace bn::test {
namespace {

// Weights in the slab, and what an op keeps of them.
struct Kept {
  int64_t first = 0;  // in the slab
  int64_t rows = 1, width = 1, packed_width = 1;
  DType packed = DType::kBf16;
  DType gradient = DType::kBf16;  // f32: the op writes the slab's
  int64_t offset = 0;             // elements before them in the op's memory

  int64_t count() const { return rows * width; }
  int64_t packed_count() const { return rows * packed_width; }
};

Kept plain(int64_t first, int64_t count) { return {.first = first, .width = count, .packed_width = count}; }

struct UpdateCase {
  const char* name;
  int64_t decayed, others;  // sizes of the two spans
  std::vector<Kept> kept;
};

std::vector<Kept> many(int64_t count) {
  std::vector<Kept> kept;
  for (int64_t i = 0; i < count; ++i) kept.push_back(plain(32 * i, 24));
  return kept;
}

std::vector<UpdateCase> update_cases() {
  Kept image{.first = 16, .rows = 49, .width = 3, .packed_width = 8};
  Kept linear = plain(64, 5000);
  linear.gradient = DType::kF32;
  Kept off_sixteen_bytes = plain(0, 64);
  off_sixteen_bytes.offset = 1;
  Kept f32 = image;
  f32.packed = f32.gradient = DType::kF32;
  f32.packed_width = 4;
  return {{"Nothing", 100, 19, {}},
          {"AllOfIt", 4096, 16, {plain(0, 4096)}},
          {"GapsAndOddCounts", 9000, 40, {plain(16, 7), plain(32, 2049), plain(4000, 4800)}},
          {"ImagesInWiderRows", 400, 0, {image}},
          {"GradientsInF32", 6000, 100, {linear}},
          {"OffSixteenBytes", 64, 0, {off_sixteen_bytes}},
          {"F32InWiderRows", 400, 8, {f32}},
          {"TwoOpsKeepTheSame", 400, 8, {plain(32, 160), plain(32, 160)}},
          {"InBothSpans", 400, 400, {plain(32, 160), plain(400, 100)}},
          {"AcrossTheSpans", 400, 400, {plain(320, 160)}},
          {"MoreThanALaunchTakes", 3200, 16, many(100)}};
}

const cuda::Context& context() { return dynamic_cast<cuda::CudaBackend&>(tested_backend()).context(); }

class Slabs {
 public:
  // What is kept is packed.
  Slabs(const UpdateCase& tested, MomentumKind kind)
      : tested_(tested),
        kind_(kind),
        step_(tested_backend().allocate(sizeof(StepState))),
        value_(slab(1)),
        velocity_(slab(2)),
        gradient_(slab(3)) {
    const StepState state{.now = {.step = 7, .learning_rate = 0.05F}};
    tested_backend().upload(step_->data(), &state, sizeof(state));
    for (const Kept& kept : tested.kept) {
      packed_.push_back(filled(kept.packed, kept.offset + kept.packed_count(), 4));
      gradients_.push_back(filled(kept.gradient, kept.offset + kept.packed_count(), 5));
    }
    cuda::start(context(), packs());
  }

  std::vector<SgdUpdate> updates() const {
    return {span(0, tested_.decayed, 0.01F), span(tested_.decayed, tested_.others, 0.0F)};
  }

  cuda::GatheredWork packs() const {
    cuda::GatheredWork work;
    for (size_t i = 0; i < tested_.kept.size(); ++i) {
      const Kept& kept = tested_.kept[i];
      work.copies.push_back({.from = value_.tensor().as<float>() + kept.first,
                             .to = start(packed_[i], kept.packed, kept.offset),
                             .to_dtype = kept.packed,
                             .rows = kept.rows,
                             .from_width = kept.width,
                             .to_width = kept.packed_width});
    }
    return work;
  }

  cuda::GatheredWork unpacks() const {
    cuda::GatheredWork work;
    for (size_t i = 0; i < tested_.kept.size(); ++i) {
      const Kept& kept = tested_.kept[i];
      if (kept.gradient == DType::kF32 && kept.width == kept.packed_width) continue;
      work.copies.push_back({.from = start(gradients_[i], kept.gradient, kept.offset),
                             .to = gradient_.tensor().as<float>() + kept.first,
                             .from_dtype = kept.gradient,
                             .rows = kept.rows,
                             .from_width = kept.packed_width,
                             .to_width = kept.width});
    }
    return work;
  }

  std::vector<Values> results() const {
    std::vector<Values> all{value_.read(), velocity_.read()};
    for (const GuardedTensor& packed : packed_) all.push_back(packed.read());
    return all;
  }

  void expect_guards_intact() const {
    for (const GuardedTensor* tensor : {&value_, &velocity_, &gradient_}) tensor->expect_guards_intact("slab");
    for (const GuardedTensor& packed : packed_) packed.expect_guards_intact("packed");
  }

 private:
  GuardedTensor filled(DType dtype, int64_t count, uint64_t seed) const {
    GuardedTensor tensor(tested_backend(), dtype, vector_shape(count));
    RandomStream stream(seed, hash_name("update_test"));
    Values values(static_cast<size_t>(count));
    for (double& value : values) value = stream.normal();
    round_to_storage(values, dtype);
    tensor.write(values);
    return tensor;
  }
  GuardedTensor slab(uint64_t seed) const { return filled(DType::kF32, tested_.decayed + tested_.others, seed); }
  static void* start(const GuardedTensor& tensor, DType dtype, int64_t offset) {
    return tensor.tensor().as<uint8_t>() + offset * size_of(dtype);
  }
  SgdUpdate span(int64_t first, int64_t count, float l2) const {
    const auto part = [&](const GuardedTensor& slab) {
      return dense(slab.tensor().as<float>() + first, DType::kF32, vector_shape(count));
    };
    return {.value = part(value_),
            .velocity = part(velocity_),
            .gradient = part(gradient_),
            .momentum = 0.9F,
            .l2 = l2,
            .kind = kind_,
            .step = static_cast<StepState*>(step_->data())};
  }

  const UpdateCase& tested_;
  MomentumKind kind_;
  std::unique_ptr<Buffer> step_;
  GuardedTensor value_, velocity_, gradient_;
  std::vector<GuardedTensor> packed_, gradients_;
};

class Update : public OwnOpTest<testing::TestWithParam<UpdateCase>> {};

TEST_P(Update, IsWhatItsPartsAre) {
  for (const MomentumKind kind : {MomentumKind::kClassical, MomentumKind::kNesterov}) {
    const Slabs parts(GetParam(), kind);
    cuda::start(context(), parts.unpacks());
    for (const SgdUpdate& update : parts.updates()) cuda::update(context(), {&update, 1}, {}, {});
    cuda::start(context(), parts.packs());
    const Runs runs = runs_of(GetParam().decayed);
    for (int run = 0; run < runs.count; ++run) {
      SCOPED_TRACE("run " + std::to_string(run));
      if (runs.before) runs.before(run);
      const Slabs whole(GetParam(), kind);
      cuda::update(context(), whole.updates(), whole.unpacks(), whole.packs());
      EXPECT_TRUE(whole.results() == parts.results());
      whole.expect_guards_intact();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, Update, testing::ValuesIn(update_cases()),
                         [](const auto& tested) { return tested.param.name; });

// Work that is not a copy, such as composing weights out of two factors, must find the updated values.
TEST(UpdateOrder, WhatIsNoCopyComesLast) {
  if (const std::string why = why_untestable(); !why.empty()) GTEST_SKIP() << why;
  const UpdateCase tested{"", 64, 0, {plain(0, 64)}};
  const Slabs slabs(tested, MomentumKind::kClassical);
  const std::vector<Values> before = slabs.results();
  std::vector<Values> seen;
  cuda::GatheredWork packs = slabs.packs();
  packs.others.emplace_back([&] { seen = slabs.results(); });
  cuda::update(context(), slabs.updates(), slabs.unpacks(), packs);
  EXPECT_NE(seen, before);
  EXPECT_EQ(seen, slabs.results());
}

}  // namespace
}  // namespace bn::test
