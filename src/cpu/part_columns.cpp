#include "cpu/cpu_kernels.hpp"

#include <algorithm>
#include <span>

#include "bn/error.hpp"

namespace bn::cpu {
namespace {

// Each part sends its number of rows, then its values.
std::span<const double> gather(const double* values, int64_t m, int64_t c, const ops::PartColumns& parts) {
  const auto length = static_cast<size_t>(2 * c + 1), count = static_cast<size_t>(parts.parts);
  const std::span<double> all(parts.scratch, count * length), mine(parts.scratch + count * length, length);
  mine[0] = static_cast<double>(m);
  std::copy_n(values, 2 * c, &mine[1]);
  parts.exchange->gather(mine, all);
  return all;
}

}  // namespace

int64_t merge_moments(double* moments, int64_t m, int64_t c, const ops::PartColumns& parts,
                      const KernelTable& kernels) {
  const double* part = gather(moments, m, c, parts).data();
  auto rows = static_cast<int64_t>(part[0]);
  std::copy_n(part + 1, 2 * c, moments);
  for (int64_t k = 1; k < parts.parts; ++k) {
    part += 2 * c + 1;
    const auto more = static_cast<int64_t>(part[0]);
    kernels.statistics.merge_moments(moments, moments + c, rows, part + 1, part + 1 + c, more, c);
    rows += more;
  }
  if (rows < 2)
    throw ShapeError("Batch normalisation needs at least two values per feature in all its parts together.");
  return rows;
}

int64_t add_sums(double* sums, int64_t m, int64_t c, const ops::PartColumns& parts, const KernelTable& kernels) {
  const double* part = gather(sums, m, c, parts).data();
  auto rows = static_cast<int64_t>(part[0]);
  std::copy_n(part + 1, 2 * c, sums);
  for (int64_t k = 1; k < parts.parts; ++k) {
    part += 2 * c + 1;
    rows += static_cast<int64_t>(part[0]);
    kernels.statistics.add(sums, part + 1, 2 * c);
  }
  return rows;
}

}  // namespace bn::cpu
