// What must be alike in all processes of a run, and before and after it is resumed.
#pragma once

#include <string>

#include "bn/backend.hpp"
#include "bn/checkpoint.hpp"
#include "bn/group.hpp"
#include "bn/parameters.hpp"
#include "bn/provenance.hpp"
#include "bn/run_folder.hpp"

namespace bn {

// A data set that was copied in part is the commonest mistake where several machines work together. Throws an
// AgreedError.
void expect_same_data(Group& group, const Provenance& own);

// Other engines would give other bits. Throws an AgreedError where a library chose otherwise in another process.
void expect_same_choices(Group& group, const Backend& backend);

// A run goes on with the same images under the same indices, or not at all (DataError); with other last bits only where
// that is allowed (UnsupportedError). Returns what computed it before, where that differs.
enum class OtherComputation { kRefused, kAllowed };
std::string expect_same_provenance(const RunFolder& folder, const Provenance& before, const Provenance& now,
                                   OtherComputation otherwise);

// Which engine of its library the backend chose for each op, as the run folder keeps it; nothing where it has no
// choice.
void store_choices(const Backend& backend, const RunFolder& folder);
// The backend chooses again as the run has it from now on; returns the choices.
std::string repeat_choices(Backend& backend, const RunFolder& folder);
// A library that no longer offers an engine changes last bits (UnsupportedError). Returns the choice that it lacks.
std::string expect_same_choices(const RunFolder& folder, const std::string& before, const std::string& now,
                                OtherComputation otherwise);

// The first process's parameters, velocities, averages, statistics and progress replace those of the others.
void share_state(Group& group, Parameters& parameters, Progress& progress);

// The first process's value replaces those of the others.
void share(Group& group, bool& value);

// Throws an AgreedError that names the processes whose parameters are not those of the first one.
void expect_same_parameters(Group& group, const Parameters& parameters, int64_t step);

}  // namespace bn
