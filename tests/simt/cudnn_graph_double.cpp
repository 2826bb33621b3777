// The library's graphs of one convolution, as cudnn-frontend shows them. It offers a list of engines, some of which a
// training must not take.
#include <cudnn_frontend.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "simt/library_doubles.hpp"

namespace cudnn_frontend::graph {

// Registered for as long as it lives.
struct Built {
  cudnnHandle_t handle;

  explicit Built(cudnnHandle_t owner) : handle(owner) { bn::simt::add_object(this, bn::simt::kPlan); }
  ~Built() { bn::simt::remove_object(this, bn::simt::kPlan); }
  Built(const Built&) = delete;
  Built& operator=(const Built&) = delete;
};

}  // namespace cudnn_frontend::graph

namespace bn::simt {
namespace {

using cudnn_frontend::BehaviorNote_t;
using cudnn_frontend::DataType_t;
using cudnn_frontend::NumericalNote_t;
using cudnn_frontend::graph::Numbers;
using cudnn_frontend::graph::Part;
using cudnn_frontend::graph::Tensor;

[[noreturn]] void fail(const std::string& why) { throw Fault(fmt::format("cuDNN: {}.", why)); }

struct Engine {
  const char* name;
  float milliseconds = 2;
  std::vector<NumericalNote_t> numeric_notes{};
  std::vector<BehaviorNote_t> behavior_notes{};
  int64_t least_workspace = 0;
  bool can_be_built = true, may_be_taken = true;
};

const std::vector<Engine>& engines() {
  using enum NumericalNote_t;
  static const std::vector<Engine> kAll = {
      {.name = "loops in any order", .numeric_notes = {NONDETERMINISTIC}, .may_be_taken = false},
      {.name = "loops over rounded factors", .numeric_notes = {DOWN_CONVERT_INPUTS}, .may_be_taken = false},
      {.name = "loops with short sums", .numeric_notes = {REDUCED_PRECISION_REDUCTION}, .may_be_taken = false},
      {.name = "loops compiled late", .behavior_notes = {BehaviorNote_t::RUNTIME_COMPILATION}, .may_be_taken = false},
      {.name = "loops with much room", .least_workspace = int64_t{1} << 30},
      {.name = "loops for others", .can_be_built = false},
      {.name = "loops on tensor cores", .numeric_notes = {TENSOR_CORE}},
      {.name = "loops of transforms", .numeric_notes = {FFT}},
      {.name = "loops of tiles", .numeric_notes = {WINOGRAD}},
      {.name = "loops"},
      {.name = "other loops", .milliseconds = 1},
  };
  return kAll;
}

struct Convolution {
  Part part;
  DType dtype;
  std::array<Shape, 3> shapes;  // first, second, result
  int64_t stride, pad;

  const Shape& x() const { return shapes[part == Part::kForward ? 0 : part == Part::kInputGradient ? 2 : 1]; }
  const Shape& w() const { return shapes[part == Part::kWeightGradient ? 2 : 1]; }
  const Shape& y() const { return shapes[part == Part::kForward ? 2 : 0]; }

  // An arbitrary size, another one for each problem.
  int64_t workspace_bytes() const { return 256 + 16 * (x().c + 3 * y().c + 5 * y().h + static_cast<int64_t>(part)); }

