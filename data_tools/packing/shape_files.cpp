#include "packing/shape_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>

#include "bn/error.hpp"
#include "data/decode.hpp"
#include "data/shapes.hpp"
#include "packing/encode.hpp"
#include "system/files.hpp"

namespace bn {
namespace {

constexpr auto kShapeCount = static_cast<int64_t>(kShapeNames.size());

std::string file_of(int64_t image) {
  return fmt::format("{}/{:06}.png", kShapeNames[static_cast<size_t>(image % kShapeCount)], image);
}

// Other files in the folder would be images of the set to whoever reads it. An earlier run's are written again.
void expect_own_images(const ShapesOptions& options, Split split, const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code error;  // if it stays, writing says so
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string path = fs::path(entry->path()).lexically_relative(folder).string();
    const bool is_class = std::ranges::find(kShapeNames, path) != kShapeNames.end();
    int64_t image = -1;
    const size_t digits = path.find('/') + 1;  // 0 where there is no slash
    std::from_chars(path.data() + digits, path.data() + path.size(), image);
    const bool is_image = image >= 0 && image < images_in(options, split) && path == file_of(image);
    if (is_image || is_temporary_name(path) || (is_class && entry->is_directory(error))) continue;
    throw DataError(
        fmt::format("'{}' holds '{}', which is no image of this set: write into an empty folder", folder, path));
  }
}

}  // namespace

void write_shapes_folder(const ShapesOptions& options, Split split, const std::string& folder) {
  check_shapes(options, split, kShapeCount);
  create_folder(folder);
  expect_own_images(options, split, folder);
  for (const char* name : kShapeNames) create_folder(fmt::format("{}/{}", folder, name));
  Image image;
  image.reshape(options.image_size, options.image_size, 3);
  const int64_t images = images_in(options, split);
  for (int64_t i = 0; i < images; ++i) {
    draw_shape_image(options, split, i, i % kShapeCount, image.pixels.data());
    const std::vector<uint8_t> png = encode_png(image.view());
    write_file(folder + "/" + file_of(i), {reinterpret_cast<const char*>(png.data()), png.size()});
  }
}

void write_contact_sheet(const ShapesOptions& options, Split split, int64_t columns, const std::string& file) {
  check_shapes(options, split, kShapeCount);
  const int64_t size = options.image_size, gap = 2, pitch = size + gap;
  Image sheet, image;
  sheet.reshape(kShapeCount * pitch + gap, columns * pitch + gap, 3);
  std::ranges::fill(sheet.pixels, uint8_t{255});
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
  write_sheet(sheet.view(), file);
}

}  // namespace bn
