// Runs that train in parts, by processes that are threads of the test.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bn/checkpoint.hpp"
#include "bn/config.hpp"
#include "bn/cpu_backend.hpp"
#include "bn/models.hpp"
#include "bn/trainer.hpp"
#include "support/run_record.hpp"
#include "support/synchronised_parts.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {

class PartedRuns : public testing::Test {
 protected:
  explicit PartedRuns(std::string experiment) : experiment_(std::move(experiment)) {}

  // The experiment with the first text of each pair replaced by the second.
  Config config_with(const std::map<std::string, std::string>& changes = {}) const {
    std::string text = experiment_;
    for (const auto& [from, to] : changes) text.replace(text.find(from), from.size(), to);
    Config config = parse_config(text, "experiment.yaml");
    config.data.workers = 1;
    return config;
  }

  TrainResult train_in(Group& group, Backend& backend, const std::string& name, const Config& config,
                       TrainRequest request) const {
    std::optional<RunFolder> folder;
    in_first(group, [&] { folder.emplace(RunFolder::create(root_ / name, to_yaml(config), request.resume)); });
    if (!folder) folder.emplace(root_ / name);
    request.quiet = true;
    request.group = &group;
    return train(config, backend, *folder, request);
  }

  RunFolder folder(const std::string& name) const { return RunFolder(root_ / name); }
  std::string checkpoint(const std::string& name, int64_t step) const {
    return read_bytes(folder(name).checkpoint_path(step));
  }
  std::vector<std::string> curve(const std::string& name) const { return test::curve(folder(name)); }

  // After the first step all tensors of the two runs are the same but for rounding; up to `last_step` the losses.
  void expect_the_same_steps(const std::string& name, const Config& config, const std::string& other_name,
                             const Config& other_config, int64_t last_step) const {
    const std::map<std::string, Values> others = tensors(other_name, other_config);
    for (const auto& [tensor, values] : tensors(name, config)) {
      // Velocities are the gradients times the rate.
      expect_within(others.at(tensor), values, tensor.starts_with("velocity/") ? 1e-5 : 1e-6, tensor.c_str());
    }
    const std::map<int64_t, double> a = logged_losses(folder(name)), b = logged_losses(folder(other_name));
    EXPECT_NEAR(a.at(1), b.at(1), 1e-6);
    EXPECT_NEAR(a.at(last_step), b.at(last_step), 1e-3);
  }

  // train_by(processes) trains with a rate that is far too high.
  static void expect_divergence_at_the_same_step(const std::function<TrainResult(int64_t)>& train_by) {
    const TrainResult one = train_by(1), four = train_by(4);
    EXPECT_EQ(one.outcome, TrainOutcome::kDiverged);
    EXPECT_EQ(four.outcome, TrainOutcome::kDiverged);
    EXPECT_EQ(four.progress.step, one.progress.step);
  }

  const std::string experiment_;
  TemporaryFolder root_;

 private:
  // Those that the first step has changed, by their names.
  std::map<std::string, Values> tensors(const std::string& name, const Config& config) const {
    const std::unique_ptr<Backend> backend = make_cpu_backend({.threads = 1});
    const Net net = build_network(config.model);
    Parameters parameters(net, *backend, config.train.l2_scope, true);
    load_checkpoint(folder(name).checkpoint_path(1), parameters);
    std::map<std::string, Values> all;
    for (const NamedTensor& named : parameters.named_tensors()) {
      const auto* values = named.tensor.as<float>();
      all[named.name].assign(values, values + named.tensor.shape.elements());
    }
    return all;
  }
};

}  // namespace bn::test
