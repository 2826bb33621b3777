// Figures of a packed set, and a picture of what a network would see of it.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "bn/dataset.hpp"
#include "data/image.hpp"
#include "packing/pack.hpp"

namespace bn {

struct Extent {
  int64_t least = 0, most = 0;
  double mean = 0;
};

struct SetStats {
  int64_t images = 0;
  Extent width{}, height{}, bytes{};
  TraitCounts traits{};
  // Taken over the pixels of `measured` images, scaled to 0..1; every image counts alike.
  int64_t measured = 0;
  std::array<double, 3> mean{}, deviation{};
  std::array<double, 3> eigenvalues{};                  // the RGB covariance's, the largest first
  std::array<std::array<double, 3>, 3> eigenvectors{};  // unit length, in that order
  std::vector<double> lighting{};                       // DataOptions::lighting
};

// Decodes at most `measured` images, at equal distances.
SetStats measure_stats(const std::string& folder, Split split, int64_t measured, int64_t workers);

// A row for each of `rows` images: as evaluation sees it, then `columns` - 1 times as training does, in as many epochs.
Image draw_contact_sheet(const DataOptions& options, Split split, int64_t rows, int64_t columns, uint64_t seed);

}  // namespace bn
