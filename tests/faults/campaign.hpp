// Campaigns: many trials of one kind of fault, counted. A build's tests make a few of them; BN_FAULT_TRIALS says how
// many are made by hand (tests/faults/run.sh).
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "support/child_process.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {

int64_t trials(int64_t few);
// BN_FAULT_SEED, or 1: another seed makes other trials.
uint64_t first_seed();

// Counts the outcomes of a campaign and prints them in one line at its end.
class Tally {
 public:
  explicit Tally(std::string name) : name_(std::move(name)) {}
  Tally(const Tally&) = delete;
  Tally& operator=(const Tally&) = delete;
  ~Tally();
  void add(const std::string& outcome) { ++counts_[outcome]; }

 private:
  std::string name_;
  std::map<std::string, int64_t> counts_;
};

// An end by a signal, by the clock, or by an exit code that `bninception --help` does not list is no answer. Neither is
// an error without a word. "" for an answer, else what is wrong.
std::string what_is_wrong(const ProgramResult& result);

// Relative names and contents of the files below a folder; those in `except` are left out.
std::map<std::string, std::string> files_below(const std::string& folder, const std::vector<std::string>& except = {});

// Lines of a small experiment on generated shapes; `more` are overrides.
class Experiment {
 public:
  explicit Experiment(std::vector<std::string> more = {});
  std::string operator/(const std::string& name) const { return root_ / name; }
  std::vector<std::string> train(const std::string& run, const std::vector<std::string>& more = {}) const;
  std::vector<std::string> resume(const std::string& run) const { return train(run, {"--resume"}); }
  // The files that must not depend on how often a run was stopped: its checkpoints and the curve of its log.
  std::map<std::string, std::string> result(const std::string& run) const;

 private:
  TemporaryFolder root_;
  std::vector<std::string> overrides_;
};

// Damages the bytes: one bit, or a text by up to three cuts, copies, and changed characters.
void flip_bit(std::string& bytes, std::mt19937_64& random);
void mutate(std::string& bytes, std::mt19937_64& random);

}  // namespace bn::test
