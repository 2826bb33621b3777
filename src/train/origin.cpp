#include "train/origin.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bn/error.hpp"
#include "bn/run_folder.hpp"

namespace bn {
namespace {

// The parameters between each loss and the values that its classifier reads: a linear layer and its bias.
std::vector<std::string> classifier_parameters(const Net& net) {
  std::vector<std::string> names;
  for (const Node& loss : net.nodes()) {
    if (!std::holds_alternative<SoftmaxLoss>(loss.spec)) continue;
    const Node* node = net.producer_of(loss.inputs.at(0));
    while (node != nullptr) {
      for (const int parameter : node->parameters)
        names.push_back(net.parameters()[static_cast<size_t>(parameter)].name);
      node = std::holds_alternative<BiasActivation>(node->spec) ? net.producer_of(node->inputs.at(0)) : nullptr;
    }
  }
  return names;
}

std::string describe_classes(const std::vector<std::string>& before, const std::vector<std::string>& now) {
  if (before.size() != now.size()) return fmt::format("for {} classes, where it knew {}", now.size(), before.size());
  const auto [old_class, new_class] = std::mismatch(before.begin(), before.end(), now.begin());
  return fmt::format("for other classes: its class {} was '{}' and is '{}' here", old_class - before.begin(),
                     *old_class, *new_class);
}

}  // namespace

Start start_from(const std::string& init_from, Parameters& parameters, const std::vector<std::string>& classes) {
  try {
    const std::string path = find_checkpoint(init_from, "best");
    const std::optional<Provenance> before = read_checkpoint_info(path).provenance;
    const bool knew_others = before && before->classes != classes;
    const CheckpointInfo info = load_values(
        path, parameters, knew_others ? classifier_parameters(parameters.net()) : std::vector<std::string>{});
    std::string message = fmt::format("starts from '{}' (step {})", path, info.progress.step);
    if (knew_others) message += ", but the classifier is drawn anew " + describe_classes(before->classes, classes);
    return {.origin = {.checkpoint = path, .step = info.progress.step, .checksum = info.checksum},
            .message = std::move(message)};
  } catch (Error& error) {
    error.add_context("model.init_from");
    throw;
  }
}

std::string describe_frozen(const Net& net, const std::string& init_from) {
  std::vector<std::string> rows;
  for (const Node& node : net.nodes()) {
    const std::string row = node.name.substr(0, node.name.find('/'));
    if (node.is_frozen && (rows.empty() || rows.back() != row)) rows.push_back(row);
  }
  if (rows.empty()) return "";
  int64_t frozen = 0;
  for (const ParameterInfo& parameter : net.parameters()) {
    if (parameter.is_frozen) frozen += parameter.spec.shape.elements();
  }
  return fmt::format("frozen{}: {} ({} of {} parameters)",
                     init_from.empty() ? " as drawn, for model.init_from is empty" : "", fmt::join(rows, ", "), frozen,
                     net.parameter_count());
}

}  // namespace bn
