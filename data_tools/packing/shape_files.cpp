#include "packing/shape_files.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/files.hpp"
#include "data/shapes.hpp"
#include "packing/encode.hpp"

namespace bn {
namespace {

constexpr auto kShapeCount = static_cast<int64_t>(kShapeNames.size());

void write_png(const ImageView& image, const std::string& path) {
  const std::vector<uint8_t> png = encode_png(image);
  write_file(path, {reinterpret_cast<const char*>(png.data()), png.size()});
}

}  // namespace

void write_shapes_folder(const ShapesOptions& options, Split split, const std::string& folder) {
  check_shapes(options, split, kShapeCount);
  for (const char* name : kShapeNames) create_folder(fmt::format("{}/{}", folder, name));
  Image image;
  image.reshape(options.image_size, options.image_size, 3);
  const int64_t images = split == Split::kTrain ? options.train_images : options.validation_images;
  for (int64_t i = 0; i < images; ++i) {
    draw_shape_image(options, split, i, i % kShapeCount, image.pixels.data());
    write_png(image.view(),
              fmt::format("{}/{}/{:06}.png", folder, kShapeNames[static_cast<size_t>(i % kShapeCount)], i));
  }
}

void write_contact_sheet(const ShapesOptions& options, Split split, int64_t columns, const std::string& file) {
  check_shapes(options, split, kShapeCount);
  const int64_t size = options.image_size, gap = 2, pitch = size + gap;
  Image sheet, image;
  sheet.reshape(kShapeCount * pitch + gap, columns * pitch + gap, 3);
  std::fill(sheet.pixels.begin(), sheet.pixels.end(), uint8_t{255});
  image.reshape(size, size, 3);
  for (int64_t column = 0; column < columns; ++column) {
    for (int64_t shape = 0; shape < kShapeCount; ++shape) {
      draw_shape_image(options, split, column * kShapeCount + shape, shape, image.pixels.data());
      for (int64_t y = 0; y < size; ++y) {
        const int64_t row = gap + shape * pitch + y, left = gap + column * pitch;
        std::copy_n(image.pixels.data() + y * size * 3, size * 3, sheet.pixels.data() + (row * sheet.width + left) * 3);
      }
    }
  }
  write_png(sheet.view(), file);
}

}  // namespace bn
