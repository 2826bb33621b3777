#include "bn/cuda_backend.hpp"

#include <fmt/format.h>

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bn/error.hpp"

namespace bn {
namespace {

// What cuDNN 9.8 to 9.28 asks for; it ignores other keys.
constexpr std::array kKeys{
    "cudaDeviceId",
    "deviceName",
    "deviceVer",
    "driverVer",
    "isTccDriver",
    "l2CacheSize",
    "maxBlockSize",
    "maxCtasPerSM",
    "maxGridSize",
    "maxRegistersPerSM",
    "maxSharedMemoryPerBlock",
    "maxSharedMemoryPerBlockOptin",
    "maxThreadsPerBlock",
    "maxThreadsPerSM",
    "memClockRateKHz",
    "memoryBusWidth",
    "multiProcessorCount",
    "oversizedSharedMemoryPerBlock",
    "pciDeviceId",
    "regsPerBlock",
    "reservedSharedMemoryPerBlock",
    "smClockRateKHz",
    "supportCoopLaunch",
    "totalGlobalMem",
    "warpSize",
};

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw DataError(fmt::format(
      "{} does not describe a GPU: {}; experiments/benchmarks/gpu_model/devices has files that do", path, why));
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) throw DataError(fmt::format("The description of a GPU, {}, cannot be read.", path));
  return text.str();
}

}  // namespace

DeviceDescription read_device_description(const std::string& path) {
  const nlohmann::json json = nlohmann::json::parse(text_of(path), nullptr, false);
  if (!json.is_object()) refuse(path, "it is not one JSON object");
  for (const char* key : kKeys) {
    if (!json.contains(key)) refuse(path, fmt::format("it has no key \"{}\"", key));
  }
  try {
    return {.name = json.at("deviceName").get<std::string>(),
            .compute_capability = json.at("deviceVer").get<int64_t>() / 10,
            .multiprocessors = json.at("multiProcessorCount").get<int64_t>(),
            .memory_bytes = json.at("totalGlobalMem").get<int64_t>(),
            .json = json.dump()};
  } catch (const nlohmann::json::exception& error) {
    refuse(path, error.what());
  }
}

}  // namespace bn
