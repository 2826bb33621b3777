#include "data/split.hpp"

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "bn/error.hpp"
#include "data/parallel.hpp"
#include "data/sources.hpp"

namespace bn {
namespace {

class Selection final : public DatasetView {
 public:
  Selection(std::unique_ptr<Dataset> images, std::vector<int64_t> kept, LeftOut left_out)
      : DatasetView(std::move(images)), kept_(std::move(kept)), left_out_(std::move(left_out)) {}

  int64_t size() const override { return static_cast<int64_t>(kept_.size()); }
  LeftOut left_out() const override { return left_out_; }

  // Shards of which nothing was kept are no shards of this set.
  std::vector<int64_t> shard_sizes() const override {
    std::vector<int64_t> sizes;
    auto next = kept_.begin();
    int64_t end = 0;
    for (const int64_t whole : source().shard_sizes()) {
      end += whole;
      int64_t size = 0;
      for (; next != kept_.end() && *next < end; ++next) ++size;
      if (size > 0) sizes.push_back(size);
    }
    return sizes;
  }

 private:
  int64_t source_index(int64_t index) const override { return kept_[static_cast<size_t>(index)]; }

  std::vector<int64_t> kept_;
  LeftOut left_out_;
};

std::vector<int64_t> quotas_of(const std::vector<int32_t>& labels, double share) {
  std::vector<int64_t> counts(static_cast<size_t>(*std::ranges::max_element(labels)) + 1);
  for (const int32_t label : labels) ++counts[static_cast<size_t>(label)];
  for (int64_t& count : counts) {
    if (count < 2) {
      count = 0;
    } else {
      count = std::clamp<int64_t>(std::llround(share * static_cast<double>(count)), 1, count - 1);
    }
  }
  return counts;
}

// A key per image. One whose file cannot be opened is alike to no other; reading it will say what is wrong.
std::vector<uint64_t> keys_of(const Dataset& images, int64_t workers) {
  std::vector<uint64_t> keys(static_cast<size_t>(images.size()));
  parallel_for(images.size(), std::max<int64_t>(1, workers), [&] {
    return [&](int64_t index) {
      try {
        keys[static_cast<size_t>(index)] = images.content_key(index);
      } catch (const DataError&) {
        const std::string name = images.name(index);
        keys[static_cast<size_t>(index)] = XXH3_64bits(name.data(), name.size());
      }
    };
  });
  return keys;
}

}  // namespace

std::unique_ptr<Dataset> select_images(std::unique_ptr<Dataset> images, std::vector<int64_t> kept, LeftOut left_out) {
  return std::make_unique<Selection>(std::move(images), std::move(kept), std::move(left_out));
}

std::vector<bool> choose_validation(const std::vector<int32_t>& labels, const std::vector<uint64_t>& keys,
                                    const SplitOptions& options) {
  std::vector<int64_t> room = quotas_of(labels, options.validation);
  std::vector<std::pair<uint64_t, size_t>> order;  // the seed's order of contents, then of images
  for (size_t i = 0; i < keys.size(); ++i) {
    order.emplace_back(XXH3_64bits_withSeed(&keys[i], sizeof keys[i], options.seed), i);
  }
  std::ranges::sort(order);
  std::vector<bool> is_chosen(labels.size(), false);
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && order[end].first == order[begin].first) ++end;
    const auto room_for = [&](size_t i) -> int64_t& { return room[static_cast<size_t>(labels[order[i].second])]; };
    bool fits = true;
    for (size_t i = begin; i < end; ++i) fits = --room_for(i) >= 0 && fits;
    for (size_t i = begin; i < end; ++i) {
      if (fits) {
        is_chosen[order[i].second] = true;
      } else {
        ++room_for(i);
      }
    }
  }
  return is_chosen;
}

std::unique_ptr<Dataset> part_of(std::unique_ptr<Dataset> whole, const DataOptions& options, Split split) {
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < whole->size(); ++i) labels.push_back(whole->label(i));
  const std::vector<bool> is_for_validation =
      choose_validation(labels, keys_of(*whole, options.workers), options.split);
  std::vector<int64_t> kept;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (is_for_validation[i] == (split == Split::kValidation)) kept.push_back(static_cast<int64_t>(i));
  }
  if (split == Split::kValidation && kept.empty()) {
    throw DataError("no image can be spared for validation: each class has one image, or copies of one; add images");
  }
  LeftOut left_out = split == Split::kTrain ? whole->left_out() : LeftOut{};  // said once
  return select_images(std::move(whole), std::move(kept), std::move(left_out));
}

}  // namespace bn
