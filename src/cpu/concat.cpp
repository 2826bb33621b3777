// Concatenation along channels: copies of rows.
#include <cstring>

#include "core/op_checks.hpp"
#include "cpu/ops.hpp"
#include "cpu/parallel.hpp"

namespace bn::cpu {
namespace {

class ConcatOp final : public Op {
 public:
  explicit ConcatOp(const OpDesc& desc) : rows_(desc.y.shape.rows()), row_bytes_(row_bytes_of(desc.y)) {
    for (const TensorDesc& x : desc.x) part_bytes_.push_back(row_bytes_of(x));
  }

  void forward(const OpIo& io) override {
#pragma omp parallel if (worth_threads(io.y.shape.elements()))
    {
      const Share mine = share_of(rows_);
      for (int64_t row = mine.begin; row < mine.end; ++row) {
        auto* to = io.y.as<uint8_t>() + row * row_bytes_;
        for (size_t i = 0; i < part_bytes_.size(); to += part_bytes_[i++]) {
          std::memcpy(to, io.x[i].as<uint8_t>() + row * part_bytes_[i], static_cast<size_t>(part_bytes_[i]));
        }
      }
    }
  }

  void backward(const OpIo& io) override {
#pragma omp parallel if (worth_threads(io.dy.shape.elements()))
    {
      const Share mine = share_of(rows_);
      for (int64_t row = mine.begin; row < mine.end; ++row) {
        const auto* from = io.dy.as<uint8_t>() + row * row_bytes_;
        for (size_t i = 0; i < part_bytes_.size(); from += part_bytes_[i++]) {
          if (!io.dx[i]) continue;
          std::memcpy(io.dx[i].as<uint8_t>() + row * part_bytes_[i], from, static_cast<size_t>(part_bytes_[i]));
        }
      }
    }
  }

 private:
  static int64_t row_bytes_of(const TensorDesc& tensor) { return tensor.shape.c * size_of(tensor.dtype); }

  int64_t rows_;
  int64_t row_bytes_;
  std::vector<int64_t> part_bytes_;  // of a row of each input
};

}  // namespace

std::unique_ptr<Op> make_concat(const Concat&, const OpDesc& desc) {
  require_activations(desc);
  refuse_row_strides(desc);
  return std::make_unique<ConcatOp>(desc);
}

}  // namespace bn::cpu
