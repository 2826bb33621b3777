#include "convolutions_alone.hpp"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <optional>

#include "cpu/amx.hpp"
#include "cpu/winograd.hpp"

namespace bn {
namespace {

using dnnl::memory;
using FormatTag = memory::format_tag;
using Clock = std::chrono::steady_clock;
constexpr int kPattern = 0x3c;  // 0.0115 in f32 and in bf16

// SeparableConv2d runs as one dense convolution.
std::optional<cpu::ConvolutionWindow> window_of(const OpSpec& spec) {
  const auto window = [](const auto& conv) { return cpu::ConvolutionWindow{conv.kernel, conv.stride, conv.pad}; };
  if (const auto* conv = std::get_if<Conv2d>(&spec)) return window(*conv);
  if (const auto* conv = std::get_if<SeparableConv2d>(&spec)) return window(*conv);
  return std::nullopt;
}

}  // namespace

const char* name_of(Direction direction) {
  constexpr const char* kNames[] = {"forward", "input_gradient", "weight_gradient"};
  return kNames[static_cast<int>(direction)];
}

const char* name_of(Form form) {
  constexpr const char* kNames[] = {"images", "one_image", "product"};
  return kNames[static_cast<int>(form)];
}

double TimedDirection::quickest_seconds(Form form) const {
  double quickest = std::numeric_limits<double>::infinity();
  for (const Candidate& candidate : candidates) {
    if (candidate.form == form) quickest = std::min(quickest, candidate.seconds);
  }
  return quickest;
}

ConvolutionsAlone::ConvolutionsAlone(const Net& net, Backend& backend, int64_t batch, DType dtype)
    : backend_(backend), batch_(batch), dtype_(dtype) {
  int64_t most_x = 0, most_y = 0;
  std::vector<std::pair<std::string, Operands>> convolutions;
  for (const Node& node : net.nodes()) {
    const auto window = window_of(node.spec);
    if (!window) continue;
    const Operands operands{.x = value(net, node.inputs[0]),
                            .y = value(net, node.output),
                            .window = *window,
                            .wants_dx = node.inputs[0] != net.images()};
    most_x = std::max(most_x, operands.x.bytes());
    most_y = std::max(most_y, operands.y.bytes());
    convolutions.emplace_back(node.name, operands);
  }
  dx_ = buffer(most_x);
  dy_ = buffer(most_y);
  for (const auto& [name, operands] : convolutions) add(name, operands);
  std::reverse(backward_.begin(), backward_.end());
  scratch_ = buffer(scratch_bytes_);
}

void* ConvolutionsAlone::buffer(int64_t bytes) {
  buffers_.push_back(backend_.allocate(bytes));
  std::memset(buffers_.back()->data(), kPattern, static_cast<size_t>(bytes));
  return buffers_.back()->data();
}

Tensor ConvolutionsAlone::value(const Net& net, ValueId id) {
  Tensor& tensor = values_[id.index];
  if (!tensor) {
    Shape shape = net.values()[static_cast<size_t>(id.index)].shape;
    shape.n = batch_;
    tensor = dense(buffer(shape.elements() * size_of(dtype_)), dtype_, shape);
  }
  return tensor;
}

void ConvolutionsAlone::add(const std::string& name, const Operands& operands) {
  const bool is_1x1 = cpu::is_pointwise(operands.window);
  std::vector<TimedDirection> directions;
  for (const Direction direction : {Direction::kForward, Direction::kWeightGradient, Direction::kInputGradient}) {
    directions.push_back({.convolution = name, .direction = direction, .is_1x1 = is_1x1});
  }
  if (!operands.wants_dx) directions.pop_back();
  add_convolutions(directions, operands, Form::kImages);
  if (is_1x1) {
    add_convolutions(directions, operands, Form::kOneImage);
    add_matrix_products(directions, operands);
  }
  const cpu::ConvolutionWindow& window = operands.window;
  if (window.kernel == 3 && window.stride == 1) {
    add_own<cpu::WinogradCorrelation, cpu::WinogradWeightGradient>(directions, operands);
  }
  if (window.stride == 1 && cpu::has_amx()) {
    add_own<cpu::AmxCorrelation, cpu::AmxWeightGradient>(directions, operands);
  }
  forward_.push_back(std::move(directions[0]));
  for (size_t i = 1; i < directions.size(); ++i) backward_.push_back(std::move(directions[i]));
}

void ConvolutionsAlone::add_candidate(TimedDirection& to, const dnnl::primitive_desc_base& description, Form form,
                                      const std::vector<std::pair<int, void*>>& data, int weights) {
  try {
    const auto call =
        std::make_shared<cpu::PreparedCall>(description, std::vector{data[0].first, data[1].first, weights});
    const memory::desc layout = description.query_md(dnnl::query::exec_arg_md, weights);
    void* w = buffer(static_cast<int64_t>(layout.get_size()));
    scratch_bytes_ = std::max(scratch_bytes_, call->scratch_bytes());
    to.candidates.push_back(
        {.name = call->implementation(), .form = form, .run = [=](void* scratch) {
           call->run({{data[0].first, data[0].second}, {data[1].first, data[1].second}, {weights, w}}, scratch);
         }});
  } catch (const dnnl::error&) {  // reference loops
  }
}

// Every implementation that takes NHWC activations, with weights in the layout that it likes.
void ConvolutionsAlone::add_convolutions(std::vector<TimedDirection>& directions, const Operands& operands, Form form) {
  const cpu::ConvolutionWindow& window = operands.window;
  const auto shape_given = [&](const Shape& shape) {
    return form == Form::kOneImage ? cpu::as_one_image(window, shape) : shape;
  };
  const memory::desc x = cpu::nhwc(dtype_, shape_given(operands.x.shape)),
                     y = cpu::nhwc(dtype_, shape_given(operands.y.shape));
  const memory::dims weight_dims{operands.y.shape.c, operands.x.shape.c, window.kernel, window.kernel};
  const memory::dims stride{window.stride, window.stride}, pad{window.pad, window.pad};
  const memory::desc w(weight_dims, cpu::data_type(dtype_), FormatTag::any);
  const memory::desc dw(weight_dims, memory::data_type::f32, FormatTag::any);

  const dnnl::primitive_attr attributes = cpu::attributes();
  const cpu::ConvolutionDescription call{.x = x, .w = w, .y = y, .stride = stride, .pad = pad};
  const auto add_all_to = [&](TimedDirection& to, const std::vector<std::pair<int, void*>>& arguments,
                              int weights_argument) {
    return [this, &to, form, arguments, weights_argument](const dnnl::primitive_desc_base& implementation) {
      add_candidate(to, implementation, form, arguments, weights_argument);
      return false;
    };
  };
  const dnnl::convolution_forward::primitive_desc hint = cpu::convolution_forward(
      dnnl::prop_kind::forward_training, call, attributes,
      add_all_to(directions[0], {{DNNL_ARG_SRC, operands.x.data}, {DNNL_ARG_DST, operands.y.data}}, DNNL_ARG_WEIGHTS));
  cpu::convolution_gradient<cpu::WeightGradient>(
      {.x = x, .w = dw, .y = y, .stride = stride, .pad = pad}, attributes, hint,
      add_all_to(directions[1], {{DNNL_ARG_SRC, operands.x.data}, {DNNL_ARG_DIFF_DST, dy_}}, DNNL_ARG_DIFF_WEIGHTS));
  if (!operands.wants_dx) return;
  cpu::convolution_gradient<cpu::InputGradient>(
      call, attributes, hint,
      add_all_to(directions[2], {{DNNL_ARG_DIFF_DST, dy_}, {DNNL_ARG_DIFF_SRC, dx_}}, DNNL_ARG_WEIGHTS));
}

// y [m, o] = x [m, i] * w^T, dx = dy * w, dw [o, i] = dy^T * x.
void ConvolutionsAlone::add_matrix_products(std::vector<TimedDirection>& directions, const Operands& operands) {
  const int64_t m = operands.x.shape.rows(), inputs = operands.x.shape.c, outputs = operands.y.shape.c;
  const memory::desc x = cpu::row_major(dtype_, m, inputs), y = cpu::row_major(dtype_, m, outputs);
  const auto add_product = [&](TimedDirection& to, const memory::desc& result, const memory::desc& a,
                               const memory::desc& b, const std::vector<std::pair<int, void*>>& data, int weights) {
    try {
      add_candidate(to, cpu::matrix_product(result, a, b, cpu::attributes()), Form::kProduct, data, weights);
    } catch (const dnnl::error&) {  // none for these types
    }
  };
  const auto weights = [&](int64_t rows, int64_t columns) {
    return memory::desc({rows, columns}, cpu::data_type(dtype_), FormatTag::any);
  };
  add_product(directions[0], y, x, weights(inputs, outputs),
              {{DNNL_ARG_SRC, operands.x.data}, {DNNL_ARG_DST, operands.y.data}}, DNNL_ARG_WEIGHTS);
  add_product(directions[1], cpu::row_major(DType::kF32, outputs, inputs), cpu::column_major(dtype_, outputs, m), x,
              {{DNNL_ARG_SRC, dy_}, {DNNL_ARG_WEIGHTS, operands.x.data}}, DNNL_ARG_DST);
  if (!operands.wants_dx) return;
  add_product(directions[2], x, y, weights(outputs, inputs), {{DNNL_ARG_SRC, dy_}, {DNNL_ARG_DST, dx_}},
              DNNL_ARG_WEIGHTS);
}

// y, dx and dw of a convolution of stride 1 by kernels of ours, whether or not its shape is one that training computes
// so.
template <class Correlation, class WeightGradient>
void ConvolutionsAlone::add_own(std::vector<TimedDirection>& directions, const Operands& operands) {
  const Shape &x = operands.x.shape, &y = operands.y.shape;
  const int64_t kernel = operands.window.kernel;
  const cpu::DirectionDesc forward{
      .maps = dtype_, .from = x, .to = y, .window = operands.window, .threads = omp_get_max_threads(), .trains = true};
  const auto add = [&](TimedDirection& to, int64_t scratch_bytes, const std::function<void(void*)>& run) {
    scratch_bytes_ = std::max(scratch_bytes_, scratch_bytes);
    to.candidates.push_back({.name = Correlation::implementation(dtype_), .form = Form::kImages, .run = run});
  };
  const auto add_correlation = [&](TimedDirection& to, const Tensor& result, const Tensor& from,
                                   const cpu::DirectionDesc& desc) {
    const auto call = std::make_shared<Correlation>(desc);
    void* w = buffer(call->weight_bytes());
    add(to, call->scratch_bytes(),
        [=](void* scratch) { call->run({.to = result.data, .from = from.data, .weights = w}, scratch); });
  };
  const Tensor dx = dense(dx_, dtype_, x), dy = dense(dy_, dtype_, y);
  add_correlation(directions[0], operands.y, operands.x, forward);
  const auto call = std::make_shared<WeightGradient>(forward);
  auto* dw = static_cast<float*>(buffer(kernel * kernel * x.c * y.c * size_of(DType::kF32)));
  add(directions[1], call->scratch_bytes(),
      [call, dw, dy, x_data = operands.x.data](void* scratch) { call->run(dw, x_data, dy.data, scratch); });
  if (operands.wants_dx) add_correlation(directions[2], dx, dy, cpu::input_gradient_of(forward));
}

void ConvolutionsAlone::run(std::vector<TimedDirection>& directions) {
  for (TimedDirection& direction : directions) direction.candidates[direction.best].run(scratch_);
}

void ConvolutionsAlone::choose(int64_t trials) {
  for (auto* directions : {&forward_, &backward_}) {
    for (TimedDirection& direction : *directions) choose(direction, trials);
  }
}

void ConvolutionsAlone::choose(TimedDirection& direction, int64_t trials) {
  if (direction.candidates.empty())
    throw UnsupportedError("the library has no kernel for a convolution of this type here");
  constexpr double kHopeless = 3;  // times the quickest: not tried again
  double quickest = std::numeric_limits<double>::infinity();
  for (Candidate& candidate : direction.candidates) candidate.run(scratch_);  // loads its code
  for (int64_t trial = 0; trial < trials; ++trial) {
    for (Candidate& candidate : direction.candidates) {
      if (trial > 0 && candidate.seconds > kHopeless * quickest) continue;
      const auto start = Clock::now();
      candidate.run(scratch_);
      const std::chrono::duration<double> elapsed = Clock::now() - start;
      candidate.seconds = trial == 0 ? elapsed.count() : std::min(candidate.seconds, elapsed.count());
      quickest = std::min(quickest, candidate.seconds);
    }
  }
  const auto best = std::min_element(direction.candidates.begin(), direction.candidates.end(),
                                     [](const auto& a, const auto& b) { return a.seconds < b.seconds; });
  direction.best = static_cast<size_t>(best - direction.candidates.begin());
}

}  // namespace bn
