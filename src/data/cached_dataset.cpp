// A data set decoded once, in memory. What it gives are the pixels a decoder would give, so nothing later differs.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include "bn/error.hpp"
#include "data/decode.hpp"
#include "data/sources.hpp"

namespace bn {
namespace {

constexpr int64_t kMaxBytes = int64_t{2} << 30;

class CachedDataset final : public Dataset {
 public:
  CachedDataset(std::unique_ptr<Dataset> source, const DataOptions& options)
      : source_(std::move(source)),
        options_({.channels = options.image_channels,
                  .decoder = options.decoder,
                  .exif_orientation = options.exif_orientation}),
        entries_(static_cast<size_t>(source_->size())) {
    std::vector<std::thread> threads;
    for (int64_t i = 1; i < options.workers; ++i) threads.emplace_back([this] { decode_some(); });
    decode_some();
    for (auto& thread : threads) thread.join();
    if (error_) std::rethrow_exception(error_);
  }

  int64_t size() const override { return source_->size(); }
  int32_t label(int64_t index) const override { return source_->label(index); }
  std::string name(int64_t index) const override { return source_->name(index); }
  const std::vector<std::string>& class_names() const override { return source_->class_names(); }
  std::vector<int64_t> shard_sizes() const override { return source_->shard_sizes(); }

  Sample read(int64_t index, std::vector<uint8_t>& storage) const override {
    const Entry& entry = entries_[static_cast<size_t>(index)];
    if (!entry.damage.empty()) {
      source_->read(index, storage);  // what is put in quarantine
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

  // Images nobody has taken yet, until none is left or one thread has failed.
  void decode_some() {
    try {
      ImageDecoder decoder(options_);
      std::vector<uint8_t> storage;
      Image image;
      for (int64_t index = next_++; index < size() && !failed_; index = next_++) {
        Entry& entry = entries_[static_cast<size_t>(index)];
        try {
          decode(index, decoder, storage, image, entry);
        } catch (const DataError& error) {
          entry.damage = error.what();
        }
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      error_ = std::current_exception();
      failed_ = true;
    }
  }

  void decode(int64_t index, ImageDecoder& decoder, std::vector<uint8_t>& storage, Image& image, Entry& entry) {
    const Sample sample = source_->read(index, storage);
    if (sample.raw_channels > 0) {
      convert_channels({sample.data, sample.raw_height, sample.raw_width, sample.raw_channels}, options_.channels,
                       image);
    } else {
      decoder.open(sample.data, sample.bytes);
      decoder.decode(image);
    }
    if ((bytes_ += static_cast<int64_t>(image.pixels.size())) > kMaxBytes) {
      throw ConfigError(
          fmt::format("data.cache: decoded is for sets of up to {} GB of pixels, and this one of {} images has more; "
                      "use cache: none",
                      kMaxBytes >> 30, size()));
    }
    entry.height = image.height;
    entry.width = image.width;
    entry.pixels.assign(image.pixels.begin(), image.pixels.end());
  }

  const std::unique_ptr<Dataset> source_;
  const DecodeOptions options_;
  std::vector<Entry> entries_;
  std::atomic<int64_t> next_ = 0, bytes_ = 0;
  std::atomic<bool> failed_ = false;
  std::mutex mutex_;  // guards error_
  std::exception_ptr error_;
};

}  // namespace

std::unique_ptr<Dataset> cache_decoded(std::unique_ptr<Dataset> source, const DataOptions& options) {
  return std::make_unique<CachedDataset>(std::move(source), options);
}

}  // namespace bn
