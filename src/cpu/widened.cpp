#include "cpu/widened.hpp"

#include <algorithm>
#include <vector>

#include "core/op_checks.hpp"
#include "core/regions.hpp"
#include "cpu/backend.hpp"
#include "cpu/kernels/kernels.hpp"
#include "cpu/parallel.hpp"

namespace bn::cpu {
namespace {

// A thread's widened images should stay in its second-level cache.
constexpr int64_t kChunkBytes = int64_t{1} << 20;
// Each chunk's gradients of the weights are written, put into their order and added: some seven passes over them.
constexpr int64_t kChunkOfWeights = 8;
constexpr int64_t kBf16PerLine = 32;  // a cache line, which threads do not share
constexpr size_t kMostStates = 2;     // batch norm's mean and variance

int64_t f32_bytes(const Shape& shape) { return shape.elements() * size_of(DType::kF32); }

Shape with_images(Shape shape, int64_t images) {
  shape.n = images;
  return shape;
}

// Images [first, first + count) of a batch.
struct Images {
  int64_t first, count;
};

class WidenedOp final : public Op {
 public:
  WidenedOp(const OpSpec& spec, const OpDesc& desc, const MakeOp& make, Widened at_once)
      : x_(desc.x.at(0).shape), y_(desc.y.shape) {
    refuse_row_strides(desc);
    const bool wants_dx = desc.has_backward && desc.wants_dx.at(0);
    const std::vector<ParameterSpec> parameters = parameters_of(spec, {&x_, 1});
    if (at_once == Widened::kSomeImages) divide_images(parameters, desc.has_backward, wants_dx);

    const Shape x = with_images(x_, chunk_images_), y = with_images(y_, chunk_images_);
    OpDesc chunk = desc;
    chunk.x[0] = TensorDesc::dense(DType::kF32, x);
    chunk.y = TensorDesc::dense(DType::kF32, y);
    op_ = make(chunk);

    io_.x = {dense(nullptr, DType::kF32, x)};
    io_.dx = {dense(nullptr, DType::kF32, x)};
    io_.y = io_.dy = dense(nullptr, DType::kF32, y);
    x_offset_ = regions_.add(f32_bytes(x));
    y_offset_ = regions_.add(f32_bytes(y));
    if (wants_dx) dx_offset_ = regions_.add(f32_bytes(x));
    if (desc.has_backward && chunks_ > 1) {
      for (const ParameterSpec& parameter : parameters) dw_offsets_.push_back(regions_.add(f32_bytes(parameter.shape)));
    }
    op_offset_ = regions_.add(op_->scratch_bytes());
    wants_dx_ = wants_dx;
    // So that no step allocates.
    io_.w.reserve(parameters.size());
    io_.dw.reserve(parameters.size());
    io_.state.reserve(kMostStates);
    terms_.resize(2);
  }

  int64_t saved_bytes() const override { return op_->saved_bytes(); }
  int64_t scratch_bytes() const override { return regions_.bytes(); }
  int64_t packed_bytes() const override { return op_->packed_bytes(); }
  std::string implementation() const override { return op_->implementation() + ":widened"; }

  void pack(const OpIo& io) override { op_->pack(io); }

  void forward(const OpIo& io) override {
    place(io);
    for (int64_t chunk = 0; chunk < chunks_; ++chunk) {
      const Images images = images_of(chunk);
      read(io_.x[0], io.x[0], images);
      op_->forward(io_);
      write(io.y, io_.y, images);
    }
  }

  void backward(const OpIo& io) override {
    place(io);
    for (int64_t chunk = 0; chunk < chunks_; ++chunk) {
      const Images images = images_of(chunk);
      read(io_.x[0], io.x[0], images);
      read(io_.dy, io.dy, images);
      io_.dw.assign(io.dw.begin(), io.dw.end());
      for (size_t i = 0; chunk > 0 && i < io_.dw.size(); ++i) io_.dw[i].data = at(io.scratch, dw_offsets_[i]);
      op_->backward(io_);
      if (wants_dx_) write(io.dx[0], io_.dx[0], images);
      if (chunk > 0) add_gradients(io);
    }
  }