  void compute(void* result, const void* first, const void* second, bool rounds_factors) const;
  template <class F>
  void for_each_product(const F& f) const;
};

// f(index in x, in w, in y) for every product of the convolution.
template <class F>
void Convolution::for_each_product(const F& f) const {
  const auto at = [](const Shape& shape, int64_t n, int64_t h, int64_t v) {
    return static_cast<size_t>(((n * shape.h + h) * shape.w + v) * shape.c);
  };
  const auto inputs = static_cast<size_t>(x().c);
  for (int64_t pixel = 0; pixel < y().rows(); ++pixel) {
    const int64_t n = pixel / (y().h * y().w), row = pixel / y().w % y().h, column = pixel % y().w;
    for (int64_t position = 0; position < w().h * w().w; ++position) {
      const int64_t h = row * stride - pad + position / w().w, v = column * stride - pad + position % w().w;
      if (h < 0 || h >= x().h || v < 0 || v >= x().w) continue;
      const size_t from_x = at(x(), n, h, v), to_y = at(y(), n, row, column);
      for (int64_t o = 0; o < y().c; ++o) {
        const size_t from_w = at(w(), o, position / w().w, position % w().w);
        for (size_t i = 0; i < inputs; ++i) f(from_x + i, from_w + i, to_y + static_cast<size_t>(o));
      }
    }
  }
}

void Convolution::compute(void* result, const void* first, const void* second, bool rounds_factors) const {
  Values a = widen(first, dtype, shapes[0].elements()), b = widen(second, dtype, shapes[1].elements());
  if (rounds_factors) {
    round_to_tensor_float(a);
    round_to_tensor_float(b);
  }
  Values sums(static_cast<size_t>(shapes[2].elements()));
  if (part == Part::kForward) {
    for_each_product([&](size_t ix, size_t iw, size_t iy) { sums[iy] += a[ix] * b[iw]; });
  } else if (part == Part::kInputGradient) {
    for_each_product([&](size_t ix, size_t iw, size_t iy) { sums[ix] += a[iy] * b[iw]; });
  } else {
    for_each_product([&](size_t ix, size_t iw, size_t iy) { sums[iw] += a[iy] * b[ix]; });
  }
  narrow(result, dtype, sums);
}

// The attributes are those that src/cuda sets: packed NHWC, of one type.
Shape shape_of(const Tensor& tensor, DataType_t type) {
  const Numbers& dim = tensor->dim;
  if (dim.size() != 4) fail("the double plays tensors of four dimensions");
  const Shape shape{dim[0], dim[2], dim[3], dim[1]};
  if (tensor->stride != Numbers{shape.h * shape.w * shape.c, 1, shape.w * shape.c, shape.c} || tensor->type != type) {
    fail("the double plays NHWC tensors of one type");
  }
  return shape;
}

int64_t only(const Numbers& numbers) {
  if (numbers.size() != 2 || numbers[0] != numbers[1]) fail("the double plays square windows");
  return numbers[0];
}

}  // namespace
}  // namespace bn::simt

