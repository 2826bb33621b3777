// The boundary to a device. A backend prepares ops, moves memory and runs the few whole-slab updates of training; it
// never sees the graph. src/cpu and src/cuda implement it; no library header appears above it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bn/error.hpp"
#include "bn/ops.hpp"
#include "bn/tensor.hpp"

namespace bn {

class Group;

// Values that change from step to step; see Plan::begin.
struct StepScalars {
  uint64_t step = 0;  // the step being computed, from 0; also dropout's counter
  float learning_rate = 0;
  float statistics_weight = 0;  // blends the batch's statistics into the population's
  float average_weight = 0;     // blends the parameters into their average
  // Image i of the plan's batch is image i * parts + part of the step; dropout draws by that place.
  int64_t part = 0, parts = 1;
};

// Lives in backend memory, so that a recorded step can be replayed with other values; first_bad_step is written by
// softmax_loss and Backend::update.
struct StepState {
  uint64_t seed = 0;
  int64_t first_bad_step = -1;  // first step with a non-finite loss or parameter; -1: none
  StepScalars now{};
};

// Everything one call of an op touches. All memory is borrowed and stays put between calls.
struct OpIo {
  std::vector<Tensor> x{};   // inputs
  std::vector<Tensor> dx{};  // their gradients, overwritten; empty tensor = not wanted
  // Other terms of the sum that dx[0] becomes: backward adds them, each as f32, and rounds the sum once. dx[0] may be
  // one of them. Empty unless adds_gradient_terms().
  std::vector<Tensor> dx_terms{};
  std::vector<Tensor> w{};      // parameters, f32
  std::vector<Tensor> dw{};     // their gradients, f32, overwritten
  std::vector<Tensor> state{};  // batch norm: {mean, var}, f32 (see BatchNorm)
  Tensor y, dy;
  // Where y and dy lie in several tensors instead, their channels one after another (batch norm only; see OpDesc).
  std::vector<Tensor> y_parts{}, dy_parts{};
  void* saved = nullptr;    // written by forward, read by backward
  void* scratch = nullptr;  // garbage between calls, shared by all ops
  void* packed = nullptr;   // the op's own: weights in a library's layout, refilled by pack()
  StepState* step = nullptr;
};

// kTrain: batch statistics, dropout on. kEvaluate: population statistics, dropout off.
enum class Phase { kTrain, kEvaluate };

struct TensorDesc {
  DType dtype = DType::kF32;
  Shape shape{};
  int64_t row_stride = 0;

  static TensorDesc dense(DType dtype, const Shape& shape) { return {dtype, shape, shape.c}; }
};

// The parts of a step that are computed by other processes at the same time.
class PartExchange {
 public:
  virtual ~PartExchange() = default;
  // all[k * mine.size() + i] = mine[i] of the k-th of the parts that are synchronised with this one, itself among them.
  // The backend's memory, in the order of its other work. Allocates nothing once it was called with as many values.
  virtual void gather(std::span<const double> mine, std::span<double> all) = 0;
};

// Everything that make_op needs to prepare an op before its first call.
struct OpDesc {
  std::string
      name{};  // path in the network, "inception_3a/3x3/bn", or joined ones, "a/{b,c}/bn"; keys the dropout mask
  std::vector<TensorDesc> x{};
  TensorDesc y;
  std::vector<TensorDesc> y_parts{};  // not empty: y's channels lie in these, one after another; y is dense by itself
  Phase phase = Phase::kTrain;
  bool has_backward = true;          // false: no backward call will come; nothing need be saved
  std::vector<bool> wants_dx{};      // per input; meaningful with has_backward
  PartExchange* exchange = nullptr;  // used by BatchNorm::synchronised_parts; null: the part is alone
};

// An op prepared once for fixed shapes and types. Owns no tensor memory.
class Op {
 public:
  virtual ~Op() = default;
  virtual int64_t saved_bytes() const { return 0; }
  virtual int64_t scratch_bytes() const { return 0; }
  virtual int64_t packed_bytes() const { return 0; }
  // Is called after every change of the parameters (or, for Folded, of the statistics).
  virtual void pack(const OpIo&) {}
  virtual void forward(const OpIo& io) = 0;
  virtual void backward(const OpIo& io) = 0;
  // Is called after backward and before dw is read, which an op may have left in `packed`.
  virtual void unpack(const OpIo&) {}
  virtual std::string implementation() const { return "own"; }  // a profile shows it: "brg:avx512_core", "cudnn:..."
};

struct OpCall {
  Op* op = nullptr;
  const OpIo* io = nullptr;
};

enum class MomentumKind { kClassical, kNesterov };

// One fused update of a span of the parameter slab.
//   g = gradient + l2 * value
//   classical (Sutskever et al. 2013, eq. 1-2): v = momentum * v - learning_rate * g;  value += v
//   nesterov  (ibid. eq. 3-4, at the look-ahead point): v' = momentum * v - learning_rate * g;
//             value += momentum * v' - learning_rate * g
// Sets StepState::first_bad_step when an updated value is not finite.
struct SgdUpdate {
  Tensor value, velocity, gradient;  // [1,1,1,count] f32
  float momentum = 0, l2 = 0;
  MomentumKind kind = MomentumKind::kClassical;
  StepState* step = nullptr;  // holds the learning rate
};

// Lists the work that follows a backward pass, in its order: unpack() of the first calls, each update, pack() of the
// last calls, which were packed before.
struct ParameterUpdate {
  std::span<const OpCall> unpacks{};
  std::span<const SgdUpdate> updates{};
  std::span<const OpCall> packs{};
};

// x[n,h,w,c] = (image[n,h,w,c] - mean[c]) * scale[c], in x's type.
struct ImageNormalization {
  std::vector<float> mean{};   // unit: one step of u8
  std::vector<float> scale{};  // 1 / (standard deviation in units of u8)
};

// Frees on destruction.
class Buffer {
 public:
  virtual ~Buffer() = default;
  virtual void* data() const = 0;
  virtual int64_t bytes() const = 0;
};

// Exchanges memory of their backends between the processes of a group. All of them call these functions in the same
// order with equal sizes. The work is done in the order of the backend's other work: on a GPU after the call has
// returned.
class Exchange {
 public:
  virtual ~Exchange() = default;
  // Replaces the values of each slab, f32, by their sums over all processes, added by the tree of Group::sum, and
  // step->first_bad_step by the first of all processes. Allocates nothing once it was called with these slabs.
  virtual void sum(std::span<const Tensor> slabs, StepState* step) = 0;
  // Where overlaps() is true, begin() sums these values, f32, while the caller computes on, and finish() returns when
  // all that was begun is summed. Until then nothing may touch the values, and no other function of this object or of
  // its group may be called.
  virtual bool overlaps() const { return false; }
  virtual void begin(const Tensor&) {}
  virtual void finish() {}
  // For batch normalisation: each `parts` consecutive processes, which compute one part each, share their statistics.
  virtual std::unique_ptr<PartExchange> parts(int64_t parts) = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string name() const = 0;  // "cpu: AMD EPYC (avx512_core_bf16), oneDNN 2.6.3, 2 threads (all cores)"

