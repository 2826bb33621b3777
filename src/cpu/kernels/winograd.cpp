// The transforms of Winograd's F(4x4, 3x3) (Lavin and Gray 2016, sec. 4.3), for vectors of channels:
//   y = A^T [(G w G^T) * (B^T x B)] A     and, its weight gradient,     dw = G^T [(A dy A^T) * (B^T x B)] G.
// Each applies a one-dimensional transform to the columns of a tile, then to its rows.
#include "cpu/kernels/tables.hpp"
#include "cpu/kernels/vectors.hpp"

namespace bn::cpu::BN_CPU_ISA {
namespace {

constexpr int kPatch = kWinogradPatch, kTile = kWinogradTile, kWindow = 3;

// A line of a tile: every `stride`-th vector.
struct Line {
  Float* data;
  int stride;
  BN_INLINE Float& operator[](int i) const { return data[i * stride]; }
};

struct InputTransform {  // B^T
  static constexpr int kFrom = kPatch, kTo = kPatch;
  BN_INLINE static void apply(Line to, Line x) {
    const Float even = x[4] - 4.0F * x[2], odd = x[3] - 4.0F * x[1];
    const Float near = x[4] - x[2], twice = 2.0F * (x[3] - x[1]);
    to[0] = 4.0F * x[0] - 5.0F * x[2] + x[4];
    to[1] = even + odd;
    to[2] = even - odd;
    to[3] = near + twice;
    to[4] = near - twice;
    to[5] = 4.0F * x[1] - 5.0F * x[3] + x[5];
  }
};

struct OutputTransform {  // A^T
  static constexpr int kFrom = kPatch, kTo = kTile;
  BN_INLINE static void apply(Line to, Line m) {
    const Float sum1 = m[1] + m[2], difference1 = m[1] - m[2];
    const Float sum2 = m[3] + m[4], difference2 = m[3] - m[4];
    to[0] = m[0] + sum1 + sum2;
    to[1] = difference1 + 2.0F * difference2;
    to[2] = sum1 + 4.0F * sum2;
    to[3] = difference1 + 8.0F * difference2 + m[5];
  }
};

struct OutputGradientTransform {  // A
  static constexpr int kFrom = kTile, kTo = kPatch;
  BN_INLINE static void apply(Line to, Line dy) {
    const Float even1 = dy[0] + dy[2], odd1 = dy[1] + dy[3];
    const Float even2 = dy[0] + 4.0F * dy[2], odd2 = 2.0F * dy[1] + 8.0F * dy[3];
    to[0] = dy[0];
    to[1] = even1 + odd1;
    to[2] = even1 - odd1;
    to[3] = even2 + odd2;
    to[4] = even2 - odd2;
    to[5] = dy[3];
  }
};

struct WeightTransform {  // G
  static constexpr int kFrom = kWindow, kTo = kPatch;
  BN_INLINE static void apply(Line to, Line w) {
    const Float outer = (w[0] + w[2]) * (-1.0F / 6), middle = w[1] * (1.0F / 6);
    const Float far = w[0] * (1.0F / 24) + w[2] * (1.0F / 6), half = w[1] * (1.0F / 12);
    to[0] = w[0] * 0.25F;
    to[1] = outer - middle;
    to[2] = outer + middle;
    to[3] = far + half;
    to[4] = far - half;
    to[5] = w[2];
  }
};

struct WeightGradientTransform {  // G^T
  static constexpr int kFrom = kPatch, kTo = kWindow;
  BN_INLINE static void apply(Line to, Line u) {
    const Float sum1 = u[1] + u[2], sum2 = u[3] + u[4];
    to[0] = 0.25F * u[0] - (1.0F / 6) * sum1 + (1.0F / 24) * sum2;
    to[1] = (1.0F / 6) * (u[2] - u[1]) + (1.0F / 12) * (u[3] - u[4]);
    to[2] = (1.0F / 6) * (sum2 - sum1) + u[5];
  }
};

// to [kTo, kTo] = T from T^T, where from is [kFrom, kFrom].
template <class T>
BN_INLINE void transform(Float* to, Float* from) {
  Float half[T::kTo * T::kFrom];
#pragma GCC unroll 6
  for (int j = 0; j < T::kFrom; ++j) T::apply({half + j, T::kFrom}, {from + j, T::kFrom});
#pragma GCC unroll 6
  for (int i = 0; i < T::kTo; ++i) T::apply({to + i * T::kTo, 1}, {half + i * T::kFrom, 1});
}

template <class P>
BN_INLINE void store_planes(Planes planes, int64_t channel, const Float* values, P part) {
#pragma GCC unroll 36
  for (int q = 0; q < kWinogradPlanes; ++q) store(planes.data + q * planes.stride + channel, values[q], part);
}

template <class P>
BN_INLINE void load_planes(Float* values, Planes planes, int64_t channel, P part) {
#pragma GCC unroll 36
  for (int q = 0; q < kWinogradPlanes; ++q) values[q] = load(planes.data + q * planes.stride + channel, part);
}

bool is_there(const TilePixels& pixels, int i, int j) { return pixels.rows[i] >= 0 && pixels.columns[j] >= 0; }

// Reads pixels and writes their transform. Whether all of them are there is asked once, not for each.
template <class T, bool AreAllThere, class E>
BN_INLINE void transform_pixels(Planes planes, const E* maps, const TilePixels& pixels) {
  for_columns(pixels.c, [&](int64_t channel, auto part) {
    Float read[T::kFrom * T::kFrom], values[kWinogradPlanes];
#pragma GCC unroll 6
    for (int i = 0; i < T::kFrom; ++i) {
#pragma GCC unroll 6
      for (int j = 0; j < T::kFrom; ++j) {
        read[i * T::kFrom + j] = AreAllThere || is_there(pixels, i, j)
                                     ? load(maps + pixels.rows[i] + pixels.columns[j] + channel, part)
                                     : Float{};
      }
    }
    transform<T>(values, read);
    store_planes(planes, channel, values, part);
  });
}

template <class T, class E>
void transform_tile(Planes planes, const void* maps, const TilePixels& pixels) {
  bool are_all_there = true;
  for (int i = 0; i < T::kFrom; ++i) are_all_there = are_all_there && is_there(pixels, i, i);
  are_all_there ? transform_pixels<T, true>(planes, static_cast<const E*>(maps), pixels)
                : transform_pixels<T, false>(planes, static_cast<const E*>(maps), pixels);
}

template <Activation A, class E>
void output_of(E* y, Planes products, const TilePixels& pixels, const float* bias) {
  for_columns(pixels.c, [&](int64_t channel, auto part) {
    Float values[kWinogradPlanes], sums[kTile * kTile];
    load_planes(values, products, channel, part);
    transform<OutputTransform>(sums, values);
    const Float shift = bias == nullptr ? Float{} : load(bias + channel, part);
#pragma GCC unroll 4
    for (int i = 0; i < kTile; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < kTile; ++j) {
        if (!is_there(pixels, i, j)) continue;
        store(y + pixels.rows[i] + pixels.columns[j] + channel, activate<A>(sums[i * kTile + j] + shift), part);
      }
    }
  });
}

template <class E>
void output(void* y, Planes products, const TilePixels& pixels, const float* bias, Activation activation) {
  with_activation(activation, [&]<Activation A>() { output_of<A>(static_cast<E*>(y), products, pixels, bias); });
}

template <class P>
int64_t lanes_of(P part) {
  if constexpr (__is_same(P, Part)) return part.count;
  return kLanes;
}

void weights(Planes u, const WindowRow& w, int64_t count) {
  for_columns(count, [&](int64_t column, auto part) {
    Float window[kWindow * kWindow], values[kWinogradPlanes];
    for (int position = 0; position < kWindow * kWindow; ++position) {
      const float* from = w.data + position * w.position_stride + column * w.column_stride;
      if (w.column_stride == 1) {
        window[position] = load(from, part);
      } else {
        window[position] = Float{};
        for (int64_t lane = 0; lane < lanes_of(part); ++lane) window[position][lane] = from[lane * w.column_stride];
      }
    }
    transform<WeightTransform>(values, window);
    store_planes(u, column, values, part);
  });
}

void weight_gradient(float* dw, Planes du, int64_t count) {
  for_columns(count, [&](int64_t column, auto part) {
    Float values[kWinogradPlanes], window[kWindow * kWindow];
    load_planes(values, du, column, part);
    transform<WeightGradientTransform>(window, values);
    for (int position = 0; position < kWindow * kWindow; ++position) {
      store(dw + position * count + column, window[position], part);
    }
  });
}

template <class E>
constexpr WinogradKernels table() {
  return {.input = transform_tile<InputTransform, E>,
          .output = output<E>,
          .output_gradient = transform_tile<OutputGradientTransform, E>,
          .weights = weights,
          .weight_gradient = weight_gradient};
}

}  // namespace

extern constinit const WinogradKernels kWinogradF32 = table<float>();
extern constinit const WinogradKernels kWinogradBf16 = table<Bf16>();

}  // namespace bn::cpu::BN_CPU_ISA
