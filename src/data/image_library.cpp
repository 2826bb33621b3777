#include <opencv2/core/utility.hpp>

#include "bn/data.hpp"

namespace bn {

std::string image_library() { return "OpenCV " + cv::getVersionString(); }

}  // namespace bn
