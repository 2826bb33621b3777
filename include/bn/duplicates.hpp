// Images that a set, or both sets of a run, hold more than once.
#pragma once

#include <cstdint>
#include <string>

#include "bn/dataset.hpp"

namespace bn {

struct Duplicates {
  enum class Kind { kContent, kNameAndSize };
  struct Found {
    int64_t count = 0;
    int64_t of_other_classes = 0;    // the copies whose label differs from their original's
    std::string copy{}, original{};  // the names of the first
  };

  Kind kind = Kind::kContent;
  Found repeated{};  // training images that are copies of an earlier one
  Found shared{};    // validation images that are training images
};

// Compares encoded bytes where the sets record them or are small enough to be read at once, else names and sizes of
// files. An image that cannot be read is nobody's copy: reading it later will say so.
Duplicates find_duplicates(const Dataset& training_set, const Dataset& validation_set);

}  // namespace bn
