// A data set decoded once, in memory. Unless they are shrunk, its pixels are those a decoder would give, so nothing
// later differs.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "bn/error.hpp"
#include "data/augment.hpp"
#include "data/decode.hpp"
#include "data/parallel.hpp"
#include "data/sources.hpp"

namespace bn {
namespace {

class CachedDataset final : public DatasetView {
 public:
  CachedDataset(std::unique_ptr<Dataset> source, const DataOptions& options, int64_t max_bytes)
      : DatasetView(std::move(source)),
        max_bytes_(max_bytes),
        largest_side_(options.cache == Cache::kShrunk ? 2 * std::max(options.resize_shorter, options.image_size) : 0),
        options_(decode_options(options)),
        entries_(static_cast<size_t>(size())) {
    parallel_for(size(), std::max<int64_t>(options.workers, 1), [this] {
      return [this, work = std::make_shared<Workplace>(options_)](int64_t index) { decode(index, *work); };
    });
  }

  Sample read(int64_t index, std::vector<uint8_t>& storage) const override {
    const Entry& entry = entries_[static_cast<size_t>(index)];
    if (!entry.damage.empty()) {
      source().read(index, storage);  // quarantine copies the encoded file
      throw DataError(entry.damage);
    }
    return {.data = entry.pixels.data(),
            .bytes = static_cast<int64_t>(entry.pixels.size()),
            .raw_height = entry.height,
            .raw_width = entry.width,
            .raw_channels = options_.channels,
            .resizing = Sample::Resizing::kAsEncoded};
  }

 private:
  struct Entry {
    int64_t height = 0, width = 0;
    std::vector<uint8_t> pixels;
    std::string damage;  // else empty
  };

  struct Workplace {  // one thread's
    explicit Workplace(const DecodeOptions& options) : decoder(options) {}
    ImageDecoder decoder;
    std::vector<uint8_t> storage;
    Image image, shrunk;
  };

  void decode(int64_t index, Workplace& work) {
    Entry& entry = entries_[static_cast<size_t>(index)];
    ImageView image;
    try {
      image = work.decoder.pixels(source().read(index, work.storage), work.image);
    } catch (const DataError& error) {
      entry.damage = error.what();
      return;
    }
    if (largest_side_ > 0 && std::min(image.height, image.width) > largest_side_) {
      resize_shorter_side(image, largest_side_, work.shrunk);
      image = work.shrunk.view();
    }
    const int64_t bytes = image.height * image.width * image.channels;
    if ((bytes_ += bytes) > max_bytes_) {
      throw ConfigError(
          fmt::format("data.cache: {} is for sets of up to {:.1f} GB of pixels, and this one of {} images has more; "
                      "use cache: none",
                      largest_side_ > 0 ? "shrunk" : "decoded", static_cast<double>(max_bytes_) / 1e9, size()));
    }
    entry.height = image.height;
    entry.width = image.width;
    entry.pixels.assign(image.data, image.data + bytes);
  }

  const int64_t max_bytes_;
  const int64_t largest_side_;  // the largest that a shorter side may be; 0: images are kept as they are
  const DecodeOptions options_;
  std::vector<Entry> entries_;
  std::atomic<int64_t> bytes_ = 0;
};

}  // namespace

std::unique_ptr<Dataset> cache_decoded(std::unique_ptr<Dataset> source, const DataOptions& options, int64_t max_bytes) {
  return std::make_unique<CachedDataset>(std::move(source), options, max_bytes);
}

}  // namespace bn
