#include "data/shapes.hpp"

#include <fmt/format.h>

#include "bn/error.hpp"
#include "data/sources.hpp"

namespace bn {
namespace {

constexpr int64_t kMinSize = 16, kMaxSize = 512;
constexpr auto kShapeCount = static_cast<int64_t>(kShapeNames.size());

const char* name_of(Split split) { return split == Split::kTrain ? "train" : "validation"; }

int64_t images_in(const ShapesOptions& options, Split split) {
  return split == Split::kTrain ? options.train_images : options.validation_images;
}

// All images are drawn once, when the set is opened.
class ShapesDataset final : public Dataset {
 public:
  ShapesDataset(const ShapesOptions& options, Split split, int64_t classes)
      : split_(split), image_size_(options.image_size), count_(images_in(options, split)) {
    class_names_.assign(kShapeNames.begin(), kShapeNames.begin() + classes);
    pixels_.resize(static_cast<size_t>(count_ * bytes_per_image()));
    for (int64_t i = 0; i < count_; ++i) {
      draw_shape_image(options, split, i, label(i), pixels_.data() + i * bytes_per_image());
    }
  }

  int64_t size() const override { return count_; }
  int32_t label(int64_t index) const override {
    return static_cast<int32_t>(index % static_cast<int64_t>(class_names_.size()));
  }
  std::string name(int64_t index) const override { return fmt::format("shapes/{}/{}", name_of(split_), index); }
  const std::vector<std::string>& class_names() const override { return class_names_; }

  Sample read(int64_t index, std::vector<uint8_t>&) const override {
    return {.data = pixels_.data() + index * bytes_per_image(),
            .bytes = bytes_per_image(),
            .raw_height = image_size_,
            .raw_width = image_size_,
            .raw_channels = 3};
  }

 private:
  int64_t bytes_per_image() const { return image_size_ * image_size_ * 3; }

  Split split_;
  int64_t image_size_, count_;
  std::vector<std::string> class_names_;
  std::vector<uint8_t> pixels_;
};

}  // namespace

void check_shapes(const ShapesOptions& options, Split split, int64_t classes) {
  if (options.image_size < kMinSize || options.image_size > kMaxSize) {
    throw ConfigError(
        fmt::format("generated shapes are {} to {} pixels wide, not {}", kMinSize, kMaxSize, options.image_size));
  }
  if (images_in(options, split) < classes) {
    throw ConfigError(fmt::format("a generated {} set of {} images leaves some of its {} classes empty", name_of(split),
                                  images_in(options, split), classes));
  }
}

std::unique_ptr<Dataset> open_shapes(const DataOptions& options, Split split) {
  if (!options.classes.empty()) throw ConfigError("generated shapes have their own classes: remove the classes file");
  if (options.classes_limit > kShapeCount) {
    throw ConfigError(fmt::format("classes_limit is {}, but there are {} shapes", options.classes_limit, kShapeCount));
  }
  const int64_t classes = options.classes_limit > 0 ? options.classes_limit : kShapeCount;
  check_shapes(options.shapes, split, classes);
  return std::make_unique<ShapesDataset>(options.shapes, split, classes);
}

}  // namespace bn