  // Tells what the last bits depend on beside the configuration: "oneDNN 2.6.3, avx512_core_bf16, own kernels
  // avx512_bf16, 2 threads"; "avx512_bf16 by clang" where clang compiled them.
  virtual std::string computation() const { return name(); }

  // Names, a line each, what a library chose for the ops made so far where it had a choice; "" where it had none. An
  // earlier process's lines, given before any op is made, are chosen again wherever they can be.
  virtual std::string choices() const { return ""; }
  virtual void repeat_choices(const std::string&) {}

  // The calling thread will call ops: call it first in each thread that does.
  virtual void enter_thread() {}

  // Throws UnsupportedError when activations cannot be stored in this type here, or not be multiplied as was asked for.
  virtual void require(DType activations) const = 0;

  virtual std::unique_ptr<Buffer> allocate(int64_t bytes) = 0;  // 64-byte aligned, zeroed
  virtual void upload(void* device, const void* host, int64_t bytes) = 0;
  virtual void download(void* host, const void* device, int64_t bytes) = 0;
  virtual void zero(void* device, int64_t bytes) = 0;
  virtual void synchronize() = 0;

  // Throws UnsupportedError when this backend has no proper implementation (never a silent fallback).
  virtual std::unique_ptr<Op> make_op(const OpSpec& spec, const OpDesc& desc) = 0;
  // True if a training step is quicker here where 1x1 convolutions that read the same value are computed as one.
  virtual bool prefers_merged_siblings(DType) const { return false; }
  // The row stride this backend wants for images that only convolutions read; load_images zeroes what lies between.
  virtual int64_t image_row_stride(int64_t channels, DType) const { return channels; }

  // Op::pack() and Op::unpack() of each; a GPU copies the weights of all in one launch.
  virtual void pack(std::span<const OpCall> calls) {
    for (const OpCall& call : calls) call.op->pack(*call.io);
  }
  virtual void unpack(std::span<const OpCall> calls) {
    for (const OpCall& call : calls) call.op->unpack(*call.io);
  }

  // `work` calls ops and updates of this backend only; nothing it reads from the host may change. The caller has run it
  // once before, because libraries load their kernels on the first call. record() runs nothing; what it returns repeats
  // the work on the same memory. A GPU captures the calls and replays them as one graph, a CPU calls them again.
  virtual std::function<void()> record(std::function<void()> work) { return work; }

  // Memory of the host, which load_images() reads without a copy of the host's: images decoded into it go straight to
  // the device. Null where any memory does.
  virtual std::unique_ptr<Buffer> allocate_host(int64_t) { return nullptr; }
  // Images in memory of allocate_host() must stay as they are until finish_loading() returns.
  virtual void load_images(const Tensor& x, const Tensor& images_u8, const ImageNormalization& normalization) = 0;
  virtual void finish_loading() {}
  virtual void sum(const Tensor& dst, const std::vector<Tensor>& srcs) = 0;  // dst may be srcs[0]
  // A GPU does it in one pass over the slabs: a gradient that an op left in `packed` is read there, and dw need not
  // hold it afterwards.
  virtual void update(const ParameterUpdate& all) = 0;
  // running += weight * (factor * batch - running), elementwise; factor may be an empty tensor (1), the weight lies in
  // backend memory. A weight of 1 copies.
  virtual void blend(const Tensor& running, const Tensor& batch, const Tensor& factor, const float* weight) = 0;

  // Called by all processes of a group of several. The group outlives the backend, and it what is returned. Throws
  // UnsupportedError where this backend trains in one process only, and AgreedError.
  virtual std::unique_ptr<Exchange> join(Group&) {
    throw UnsupportedError(name() + " trains in one process only: start one, or set device: cpu");
  }
};

}  // namespace bn
