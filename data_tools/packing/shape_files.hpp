// The generated data set as files.
#pragma once

#include <cstdint>
#include <string>

#include "bn/dataset.hpp"

namespace bn {

// Writes the split as folder/<class>/<index>.png, readable again as an image folder. DataError where the folder
// holds other files, StorageError when it cannot write.
void write_shapes_folder(const ShapesOptions& options, Split split, const std::string& folder);

void write_contact_sheet(const ShapesOptions& options, Split split, int64_t columns, const std::string& file);

}  // namespace bn
