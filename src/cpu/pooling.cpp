// Pooling among threads. One task is one row of pixels of one image.
//
// Bytes moved per output element of a max pool: the window's new elements of x, y, and one byte of argmax. Going back:
// those of dy and argmax, each term that is added, and dx.
#include <array>

#include "cpu/cpu_kernels.hpp"
#include "cpu/parallel.hpp"

namespace bn::cpu {
namespace {

// The rows of a tensor that start at pixel `pixel`.
Rows rows_from(const Tensor& tensor, int64_t pixel) {
  return {tensor.as<uint8_t>() + pixel * tensor.row_stride * size_of(tensor.dtype), tensor.row_stride};
}

int64_t elements_of(const PoolGeometry& g) { return g.n * g.h * g.w * g.c; }

// Calls task(row of y, that row's pixels, x of its image, index of the row in its image) for each row of y.
template <class Task>
void for_rows_of_output(const Tensor& y, const Tensor& x, const PoolGeometry& g, const Task& task) {
  in_shares(g.n * g.oh, elements_of(g), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      task(row, rows_from(y, row * g.ow), rows_from(x, row / g.oh * g.h * g.w), row % g.oh);
    }
  });
}

// Calls task(image, that row's pixels of dx, dy of its image, that row's of the terms, index of the row in its image)
// for each row of dx.
template <class Task>
void for_rows_of_input(const Tensor& dx, const Tensor& dy, const std::vector<Tensor>& terms, const PoolGeometry& g,
                       const Task& task) {
  in_shares(g.n * g.h, elements_of(g), [&](int64_t begin, int64_t end) {
    std::array<Rows, kMaxSumSources> term_rows;
    const RowTerms row_terms{term_rows.data(), static_cast<int64_t>(terms.size())};
    for (int64_t row = begin; row < end; ++row) {
      const int64_t image = row / g.h;
      for (size_t k = 0; k < terms.size(); ++k) term_rows[k] = rows_from(terms[k], row * g.w);
      task(image, rows_from(dx, row * g.w), rows_from(dy, image * g.oh * g.ow), row_terms, row % g.h);
    }
  });
}

}  // namespace

void CpuKernels::max_pool(const Tensor& y, uint8_t* argmax, const Tensor& x, const PoolGeometry& g) const {
  const PoolKernels& pool = table_.pool(y.dtype);
  for_rows_of_output(y, x, g, [&](int64_t row, Rows y_row, Rows x_image, int64_t oh) {
    pool.max(y_row, argmax == nullptr ? nullptr : argmax + row * g.ow * g.c, x_image, g, oh);
  });
}

void CpuKernels::max_pool_gradient(const Tensor& dx, const Tensor& dy, const uint8_t* argmax,
                                   const std::vector<Tensor>& terms, const PoolGeometry& g) const {
  const PoolKernels& pool = table_.pool(dy.dtype);
  for_rows_of_input(dx, dy, terms, g,
                    [&](int64_t image, Rows dx_row, Rows dy_image, const RowTerms& row_terms, int64_t h) {
                      pool.max_gradient(dx_row, dy_image, argmax + image * g.oh * g.ow * g.c, row_terms, g, h);
                    });
}

void CpuKernels::average_pool(const Tensor& y, const Tensor& x, const PoolGeometry& g) const {
  const PoolKernels& pool = table_.pool(y.dtype);
  for_rows_of_output(y, x, g,
                     [&](int64_t, Rows y_row, Rows x_image, int64_t oh) { pool.average(y_row, x_image, g, oh); });
}

void CpuKernels::average_pool_gradient(const Tensor& dx, const Tensor& dy, const std::vector<Tensor>& terms,
                                       const PoolGeometry& g) const {
  const PoolKernels& pool = table_.pool(dy.dtype);
  for_rows_of_input(dx, dy, terms, g, [&](int64_t, Rows dx_row, Rows dy_image, const RowTerms& row_terms, int64_t h) {
    pool.average_gradient(dx_row, dy_image, row_terms, g, h);
  });
}

}  // namespace bn::cpu
