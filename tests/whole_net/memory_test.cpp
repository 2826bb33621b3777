// What a plan takes from memory: bf16 halves the activations, and a step allocates nothing.
#include <dlfcn.h>
#include <execinfo.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>

#include "bn/error.hpp"
#include "whole_net/networks.hpp"

// --- Every operator new of this program comes here, also those of the shared libraries.
namespace {

std::atomic<bool> is_counting{false};
std::atomic<int64_t> own_allocations{0}, library_allocations{0};

// True when the first frame above operator new that is neither the C++ nor the OpenMP runtime lies in oneDNN.
// oneDNN calls operator new a few times per execute, which is not ours to change.
[[gnu::noinline]] bool is_of_onednn(const void* caller) {
  void* frames[32];
  const int count = backtrace(frames, 32);
  Dl_info self;
  dladdr(reinterpret_cast<void*>(&is_of_onednn), &self);
  bool above = false;
  for (int i = 0; i < count; ++i) {
    above = above || frames[i] == caller;
    Dl_info object;
    if (!above || dladdr(frames[i], &object) == 0) continue;
    if (object.dli_fbase == self.dli_fbase) return false;
    if (std::strstr(object.dli_fname, "libdnnl") != nullptr) return true;
  }
  return false;  // unknown: better one too many
}

void* counted_allocation(size_t bytes, size_t alignment, const void* caller) {
  thread_local bool is_inside = false;  // backtrace() may allocate
  if (is_counting && !is_inside) {
    is_inside = true;
    ++(is_of_onednn(caller) ? library_allocations : own_allocations);
    is_inside = false;
  }
  const size_t rounded = (std::max<size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(size_t bytes) {
  return counted_allocation(bytes, alignof(std::max_align_t), __builtin_return_address(0));
}
void* operator new(size_t bytes, std::align_val_t alignment) {
  return counted_allocation(bytes, static_cast<size_t>(alignment), __builtin_return_address(0));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace bn::test {
namespace {

// Counts while it lives.
class AllocationCount {
 public:
  AllocationCount() {
    own_allocations = library_allocations = 0;
    is_counting = true;
  }
  ~AllocationCount() { is_counting = false; }
  int64_t own() const { return own_allocations; }
};

TEST(AllocationCount, SeesOurOwnAlsoThroughTheStandardLibrary) {
  const AllocationCount count;
  auto number = std::make_unique<int>(3);
  EXPECT_EQ(count.own(), 1);
  std::string text(static_cast<size_t>(100 + *number), 'x');
  text += text;
  EXPECT_EQ(count.own(), 3);
}

struct MemoryCase {
  std::string name;
  ModelOptions (*model)();
  DType activations = DType::kF32;
};

void PrintTo(const MemoryCase& memory_case, std::ostream* out) { *out << memory_case.name; }

class StepAllocations : public testing::TestWithParam<MemoryCase> {};

TEST_P(StepAllocations, AreNone) {
  ModelOptions model = GetParam().model();
  model.dropout = 0.3;
  Subject subject(model);
  try {
    subject.backend->require(GetParam().activations);
  } catch (const UnsupportedError& error) {
    GTEST_SKIP() << error.what();
  }
  Plan plan = subject.compile({.batch = 8, .activations = GetParam().activations});
  plan.pack();
  const Shape image = subject.net.image_shape();
  const FixtureBatch batch = fixture_batch(0, 8, image, Pixels::kGrey);
  const StepOptions options{.sgd = {.learning_rate = 0.001F, .momentum = 0.9F, .l2 = 0.01F}};
  train_step(subject, plan, batch, 0, options);
  const AllocationCount count;
  for (int64_t step = 1; step < 3; ++step) {
    train_step(subject, plan, batch, step, options);
    plan.read_loss();
    plan.first_bad_step();
  }
  EXPECT_EQ(count.own(), 0);
}

INSTANTIATE_TEST_SUITE_P(Networks, StepAllocations,
                         testing::Values(MemoryCase{"mnist_batch_norm", mnist_batch_norm},
                                         MemoryCase{"inception_batch_norm", inception_batch_norm},
                                         MemoryCase{"inception_batch_norm_bf16", inception_batch_norm, DType::kBf16},
                                         MemoryCase{"inception_plain", inception_plain},
                                         MemoryCase{"inception_variants", inception_variants}),
                         [](const testing::TestParamInfo<MemoryCase>& tested) { return tested.param.name; });

TEST(EvaluationAllocations, AreNone) {
  for (const Purpose purpose : {Purpose::kStatistics, Purpose::kEvaluate, Purpose::kEvaluateFolded}) {
    Subject subject(inception_batch_norm());
    Plan plan = subject.compile({.batch = 8, .purpose = purpose});
    const FixtureBatch batch = fixture_batch(0, 8, subject.net.image_shape(), Pixels::kGrey);
    const auto run = [&] {
      plan.pack();
      subject.load(plan, batch);
      plan.forward(0);
    };
    run();
    const AllocationCount count;
    run();
    EXPECT_EQ(count.own(), 0) << "purpose " << static_cast<int>(purpose);
  }
}

TEST(ActivationMemory, Bf16TakesHalfOfIt) {
  Subject subject(inception_batch_norm());
  try {
    subject.backend->require(DType::kBf16);
  } catch (const UnsupportedError& error) {
    GTEST_SKIP() << error.what();
  }
  const auto bytes = [&](DType type) {
    return static_cast<double>(subject.compile({.batch = 32, .activations = type}).memory().activations);
  };
  EXPECT_LT(bytes(DType::kBf16), 0.55 * bytes(DType::kF32));
}

TEST(ActivationMemory, IsSharedByBuffersThatAreNeverAliveTogether) {
  Subject subject(inception_batch_norm());
  const PlanMemory train = subject.compile({.batch = 32}).memory();
  EXPECT_LT(static_cast<double>(train.activations), 0.8 * static_cast<double>(train.unshared));
  for (const Purpose purpose : {Purpose::kStatistics, Purpose::kEvaluate, Purpose::kEvaluateFolded}) {
    const PlanMemory memory = subject.compile({.batch = 32, .purpose = purpose}).memory();
    EXPECT_LT(memory.activations, train.activations / 2) << "purpose " << static_cast<int>(purpose);
  }
}

}  // namespace
}  // namespace bn::test
