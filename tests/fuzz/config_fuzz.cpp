// Any bytes as an experiment file; an accepted one must come back from its own resolved text.
#include <cstdlib>

#include "bn/config.hpp"
#include "bn/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  try {
    const bn::Config config = bn::parse_config({reinterpret_cast<const char*>(bytes), size}, "fuzz.yaml");
    const std::string resolved = bn::to_yaml(config);
    if (bn::to_yaml(bn::parse_config(resolved, "resolved.yaml")) != resolved) std::abort();
  } catch (const bn::Error&) {  // the promised error
  }
  return 0;
}
