// The CPU backend: memory, and the dispatch from a spec to its implementation; sums, and the exchange between
// processes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bn/backend.hpp"
#include "bn/cpu_backend.hpp"

namespace bn::cpu {

// Calls must come from the thread that made the backend: the number of OpenMP threads is a property of that thread.
class CpuBackend : public Backend {
 public:
  explicit CpuBackend(const CpuOptions& options);

  std::string name() const override;
  std::string computation() const override;
  void require(DType activations) const override;

  std::unique_ptr<Buffer> allocate(int64_t bytes) override;
  void upload(void* device, const void* host, int64_t bytes) override;
  void download(void* host, const void* device, int64_t bytes) override;
  void zero(void* device, int64_t bytes) override;
  void synchronize() override {}

  std::unique_ptr<Op> make_op(const OpSpec& spec, const OpDesc& desc) override;
  bool prefers_merged_siblings(DType activations) const override;

  // --- updates.cpp
  void load_images(const Tensor& x, const Tensor& images_u8, const ImageNormalization& normalization) override;
  void sum(const Tensor& dst, const std::vector<Tensor>& srcs) override;
  void update(const ParameterUpdate& all) override;
  void blend(const Tensor& running, const Tensor& batch, const Tensor& factor, const float* weight) override;

  std::unique_ptr<Exchange> join(Group& group) override;

 private:
  CpuOptions options_;
};

// --- updates.cpp: implements Backend::sum, for the sum of the gradients that several consumers of one tensor produce.
void sum(const Tensor& dst, const std::vector<Tensor>& srcs);

// --- exchange.cpp: between processes whose backends compute on CPUs.
std::unique_ptr<Exchange> make_exchange(Group& group);

}  // namespace bn::cpu
