#include "config/schema.hpp"

#include <fmt/format.h>

#include <limits>

// The keys of a network: its table, and the groups `model` and `batch_norm`.
namespace bn::config {
namespace {

Fields describe_row(TableRow& row) {
  Fields fields{required("row", row.name, "name of the row, the first part of its ops' names")};
  const auto add = [&fields](Field f) { fields.push_back(std::move(f)); };
  switch (row.type) {
    case RowType::kConvolution:
      add(required("patch", {row.patch, kPatch},
                   "side of the kernel; at stride 1 an odd one keeps the size, an even one adds 1"));
      add(terse("stride", {row.stride, kStride}, "1", "step of the window"));
      add(terse("reduce", {row.reduce, kChannelsOrNone}, "0", "channels of a 1x1 convolution before it; 0 = none"));
      add(required("filters", {row.filters, kChannels}, "output channels"));
      add(terse("depth_multiplier", {row.depth_multiplier, {0, 64}}, "0",
                "makes it separable, with this many depthwise filters a channel; 0 = dense"));
      break;
    case RowType::kMaxPool:
      add(required("patch", {row.patch, kPatch}, "side of the window"));
      add(terse("stride", {row.stride, kStride}, "1", "step of the window"));
      break;
    case RowType::kAveragePool:
      add(required("patch", {row.patch, {0, 31}}, "side of the window; 0 = the whole map"));
      add(terse("stride", {row.stride, kStride}, "1", "step of the window"));
      break;
    case RowType::kInception:
      add(terse("stride", {row.stride, {1, 2}}, "1", "of the last convolution of each branch and the pool"));
      add(required("1x1", {row.conv1x1, kChannelsOrNone}, "filters of the 1x1 branch; 0 = no such branch"));
      add(required("3x3_reduce", {row.conv3x3_reduce, kChannels}, "1x1 filters before the 3x3"));
      add(required("3x3", {row.conv3x3, kChannels}, "3x3 filters"));
      add(required("double_3x3_reduce", {row.double3x3_reduce, kChannels}, "1x1 filters before the two 3x3"));
      add(required("double_3x3", {row.double3x3, kChannels}, "filters of both 3x3 of the double branch"));
      add(required("pool", {row.pool, {"max", "average"}}, "kind of the pool branch"));
      add(required("projection", {row.projection, kChannelsOrNone}, "1x1 filters after the pool; 0 = pass through"));
      break;
  }
  return fields;
}

TaggedTarget row_target(TableRow& row) {
  const WordTarget type = words(row.type, {"convolution", "max_pool", "average_pool", "inception"});
  return {.tag = "type",
          .tag_place = 1,
          .words = type.words,
          .index = type.index,
          .fields = [&row] { return describe_row(row); },
          .choose =
              [&row, type](int index) {
                row = TableRow{};
                type.choose(index);
                return describe_row(row);
              },
          .keys =
              [](int index) {
                TableRow scratch;
                return names_of(row_target(scratch).choose(index));
              }};
}

RowsTarget rows_target(std::vector<TableRow>& rows) {
  return {.count = [&rows] { return static_cast<int64_t>(rows.size()); },
          .at = [&rows](int64_t index) { return row_target(rows.at(static_cast<size_t>(index))); },
          .append = [&rows] { return row_target(rows.emplace_back()); },
          .clear = [&rows] { rows.clear(); }};
}

Fields describe_auxiliary(AuxiliaryHead& head) {
  return {
      required("after", head.after, "row whose output feeds it"),
      field("pool_patch", {head.pool_patch, kPatch}, "side of its average pool"),
      field("pool_stride", {head.pool_stride, kStride}, "step of its average pool"),
      field("filters", {head.filters, kChannels}, "filters of its 1x1 convolution"),
      field("units", {head.units, kChannels}, "units of its linear layer"),
      field("weight", {head.weight, kNotNegative}, "of its loss"),
  };
}

OptionalTarget auxiliary_target(std::optional<AuxiliaryHead>& head) {
  return {.present = [&head] { return head.has_value(); },
          .fields = [&head] { return describe_auxiliary(*head); },
          .emplace = [&head] { return describe_auxiliary(head.emplace()); },
          .clear = [&head] { head.reset(); }};
}

Fields describe_table(InceptionTable& table) {
  LocalResponseNorm& norm = table.local_response_norm;
  return {
      required("image_size", {table.image_size, kSide}, "side of the network's input"),
      required("image_channels", {table.image_channels, kImageChannels}, "of the network's input"),
      required(
          "rows",
          {rows_target(table.rows), [&table] { return table.rows.empty() ? "has no row, expected at least one" : ""; }},
          "the table, a row of Fig. 5 a line"),
      terse("pool_border", {table.pool_border, {"exclude_padding", "include_padding"}}, "exclude_padding",
            "whether the padding counts in the divisor of an average pool"),
      field("local_response_norm",
            Fields{
                field("after", table.local_response_norm_after,
                      "rows it follows where model.local_response_norm is true"),
                field("size", {norm.size, {1, 1'024}}, "channels in its window"),
                field("alpha", {norm.alpha, kNotNegative}, "divided by the size, as Caffe does"),
                field("beta", {norm.beta, kNotNegative}, "exponent"),
                field("k", {norm.k, kPositive}, "added to the sum"),
            },
            "where and how local response normalisation stands"),
      field("auxiliary", auxiliary_target(table.auxiliary), "second classifier, for training only"),
  };
}

std::string problem_of_init_scale(const double& scale) {
  constexpr float kLeast = std::numeric_limits<float>::min();
  if (static_cast<float>(scale) >= kLeast) return "";
  return fmt::format("got {}, by which weights would be 0, or nearly; expected at least {:.3g}", scale, kLeast);
}

std::string problem_of_hidden(const std::vector<int64_t>& hidden) {
  return hidden.empty() ? "is empty, expected at least one layer" : "";
}

Fields describe_table(MlpTable& table) {
  return {
      required("image_size", {table.image_size, kSide}, "side of the network's input"),
      required("image_channels", {table.image_channels, kImageChannels}, "of the network's input"),
      required("hidden", {table.hidden, kChannels, problem_of_hidden}, "units of each hidden layer"),
  };
}

TaggedTarget network_target(std::variant<InceptionTable, MlpTable>& table) {
  const auto fields = [&table] { return std::visit([](auto& t) { return describe_table(t); }, table); };
  return {.tag = "kind",
          .words = {"inception", "mlp"},
          .index = [&table] { return static_cast<int>(table.index()); },
          .fields = fields,
          .choose =
              [&table, fields](int index) {
                if (index == 0) table.emplace<InceptionTable>();
                if (index == 1) table.emplace<MlpTable>();
                return fields();
              },
          .keys =
              [](int index) {
                std::variant<InceptionTable, MlpTable> scratch;
                return names_of(network_target(scratch).choose(index));
              }};
}

}  // namespace

Fields describe_batch_norm(ModelOptions& model) {
  BatchNorm& norm = model.batch_norm;
  return {
      field("scope", {norm.scope, {"spatial", "per_activation"}},
            "statistics per feature map, or per activation over the batch alone"),
      field("eps", {norm.eps, kPositive}, "added to the variance"),
      field("implementation", {norm.implementation, {"custom", "onednn", "cudnn"}},
            "custom: this project's kernels; onednn on the CPU, cudnn on CUDA"),
      field("synchronised_parts", {norm.synchronised_parts, {1, 4'096}},
            "so many of train.parts share their statistics in training; needs a process for each part"),
      field("placement", {model.placement, {"before_activation", "after_activation"}},
            "before the nonlinearity, as the paper; or after it, where the layer keeps its bias"),
      field("gamma", {model.gamma, {"learned", "fixed"}}, "the scale after normalising; fixed: 1"),
      field("beta", {model.beta, {"learned", "fixed"}}, "the shift after normalising; fixed: 0"),
  };
}

Fields describe_model(ModelOptions& model) {
  return {
      required("network", network_target(model.table), "path of a table file, relative to this file; or the table"),
      field("classes", {model.classes, {2, kMaxChannels}}, "outputs of the last layer"),
      field("normalization", {model.normalization, {"none", "batch"}},
            "batch normalisation at every nonlinearity, or a bias instead"),
      field("activation", {model.activation, {"relu", "sigmoid"}, Activation::kRelu}, "the nonlinearity"),
      field("local_response_norm", model.local_response_norm, "where the table says"),
      field("dropout", {model.dropout, kFraction}, "rate before the last linear layer"),
      field("width", {model.width, {0, 8, Bound::kOpen, Bound::kClosed}},
            "multiplies every filter count of the table, rounded to a multiple of 8"),
      field("init_scale", {model.init_scale, kPositive, problem_of_init_scale},
            "multiplies the initial deviation of convolutions"),
      field("per_activation", model.per_activation,
            "rows whose batch norms are per-activation whatever batch_norm.scope says"),
      field("init_from", model.init_from,
            "a checkpoint, or a run folder for its best one, that training starts from, relative to the working "
            "directory; a classifier of other classes is drawn anew; empty = all is drawn"),
      field(
          "freeze", model.freeze,
          "rows that do not learn, such as [conv1, conv2, inception_3]: names of rows, or how they begin; their batch "
          "norms keep the population's statistics"),
  };
}

}  // namespace bn::config
