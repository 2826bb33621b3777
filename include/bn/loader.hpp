// Batches: workers fill a ring of u8 NHWC batches, in an order that no thread count can change.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bn/backend.hpp"
#include "bn/dataset.hpp"
#include "bn/sampler.hpp"
#include "bn/tensor.hpp"

namespace bn {

struct LoaderOptions {
  int64_t batch = 0;
  // kTrain: shuffled, augmented and endless; the incomplete last batch of an epoch is dropped. kValidation: file order,
  // centre crop, each image once; the last batch is padded with label -1.
  Split split = Split::kTrain;
  uint64_t seed = 0;
  int64_t first_batch = 0;   // training: the batch (step) to start at, for resuming
  Part part{};               // training: of the images; validation: of the batches, which the parts take in turn
  std::string quarantine{};  // folder for on_corrupt: quarantine; empty = images are only named
  // Backend::allocate_host, and what must be called before a batch's memory is written again (Backend::finish_loading);
  // both may be empty, and memory may be null: then it is the loader's own.
  std::function<std::unique_ptr<Buffer>(int64_t)> allocate{};
  std::function<void()> finish_reading{};
};

// The options of a loader whose batches are given to load_images() of this backend.
inline LoaderOptions with_memory_of(Backend& backend, LoaderOptions options) {
  options.allocate = [&backend](int64_t bytes) { return backend.allocate_host(bytes); };
  options.finish_reading = [&backend] { backend.finish_loading(); };
  return options;
}

struct Batch {
  Tensor images{};                  // u8 [batch, image_size, image_size, channels], host
  const int32_t* labels = nullptr;  // [batch]; -1 = padding
  int64_t valid = 0;                // images before the padding; of these, a skipped one is labelled -1 (on_corrupt)
  int64_t first_index = 0;          // validation: dataset index of images[0]
  int64_t epoch = 0;                // training
};

struct LoaderCounters {
  double wait_seconds = 0;                   // the caller waited for a slot
  int64_t skipped = 0;                       // undecodable images replaced by the next one (on_corrupt: skip)
  std::vector<std::string> skipped_names{};  // the first 100, each once
};

class Loader {
 public:
  Loader(const Dataset& dataset, const DataOptions& data, const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  int64_t batches_per_epoch() const;
  // Training: never ends. Validation: false after the last batch. The batch stays valid until the next call.
  // Rethrows what a worker threw.
  bool next(Batch& batch);
  LoaderCounters counters() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bn
