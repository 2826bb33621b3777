// The parts of a network: the keys below `model:`, and the tables of configs/networks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "bn/ops.hpp"

namespace bn {

enum class RowType { kConvolution, kMaxPool, kAveragePool, kInception };

// One row of Fig. 5. Fields that a type does not use stay 0.
struct TableRow {
  std::string name{};  // "conv1", "inception_3a"
  RowType type = RowType::kInception;
  int64_t patch = 0;  // convolution, pools: kernel; average pool 0 = the whole map
  int64_t stride = 1;
  int64_t filters = 0;           // convolution
  int64_t depth_multiplier = 0;  // convolution: separable when > 0
  int64_t reduce = 0;            // convolution: a 1x1 convolution before it
  int64_t conv1x1 = 0;           // inception: "#1x1"; 0 = no such branch
  int64_t conv3x3_reduce = 0;
  int64_t conv3x3 = 0;
  int64_t double3x3_reduce = 0;
  int64_t double3x3 = 0;
  PoolKind pool = PoolKind::kAverage;
  int64_t projection = 0;  // 1x1 after the pool; 0 = pass through
};

struct AuxiliaryHead {
  std::string after{};  // row whose output feeds it
  int64_t pool_patch = 5, pool_stride = 3;
  int64_t filters = 128, units = 768;
  float weight = 0.3F;
};

struct InceptionTable {
  int64_t image_size = 224, image_channels = 3;
  std::vector<TableRow> rows{};
  PoolBorder pool_border = PoolBorder::kExcludePadding;  // applies to all average pools
  std::vector<std::string> local_response_norm_after{};  // used when ModelOptions::local_response_norm
  LocalResponseNorm local_response_norm{};
  std::optional<AuxiliaryHead> auxiliary{};
};

struct MlpTable {
  int64_t image_size = 28, image_channels = 1;
  std::vector<int64_t> hidden{100, 100, 100};
};

enum class Normalization { kNone, kBatch };
// Paper: sec. 3.2, z = g(BN(Wu)), before the nonlinearity; readers of the paper ask about BN(g(Wu + b)).
enum class BatchNormPlacement { kBeforeActivation, kAfterActivation };
enum class Affine { kLearned, kFixed };  // fixed: gamma stays 1, beta 0

// The switches of an experiment file.
struct ModelOptions {
  std::variant<InceptionTable, MlpTable> table{};
  int64_t classes = 1000;
  Normalization normalization = Normalization::kBatch;
  Activation activation = Activation::kRelu;
  bool local_response_norm = false;
  double dropout = 0.0;  // before the last linear layer
  double width = 1.0;    // multiplies every filter count of the table, rounded to a multiple of 8
  // Multiplies the initial deviation of convolutions. Paper: sec. 4.2.3, "increased initial weights".
  double init_scale = 1.0;
  BatchNorm batch_norm{};  // eps, scope, implementation
  BatchNormPlacement placement = BatchNormPlacement::kBeforeActivation;
  Affine gamma = Affine::kLearned, beta = Affine::kLearned;  // apply to every batch norm
  std::vector<std::string> per_activation{};  // rows whose batch norms are so, whatever batch_norm.scope says
  std::string init_from{};            // a checkpoint or run folder whose values training starts from; empty = drawn
  std::vector<std::string> freeze{};  // rows that do not learn: their names, or how they begin
};

}  // namespace bn