 private:
  void divide_images(const std::vector<ParameterSpec>& parameters, bool has_backward, bool wants_dx) {
    int64_t weight_bytes = 0;
    for (const ParameterSpec& parameter : parameters) weight_bytes += f32_bytes(parameter.shape);
    int64_t budget = kChunkBytes * omp_get_max_threads();
    if (has_backward) budget = std::max(budget, kChunkOfWeights * weight_bytes);
    const int64_t batch_bytes = f32_bytes(x_) * (wants_dx ? 2 : 1) + f32_bytes(y_);
    const int64_t most_images = std::max<int64_t>(budget * x_.n / batch_bytes, 1);
    chunks_ = divide_up(x_.n, std::min(most_images, x_.n));
    chunk_images_ = divide_up(x_.n, chunks_);
    chunks_ = divide_up(x_.n, chunk_images_);
  }

  Images images_of(int64_t chunk) const {
    const int64_t first = chunk * chunk_images_;
    return {first, std::min(chunk_images_, x_.n - first)};
  }

  // Before the first chunk.
  void place(const OpIo& io) {
    io_.x[0].data = at(io.scratch, x_offset_);
    io_.y.data = io_.dy.data = at(io.scratch, y_offset_);
    io_.dx[0].data = wants_dx_ ? at(io.scratch, dx_offset_) : nullptr;
    io_.w.assign(io.w.begin(), io.w.end());
    io_.state.assign(io.state.begin(), io.state.end());
    io_.saved = io.saved;
    io_.packed = io.packed;
    io_.scratch = at(io.scratch, op_offset_);
  }

  // A last chunk may lack images: zeros add nothing to a sum over images.
  void read(const Tensor& to, const Tensor& from, const Images& images) const {
    const int64_t image = from.shape.elements() / from.shape.n, first = images.first * image;
    const int64_t count = images.count * image;
    auto* floats = to.as<float>();
    std::fill(floats + count, floats + chunk_images_ * image, 0.0F);
    if (from.dtype == DType::kBf16)
      return convert(floats, from.as<uint16_t>() + first, count, table_.conversions.widen);
    std::copy_n(from.as<float>() + first, count, floats);
  }

  void write(const Tensor& to, const Tensor& from, const Images& images) const {
    const int64_t image = to.shape.elements() / to.shape.n, first = images.first * image;
    const int64_t count = images.count * image;
    const auto* floats = from.as<float>();
    if (to.dtype == DType::kBf16) return convert(to.as<uint16_t>() + first, floats, count, table_.conversions.narrow);
    std::copy_n(floats, count, to.as<float>() + first);
  }

  template <class To, class From>
  static void convert(To* to, const From* from, int64_t count, void (*kernel)(To*, const From*, int64_t)) {
    in_spans(count, kBf16PerLine, count, [&](int64_t first, int64_t here) { kernel(to + first, from + first, here); });
  }

  void add_gradients(const OpIo& io) {
    for (size_t i = 0; i < io_.dw.size(); ++i) {
      terms_[0] = io.dw[i];
      terms_[1] = io_.dw[i];
      sum(io.dw[i], terms_);
    }
  }

  Shape x_, y_;
  bool wants_dx_ = false;
  int64_t chunks_ = 1, chunk_images_ = x_.n;
  std::unique_ptr<Op> op_;  // computes one chunk
  OpIo io_;                 // op_'s tensors
  std::vector<Tensor> terms_;
  // Scratch: a chunk of x, of y or dy, and of dx; the gradients of its weights; what its op needs.
  Regions regions_;
  int64_t x_offset_ = 0, y_offset_ = 0, dx_offset_ = 0, op_offset_ = 0;
  std::vector<int64_t> dw_offsets_;
  const KernelTable& table_ = kernels();
};

}  // namespace

std::unique_ptr<Op> make_widened(const OpSpec& spec, const OpDesc& desc, const MakeOp& make, Widened at_once) {
  return std::make_unique<WidenedOp>(spec, desc, make, at_once);
}

}  // namespace bn::cpu
