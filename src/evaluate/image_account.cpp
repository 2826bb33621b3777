#include "evaluate/image_account.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bn/error.hpp"

namespace bn {

void ImageAccount::add(int64_t image) {
  const auto index = static_cast<size_t>(image);
  if (index >= seen_.size()) seen_.resize(std::max(index + 1, static_cast<size_t>(images_.size())), false);
  if (seen_[index]) throw DataError(fmt::format("{} was scored twice", images_.name(image)));
  seen_[index] = true;
}

void ImageAccount::add_scored(int64_t image) {
  add(image);
  ++scored_;
}

void ImageAccount::add_skipped(int64_t image) {
  add(image);
  ++skipped_;
}

void ImageAccount::close() const {
  if (scored_ + skipped_ == images_.size()) return;
  throw DataError(
      fmt::format("{} images were scored and {} skipped, but the set holds {}", scored_, skipped_, images_.size()));
}

}  // namespace bn
