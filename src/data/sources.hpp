// One function per kind of data set, called by open_dataset, and the base of sets that are made of others.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bn/dataset.hpp"

namespace bn {

// Images of another set, which say of themselves what they say there.
class DatasetView : public Dataset {
 public:
  explicit DatasetView(std::unique_ptr<Dataset> source) : source_(std::move(source)) {}

  int64_t size() const override { return source_->size(); }
  int32_t label(int64_t index) const override { return source_->label(source_index(index)); }
  std::string name(int64_t index) const override { return source_->name(source_index(index)); }
  std::string name_in_set(int64_t index) const override { return source_->name_in_set(source_index(index)); }
  std::string file_name(int64_t index) const override { return source_->file_name(source_index(index)); }
  const std::vector<std::string>& class_names() const override { return source_->class_names(); }
  LeftOut left_out() const override { return source_->left_out(); }
  int64_t stored_bytes(int64_t index) const override { return source_->stored_bytes(source_index(index)); }
  std::optional<uint64_t> recorded_checksum(int64_t index) const override {
    return source_->recorded_checksum(source_index(index));
  }
  uint64_t content_digest(int64_t index, int64_t most, int64_t parts) const override {
    return source_->content_digest(source_index(index), most, parts);
  }
  std::vector<int64_t> shard_sizes() const override { return source_->shard_sizes(); }
  Sample read(int64_t index, std::vector<uint8_t>& storage) const override {
    return source_->read(source_index(index), storage);
  }

 protected:
  virtual int64_t source_index(int64_t index) const { return index; }
  const Dataset& source() const { return *source_; }

 private:
  std::unique_ptr<Dataset> source_;
};

std::unique_ptr<Dataset> open_shapes(const DataOptions& options, Split split);
std::unique_ptr<Dataset> open_mnist(const DataOptions& options, Split split);
std::unique_ptr<Dataset> open_folder(const DataOptions& options, Split split);
std::unique_ptr<Dataset> open_tars(const DataOptions& options, Split split);

std::unique_ptr<Dataset> open_packed(const DataOptions& options, Split split);

inline constexpr int64_t kMaxCacheBytes = int64_t{2} << 30;

// The set decoded into memory now, by as many threads as the options have workers. ConfigError beyond max_bytes.
std::unique_ptr<Dataset> cache_decoded(std::unique_ptr<Dataset> source, const DataOptions& options,
                                       int64_t max_bytes = kMaxCacheBytes);

// The split's paths, resolved. DataError unless there are count of them (0: one or more); expected says what they are.
std::vector<std::string> split_paths(const DataOptions& options, Split split, size_t count, const char* expected);

// "cannot open FILE (No such file or directory)", from errno.
[[noreturn]] void throw_cannot_open(const std::string& path);

}  // namespace bn
