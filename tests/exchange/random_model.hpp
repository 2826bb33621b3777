// A network with drawn weights and statistics on the CPU, and the other programs that read what we write of it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bn/config.hpp"
#include "bn/net.hpp"
#include "bn/parameters.hpp"
#include "support/child_process.hpp"

namespace bn::test {

class RandomModel {
 public:
  // `experiment` is a file's text but for its data; `input` are the keys of the data that say what the network reads.
  explicit RandomModel(const std::string& experiment, const std::string& input = kColours);
  static constexpr const char* kColours = "image_size: 33, mean: [0.4, 0.5, 0.6], std: [0.2, 0.25, 0.3]";
  RandomModel(const RandomModel&) = delete;
  RandomModel& operator=(const RandomModel&) = delete;

  const Config& config() const { return config_; }
  const Net& net() const { return net_; }
  Backend& backend() { return *backend_; }
  Parameters& parameters() { return *parameters_; }

  // Pixels u8 [n, h, w, c] -> logits [n, classes], as evaluation computes them.
  std::vector<float> logits(std::span<const uint8_t> pixels);
  std::vector<uint8_t> random_pixels(int64_t images, uint32_t seed = 7) const;

 private:
  Config config_;
  Net net_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Parameters> parameters_;
};

// The logits of a network, in batches of 50 images, with the average of its parameters where it has one.
std::vector<float> logits_of(const Net& net, Parameters& parameters, const Config& config,
                             std::span<const uint8_t> pixels);

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

// The Python that has ONNX Runtime, OpenCV, safetensors and TensorBoard; empty where it was not fetched.
std::string peers_python();
// Runs tests/exchange/SCRIPT with the arguments.
ProgramResult run_peer(const std::string& script, const std::vector<std::string>& arguments);

}  // namespace bn::test

#define BN_REQUIRE_PEERS()              \
  if (bn::test::peers_python().empty()) \
  GTEST_SKIP() << "the other programs are not here; `bash tests/run.sh exchange` fetches them"
