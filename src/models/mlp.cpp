// The MNIST net of sec. 4.1: fully connected layers, batch normalisation on the hidden ones only.
#include <fmt/format.h>

#include "bn/models.hpp"
#include "bn/net.hpp"
#include "models/layers.hpp"

namespace bn {

Net build_mlp(const MlpTable& table, const ModelOptions& options) {
  Layers layers(options, {1, table.image_size, table.image_size, table.image_channels});
  ValueId x = layers.builder().images();
  for (size_t i = 0; i < table.hidden.size(); ++i) {
    x = layers.linear(fmt::format("hidden{}", i + 1), x, table.hidden[i]);
  }
  if (options.dropout > 0) {
    x = layers.builder().add("dropout", Dropout{.rate = static_cast<float>(options.dropout)}, {x});
  }
  layers.classifier("logits", "loss", x, 1.0F);
  return std::move(layers.builder()).build();
}

Net build_network(const ModelOptions& options) {
  return std::visit(Overloaded{
                        [&](const InceptionTable& table) { return build_inception(table, options); },
                        [&](const MlpTable& table) { return build_mlp(table, options); },
                    },
                    options.table);
}

}  // namespace bn
