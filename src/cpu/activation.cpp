// ReLU and sigmoid on their own, with no batch normalisation or bias to carry them.
#include "core/op_checks.hpp"
#include "cpu/columns.hpp"
#include "cpu/ops.hpp"
#include "cpu/parallel.hpp"

namespace bn::cpu {
namespace {

class ActivateOp final : public Op {
 public:
  ActivateOp(Activation activation, const Shape& x) : activation_(activation), tiles_(x.rows(), x.c) {}

  void forward(const OpIo& io) override {
    const Matrix x = matrix_of(io.x[0]), y = matrix_of(io.y);
#pragma omp parallel if (worth_threads(x.m * x.c))
    {
      const Share mine = share_of(tiles_.count());
      for (int64_t i = mine.begin; i < mine.end; ++i) {
        const Tile tile = tiles_[i];
        kernels_.columns(x.dtype).bias_activation(rows_at(y, tile), rows_at(x, tile), nullptr, tile.rows, tile.columns,
                                                  activation_);
      }
    }
  }

  void backward(const OpIo& io) override {
    if (!io.dx[0]) return;
    const Matrix dx = matrix_of(io.dx[0]), dy = matrix_of(io.dy);
    const Matrix y = activation_ == Activation::kNone ? Matrix{} : matrix_of(io.y);
#pragma omp parallel if (worth_threads(dy.m * dy.c))
    {
      const Share mine = share_of(tiles_.count());
      for (int64_t i = mine.begin; i < mine.end; ++i) {
        const Tile tile = tiles_[i];
        kernels_.columns(dy.dtype).bias_activation_gradient(rows_at(dx, tile), nullptr, rows_at(dy, tile),
                                                            rows_at(y, tile), tile.rows, tile.columns, activation_);
      }
    }
  }

  std::string implementation() const override { return std::string("own:") + kernels_.instruction_set; }

 private:
  Activation activation_;
  Tiles tiles_;
  const Kernels& kernels_ = kernels();
};

}  // namespace

std::unique_ptr<Op> make_activate(const Activate& spec, const OpDesc& desc) {
  require_activations(desc);
  return std::make_unique<ActivateOp>(spec.activation, desc.x.at(0).shape);
}

}  // namespace bn::cpu
