// Keeps account of the images that were scored or skipped: each must be counted once, and none left out.
#pragma once

#include <cstdint>
#include <vector>

#include "bn/dataset.hpp"

namespace bn {

class ImageAccount {
 public:
  explicit ImageAccount(const Dataset& images) : images_(images) {}

  void add_scored(int64_t image);   // DataError if it was scored or skipped before
  void add_skipped(int64_t image);  // likewise
  void close() const;               // DataError unless that was the whole set
  int64_t scored() const { return scored_; }
  int64_t skipped() const { return skipped_; }

 private:
  void add(int64_t image);

  const Dataset& images_;
  std::vector<bool> seen_;
  int64_t scored_ = 0, skipped_ = 0;
};

}  // namespace bn
