// The MNIST net of sec. 4.1: fully connected layers, batch normalisation on the hidden ones only.
#include <fmt/format.h>

#include "bn/models.hpp"
#include "bn/net.hpp"
#include "models/layers.hpp"

namespace bn {
namespace {

std::string row_name(size_t layer) { return fmt::format("hidden{}", layer + 1); }

}  // namespace

Net build_mlp(const MlpTable& table, const ModelOptions& options) {
  Layers layers(options, {1, table.image_size, table.image_size, table.image_channels});
  ValueId x = layers.builder().images();
  for (size_t i = 0; i < table.hidden.size(); ++i) {
    x = layers.linear(row_name(i), x, table.hidden[i]);
  }
  if (options.dropout > 0) {
    x = layers.builder().add("dropout", Dropout{.rate = static_cast<float>(options.dropout)}, {x});
  }
  layers.classifier("logits", "loss", x, 1.0F);
  return std::move(layers.builder()).build();
}

std::vector<std::string> row_names(const ModelOptions& options) {
  std::vector<std::string> names;
  if (const auto* inception = std::get_if<InceptionTable>(&options.table)) {
    for (const TableRow& row : inception->rows) names.push_back(row.name);
    return names;
  }
  const size_t layers = std::get<MlpTable>(options.table).hidden.size();
  for (size_t i = 0; i < layers; ++i) names.push_back(row_name(i));
  return names;
}

Net build_network(const ModelOptions& options) {
  return std::visit(Overloaded{
                        [&](const InceptionTable& table) { return build_inception(table, options); },
                        [&](const MlpTable& table) { return build_mlp(table, options); },
                    },
                    options.table);
}

}  // namespace bn
