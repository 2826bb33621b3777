// Keeps account of the images that were scored or skipped: each must be counted once, and none left out.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "bn/dataset.hpp"
#include "bn/error.hpp"

namespace bn {

class ImageAccount {
 public:
  explicit ImageAccount(const Dataset& images) : images_(images) {}

  void add_scored(int64_t image) { add(image, scored_); }    // DataError if it was scored or skipped before
  void add_skipped(int64_t image) { add(image, skipped_); }  // likewise
  // DataError unless that was the whole set.
  void close() const {
    if (scored_ + skipped_ == images_.size()) return;
    throw DataError(
        fmt::format("{} images were scored and {} skipped, but the set holds {}", scored_, skipped_, images_.size()));
  }
  int64_t scored() const { return scored_; }
  int64_t skipped() const { return skipped_; }

 private:
  void add(int64_t image, int64_t& count) {
    const auto index = static_cast<size_t>(image);
    if (index >= seen_.size()) seen_.resize(std::max(index + 1, static_cast<size_t>(images_.size())), false);
    if (seen_[index]) throw DataError(fmt::format("{} was scored twice", images_.name(image)));
    seen_[index] = true;
    ++count;
  }

  const Dataset& images_;
  std::vector<bool> seen_;
  int64_t scored_ = 0, skipped_ = 0;
};

}  // namespace bn
