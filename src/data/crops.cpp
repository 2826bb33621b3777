#include "data/crops.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "bn/error.hpp"
#include "data/augment.hpp"
#include "data/decode.hpp"

namespace bn {
namespace {

constexpr int64_t kPaperSize = 224;  // the crop's size for which the scales below are given
constexpr std::array<int64_t, 4> kGoogLeNetScales{256, 288, 320, 352};
constexpr int64_t kTenScale = 256;

int64_t in_proportion(int64_t scale, int64_t image_size) {
  return std::llround(static_cast<double>(scale * image_size) / static_cast<double>(kPaperSize));
}

// The square's own crops: corners, centre and, if asked for, the whole.
enum class WholeSquare { kWithout, kWith };

void add_square(EvaluationCrop square, int64_t image_size, WholeSquare whole, std::vector<EvaluationCrop>& crops) {
  const int64_t end = square.scale - image_size, middle = end / 2;
  const auto add = [&](int64_t top, int64_t left, int64_t side) {
    square.crop_top = top, square.crop_left = left, square.crop_side = side;
    for (const bool mirrored : {false, true}) {
      square.mirrored = mirrored;
      crops.push_back(square);
    }
  };
  add(0, 0, image_size);
  add(0, end, image_size);
  add(end, 0, image_size);
  add(end, end, image_size);
  add(middle, middle, image_size);
  if (whole == WholeSquare::kWith) add(0, 0, square.scale);
}

class CroppedDataset final : public Dataset {
 public:
  CroppedDataset(const Dataset& images, const DataOptions& options, CropSet set)
      : images_(images), options_(options), set_(set), crops_(crops_in(set)) {}

  int64_t size() const override { return images_.size() * crops_; }
  int32_t label(int64_t index) const override { return images_.label(index / crops_); }
  std::string name(int64_t index) const override { return images_.name(index / crops_); }
  const std::vector<std::string>& class_names() const override { return images_.class_names(); }

  // A reader's storage is its own from call to call, so it keeps the crops of one image, and behind them which image.
  Sample read(int64_t index, std::vector<uint8_t>& storage) const override {
    const int64_t image = index / crops_;
    if (!holds(storage, image)) {
      storage.clear();  // claims no image, in case this one is damaged
      std::vector<uint8_t> crops(storage_bytes());
      cut(image, crops.data());
      std::memcpy(crops.data() + crops_ * crop_bytes(), &image, sizeof image);
      storage = std::move(crops);
    }
    return {.data = storage.data() + index % crops_ * crop_bytes(),
            .bytes = crop_bytes(),
            .raw_height = options_.image_size,
            .raw_width = options_.image_size,
            .raw_channels = options_.image_channels};
  }

 private:
  int64_t crop_bytes() const { return options_.image_size * options_.image_size * options_.image_channels; }
  size_t storage_bytes() const { return static_cast<size_t>(crops_ * crop_bytes()) + sizeof(int64_t); }

  bool holds(const std::vector<uint8_t>& storage, int64_t image) const {
    if (storage.size() != storage_bytes()) return false;
    int64_t held = -1;
    std::memcpy(&held, storage.data() + crops_ * crop_bytes(), sizeof held);
    return held == image;
  }

  void cut(int64_t index, uint8_t* out) const {
    std::vector<uint8_t> encoded;
    Image decoded;
    ImageDecoder decoder(decode_options(options_));
    const ImageView image = decoder.pixels(images_.read(index, encoded), decoded);
    cut_crops(image, evaluation_crops(set_, image.height, image.width, options_), options_.image_size, out);
  }

  const Dataset& images_;
  const DataOptions options_;
  const CropSet set_;
  const int64_t crops_;
};

}  // namespace

int64_t crops_in(CropSet set) {
  constexpr std::array<int64_t, 3> kCrops{1, 10, 144};
  return kCrops.at(static_cast<size_t>(set));
}

std::vector<EvaluationCrop> evaluation_crops(CropSet set, int64_t height, int64_t width, const DataOptions& options) {
  const int64_t side = std::min(height, width), rest = std::max(height, width) - side;
  const auto square_at = [&](int64_t offset, int64_t scale) {
    const bool upright = height > width;
    return EvaluationCrop{.top = upright ? offset : 0, .left = upright ? 0 : offset, .side = side, .scale = scale};
  };
  std::vector<EvaluationCrop> crops;
  const int64_t size = options.image_size;
  if (set == CropSet::kGoogLeNet) {
    for (const int64_t scale : kGoogLeNetScales) {
      for (const int64_t offset : {int64_t{0}, rest / 2, rest}) {
        add_square(square_at(offset, in_proportion(scale, size)), size, WholeSquare::kWith, crops);
      }
    }
  } else if (set == CropSet::kTen) {
    const int64_t scale = options.resize_shorter > size ? options.resize_shorter : in_proportion(kTenScale, size);
    add_square(square_at(rest / 2, scale), size, WholeSquare::kWithout, crops);
  } else {
    throw ConfigError("a single crop is the loader's own, not one of a set of crops");
  }
  return crops;
}

void cut_crops(const ImageView& image, const std::vector<EvaluationCrop>& crops, int64_t image_size, uint8_t* out) {
  Image square;
  const EvaluationCrop* resized = nullptr;
  for (const EvaluationCrop& crop : crops) {
    const bool same =
        resized != nullptr && resized->top == crop.top && resized->left == crop.left && resized->scale == crop.scale;
    if (!same) {
      square.reshape(crop.scale, crop.scale, image.channels);
      resize_crop(image, {.top = crop.top, .left = crop.left, .height = crop.side, .width = crop.side}, crop.scale,
                  square.pixels.data());
      resized = &crop;
    }
    resize_crop(square.view(),
                {.top = crop.crop_top,
                 .left = crop.crop_left,
                 .height = crop.crop_side,
                 .width = crop.crop_side,
                 .mirrored = crop.mirrored},
                image_size, out);
    out += image_size * image_size * image.channels;
  }
}

std::unique_ptr<Dataset> open_crops(const Dataset& images, const DataOptions& options, CropSet set) {
  return std::make_unique<CroppedDataset>(images, options, set);
}

}  // namespace bn
