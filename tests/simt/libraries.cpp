// Plain loops that compute what NVIDIA's libraries do, since a simulated device has none of them. So the ops around
// them (packing, folding, widened images, gradients taken apart) run as on a GPU.
#include <cstring>

#include "bn/error.hpp"
#include "cuda/cublas_product.hpp"
#include "cuda/cudnn_graph.hpp"
#include "cuda/library_ops.hpp"
#include "simt/simulator/device.hpp"

namespace bn::cuda {
namespace {

double load(const void* data, DType dtype, int64_t i) {
  return dtype == DType::kBf16 ? static_cast<const Bfloat16*>(data)[i].to_float() : static_cast<const float*>(data)[i];
}

void store(void* data, DType dtype, int64_t i, double value) {
  const auto single = static_cast<float>(value);
  if (dtype == DType::kBf16) {
    static_cast<Bfloat16*>(data)[i] = Bfloat16::from_float(single);
  } else {
    static_cast<float*>(data)[i] = single;
  }
}

int64_t index(const Shape& shape, int64_t n, int64_t h, int64_t w, int64_t c) {
  return ((n * shape.h + h) * shape.w + w) * shape.c + c;
}

// f(index of x, index of w, index of y) for every product of the convolution.
template <class F>
void for_each_product(const ConvolutionProblem& problem, const F& f) {
  const Shape &x = problem.x, &w = problem.w, &y = problem.y;
  for (int64_t n = 0; n < y.n; ++n) {
    for (int64_t pixel = 0; pixel < y.h * y.w; ++pixel) {
      const int64_t row = pixel / y.w, column = pixel % y.w;
      for (int64_t position = 0; position < w.h * w.w; ++position) {
        const int64_t h = row * problem.stride - problem.pad + position / w.w;
        const int64_t v = column * problem.stride - problem.pad + position % w.w;
        if (h < 0 || h >= x.h || v < 0 || v >= x.w) continue;
        for (int64_t o = 0; o < y.c; ++o) {
          for (int64_t i = 0; i < x.c; ++i) {
            f(index(x, n, h, v, i), index(w, o, position / w.w, position % w.w, i), index(y, n, row, column, o));
          }
        }
      }
    }
  }
}

void convolve(const ConvolutionProblem& problem, void* result, const void* first, const void* second) {
  const auto compute = [&](const Shape& shape, DType dtype, const auto& accumulate) {
    std::vector<double> sums(static_cast<size_t>(shape.elements()));
    accumulate(sums);
    for (int64_t i = 0; i < shape.elements(); ++i) store(result, dtype, i, sums[static_cast<size_t>(i)]);
  };
  switch (problem.part) {
    case ConvolutionPart::kForward:
      return compute(problem.y, problem.dtype, [&](std::vector<double>& y) {
        for_each_product(problem, [&](int64_t ix, int64_t iw, int64_t iy) {
          y[static_cast<size_t>(iy)] += load(first, problem.dtype, ix) * load(second, problem.dtype, iw);
        });
      });
    case ConvolutionPart::kInputGradient:
      return compute(problem.x, problem.dtype, [&](std::vector<double>& dx) {
        for_each_product(problem, [&](int64_t ix, int64_t iw, int64_t iy) {
          dx[static_cast<size_t>(ix)] += load(first, problem.dtype, iy) * load(second, problem.dtype, iw);
        });
      });
    case ConvolutionPart::kWeightGradient:
      return compute(problem.w, problem.dtype, [&](std::vector<double>& dw) {
        for_each_product(problem, [&](int64_t ix, int64_t iw, int64_t iy) {
          dw[static_cast<size_t>(iw)] += load(first, problem.dtype, iy) * load(second, problem.dtype, ix);
        });
      });
  }
}

// A library leaves garbage there.
void use_workspace(void* workspace, int64_t bytes) { std::memset(workspace, 0x7f, static_cast<size_t>(bytes)); }

void multiply(const ProductProblem& problem, void* result, const void* a, const void* b) {
  const bool a_turned = problem.a.transposed == Transposed::kYes, b_turned = problem.b.transposed == Transposed::kYes;
  const int64_t rows = a_turned ? problem.a.columns : problem.a.rows;
  const int64_t inner = a_turned ? problem.a.rows : problem.a.columns;
  const int64_t columns = b_turned ? problem.b.rows : problem.b.columns;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < inner; ++k) {
        sum += load(a, problem.dtype, a_turned ? k * rows + i : i * inner + k) *
               load(b, problem.dtype, b_turned ? j * inner + k : k * columns + j);
      }
      store(result, problem.result_dtype, i * columns + j, sum);
    }
  }
}

}  // namespace

struct PreparedConvolution {
  ConvolutionProblem problem;
  cudaStream_t stream = nullptr;
  std::string engine;
};

// It offers two engines, of which it chooses the first.
ConvolutionPlan::ConvolutionPlan(const Context& context, const ConvolutionProblem& problem) {
  Convolutions& known = *context.convolutions;
  const std::string name = describe(problem);
  auto& prepared = known.prepared[name];
  if (!prepared) {
    const auto wanted = known.wanted.find(name);
    const bool other = wanted != known.wanted.end() && wanted->second == "other loops";
    prepared = std::make_shared<PreparedConvolution>(
        PreparedConvolution{.problem = problem, .stream = context.compute, .engine = other ? "other loops" : "loops"});
    known.chosen[name] = prepared->engine;
  }
  plan_ = prepared;
}
int64_t ConvolutionPlan::workspace_bytes() const { return plan_ ? 1000 : 0; }
const std::string& ConvolutionPlan::engine() const { return plan_->engine; }

void ConvolutionPlan::run(void* result, const void* first, const void* second, void* workspace) const {
  simt::enqueue(plan_->stream, [=, problem = plan_->problem, bytes = workspace_bytes()] {
    use_workspace(workspace, bytes);
    convolve(problem, result, first, second);
  });
}

struct Product::Plan {
  ProductProblem problem;
  cudaStream_t stream = nullptr;
};

Product::Product() = default;
Product::Product(const Context& context, const ProductProblem& problem)
    : plan_(std::make_unique<Plan>(Plan{.problem = problem, .stream = context.compute})) {}
Product::~Product() = default;
Product::Product(Product&&) noexcept = default;
Product& Product::operator=(Product&&) noexcept = default;
int64_t Product::workspace_bytes() const { return plan_ ? 1000 : 0; }
std::string Product::algorithm() const { return "loops"; }

void Product::run(void* result, const void* a, const void* b, void* workspace) const {
  simt::enqueue(plan_->stream, [=, problem = plan_->problem, bytes = workspace_bytes()] {
    use_workspace(workspace, bytes);
    multiply(problem, result, a, b);
  });
}

std::unique_ptr<Op> make_batch_norm_cudnn(const Context&, const BatchNorm&, const OpDesc&) {
  throw UnsupportedError("The simulated device has no cuDNN.");
}

void open_libraries(Context&) {}
void close_libraries(Context&) {}
std::string library_versions() { return "loops"; }

}  // namespace bn::cuda
