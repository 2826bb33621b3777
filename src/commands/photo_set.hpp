// Pictures that a user has sorted into class folders, as `bninception new` finds them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bn/data_options.hpp"
#include "data/survey.hpp"

namespace bn {

struct PhotoSet {
  std::string place{};  // the name that the user gave
  DataOptions data{};   // kind, train, validation or split
  std::vector<std::string> classes{};
  std::vector<int64_t> counts{};  // images by class, of training and of a split's validation
  int64_t training = 0, validation = 0;
  std::string example{};  // the path of an image that is not trained on; "" where it is inside a tar
  Survey survey{};
  std::vector<std::string> remarks{};  // a sentence each, which the user is told
};

// `path` is a folder of class folders, one with such folders for training and for validation in it, or a tar file of
// class folders. Throws DataError where no network could be trained on it.
PhotoSet look_at_photos(const std::string& path);

}  // namespace bn
