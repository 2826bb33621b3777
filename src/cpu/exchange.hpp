// The exchange between processes whose backends compute on CPUs.
#pragma once

#include <memory>

#include "bn/backend.hpp"
#include "bn/group.hpp"

namespace bn::cpu {

std::unique_ptr<Exchange> make_exchange(Group& group);

}  // namespace bn::cpu
