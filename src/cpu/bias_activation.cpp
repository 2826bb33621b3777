// y = activation(x + bias), where no batch normalisation takes the bias's place.
#include "core/op_checks.hpp"
#include "cpu/columns.hpp"
#include "cpu/ops.hpp"
#include "cpu/parallel.hpp"

namespace bn::cpu {
namespace {

class BiasActivationOp final : public Op {
 public:
  BiasActivationOp(Activation activation, const OpDesc& desc)
      : activation_(activation), phase_(desc.phase), tiles_(desc.x[0].shape.rows(), desc.x[0].shape.c) {}

  int64_t scratch_bytes() const override {
    return phase_ == Phase::kTrain ? tiles_.partial_elements() / 2 * static_cast<int64_t>(sizeof(double)) : 0;
  }

  void forward(const OpIo& io) override {
    const Matrix x = matrix_of(io.x[0]), y = matrix_of(io.y);
    const auto* bias = io.w[0].as<float>();
#pragma omp parallel if (worth_threads(x.m * x.c))
    {
      const Share mine = share_of(tiles_.count());
      for (int64_t i = mine.begin; i < mine.end; ++i) {
        const Tile tile = tiles_[i];
        kernels_.columns(x.dtype).bias_activation(rows_at(y, tile), rows_at(x, tile), bias + tile.column, tile.rows,
                                                  tile.columns, activation_);
      }
    }
  }

  void backward(const OpIo& io) override {
    const Matrix dx = matrix_of(io.dx[0]), dy = matrix_of(io.dy);
    const Matrix y = activation_ == Activation::kNone ? Matrix{} : matrix_of(io.y);
    auto* partial = static_cast<double*>(io.scratch);  // [groups, c]
#pragma omp parallel if (worth_threads(dy.m * dy.c))
    {
      const Share mine = share_of(tiles_.count());
      for (int64_t i = mine.begin; i < mine.end; ++i) {
        const Tile tile = tiles_[i];
        kernels_.columns(dy.dtype).bias_activation_gradient(
            rows_at(dx, tile), partial + tile.group * dy.c + tile.column, rows_at(dy, tile), rows_at(y, tile),
            tile.rows, tile.columns, activation_);
      }
    }
    add_groups(partial, dy.c, tiles_, kernels_);
    kernels_.statistics.to_float(io.dw[0].as<float>(), partial, dy.c);
  }

  std::string implementation() const override { return std::string("own:") + kernels_.instruction_set; }

 private:
  Activation activation_;
  Phase phase_;
  Tiles tiles_;
  const Kernels& kernels_ = kernels();
};

}  // namespace

std::unique_ptr<Op> make_bias_activation(const BiasActivation& spec, const OpDesc& desc) {
  require_activations(desc);
  return std::make_unique<BiasActivationOp>(spec.activation, desc);
}

}  // namespace bn::cpu
