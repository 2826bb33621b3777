// A run goes on with what it was made of, and all its processes work with the same.
#pragma once

#include <string>

#include "bn/group.hpp"
#include "bn/provenance.hpp"
#include "bn/run_folder.hpp"

namespace bn {

// A data set that was copied in part is the commonest mistake where several machines work together. Throws an
// AgreedError.
void expect_same_data(Group& group, const Provenance& own);

// A run goes on with the same images under the same indices, or not at all (DataError); with other last bits only where
// that is allowed (UnsupportedError). Returns what computed it before, where that differs.
enum class OtherComputation { kRefused, kAllowed };
std::string expect_same_making(const RunFolder& folder, const Provenance& before, const Provenance& now,
                               OtherComputation otherwise);

}  // namespace bn
