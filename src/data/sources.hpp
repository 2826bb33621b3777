// One function per kind of data set, called by open_dataset.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bn/dataset.hpp"

namespace bn {

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
