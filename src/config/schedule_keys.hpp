// Which keys of train.learning_rate have no meaning for which shape.
#pragma once

#include <array>
#include <string_view>

namespace bn::config {

struct ShapeKeys {
  std::string_view shape;
  std::array<std::string_view, 5> meaningless;  // "" fills up
};
constexpr std::array<ShapeKeys, 4> kShapeKeys{{
    // in the order of DecayShape
    {"staircase", {"power"}},
    {"smooth", {"decay_at_epochs", "power"}},
    {"cosine", {"decay_factor", "decay_epochs", "decay_steps", "decay_at_epochs", "power"}},
    {"polynomial", {"decay_factor", "decay_epochs", "decay_steps", "decay_at_epochs"}},
}};

}  // namespace bn::config
