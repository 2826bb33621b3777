#include "support/op_case.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <ostream>

#include "bn/rng.hpp"

namespace bn::test {
namespace {

bool is_softmax(const OpCase& op_case) { return std::holds_alternative<SoftmaxLoss>(op_case.spec); }

bool runs_backward(const OpCase& op_case) { return op_case.phase == Phase::kTrain && op_case.has_backward; }

bool wants_dx(const OpCase& op_case, size_t input) {
  if (input_dtype(op_case, input) == DType::kI32) return false;
  return op_case.wants_dx.empty() || op_case.wants_dx.at(input);
}

Values normal_values(RandomStream& stream, int64_t count, double mean, double deviation) {
  Values values(count);
  for (double& value : values) value = mean + deviation * stream.normal();
  return values;
}

// A parameter's values: of the size they have in a trained network, so no output is all rounding error.
Values parameter_values(RandomStream& stream, const ParameterSpec& parameter) {
  const int64_t count = parameter.shape.elements();
  switch (parameter.role) {
    case ParameterRole::kWeight:
      return normal_values(stream, count, 0,
                           1 / std::sqrt(static_cast<double>(std::max<int64_t>(parameter.fan_in, 1))));
    case ParameterRole::kGamma:
      return normal_values(stream, count, 1, 0.3);
    case ParameterRole::kBias:
    case ParameterRole::kBeta:
      break;
  }
  return normal_values(stream, count, 0, 0.5);
}

Values label_values(RandomStream& stream, int64_t count, int64_t classes) {
  Values labels(count);
  for (size_t i = 0; i < labels.size(); ++i) {
    labels[i] = i % 5 == 4 ? -1.0 : static_cast<double>(stream.uniform_index(classes));
  }
  return labels;
}

bool same_bits(const Values& a, const Values& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

// The parts of a tensor; itself where there are none.
std::vector<Shape> parts_of(const Shape& whole, const std::vector<int64_t>& channels) {
  if (channels.empty()) return {whole};
  std::vector<Shape> parts;
  for (const int64_t c : channels) parts.push_back({whole.n, whole.h, whole.w, c});
  return parts;
}
std::vector<Shape> y_parts_of(const OpCase& op_case) {
  return parts_of(output_shape(op_case.spec, op_case.x), op_case.y_parts);
}
// All inputs; the one that lies in parts as these.
std::vector<Shape> inputs_of(const OpCase& op_case) {
  return op_case.x_parts.empty() ? op_case.x : parts_of(op_case.x[0], op_case.x_parts);
}

// A matrix by parts of its columns, in the order of `tensors`, and whole again.
std::vector<Values> split(const Values& matrix, const std::vector<GuardedTensor>& tensors) {
  std::vector<Values> parts(tensors.size());
  if (tensors.size() == 1) parts[0] = matrix;
  for (auto at = matrix.begin(); tensors.size() > 1 && at != matrix.end();) {
    for (size_t i = 0; i < tensors.size(); ++i) {
      const int64_t columns = tensors[i].tensor().shape.c;
      parts[i].insert(parts[i].end(), at, at + columns);
      at += columns;
    }
  }
  return parts;
}
Values joined(const std::vector<GuardedTensor>& tensors) {
  if (tensors.size() == 1) return tensors[0].read();
  std::vector<Values> parts;
  for (const GuardedTensor& tensor : tensors) parts.push_back(tensor.read());
  Values all;
  for (int64_t row = 0; row < tensors[0].tensor().shape.rows(); ++row) {
    for (size_t i = 0; i < tensors.size(); ++i) {
      const int64_t columns = tensors[i].tensor().shape.c;
      all.insert(all.end(), parts[i].begin() + row * columns, parts[i].begin() + (row + 1) * columns);
    }
  }
  return all;
}

// All memory of one run.
class OpRun {
 public:
  OpRun(Backend& backend, const OpCase& op_case, const OpData& data);
  OpResult run();

 private:
  void make_inputs();
  void make_outputs();
  void bind(Tensor& whole, std::vector<Tensor>& parts, const std::vector<GuardedTensor>& tensors) const;
  void write_inputs();
  void forward();
  void backward();
  void expect_guards_intact() const;
  std::vector<Values> inputs() const;
  OpResult result() const;

  Backend& backend_;
  const OpCase& case_;
  const OpData& data_;
  std::unique_ptr<Op> op_;
  OpIo io_;
  std::unique_ptr<Buffer> step_;
  std::vector<GuardedTensor> x_, w_, state_, dx_, dw_;
  std::vector<GuardedTensor> dx_terms_;                  // those that are not dx
  std::vector<size_t> dx_inputs_;                        // the input that each dx_ belongs to
  std::vector<GuardedTensor> y_, dy_;                    // parts
  std::vector<GuardedTensor> saved_, scratch_, packed_;  // one or none of each
};

OpRun::OpRun(Backend& backend, const OpCase& op_case, const OpData& data)
    : backend_(backend), case_(op_case), data_(data) {
  OpDesc desc;
  desc.exchange = op_case.exchange;
  desc.name = op_case.op.empty() ? name_of(op_case) : op_case.op;
  const std::vector<Shape> inputs = inputs_of(op_case);
  for (size_t i = 0; i < inputs.size(); ++i) {
    desc.x.push_back({input_dtype(op_case, i), inputs[i], inputs[i].c + op_case.gaps.x});
    desc.wants_dx.push_back(wants_dx(op_case, i));
  }
  const Shape y = output_shape(op_case.spec, op_case.x);
  desc.y = {output_dtype(op_case), y, y.c + op_case.gaps.y};
  for (const Shape& part : y_parts_of(op_case)) desc.y_parts.push_back({desc.y.dtype, part, part.c + op_case.gaps.y});
  if (op_case.y_parts.empty()) desc.y_parts.clear();
  desc.phase = op_case.phase;
  desc.has_backward = runs_backward(op_case);
  op_ = backend.make_op(op_case.spec, desc);
  make_inputs();
  make_outputs();
}

void OpRun::make_inputs() {
  step_ = backend_.allocate(sizeof(StepState));
  io_.step = static_cast<StepState*>(step_->data());
  const std::vector<Shape> inputs = inputs_of(case_);
  for (size_t i = 0; i < inputs.size(); ++i) {
    x_.emplace_back(backend_, input_dtype(case_, i), inputs[i], case_.gaps.x);
    io_.x.push_back(x_.back().tensor());
  }
  for (const ParameterSpec& parameter : parameters_of(case_.spec, case_.x)) {
    w_.emplace_back(backend_, DType::kF32, parameter.shape);
    io_.w.push_back(w_.back().tensor());
  }
  const int64_t channels = state_channels(case_.spec, case_.x);
  for (int i = 0; i < 2 && channels > 0; ++i) {
    state_.emplace_back(backend_, DType::kF32, vector_shape(channels));
    io_.state.push_back(state_.back().tensor());
  }
}

void OpRun::make_outputs() {
  const std::vector<Shape> parts = y_parts_of(case_);
  for (const Shape& part : parts) y_.emplace_back(backend_, output_dtype(case_), part, case_.gaps.y);
  bind(io_.y, io_.y_parts, y_);
  const auto bytes = [&](std::vector<GuardedTensor>& to, int64_t count) -> void* {
    if (count == 0) return nullptr;
    to.emplace_back(backend_, DType::kU8, vector_shape(count));
    return to.back().tensor().data;
  };
  io_.scratch = bytes(scratch_, op_->scratch_bytes());
  io_.packed = bytes(packed_, op_->packed_bytes());
  io_.saved = bytes(saved_, op_->saved_bytes());
  if (!runs_backward(case_)) return;

  if (!is_softmax(case_)) {
    for (const Shape& part : parts) dy_.emplace_back(backend_, output_dtype(case_), part, case_.gaps.dy);
    bind(io_.dy, io_.dy_parts, dy_);
  }
  const std::vector<Shape> inputs = inputs_of(case_);
  io_.dx.resize(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!wants_dx(case_, i)) continue;
    dx_.emplace_back(backend_, input_dtype(case_, i), inputs[i], case_.gaps.dx);
    dx_inputs_.push_back(i);
    io_.dx[i] = dx_.back().tensor();
  }
  for (int i = 0; i < case_.dx_terms; ++i) {
    const bool is_dx = i == 0 && case_.adds_in_place;
    if (!is_dx) dx_terms_.emplace_back(backend_, input_dtype(case_, 0), inputs[0], case_.gaps.x);
    io_.dx_terms.push_back((is_dx ? dx_ : dx_terms_).back().tensor());
  }
  for (const GuardedTensor& parameter : w_) {
    dw_.emplace_back(backend_, DType::kF32, parameter.tensor().shape);
    io_.dw.push_back(dw_.back().tensor());
  }
}

void OpRun::bind(Tensor& whole, std::vector<Tensor>& parts, const std::vector<GuardedTensor>& tensors) const {
  if (case_.y_parts.empty()) {
    whole = tensors[0].tensor();
    return;
  }
  for (const GuardedTensor& part : tensors) parts.push_back(part.tensor());
}

void OpRun::write_inputs() {
  for (auto* group : {&x_, &w_, &state_, &dx_, &dx_terms_, &dw_, &y_, &dy_, &saved_, &scratch_}) {
    for (GuardedTensor& tensor : *group) tensor.fill_garbage();
  }
  const std::vector<Values> x = inputs();
  for (size_t i = 0; i < x_.size(); ++i) x_[i].write(x.at(i));
  for (size_t i = 0; i < w_.size(); ++i) w_[i].write(data_.w.at(i));
  if (case_.phase == Phase::kEvaluate) {
    for (size_t i = 0; i < state_.size(); ++i) state_[i].write(data_.state.at(i));
  }
  const StepState step{.seed = case_.seed, .now = {.step = case_.step, .part = case_.part, .parts = case_.parts}};
  backend_.upload(io_.step, &step, sizeof(step));
}

void OpRun::forward() {
  op_->pack(io_);
  op_->forward(io_);
}

void OpRun::backward() {
  const BackwardReads reads = backward_reads(case_.spec);
  if (!reads.x) {
    for (GuardedTensor& tensor : x_) tensor.fill_garbage();
  }
  for (GuardedTensor& tensor : y_) {
    if (!reads.y) tensor.fill_garbage();
  }
  for (GuardedTensor& tensor : scratch_) tensor.fill_garbage();
  const std::vector<Values> dy = split(data_.dy, dy_);
  for (size_t i = 0; i < dy_.size(); ++i) dy_[i].write(dy[i]);
  const size_t in_place = case_.adds_in_place ? 1 : 0;
  if (case_.adds_in_place) dx_[0].write(data_.dx_terms[0]);
  for (size_t i = 0; i < dx_terms_.size(); ++i) dx_terms_[i].write(data_.dx_terms[i + in_place]);
  op_->backward(io_);
  op_->unpack(io_);
}

void OpRun::expect_guards_intact() const {
  const auto expect = [](const std::vector<GuardedTensor>& group, std::string_view name) {
    for (const GuardedTensor& tensor : group) tensor.expect_guards_intact(name);
  };
  expect(x_, "x");
  expect(w_, "w");
  expect(state_, "state");
  expect(y_, "y");
  expect(dy_, "dy");
  expect(dx_, "dx");
  expect(dx_terms_, "a term of dx");
  expect(dw_, "dw");
  expect(saved_, "saved");
  expect(scratch_, "scratch");
  expect(packed_, "packed");
}

std::vector<Values> OpRun::inputs() const { return case_.x_parts.empty() ? data_.x : split(data_.x[0], x_); }

OpResult OpRun::result() const {
  OpResult result;
  result.dx.resize(runs_backward(case_) ? case_.x.size() : 0);
  if (case_.x_parts.empty()) {
    for (size_t i = 0; i < dx_.size(); ++i) result.dx[dx_inputs_[i]] = dx_[i].read();
  } else if (!dx_.empty()) {
    result.dx[0] = joined(dx_);
  }
  for (const GuardedTensor& tensor : dw_) result.dw.push_back(tensor.read());
  for (const GuardedTensor& tensor : state_) result.state.push_back(tensor.read());
  StepState step;
  backend_.download(&step, io_.step, sizeof(step));
  result.first_bad_step = step.first_bad_step;
  result.implementation = op_->implementation();
  return result;
}

OpResult OpRun::run() {
  write_inputs();
  forward();
  backend_.synchronize();
  const Values y = joined(y_);
  const std::vector<Values> x = inputs();
  for (size_t i = 0; i < x_.size(); ++i)
    EXPECT_TRUE(same_bits(x_[i].read(), x[i])) << "forward changed its input " << i;
  if (runs_backward(case_)) backward();
  backend_.synchronize();
  expect_guards_intact();
  OpResult all = result();
  all.y = y;
  return all;
}

void expect_same_bits(const OpResult& a, const OpResult& b, int run) {
  SCOPED_TRACE("run " + std::to_string(run));
  EXPECT_TRUE(same_bits(a.y, b.y)) << "y differs between two runs";
  for (size_t i = 0; i < a.dx.size(); ++i) EXPECT_TRUE(same_bits(a.dx[i], b.dx[i])) << "dx differs between two runs";
  for (size_t i = 0; i < a.dw.size(); ++i) EXPECT_TRUE(same_bits(a.dw[i], b.dw[i])) << "dw differs between two runs";
  for (size_t i = 0; i < a.state.size(); ++i)
    EXPECT_TRUE(same_bits(a.state[i], b.state[i])) << "state differs between two runs";
}

}  // namespace

std::string name_of(const OpCase& op_case) {
  std::string name = describe(op_case.spec);
  for (const Shape& shape : op_case.x) name += "_" + to_string(shape);
  name += std::string("_") + name_of(op_case.dtype);
  if (op_case.phase == Phase::kEvaluate) name += "_evaluate";
  if (!op_case.has_backward) name += "_forward_only";
  if (op_case.gaps.x + op_case.gaps.y + op_case.gaps.dx + op_case.gaps.dy > 0) name += "_strided";
  if (op_case.dx_terms > 0) name += "_adds_" + std::to_string(op_case.dx_terms);
  if (op_case.adds_in_place) name += "_in_place";
  if (!op_case.label.empty()) name += "_" + op_case.label;
  for (char& letter : name) {
    if (std::isalnum(static_cast<unsigned char>(letter)) == 0) letter = '_';
  }
  return name;
}

std::ostream& operator<<(std::ostream& out, const OpCase& op_case) { return out << name_of(op_case); }

DType input_dtype(const OpCase& op_case, size_t input) {
  if (!is_softmax(op_case)) return op_case.dtype;
  return input == 0 ? DType::kF32 : DType::kI32;
}

DType output_dtype(const OpCase& op_case) {
  return is_softmax(op_case) ? DType::kF32 : op_case.y_dtype.value_or(op_case.dtype);
}

OpData make_data(const OpCase& op_case) {
  RandomStream stream(op_case.seed, hash_name("op_case"));
  OpData data;
  for (size_t i = 0; i < op_case.x.size(); ++i) {
    const int64_t count = op_case.x[i].elements();
    data.x.push_back(input_dtype(op_case, i) == DType::kI32 ? label_values(stream, count, op_case.x[0].c)
                                                            : normal_values(stream, count, 0.3, 1.2));
  }
  for (const ParameterSpec& parameter : parameters_of(op_case.spec, op_case.x)) {
    data.w.push_back(parameter_values(stream, parameter));
  }
  if (const int64_t channels = state_channels(op_case.spec, op_case.x); channels > 0) {
    data.state.push_back(normal_values(stream, channels, 0.2, 0.5));
    data.state.emplace_back(channels);
    for (double& variance : data.state.back()) variance = stream.uniform(0.5, 2.0);
  }
  data.dy = normal_values(stream, output_shape(op_case.spec, op_case.x).elements(), 0.1, 1.0);
  for (int i = 0; i < op_case.dx_terms; ++i) {
    data.dx_terms.push_back(normal_values(stream, op_case.x[0].elements(), 0, 1));
  }
  round_to_storage(op_case, data);
  return data;
}

void round_to_storage(const OpCase& op_case, OpData& data) {
  for (size_t i = 0; i < data.x.size(); ++i) round_to_storage(data.x[i], input_dtype(op_case, i));
  for (Values& values : data.w) round_to_storage(values, DType::kF32);
  for (Values& values : data.state) round_to_storage(values, DType::kF32);
  round_to_storage(data.dy, output_dtype(op_case));
  for (Values& values : data.dx_terms) round_to_storage(values, input_dtype(op_case, 0));
}

OpResult run_op(Backend& backend, const OpCase& op_case, const OpData& data, const Runs& runs) {
  OpRun op_run(backend, op_case, data);
  OpResult first;
  for (int run = 0; run < runs.count; ++run) {
    if (runs.before) runs.before(run);
    OpResult result = op_run.run();
    if (run == 0) {
      first = std::move(result);
    } else {
      expect_same_bits(first, result, run);
    }
  }
  return first;
}

}  // namespace bn::test
