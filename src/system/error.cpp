#include "bn/error.hpp"

#include <fmt/format.h>

namespace bn {

OutOfMemoryError::OutOfMemoryError(int64_t asked, int64_t free, int64_t total, const std::string& device,
                                   const std::string& advice)
    : Error(ExitCode::kUnsupported,
            fmt::format("{} has not enough memory: {:.2f} GB were asked for, {:.2f} of {:.2f} GB are free.{}", device,
                        1e-9 * static_cast<double>(asked), 1e-9 * static_cast<double>(free),
                        1e-9 * static_cast<double>(total), advice)),
      asked_bytes(asked),
      free_bytes(free) {}

}  // namespace bn
