// The convolutions of a network and nothing else, each direction by the quickest implementation: any of oneDNN's or of
// ours. A training step is measured against their time. It may merge 1x1 convolutions, which stand by themselves here.
// Forward shares Winograd's tiles, as training does and evaluation does not.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bn/backend.hpp"
#include "bn/net.hpp"
#include "cpu/dense_convolution.hpp"

namespace bn {

enum class Direction { kForward, kInputGradient, kWeightGradient };
const char* name_of(Direction direction);

// How the library is asked: for a convolution of images or, where it is 1x1, of all their pixels as one image's, or for
// a matrix product.
enum class Form { kImages, kOneImage, kProduct };
const char* name_of(Form form);

// One way to compute one direction of one convolution.
struct Candidate {
  std::string name;  // "brgconv:avx512_core"
  Form form = Form::kImages;
  std::function<void(void* scratch)> run{};
  double seconds = 0;  // the quickest trial run's
};

struct TimedDirection {
  std::string convolution;  // "inception_3a/1x1/conv"
  Direction direction = Direction::kForward;
  bool is_1x1 = false;
  std::vector<Candidate> candidates{};
  size_t best = 0;

  double quickest_seconds(Form form) const;  // infinity: there is none of this form
};

class ConvolutionsAlone {
 public:
  ConvolutionsAlone(const Net& net, Backend& backend, int64_t batch, DType dtype);

  // Runs every candidate `trials` times and keeps the quickest.
  void choose(int64_t trials);
  void forward() { run(forward_); }
  void backward() { run(backward_); }
  const std::vector<TimedDirection>& forward_directions() const { return forward_; }
  const std::vector<TimedDirection>& backward_directions() const { return backward_; }

 private:
  struct Operands {
    Tensor x, y;  // dx and dy have their shapes
    cpu::ConvolutionWindow window;
    bool wants_dx;
  };

  Tensor value(const Net& net, ValueId id);
  void add(const std::string& name, const Operands& operands);
  void add_convolutions(std::vector<TimedDirection>& directions, const Operands& operands, Form form);
  void add_matrix_products(std::vector<TimedDirection>& directions, const Operands& operands);
  template <class Correlation, class WeightGradient>
  void add_own(std::vector<TimedDirection>& directions, const Operands& operands);
  void add_candidate(TimedDirection& to, const dnnl::primitive_desc_base& description, Form form,
                     const std::vector<std::pair<int, void*>>& data, int weights);
  void* buffer(int64_t bytes);
  void choose(TimedDirection& direction, int64_t trials);
  void run(std::vector<TimedDirection>& directions);

  Backend& backend_;
  int64_t batch_;
  DType dtype_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::map<int, Tensor> values_;  // key: a value's index
  // Gradients live for one convolution, as in a plan.
  void *dx_ = nullptr, *dy_ = nullptr, *scratch_ = nullptr;
  int64_t scratch_bytes_ = 0;
  std::vector<TimedDirection> forward_, backward_;
};

}  // namespace bn
