// Local response normalisation, dropout and image loading.
#include "cpu/kernels/tables.hpp"
#include "cpu/kernels/vectors.hpp"

namespace bn::cpu::BN_CPU_ISA {
namespace {

// --- local response normalisation ------------------------------------------------------------------------------------

// Channels are taken in blocks; a block's neighbours (up to `size` on each side, twice in backward) surround it.
constexpr int64_t kChannelBlock = 256;
constexpr int64_t kMaxHalo = 2 * kMaxNormalizedWindow;

struct alignas(64) Neighbourhood {
  float values[kChannelBlock + 2 * kMaxHalo + kLanes];
};

// scale^-beta: s^-3/4 = 1 / sqrt(s sqrt(s)) is the beta of the published network; powf serves any other.
void negative_powers(float* __restrict powers, const float* __restrict scale, float beta, int64_t count) {
  if (beta == 0.75F) {
    for (int64_t j = 0; j < count; ++j) powers[j] = 1.0F / __builtin_sqrtf(scale[j] * __builtin_sqrtf(scale[j]));
  } else {
    for (int64_t j = 0; j < count; ++j) powers[j] = __builtin_powf(scale[j], -beta);
  }
}

// to[i] = row[first + i], 0 outside the row's c channels.
template <class T>
void gather(float* to, const T* row, int64_t first, int64_t count, int64_t c) {
  const int64_t begin = first < 0 ? -first : 0;  // the first place that exists
  const int64_t end = c - first < count ? c - first : count;
  for (int64_t i = 0; i < begin; ++i) to[i] = 0;
  for_columns(end - begin,
              [&](int64_t j, auto part) { store(to + begin + j, load(row + first + begin + j, part), part); });
  for (int64_t i = end; i < count; ++i) to[i] = 0;
}

// scale[i] = k + alpha / size * sum_{j < size} x[i + j]^2.
void window_scales(float* __restrict scale, float* __restrict squares, const float* __restrict x,
                   const LocalResponseNorm& spec, int64_t count) {
  for (int64_t i = 0; i < count + spec.size - 1; ++i) squares[i] = x[i] * x[i];
  for (int64_t i = 0; i < count; ++i) scale[i] = 0;
  for (int64_t j = 0; j < spec.size; ++j) {
    for (int64_t i = 0; i < count; ++i) scale[i] += squares[i + j];
  }
  const float alpha = spec.alpha / static_cast<float>(spec.size);
  for (int64_t i = 0; i < count; ++i) scale[i] = spec.k + alpha * scale[i];
}

template <class T>
void local_response_norm_block(T* y, const T* x_row, const LocalResponseNorm& spec, int64_t first, int64_t count,
                               int64_t c) {
  Neighbourhood x, squares, scale, power;
  const int64_t below = spec.size / 2;
  gather(x.values, x_row, first - below, count + spec.size - 1, c);
  window_scales(scale.values, squares.values, x.values, spec, count);
  negative_powers(power.values, scale.values, spec.beta, count);
  for_columns(count, [&](int64_t j, auto part) {
    store(y + first + j, load(x.values + below + j, part) * load(power.values + j, part), part);
  });
}

// dx_j = dy_j s_j^-beta - 2 alpha/size beta x_j sum_i dy_i x_i s_i^(-beta-1), over the windows i that contain j.
template <class T>
void local_response_norm_gradient_block(T* dx, const T* dy_row, const T* x_row, const LocalResponseNorm& spec,
                                        int64_t first, int64_t count, int64_t c) {
  Neighbourhood x, dy, squares, scale, power, ratio;
  const int64_t below = spec.size / 2, above = spec.size - 1 - below;
  const int64_t windows = count + spec.size - 1;  // centred at first - above .. first + count - 1 + below
  gather(x.values, x_row, first - above - below, windows + spec.size - 1, c);
  gather(dy.values, dy_row, first - above, windows, c);
  window_scales(scale.values, squares.values, x.values, spec, windows);
  negative_powers(power.values, scale.values, spec.beta, windows);
  for (int64_t i = 0; i < windows; ++i) {
    ratio.values[i] = dy.values[i] * x.values[below + i] * power.values[i] / scale.values[i];
  }
  const float factor = 2.0F * spec.alpha / static_cast<float>(spec.size) * spec.beta;
  for_columns(count, [&](int64_t j, auto part) {
    Float sum = {};
    for (int64_t i = 0; i < spec.size; ++i) sum += load(ratio.values + j + i, part);
    const Float direct = load(dy.values + above + j, part) * load(power.values + above + j, part);
    store(dx + first + j, direct - factor * load(x.values + above + below + j, part) * sum, part);
  });
}

template <class T>
void local_response_norm(void* y, const void* x, const LocalResponseNorm& spec, int64_t rows, int64_t c) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t first = 0; first < c; first += kChannelBlock) {
      const int64_t count = c - first < kChannelBlock ? c - first : kChannelBlock;
      local_response_norm_block(static_cast<T*>(y) + row * c, static_cast<const T*>(x) + row * c, spec, first, count,
                                c);
    }
  }
}

