#include "packing/stats.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <opencv2/core.hpp>

#include "bn/error.hpp"
#include "bn/loader.hpp"
#include "data/decode.hpp"
#include "data/parallel.hpp"
#include "data/survey.hpp"

namespace bn {
namespace {

template <class Value>
Extent extent_of(const PackedIndex& index, Value value) {
  Extent extent;
  if (index.images.empty()) return extent;
  extent.least = extent.most = value(index.images.front());
  double sum = 0;
  for (const PackedImage& image : index.images) {
    const int64_t one = value(image);
    extent.least = std::min(extent.least, one);
    extent.most = std::max(extent.most, one);
    sum += static_cast<double>(one);
  }
  extent.mean = sum / static_cast<double>(index.images.size());
  return extent;
}

void fill_colour(const ColourMoments& moments, SetStats& stats) {
  cv::Mat covariance(3, 3, CV_64F), values, vectors;
  for (size_t a = 0; a < 3; ++a) {
    stats.mean[a] = moments.mean(a);
    stats.deviation[a] = moments.deviation(a);
    for (size_t b = 0; b < 3; ++b) {
      covariance.at<double>(static_cast<int>(a), static_cast<int>(b)) = moments.covariance(a, b);
    }
  }
  cv::eigen(covariance, values, vectors);  // the largest first; a vector a row
  for (size_t k = 0; k < 3; ++k) {
    stats.eigenvalues[k] = std::max(0.0, values.at<double>(static_cast<int>(k)));
    for (size_t c = 0; c < 3; ++c) {
      stats.eigenvectors[k][c] = vectors.at<double>(static_cast<int>(k), static_cast<int>(c));
      stats.lighting.push_back(stats.eigenvalues[k] * stats.eigenvectors[k][c]);
    }
  }
}

void copy_tile(const Tensor& images, int64_t image, int64_t row, int64_t column, Image& sheet) {
  const int64_t size = images.shape.h, channels = images.shape.c;
  const auto* pixels = images.as<uint8_t>() + image * size * size * channels;
  for (int64_t y = 0; y < size; ++y) {
    const int64_t target = ((row * size + y) * sheet.width + column * size) * channels;
    std::copy_n(pixels + y * size * channels, size * channels, sheet.pixels.begin() + target);
  }
}

}  // namespace

SetStats measure_stats(const std::string& folder, Split split, int64_t measured, int64_t workers) {
  const PackedIndex index = read_index(index_path(folder, split));
  SetStats stats{.images = static_cast<int64_t>(index.images.size()),
                 .width = extent_of(index, [](const PackedImage& image) { return int64_t{image.width}; }),
                 .height = extent_of(index, [](const PackedImage& image) { return int64_t{image.height}; }),
                 .bytes = extent_of(index, [](const PackedImage& image) { return int64_t{image.bytes}; }),
                 .traits = count_traits(index)};
  DataOptions options{.kind = DatasetKind::kPacked};
  (split == Split::kTrain ? options.train : options.validation) = {folder};
  const auto set = open_dataset(options, split);
  stats.measured = std::min(std::max<int64_t>(measured, 1), set->size());
  // Moments are summed in the order of the images, whoever decodes them, so the figures do not depend on the number of
  // threads.
  std::vector<ColourMoments> moments(static_cast<size_t>(stats.measured));
  parallel_for(stats.measured, workers, [&] {
    return [&, decoder = std::make_shared<ImageDecoder>(DecodeOptions{}), storage = std::vector<uint8_t>(),
            image = Image()](int64_t i) mutable {
      const int64_t number = i * set->size() / stats.measured;
      try {
        moments[static_cast<size_t>(i)].add(decoder->pixels(set->read(number, storage), image));
      } catch (const DataError& error) {
        throw DataError(fmt::format("{}: {}", set->name(number), error.what()));
      }
    };
  });
  ColourMoments all;
  for (const ColourMoments& one : moments) all.add(one);
  fill_colour(all, stats);
  return stats;
}

Image draw_contact_sheet(const DataOptions& options, Split split, int64_t rows, int64_t columns, uint64_t seed) {
  DataOptions in_order = options;
  in_order.shuffle = Shuffle::kNone;
  const auto set = open_dataset(in_order, split);
  if (rows < 1 || columns < 1 || rows > set->size()) {
    throw ConfigError("a contact sheet needs at least one row and column, and no more rows than there are images");
  }
  constexpr int64_t kMostPixels = int64_t{1} << 28;
  const int64_t size = options.image_size;
  if (size < 1) throw ConfigError("data: image_size must be at least 1");
  if (size > kMostPixels || rows * size > kMostPixels / size || columns > kMostPixels / (rows * size * size)) {
    throw ConfigError(
        fmt::format("a contact sheet of {} x {} images of {} x {} pixels has more than the {} that one can have", rows,
                    columns, size, size, kMostPixels));
  }
  Image sheet;
  sheet.reshape(rows * options.image_size, columns * options.image_size, options.image_channels);
  Batch batch;
  for (int64_t column = 0; column < columns; ++column) {
    LoaderOptions load{.batch = rows, .split = column == 0 ? Split::kValidation : Split::kTrain, .seed = seed};
    load.first_batch = column == 0 ? 0 : (column - 1) * (set->size() / rows);  // the first of an epoch
    Loader loader(*set, in_order, load);
    loader.next(batch);
    for (int64_t row = 0; row < rows; ++row) copy_tile(batch.images, row, row, column, sheet);
  }
  return sheet;
}

}  // namespace bn
