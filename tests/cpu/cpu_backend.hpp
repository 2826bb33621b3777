// The backend under test, shared by this program's tests.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "bn/backend.hpp"
#include "bn/cpu_backend.hpp"
#include "cpu/backend.hpp"
#include "cpu/library_ops.hpp"
#include "cpu/onednn_api.hpp"
#include "support/op_case.hpp"

namespace bn::test {

inline Backend& cpu_backend() {
  static std::unique_ptr<Backend> backend = make_cpu_backend({});
  return *backend;
}

// Convolutions and linear layers by the library alone, in the type of the activations where the library multiplies it
// here; winograd_test.cpp and widened_test.cpp have the rest.
inline Backend& direct_backend() {
  static std::unique_ptr<Backend> backend =
      make_cpu_backend({.winograd = false,
                        .amx = false,
                        .bfloat16_math = cpu::allows_avx512() ? Bfloat16Math::kBf16 : Bfloat16Math::kF32});
  return *backend;
}

// Computes every convolution by such a one, WinogradConvolution or AmxConvolution, also where that is slower.
template <class OneConvolution>
class ConvolutionBackend final : public cpu::CpuBackend {
 public:
  using CpuBackend::CpuBackend;

  std::unique_ptr<Op> make_op(const OpSpec& spec, const OpDesc& desc) override {
    const auto& conv = std::get<Conv2d>(spec);
    const cpu::ConvolutionWindow window{.kernel = conv.kernel, .stride = conv.stride, .pad = conv.pad};
    return cpu::make_conv2d(conv, desc, std::make_unique<OneConvolution>(window, conv.folded, desc));
  }
};

}  // namespace bn::test
