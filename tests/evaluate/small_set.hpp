// A set of a few grey pixels, and the failures that can happen while it is read.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bn/dataset.hpp"
#include "bn/error.hpp"

namespace bn::test {

// Square raw images of side x side pixels; the label of image i is i % 3.
class SmallSet final : public Dataset {
 public:
  SmallSet(int64_t side, std::vector<std::vector<uint8_t>> images) : side_(side), images_(std::move(images)) {}

  int64_t size() const override { return static_cast<int64_t>(images_.size()) + late_images; }
  int32_t label(int64_t index) const override { return static_cast<int32_t>(index % 3); }
  std::string name(int64_t index) const override { return "image " + std::to_string(index); }
  const std::vector<std::string>& class_names() const override { return names; }
  Sample read(int64_t index, std::vector<uint8_t>& storage) const override {
    if (on_read) on_read(index);
    storage = images_[static_cast<size_t>(index)];
    return {.data = storage.data(),
            .bytes = static_cast<int64_t>(storage.size()),
            .raw_height = side_,
            .raw_width = side_,
            .raw_channels = 1};
  }

  std::function<void(int64_t)> on_read;
  int64_t late_images = 0;  // the set has grown by so many since the loader counted it
  std::vector<std::string> names{"a", "b", "c"};

 private:
  int64_t side_;
  std::vector<std::vector<uint8_t>> images_;
};

}  // namespace bn::test
