// The list of a configuration's mistakes: reading goes on after one, so that one look at the message is enough.
#pragma once

#include <string>
#include <vector>

#include "bn/error.hpp"
#include "config/yaml_node.hpp"

namespace bn::config {

// fail() throws it. Its text is "position: key.path: message", without the parts that are empty.
struct Mistake : ConfigError {
  Mistake(Position where, const std::string& path, const std::string& message);
  Position position;
};

class Mistakes {
 public:
  // Does the work, and keeps a mistake that it throws.
  template <class Work>
  void attempt(Work&& work) {
    try {
      work();
    } catch (const Mistake& mistake) {
      add(mistake);
    }
  }
  void add(const Mistake& mistake);  // throws them all when there are too many to go on
  size_t count() const { return mistakes_.size(); }
  // One ConfigError: the mistake, or a line for each of several, sorted by position.
  void throw_if_any() const;

 private:
  std::vector<Mistake> mistakes_;
};

}  // namespace bn::config