namespace cudnn_frontend::graph {

using namespace bn::simt;

namespace {

Convolution convolution_of(Part part, const std::vector<Tensor>& tensors, const Numbers& stride, const Numbers& pad,
                           DataType_t type) {
  if (part == Part::kNone) fail("a graph is empty");
  return {.part = part,
          .dtype = type == DataType_t::BFLOAT16 ? bn::DType::kBf16 : bn::DType::kF32,
          .shapes = {shape_of(tensors[0], type), shape_of(tensors[1], type), shape_of(tensors[2], type)},
          .stride = only(stride),
          .pad = only(pad)};
}

const Engine& engine_at(int64_t index) { return engines().at(static_cast<size_t>(index)); }

template <class Note>
void bar(std::vector<bool>& barred, const std::vector<std::vector<Note>>& notes, const std::vector<Note>& unwanted) {
  for (size_t i = 0; i < notes.size(); ++i) {
    const bool has = std::ranges::any_of(notes[i], [&](Note note) { return std::ranges::count(unwanted, note) > 0; });
    if (has) barred[i] = true;
  }
}

}  // namespace

error_t Graph::validate() const {
  const Convolution all = convolution_of(part_, tensors_, stride_, padding_, io_);
  if (intermediate_ != DataType_t::FLOAT || compute_ != DataType_t::FLOAT) fail("sums are not of the type f32");
  if (only(dilation_) != 1) fail("the double plays no dilation");
  if (!tensors_[2]->is_output || tensors_[0]->uid == tensors_[1]->uid || tensors_[1]->uid == tensors_[2]->uid ||
      tensors_[2]->uid == tensors_[0]->uid) {
    fail("a graph's tensors are not told apart");
  }
  const bn::Shape &x = all.x(), &w = all.w(), &y = all.y();
  const auto side = [&](int64_t from, int64_t kernel) { return (from + 2 * all.pad - kernel) / all.stride + 1; };
  const bool agrees = y == bn::Shape{x.n, side(x.h, w.h), side(x.w, w.w), w.n} && w.c == x.c;
  return agrees ? error_t{} : error_t{"the shapes of the convolution do not agree"};
}

error_t Graph::build_operation_graph(cudnnHandle_t handle) {
  refuse_while_recording("cuDNN: a graph is built");
  stream_of(handle);
  handle_ = handle;
  return {};
}

error_t Graph::create_execution_plans(const std::vector<HeurMode_t>& modes) {
  refuse_while_recording("cuDNN: engines are listed");
  if (handle_ == nullptr) return {"the operation graph was not built"};
  if (modes.empty()) return {"no heuristics were asked for"};
  for (const Engine& engine : engines()) {
    plans.numeric_notes.push_back(engine.numeric_notes);
    plans.behavior_notes.push_back(engine.behavior_notes);
  }
  barred_.resize(engines().size());
  built_.resize(engines().size());
  return {};
}

Graph& Graph::deselect_numeric_notes(const std::vector<NumericalNote_t>& notes) {
  return bar(barred_, plans.numeric_notes, notes), *this;
}
Graph& Graph::deselect_behavior_notes(const std::vector<BehaviorNote_t>& notes) {
  return bar(barred_, plans.behavior_notes, notes), *this;
}

error_t Graph::get_plan_name_at_index(int64_t index, std::string& name) const {
  name = engine_at(index).name;
  return {};
}

error_t Graph::build_plan_at_index(int64_t index) {
  refuse_while_recording("cuDNN: a plan is built");
  const Engine& engine = engine_at(index);
  stream_of(handle_);
  if (barred_[static_cast<size_t>(index)]) return {"Deselecting execution plan"};
  if (!engine.can_be_built || get_workspace_size_plan_at_index(index) > most_workspace_) return {"not supported"};
  built_[static_cast<size_t>(index)] = std::make_shared<const Built>(handle_);
  return {};
}

int64_t Graph::get_workspace_size_plan_at_index(int64_t index) const {
  const Convolution all = convolution_of(part_, tensors_, stride_, padding_, io_);
  return std::max(engine_at(index).least_workspace, all.workspace_bytes());
}

error_t Graph::execute_plan_at_index(cudnnHandle_t handle, std::unordered_map<int64_t, void*>& tensors, void* workspace,
                                     int64_t index) const {
  cudaStream_t stream = stream_of(handle);
  const std::shared_ptr<const Built>& built = built_.at(static_cast<size_t>(index));
  if (!built) return {"the plan was not built"};
  if (built->handle != handle) fail("a plan is executed with another handle than its own");
  const Convolution all = convolution_of(part_, tensors_, stride_, padding_, io_);
  const int64_t space = get_workspace_size_plan_at_index(index);
  const auto operand = [&](size_t i) {
    const auto bytes = all.shapes[i].elements() * bn::size_of(all.dtype);
    const char* names[] = {"the first input", "the second input", "the result"};
    return Operand{names[i], tensors.at(tensors_[i]->uid), bytes, i == 2 ? Use::kWritten : Use::kRead};
  };
  const Operand first = operand(0), second = operand(1), result = operand(2);
  const Engine& engine = engine_at(index);
  if (!engine.may_be_taken) fail(fmt::format("a training must not take {}", engine.name));
  const bool rounds_factors = all.dtype == bn::DType::kF32 && !engine.numeric_notes.empty();
  enqueue_call({.name = "cuDNN: convolution",
                .stream = stream,
                .operands = {first, second, result, {"the workspace", workspace, space, Use::kWritten}},
                .plan = built.get()},
               [=, to = const_cast<void*>(result.data)] {
                 spoil(workspace, space);
                 all.compute(to, first.data, second.data, rounds_factors);
                 pass_time(engine.milliseconds);
               });
  return {};
}

}  // namespace cudnn_frontend::graph
