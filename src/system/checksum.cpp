#include "system/checksum.hpp"

#include <fmt/format.h>
#include <xxhash.h>

namespace bn {

struct Checksum::State {
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> sum{XXH3_createState(), XXH3_freeState};
};

Checksum::Checksum() : state_(std::make_unique<State>()) { XXH3_64bits_reset(state_->sum.get()); }

Checksum::~Checksum() = default;

void Checksum::add(const void* bytes, int64_t size) {
  XXH3_64bits_update(state_->sum.get(), bytes, static_cast<size_t>(size));
}

uint64_t Checksum::value() const { return XXH3_64bits_digest(state_->sum.get()); }

std::string Checksum::digits() const { return fmt::format("{:016x}", value()); }

}  // namespace bn
