#include "commands/scaling_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "bn/error.hpp"
#include "system/terminal.hpp"

namespace bn {
namespace {

constexpr double kSliceBytes = 2 << 20;  // src/mpi exchanges slices of this size

// Nine tenths of the line rate for Ethernet over TCP; "memory" was measured with two processes of a two-core machine.
const std::array<Network, 5> kNetworks{{{"1GbE", 0.117e9, 50e-6},
                                        {"10GbE", 1.15e9, 30e-6},
                                        {"25GbE", 2.9e9, 20e-6},
                                        {"100GbE", 11.5e9, 10e-6},
                                        {"memory", 1.2e9, 2e-6}}};

// "11.5:2"
std::optional<Network> from_numbers(const std::string& text) {
  Network network{.name = text};
  const char* end = text.data() + text.size();
  const auto [colon, error] = std::from_chars(text.data(), end, network.bytes_per_second);
  if (error != std::errc() || colon == end || *colon != ':') return std::nullopt;
  const auto [rest, second_error] = std::from_chars(colon + 1, end, network.latency);
  if (second_error != std::errc() || rest != end) return std::nullopt;
  if (!(network.bytes_per_second > 0) || !(network.latency >= 0)) return std::nullopt;
  network.bytes_per_second *= 1e9;
  network.latency *= 1e-6;
  return network;
}

// Each process sends all but its own share of a slice to the owners and receives as much; the sums go round likewise.
double exchange_seconds(int64_t bytes, int64_t processes, const Network& network) {
  const auto others = static_cast<double>(processes - 1);
  const double moved = 2 * static_cast<double>(bytes) * others / static_cast<double>(processes);
  const double slices = std::max(1.0, static_cast<double>(bytes) / kSliceBytes);
  return moved / network.bytes_per_second + slices * (1 + others) * network.latency;
}

double images_per_second(const ScaledStep& step, const Config& config) {
  return static_cast<double>(step.parts * config.train.batch) / step.step;
}

}  // namespace

Network network_named(const std::string& text) {
  std::string names;
  for (const Network& network : kNetworks) {
    if (network.name == text) return network;
    names += network.name + ", ";
  }
  if (std::optional<Network> network = from_numbers(text)) return *network;
  throw Error(ExitCode::kUsage,
              fmt::format("--network: got '{}', expected {}or GB/S:MICROSECONDS such as 11.5:2", text, names));
}

std::vector<ScaledStep> scaled_steps(const StepTimes& times, int64_t parts, int64_t most_processes,
                                     const Network& network) {
  std::vector<ScaledStep> steps;
  for (int64_t processes = 1; processes <= most_processes; processes *= 2) {
    ScaledStep step{.processes = processes, .parts = std::max(parts, processes)};
    const int64_t own_parts = step.parts / processes;
    const auto own = static_cast<double>(own_parts);
    const double computing = own * times.part + (own - 1) * times.sum + times.update;
    if (processes > 1)
      step.exchange = exchange_seconds(times.gradient_bytes + times.statistics_bytes, processes, network);
    step.step = computing + step.exchange;
    step.efficiency = computing / step.step;
    steps.push_back(step);
  }
  return steps;
}

void print_scaling(const std::vector<ScaledStep>& steps, const StepTimes& times, const Config& config,
                   const Network& network) {
  print(fmt::format(
      "\nSeveral processes, a model: each computes as this one did, with {} thread{} of its own; then {:.1f} MB of "
      "gradients and {:.2f} MB of statistics are exchanged over {} ({:g} GB/s, {:g} us), with no computing meanwhile.\n"
      "processes  parts images a step exchange ms   step ms  images/s efficiency\n",
      config.threads, config.threads == 1 ? "" : "s", static_cast<double>(times.gradient_bytes) / 1e6,
      static_cast<double>(times.statistics_bytes) / 1e6, network.name, network.bytes_per_second / 1e9,
      1e6 * network.latency));
  for (const ScaledStep& step : steps) {
    print(fmt::format("{:>9} {:>6} {:>13} {:>11.2f} {:>9.2f} {:>9.1f} {:>8.1f} %\n", step.processes, step.parts,
                      step.parts * config.train.batch, 1e3 * step.exchange, 1e3 * step.step,
                      images_per_second(step, config), 100 * step.efficiency));
  }
}

nlohmann::json json_of(const std::vector<ScaledStep>& steps, const Config& config) {
  nlohmann::json rows = nlohmann::json::array();
  for (const ScaledStep& step : steps) {
    rows.push_back({{"processes", step.processes},
                    {"parts", step.parts},
                    {"exchange_ms", 1e3 * step.exchange},
                    {"step_ms", 1e3 * step.step},
                    {"images_per_second", images_per_second(step, config)},
                    {"efficiency", step.efficiency}});
  }
  return rows;
}

}  // namespace bn
