// The filters of a network's first convolution, as a picture.
#pragma once

#include <string>

#include "commands/trained_model.hpp"

namespace bn {

// False where the network does not begin with a dense convolution of grey or coloured images. Throws as draw_filters().
bool draw_first_filters(const TrainedModel& model, const std::string& path);

}  // namespace bn
