#include "data/selection.hpp"

#include <utility>

namespace bn {
namespace {

class Selection final : public Dataset {
 public:
  Selection(std::unique_ptr<Dataset> images, std::vector<int64_t> kept, LeftOut left_out)
      : images_(std::move(images)), kept_(std::move(kept)), left_out_(std::move(left_out)) {}

  int64_t size() const override { return static_cast<int64_t>(kept_.size()); }
  int32_t label(int64_t index) const override { return images_->label(at(index)); }
  std::string name(int64_t index) const override { return images_->name(at(index)); }
  std::string name_in_set(int64_t index) const override { return images_->name_in_set(at(index)); }
  const std::vector<std::string>& class_names() const override { return images_->class_names(); }
  LeftOut left_out() const override { return left_out_; }
  int64_t stored_bytes(int64_t index) const override { return images_->stored_bytes(at(index)); }
  std::optional<uint64_t> recorded_checksum(int64_t index) const override {
    return images_->recorded_checksum(at(index));
  }
  uint64_t content_key(int64_t index) const override { return images_->content_key(at(index)); }
  Sample read(int64_t index, std::vector<uint8_t>& storage) const override { return images_->read(at(index), storage); }

  // Shards of which nothing was kept are no shards of this set.
  std::vector<int64_t> shard_sizes() const override {
    std::vector<int64_t> sizes;
    auto next = kept_.begin();
    int64_t end = 0;
    for (const int64_t whole : images_->shard_sizes()) {
      end += whole;
      int64_t size = 0;
      for (; next != kept_.end() && *next < end; ++next) ++size;
      if (size > 0) sizes.push_back(size);
    }
    return sizes;
  }

 private:
  int64_t at(int64_t index) const { return kept_[static_cast<size_t>(index)]; }

  std::unique_ptr<Dataset> images_;
  std::vector<int64_t> kept_;
  LeftOut left_out_;
};

}  // namespace

std::unique_ptr<Dataset> select_images(std::unique_ptr<Dataset> images, std::vector<int64_t> kept, LeftOut left_out) {
  return std::make_unique<Selection>(std::move(images), std::move(kept), std::move(left_out));
}

}  // namespace bn
