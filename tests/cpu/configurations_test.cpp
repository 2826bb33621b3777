// Every op of every configuration that is shipped: the CPU backend must have a proper implementation of each, in each
// type, for training and for evaluation.
#include <gtest/gtest.h>

#include <set>

#include "bn/config.hpp"
#include "bn/error.hpp"
#include "bn/models.hpp"
#include "cpu/cpu_backend.hpp"
#include "support/configurations.hpp"
#include "support/op_case.hpp"

namespace bn::test {
namespace {

// Ops seen in an earlier configuration are not prepared again.
class Preparation {
 public:
  void prepare(const OpSpec& spec, const OpDesc& desc) {
    if (!seen_.insert(key(spec, desc)).second) return;
    SCOPED_TRACE(key(spec, desc));
    try {
      const std::unique_ptr<Op> op = cpu_backend().make_op(spec, desc);
      EXPECT_EQ(op->implementation().find("ref"), std::string::npos) << op->implementation();
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }

  int64_t count() const { return static_cast<int64_t>(seen_.size()); }

 private:
  static std::string key(const OpSpec& spec, const OpDesc& desc) {
    std::string key = describe(spec) + " to " + bn::name_of(desc.y.dtype);
    for (const TensorDesc& x : desc.x) key += std::string(", ") + bn::name_of(x.dtype) + " " + to_string(x.shape);
    if (desc.phase == Phase::kEvaluate) return key + ", evaluation";
    return key + (desc.wants_dx[0] ? ", training" : ", training without dx");
  }

  std::set<std::string> seen_;
};

Shape batch_of(int64_t batch, Shape shape) {
  shape.n = batch;
  return shape;
}

// The spec as plans for folded evaluation have it, or nothing: a linear layer takes a bias up, a convolution more.
std::optional<OpSpec> folded(const OpSpec& spec) {
  const Folded with_batch_norm{.eps = 1e-3F, .activation = Activation::kRelu};
  return std::visit(
      [&](auto op) -> std::optional<OpSpec> {
        if constexpr (requires { op.folded; }) {
          op.folded = std::holds_alternative<Linear>(spec) ? Folded{} : with_batch_norm;
          return op;
        }
        return {};
      },
      spec);
}

void prepare_node(const Net& net, const Node& node, int64_t batch, DType dtype, Preparation& preparation) {
  const bool is_loss = std::holds_alternative<SoftmaxLoss>(node.spec);
  OpDesc desc{
      .name = node.name,
      .x = {},
      .y = TensorDesc::dense(is_loss ? DType::kF32 : dtype, batch_of(batch, net.values()[node.output.index].shape)),
      .wants_dx = {}};
  for (const ValueId input : node.inputs) {
    const DType of_loss = input == net.labels() ? DType::kI32 : DType::kF32;
    desc.x.push_back(TensorDesc::dense(is_loss ? of_loss : dtype, batch_of(batch, net.values()[input.index].shape)));
    desc.wants_dx.push_back(!(input == net.images() || input == net.labels()));
  }
  preparation.prepare(node.spec, desc);
  OpDesc evaluation = desc;
  evaluation.phase = Phase::kEvaluate;
  evaluation.has_backward = false;
  preparation.prepare(node.spec, evaluation);
  if (const std::optional<OpSpec> spec = folded(node.spec)) preparation.prepare(*spec, evaluation);
  if (std::holds_alternative<Linear>(node.spec) && dtype != DType::kF32) {
    desc.y.dtype = DType::kF32;  // logits
    preparation.prepare(node.spec, desc);
  }
}

class Configurations : public testing::TestWithParam<DType> {};

TEST_P(Configurations, HaveAProperImplementationOfEveryOp) {
  Preparation preparation;
  for (const std::string& file : configurations()) {
    SCOPED_TRACE(file);
    const Config config = load_config(file);
    const Net net = build_network(config.model);
    for (const Node& node : net.nodes()) prepare_node(net, node, config.train.batch, GetParam(), preparation);
  }
  EXPECT_GT(preparation.count(), 150);  // the distinct ones: the paper's network alone has 38 convolutions
}
INSTANTIATE_TEST_SUITE_P(Cpu, Configurations, testing::Values(DType::kF32, DType::kBf16),
                         [](const auto& tested) { return bn::name_of(tested.param); });

}  // namespace
}  // namespace bn::test