template <class T>
void local_response_norm_gradient(void* dx, const void* dy, const void* x, const LocalResponseNorm& spec, int64_t rows,
                                  int64_t c) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t first = 0; first < c; first += kChannelBlock) {
      const int64_t count = c - first < kChannelBlock ? c - first : kChannelBlock;
      local_response_norm_gradient_block(static_cast<T*>(dx) + row * c, static_cast<const T*>(dy) + row * c,
                                         static_cast<const T*>(x) + row * c, spec, first, count, c);
    }
  }
}

// --- dropout ---------------------------------------------------------------------------------------------------------

constexpr int kCounters = 16;  // Philox blocks drawn side by side, four elements each

struct alignas(64) Draws {
  uint32_t words[4][kCounters];
};

// MaskStream of bn/rng.hpp for kCounters consecutive values of element / 4.
void draw(Draws& draws, const DropoutMask& mask, uint64_t first_counter) {
  for (int i = 0; i < kCounters; ++i) {
    const uint64_t counter = first_counter + static_cast<uint64_t>(i);
    draws.words[0][i] = static_cast<uint32_t>(counter);
    draws.words[1][i] = static_cast<uint32_t>(counter >> 32);
    draws.words[2][i] = static_cast<uint32_t>(mask.step);
    draws.words[3][i] = static_cast<uint32_t>(mask.step >> 32);
  }
  auto key0 = static_cast<uint32_t>(mask.key), key1 = static_cast<uint32_t>(mask.key >> 32);
  for (int round = 0; round < 10; ++round, key0 += 0x9E3779B9U, key1 += 0xBB67AE85U) {
    for (int i = 0; i < kCounters; ++i) {
      const uint64_t low = uint64_t{0xD2511F53U} * draws.words[0][i], high = uint64_t{0xCD9E8D57U} * draws.words[2][i];
      draws.words[0][i] = static_cast<uint32_t>(high >> 32) ^ draws.words[1][i] ^ key0;
      draws.words[1][i] = static_cast<uint32_t>(high);
      draws.words[2][i] = static_cast<uint32_t>(low >> 32) ^ draws.words[3][i] ^ key1;
      draws.words[3][i] = static_cast<uint32_t>(low);
    }
  }
}

template <class T>
void dropout(void* y, const void* x, const DropoutMask& mask, int64_t first, int64_t count) {
  Draws draws;
  alignas(64) float factors[4 * kCounters];
  const float kept = 1.0F / (1.0F - mask.rate);
  for (int64_t begin = 0; begin < count; begin += 4 * kCounters) {
    draw(draws, mask, static_cast<uint64_t>(first + begin) / 4);
    for (int i = 0; i < kCounters; ++i) {
      for (int word = 0; word < 4; ++word) {
        const float uniform = static_cast<float>(static_cast<int32_t>(draws.words[word][i] >> 8)) * 0x1.0p-24F;
        factors[4 * i + word] = uniform >= mask.rate ? kept : 0.0F;
      }
    }
    const int64_t here = count - begin < 4 * kCounters ? count - begin : 4 * kCounters;
    const T* from = static_cast<const T*>(x) + begin;
    T* to = static_cast<T*>(y) + begin;
    for_columns(here,
                [&](int64_t j, auto part) { store(to + j, load(from + j, part) * load(factors + j, part), part); });
  }
}

// --- images ----------------------------------------------------------------------------------------------------------

template <class T>
void load_images(void* x, const uint8_t* images, const float* mean, const float* scale, int64_t period, int64_t count) {
  for (int64_t begin = 0; begin < count; begin += period) {
    const int64_t here = count - begin < period ? count - begin : period;
    T* to = static_cast<T*>(x) + begin;
    for_columns(here, [&](int64_t j, auto part) {
      const Byte bytes = load_lanes<Byte>(images + begin + j, part);
      const Float value = __builtin_convertvector(widen(bytes), Float);
      store(to + j, (value - load(mean + j, part)) * load(scale + j, part), part);
    });
  }
}

template <class T>
constexpr ElementKernels table() {
  return {.local_response_norm = local_response_norm<T>,
          .local_response_norm_gradient = local_response_norm_gradient<T>,
          .dropout = dropout<T>,
          .load_images = load_images<T>};
}

}  // namespace

extern constinit const ElementKernels kElementsF32 = table<float>();
extern constinit const ElementKernels kElementsBf16 = table<Bf16>();

}  // namespace bn::cpu::BN_CPU_ISA
