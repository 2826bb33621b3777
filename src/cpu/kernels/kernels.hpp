// The table of single-threaded kernels. Each is compiled once per instruction set (see src/CMakeLists.txt); which
// table runs is decided when it is first asked for. Kernels see raw pointers and row ranges only; the ops divide the
// work among threads. Strides are in elements. Where a pointer may be null, its comment says so.
#pragma once

#include <cstdint>
#include <string_view>

#include "ops/own_kernels.hpp"

namespace bn::cpu {

// The widest block of columns a kernel of ColumnKernels takes: its sums then stay in the first-level cache.
constexpr int64_t kColumnBlock = 1024;
constexpr int64_t kMaxSumSources = 16;

// A range of rows of a matrix.
struct Rows {
  void* data = nullptr;
  int64_t stride = 0;
};

using ops::AffineColumns;
using ops::BatchColumns;
using ops::GradientColumns;
using ops::NormalizeColumns;
using ops::PoolGeometry;

// Kernels on matrices [rows, columns] with columns <= kColumnBlock (others: any); one table per element type.
struct ColumnKernels {
  // mean and m2 (sum of squared deviations from it) of each column.
  void (*moments)(double* mean, double* m2, Rows x, int64_t rows, int64_t columns);
  void (*normalize)(Rows y, Rows x, const NormalizeColumns& by, int64_t rows, int64_t columns, Activation activation);
  // sum_dz = sum of dz = dy * activation'(z); sum_dz_x = sum of dz * (x - mean). `forward` holds the values given to
  // normalize; y is read for kSigmoid only, scale and shift for kRelu only.
  void (*gradient_sums)(double* sum_dz, double* sum_dz_x, Rows dy, Rows x, Rows y, const NormalizeColumns& forward,
                        int64_t rows, int64_t columns, Activation activation);
  void (*input_gradient)(Rows dx, Rows dy, Rows x, Rows y, const NormalizeColumns& forward, const GradientColumns& by,
                         int64_t rows, int64_t columns, Activation activation);
  // y = activation(x + bias); bias may be null.
  void (*bias_activation)(Rows y, Rows x, const float* bias, int64_t rows, int64_t columns, Activation activation);
  // dx = dz, sum_dz = sum of dz; dx.data or sum_dz may be null. y is unread for kNone.
  void (*bias_activation_gradient)(Rows dx, double* sum_dz, Rows dy, Rows y, int64_t rows, int64_t columns,
                                   Activation activation);
  // destination = sum of the sources, each taken as f32; destination may be a source.
  void (*sum)(Rows destination, const Rows* sources, int64_t count, int64_t rows, int64_t columns);
};

// Kernels that go from column to column in double precision; the same for both element types and any number of columns.
struct StatisticsKernels {
  // (mean, m2) of `count` rows becomes that of count + other_count rows.
  void (*merge_moments)(double* mean, double* m2, int64_t count, const double* other_mean, const double* other_m2,
                        int64_t other_count, int64_t columns);
  void (*add)(double* sum, const double* other, int64_t columns);
  void (*to_float)(float* to, const double* from, int64_t columns);
  // Statistics of m rows, and the scale and shift that normalise by them.
  void (*prepare_batch)(const BatchColumns& batch, const double* mean, const double* m2, const AffineColumns& affine,
                        int64_t m, int64_t columns);
  // scale = gamma / sqrt(var + eps); the shift is beta itself.
  void (*prepare_population)(float* scale, const float* var, const AffineColumns& affine, int64_t columns);
  void (*prepare_gradient)(const GradientColumns& gradient, const double* sum_dz, const double* sum_dz_x,
                           const BatchColumns& batch, const AffineColumns& affine, int64_t m, int64_t columns);
};

// The same pixels of other tensors, `count` of them, which are added to a row of a gradient as f32.
struct RowTerms {
  const Rows* rows = nullptr;
  int64_t count = 0;
};

// Each call computes one row of pixels of one image's output (or input gradient); one table per element type. argmax
// holds the winner's place in its window, row by row, a byte for each output element. dx may be one of the terms.
struct PoolKernels {
  void (*max)(Rows y_row, uint8_t* argmax_row, Rows x_image, const PoolGeometry& g, int64_t oh);  // argmax may be null
  void (*max_gradient)(Rows dx_row, Rows dy_image, const uint8_t* argmax_image, const RowTerms& terms,
                       const PoolGeometry& g, int64_t h);
  void (*average)(Rows y_row, Rows x_image, const PoolGeometry& g, int64_t oh);
  void (*average_gradient)(Rows dx_row, Rows dy_image, const RowTerms& terms, const PoolGeometry& g, int64_t h);
};

struct DropoutMask {
  uint64_t key;  // MaskStream: seed ^ op
  uint64_t step;
  float rate;
};

// Kernels on dense spans or rows; one table per element type.
struct ElementKernels {
  void (*local_response_norm)(void* y, const void* x, const LocalResponseNorm& spec, int64_t rows, int64_t c);
  void (*local_response_norm_gradient)(void* dx, const void* dy, const void* x, const LocalResponseNorm& spec,
                                       int64_t rows, int64_t c);
  // y = x * mask / (1 - rate) for elements [first, first + count) of the whole tensor; first is a multiple of 4.
  void (*dropout)(void* y, const void* x, const DropoutMask& mask, int64_t first, int64_t count);
  // x = (image - mean) * scale, where mean and scale repeat with `period`, a multiple of 16, and count is any.
  void (*load_images)(void* x, const uint8_t* images, const float* mean, const float* scale, int64_t period,
                      int64_t count);
};

// Kernels on f32 only.
struct UpdateKernels {
  // SgdUpdate over `count` elements; true if an updated value is not finite.
  bool (*sgd)(float* value, float* velocity, const float* gradient, const SgdUpdate& factors, int64_t count);
  // running += weight * (factor * batch - running); factor may be null (1). Weight 1 copies.
  void (*blend)(float* running, const float* batch, const float* factor, float weight, int64_t count);
  // probabilities = softmax(logits), one row; returns log(sum of exp(logits)).
  double (*softmax)(float* probabilities, const float* logits, int64_t classes);
  // y = factor * x.
  void (*scale)(float* y, const float* x, float factor, int64_t count);
};

// Between bf16 and f32, `count` elements.
struct ConversionKernels {
  void (*widen)(float* to, const uint16_t* from, int64_t count);
  void (*narrow)(uint16_t* to, const float* from, int64_t count);
};

// Winograd's F(4x4, 3x3), computed in f32: 4x4 outputs of a 3x3 convolution from 6x6 inputs, by one product for each of
// 36 planes.
constexpr int64_t kWinogradTile = 4, kWinogradPatch = 6;
constexpr int64_t kWinogradPlanes = 36;

// One row of each plane, `stride` elements from one another.
struct Planes {
  float* data;
  int64_t stride;
};
// A square of pixels [c] of dense maps. A pixel lies rows[i] + columns[j] values behind the maps' beginning; there is
// none where either is negative.
struct TilePixels {
  const int64_t *rows, *columns;
  int64_t c;
};
// Windows [3, 3] side by side. A negative stride, from the last position, rotates them by half a turn.
struct WindowRow {
  const float* data;
  int64_t position_stride, column_stride;
};

// Each call transforms one tile, or one row of weights. There is one table for each element type of the maps.
struct WinogradKernels {
  void (*input)(Planes v, const void* x, const TilePixels& pixels);  // 6x6 of x; where there is none, zero
  // 4x4 pixels: y = activation(transform + bias); bias [c] may be null.
  void (*output)(void* y, Planes products, const TilePixels& pixels, const float* bias, Activation activation);
  void (*output_gradient)(Planes v, const void* dy, const TilePixels& pixels);  // 4x4 of dy; where there is none, zero
  void (*weights)(Planes u, const WindowRow& w, int64_t count);
  void (*weight_gradient)(float* dw, Planes du, int64_t count);  // dw [3, 3, count]
};

// AMX multiplies blocks of [32, 32 k] by [32 k, 32].
constexpr int64_t kAmxBlock = 32;

// The parts of a matrix's values in bf16; low is null where the values are bf16 themselves. A row takes `pitch`.
struct AmxParts {
  uint16_t *high, *low;
  int64_t pitch;
};
// A block [depths, columns] of weights in f32, at most [32, 32]; one of the strides is 1.
struct AmxWeights {
  const float* data;
  int64_t depths, columns;
  int64_t depth_stride, column_stride;
};

// Products on AMX; empty where the table has no such instructions. Every thread calls begin() before it multiplies and
// end() after. There is one table for each element type of the maps, and weights are f32.
struct AmxKernels {
  void (*begin)();
  void (*end)();
  // Dense rows [pixels, c] of a map.
  void (*split)(AmxParts to, const void* from, int64_t pixels, int64_t c);
  void (*pack)(uint16_t* tiles, const AmxWeights& w);  // one block, zero where it has no weights
  // sums [32, 32] = sum over taps and depths of x [32 rows from the tap's, 32 columns] times the next packed block.
  void (*multiply)(float* sums, int64_t pitch, const AmxParts& x, const int64_t* taps, int64_t tap_count,
                   int64_t depths, const uint16_t* weights);
  // The rows that are not null: y = activation(sums + bias); bias [columns] may be null.
  void (*store_rows)(void* const* rows, const float* sums, int64_t columns, const float* bias, Activation activation);
  // For sums over pixels: 32 rows of a map become columns, to [c, 32]; or each two become one of pairs, to [16, c, 2].
  // Both write up to 15 channels more.
  void (*transpose_rows)(AmxParts to, const void* const* rows, int64_t c);
  void (*pair_rows)(AmxParts to, const void* const* rows, int64_t c);
  // sums [32, 32] = (sums +) a [32, 32 depths] b, where b has pairs of rows.
  void (*multiply_pairs)(float* sums, bool adds, const AmxParts& a, const AmxParts& b, int64_t depths);
};

struct KernelTable {
  const char* instruction_set;  // "generic", "avx2", "avx512", "avx512_bf16"
  ColumnKernels columns_f32, columns_bf16;
  PoolKernels pool_f32, pool_bf16;
  ElementKernels elements_f32, elements_bf16;
  StatisticsKernels statistics;
  UpdateKernels updates;
  ConversionKernels conversions;
  WinogradKernels winograd_f32, winograd_bf16;
  AmxKernels amx_f32, amx_bf16;

  const ColumnKernels& columns(DType dtype) const { return dtype == DType::kBf16 ? columns_bf16 : columns_f32; }
  const PoolKernels& pool(DType dtype) const { return dtype == DType::kBf16 ? pool_bf16 : pool_f32; }
  const ElementKernels& elements(DType dtype) const { return dtype == DType::kBf16 ? elements_bf16 : elements_f32; }
  const WinogradKernels& winograd(DType dtype) const { return dtype == DType::kBf16 ? winograd_bf16 : winograd_f32; }
  const AmxKernels& amx(DType dtype) const { return dtype == DType::kBf16 ? amx_bf16 : amx_f32; }
};

// The table in use: the widest this machine runs, or the one named by the environment variable BN_CPU_ISA
// (generic | avx2 | avx512 | avx512_bf16). Throws UnsupportedError for an unknown name or one the machine cannot run.
const KernelTable& kernels();

// The table of that name, for tests and for BN_CPU_ISA; throws as kernels() does.
const KernelTable& kernels_of(std::string_view instruction_set);
// Makes it the table that ops prepared from now on use.
void select_kernels(const KernelTable& table);

}  // namespace bn::cpu
