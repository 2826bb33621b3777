// Parameters of a small network on a backend that only holds memory, so that a forked child needs no thread pool.
#pragma once

#include <cstring>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "bn/net.hpp"
#include "bn/parameters.hpp"

namespace bn::test {

class HostBackend : public Backend {
 public:
  std::string name() const override { return "host memory"; }
  void require(DType) const override {}
  std::unique_ptr<Buffer> allocate(int64_t bytes) override { return std::make_unique<HostBuffer>(bytes); }
  void upload(void* device, const void* host, int64_t bytes) override {
    std::memcpy(device, host, static_cast<size_t>(bytes));
  }
  void download(void* host, const void* device, int64_t bytes) override {
    std::memcpy(host, device, static_cast<size_t>(bytes));
  }
  void zero(void* device, int64_t bytes) override { std::memset(device, 0, static_cast<size_t>(bytes)); }
  void synchronize() override {}
  std::unique_ptr<Op> make_op(const OpSpec&, const OpDesc&) override { throw std::logic_error("memory only"); }
  void load_images(const Tensor&, const Tensor&, const ImageNormalization&) override {
    throw std::logic_error("memory only");
  }
  void sum(const Tensor& dst, const std::vector<Tensor>& srcs) override {
    std::memcpy(dst.data, srcs.at(0).data, static_cast<size_t>(dst.bytes()));  // a sum of one term
  }
  void update(const ParameterUpdate&) override { throw std::logic_error("memory only"); }
  void blend(const Tensor&, const Tensor&, const Tensor&, const float*) override {
    throw std::logic_error("memory only");
  }

 private:
  class HostBuffer : public Buffer {
   public:
    explicit HostBuffer(int64_t bytes) : words_(static_cast<size_t>(bytes + 3) / 4) {}
    void* data() const override { return const_cast<float*>(words_.data()); }
    int64_t bytes() const override { return static_cast<int64_t>(words_.size() * 4); }

   private:
    std::vector<float> words_;
  };
};

// images -> linear(hidden) -> batch norm or bias -> linear(3) -> bias -> loss
enum class Normalization { kBatchNorm, kNone };
struct SmallNetOptions {
  int64_t inputs = 6, hidden = 5;
  Normalization normalization = Normalization::kBatchNorm;
};
inline Net small_net(const SmallNetOptions& options = {}) {
  NetBuilder net({1, 1, 1, options.inputs});
  ValueId value = net.add("hidden/linear", Linear{.out_features = options.hidden, .folded = {}}, {net.images()});
  value = options.normalization == Normalization::kBatchNorm ? net.add("hidden/bn", BatchNorm{}, {value})
                                                             : net.add("hidden/bias", BiasActivation{}, {value});
  value = net.add("output/linear", Linear{.out_features = 3, .folded = {}}, {value});
  net.loss("loss", net.add("output/bias", BiasActivation{}, {value}));
  return std::move(net).build();
}

enum class Averaging { kNone, kPolyak };
class SmallModel {
 public:
  explicit SmallModel(const SmallNetOptions& options = {}, Averaging averaging = Averaging::kNone)
      : net_(small_net(options)), parameters_(net_, backend_, DecayScope::kWeights, averaging == Averaging::kPolyak) {}
  SmallModel(const SmallModel&) = delete;
  SmallModel& operator=(const SmallModel&) = delete;

  Parameters& parameters() { return parameters_; }

  // Arbitrary bits of values that training can save: finite, the variances not below 0; subnormals among them.
  void fill(uint32_t seed) {
    constexpr uint32_t kSign = 0x80000000U, kExponent = 0x7f800000U, kLowestOfExponent = 0x00800000U;
    std::mt19937 random(seed);
    for (const NamedTensor& named : parameters_.named_tensors()) {
      for (int64_t i = 0; i < named.tensor.shape.elements(); ++i) {
        uint32_t& bits = named.tensor.as<uint32_t>()[i];
        bits = random();
        if ((bits & kExponent) == kExponent) bits ^= kLowestOfExponent;
        if (named.name.ends_with("/var")) bits &= ~kSign;
      }
    }
    parameters_.statistics_updates = random();
  }

  // Every bit that a checkpoint must bring back, by name.
  std::string bits() const {
    std::string all;
    for (const NamedTensor& named : parameters_.named_tensors()) {
      all += named.name;
      all.append(named.tensor.as<char>(), static_cast<size_t>(named.tensor.bytes()));
    }
    return all + std::to_string(parameters_.statistics_updates);
  }

 private:
  HostBackend backend_;
  Net net_;
  Parameters parameters_;
};

}  // namespace bn::test
