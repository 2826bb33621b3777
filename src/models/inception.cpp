// The Inception variant of the paper's Fig. 5, built from its table. The one rule: every convolution is followed by
// batch normalisation, or by a bias where there is none, and then by the nonlinearity (sec. 3.2: z = g(BN(Wu))).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bn/error.hpp"
#include "bn/net.hpp"
#include "models/layers.hpp"

namespace bn {
namespace {

class InceptionBuilder {
 public:
  InceptionBuilder(const InceptionTable& table, const ModelOptions& options)
      : table_(table),
        layers_(options, {1, table.image_size, table.image_size, table.image_channels}),
        options_(options),
        value_(layers_.builder().images()) {}

  Net build() && {
    check_references();
    for (const TableRow& row : table_.rows) {
      layers_.enter_row(row.name);
      add_row(row);
      if (options_.local_response_norm && contains(table_.local_response_norm_after, row.name)) {
        value_ = layers_.builder().add(row.name + "/lrn", table_.local_response_norm, {value_});
      }
      if (table_.auxiliary && table_.auxiliary->after == row.name) auxiliary_input_ = value_;
    }
    if (options_.dropout > 0) {
      value_ = layers_.builder().add("dropout", Dropout{.rate = static_cast<float>(options_.dropout)}, {value_});
    }
    layers_.classifier("logits", "loss", value_, 1.0F);
    if (table_.auxiliary) add_auxiliary(*table_.auxiliary);
    return std::move(layers_.builder()).build();
  }

 private:
  static bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  void check_references() const {
    const auto expect_row = [&](const std::string& name, const char* key) {
      const bool known =
          std::any_of(table_.rows.begin(), table_.rows.end(), [&](const TableRow& row) { return row.name == name; });
      if (!known) throw ConfigError(fmt::format("{}: the network's table has no row \"{}\"", key, name));
    };
    for (const std::string& name : table_.local_response_norm_after) expect_row(name, "local_response_norm");
    for (const std::string& name : options_.per_activation) expect_row(name, "model.per_activation");
    if (table_.auxiliary) expect_row(table_.auxiliary->after, "auxiliary.after");
  }

  // A filter count under model.width.
  int64_t scaled(int64_t filters) const {
    if (options_.width == 1.0 || filters == 0) return filters;
    const double eighths = std::round(static_cast<double>(filters) * options_.width / 8.0);
    return std::max<int64_t>(8, 8 * static_cast<int64_t>(eighths));
  }

  void add_row(const TableRow& row) {
    switch (row.type) {
      case RowType::kConvolution:
        value_ = convolution_row(row);
        break;
      case RowType::kMaxPool:
        value_ = pool(row.name, PoolKind::kMax, row.patch, row.stride, value_);
        break;
      case RowType::kAveragePool: {
        const int64_t patch = row.patch > 0 ? row.patch : layers_.builder().shape(value_).h;
        value_ = pool(row.name, PoolKind::kAverage, patch, row.stride, value_);
        break;
      }
      case RowType::kInception:
        value_ = module(row);
        break;
    }
  }

  Pool2d window(Pool2d pool) const {
    if (pool.kind == PoolKind::kAverage) pool.border = table_.pool_border;
    return pool;
  }

  ValueId pool(const std::string& name, PoolKind kind, int64_t patch, int64_t stride, ValueId x) {
    // "Same" size at stride 1 for an odd patch, but for a pool over the whole map; an even one adds a position. At
    // stride 2 no padding and ceil geometry (112 -> 56).
    const int64_t pad = stride == 1 && patch < layers_.builder().shape(x).h ? patch / 2 : 0;
    return layers_.builder().add(name, window({.kind = kind, .kernel = patch, .stride = stride, .pad = pad}), {x});
  }

  ValueId convolution_row(const TableRow& row) {
    ValueId x = value_;
    if (row.reduce > 0) x = layers_.convolution(row.name + "/reduce", x, Conv2d{scaled(row.reduce), 1, 1, 0});
    const std::string name = row.name;
    if (row.depth_multiplier > 0) {
      return layers_.convolution(name, x,
                                 SeparableConv2d{.out_channels = scaled(row.filters),
                                                 .kernel = row.patch,
                                                 .stride = row.stride,
                                                 .pad = row.patch / 2,
                                                 .depth_multiplier = row.depth_multiplier});
    }
    return layers_.convolution(name, x, Conv2d{scaled(row.filters), row.patch, row.stride, row.patch / 2});
  }

  // Branches in the order of the printed table: 1x1 | 3x3 | double 3x3 | pool. At stride 2 the last convolution of
  // each branch and the pool step by 2, and there is no 1x1 branch.
  ValueId module(const TableRow& row) {
    const ValueId x = value_;
    const auto path = [&](const char* branch) { return row.name + "/" + branch; };
    std::vector<ValueId> branches;
    if (row.conv1x1 > 0) branches.push_back(layers_.convolution(path("1x1"), x, Conv2d{scaled(row.conv1x1), 1, 1, 0}));
    if (row.conv3x3 > 0) {
      const ValueId reduced = layers_.convolution(path("3x3_reduce"), x, Conv2d{scaled(row.conv3x3_reduce), 1, 1, 0});
      branches.push_back(layers_.convolution(path("3x3"), reduced, Conv2d{scaled(row.conv3x3), 3, row.stride, 1}));
    }
    if (row.double3x3 > 0) {
      const ValueId reduced =
          layers_.convolution(path("double3x3_reduce"), x, Conv2d{scaled(row.double3x3_reduce), 1, 1, 0});
      const ValueId first = layers_.convolution(path("double3x3a"), reduced, Conv2d{scaled(row.double3x3), 3, 1, 1});
      branches.push_back(
          layers_.convolution(path("double3x3b"), first, Conv2d{scaled(row.double3x3), 3, row.stride, 1}));
    }
    const Pool2d around = window({.kind = row.pool, .kernel = 3, .stride = row.stride, .pad = row.stride == 1 ? 1 : 0});
    ValueId pooled = layers_.builder().add(path("pool"), around, {x});
    if (row.projection > 0)
      pooled = layers_.convolution(path("projection"), pooled, Conv2d{scaled(row.projection), 1, 1, 0});
    branches.push_back(pooled);
    return layers_.builder().add(path("concat"), Concat{}, branches);
  }

  // Deviation: the paper does not mention auxiliary heads; its 13.6 M parameters fit this one (GoogLeNet's, with 768
  // units, after 4d).
  void add_auxiliary(const AuxiliaryHead& head) {
    layers_.enter_row("auxiliary");
    NetBuilder& builder = layers_.builder();
    const Pool2d shrink = window({.kind = PoolKind::kAverage, .kernel = head.pool_patch, .stride = head.pool_stride});
    ValueId x = builder.add("auxiliary/pool", shrink, {auxiliary_input_});
    x = layers_.convolution("auxiliary/projection", x, Conv2d{scaled(head.filters), 1, 1, 0});
    x = builder.add("auxiliary/hidden/linear", Linear{.out_features = scaled(head.units)}, {x});
    x = builder.add("auxiliary/hidden/bias", BiasActivation{}, {x});
    x = builder.add("auxiliary/hidden/act", Activate{options_.activation}, {x});
    layers_.classifier("auxiliary/logits", "auxiliary/loss", x, head.weight);
  }

  const InceptionTable& table_;
  Layers layers_;
  const ModelOptions& options_;
  ValueId value_;
  ValueId auxiliary_input_;
};

}  // namespace

Net build_inception(const InceptionTable& table, const ModelOptions& options) {
  return InceptionBuilder(table, options).build();
}

}  // namespace bn
