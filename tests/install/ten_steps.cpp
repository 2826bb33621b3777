// Trains an installed experiment for ten steps through the public headers, into the folder named by the argument.
#include <cmath>
#include <cstdio>
#include <exception>

#include "bn/config.hpp"
#include "bn/cpu_backend.hpp"
#include "bn/trainer.hpp"

int main(int argc, char** argv) try {
  if (argc != 2) return 2;
  const bn::Config config = bn::load_config(CONFIGS "/quickstart/batch_norm.yaml",
                                            {"train.steps=10", "train.evaluate_every=10",
                                             "data.shapes.train_images=320", "data.shapes.validation_images=100"});
  const auto backend = bn::make_cpu_backend({.threads = 1});
  const bn::RunFolder folder = bn::RunFolder::create(argv[1], bn::to_yaml(config), false);
  const bn::TrainResult result = bn::train(config, *backend, folder, {.quiet = true});
  std::printf("%s: step %d, validation loss %.4f\n", backend->name().c_str(), static_cast<int>(result.progress.step),
              result.last_evaluation.loss);
  return result.progress.step == 10 && std::isfinite(result.last_evaluation.loss) ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
