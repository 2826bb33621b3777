// One case of one op: what to run, on which shapes and type, with which seed. run_op() drives any backend through it,
// with every output pre-filled with NaN and guard words around every buffer and between strided rows.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bn/backend.hpp"
#include "bn/ops.hpp"

namespace bn::test {

using Values = std::vector<double>;  // a dense tensor

// Columns between the rows of each tensor that belong to someone else: as in a slice of a concatenation.
struct RowGaps {
  int64_t x = 0, y = 0, dx = 0, dy = 0;
};

struct OpCase {
  OpSpec spec;
  std::vector<Shape> x;  // labels of softmax_loss included
  DType dtype = DType::kF32;
  std::optional<DType> y_dtype{};  // set where it differs from dtype (logits)
  Phase phase = Phase::kTrain;
  bool has_backward = true;      // false, in training: batch statistics are all that is wanted
  std::vector<bool> wants_dx{};  // empty: all
  RowGaps gaps{};
  std::vector<int64_t> x_parts{};  // channels of the tensors in which the one input and its gradient lie; empty: in one
  std::vector<int64_t> y_parts{};  // the same of y and dy
  int dx_terms = 0;                // tensors that backward adds to the one input's gradient
  bool adds_in_place = false;      // dx is the first of them
  uint64_t seed = 1;
  uint64_t step = 3;
  int64_t part = 0, parts = 1;       // see StepScalars
  PartExchange* exchange = nullptr;  // see OpDesc
  std::string label{};               // added to the name
  std::string op{};                  // the op's name in its network; empty: name_of this case
};

// Letters, digits and underscores: "batch_norm_4x7x7x64_bf16_strided"; serves as a GoogleTest parameter's name.
std::string name_of(const OpCase& op_case);
std::ostream& operator<<(std::ostream& out, const OpCase& op_case);

DType input_dtype(const OpCase& op_case, size_t input);
DType output_dtype(const OpCase& op_case);

// An op's inputs, already rounded to the types they are stored in.
struct OpData {
  std::vector<Values> x;
  std::vector<Values> w;
  std::vector<Values> state;  // population statistics, in evaluation
  Values dy;
  std::vector<Values> dx_terms{};
};

// An op's outputs. dx and dw are empty where there is no backward pass, dx[i] where it is not wanted.
struct OpResult {
  Values y;
  std::vector<Values> dx;
  std::vector<Values> dw;
  std::vector<Values> state;
  int64_t first_bad_step = -1;
  std::string implementation{};  // a backend's op: what it says of itself
};

// Normal draws; labels uniform over the classes with every fifth one -1.
OpData make_data(const OpCase& op_case);
// Rounds values that a test has put in by hand.
void round_to_storage(const OpCase& op_case, OpData& data);
void round_to_storage(Values& values, DType dtype);

// A backend's tensor with guard words before, after and between its rows. Starts as garbage (NaN) throughout. Under the
// address sanitizer not even reading what lies before and after it is allowed, where the backend's memory is the
// host's.
class GuardedTensor {
 public:
  GuardedTensor(Backend& backend, DType dtype, const Shape& shape, int64_t gap = 0);
  ~GuardedTensor();
  GuardedTensor(GuardedTensor&&) = default;
  GuardedTensor& operator=(GuardedTensor&&) = delete;

  Tensor tensor() const;
  void fill_garbage();  // NaN in the elements; guards renewed
  void write(const Values& values);
  Values read() const;
  // Fails the running test if anything but the elements changed.
  void expect_guards_intact(std::string_view name) const;

 private:
  int64_t element_offset(int64_t row) const;  // bytes from the buffer's start
  std::vector<uint8_t> bytes() const;
  void set_bytes(const std::vector<uint8_t>& bytes);
  void forbid_guards() const;
  void allow_guards() const;

  Backend* backend_;
  DType dtype_;
  Shape shape_;
  int64_t gap_;
  std::unique_ptr<Buffer> buffer_;
};

// run_op() does the same `count` times, and calls `before` with the number of each run before it.
struct Runs {
  int count = 2;
  std::function<void(int run)> before{};
};

// Prepares the op on the backend and runs forward and (in training) backward. Between the two it overwrites with NaN
// the scratch memory and whatever backward_reads() says backward does not read, then does both again and requires the
// same bits.
OpResult run_op(Backend& backend, const OpCase& op_case, const OpData& data, const Runs& runs = {});

}  // namespace bn::test
