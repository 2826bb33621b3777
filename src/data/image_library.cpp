#include <opencv2/core/utility.hpp>

#include "bn/dataset.hpp"

namespace bn {

std::string image_library() { return "OpenCV " + cv::getVersionString(); }

}  // namespace bn
