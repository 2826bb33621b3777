// oneDNN 2.6 and 3.x spell the same calls differently: 2.6 describes an operation in an object of its own, 3.x in the
// arguments of the primitive's description. These functions are what both offer; onednn_api.cpp alone knows versions.
#pragma once

#include <dnnl.hpp>
#include <functional>
#include <string>
#include <vector>

#include "bn/ops.hpp"

namespace bn::cpu {

std::string library_version();  // the library that is loaded: "oneDNN 3.7.2"

// The instruction set that ONEDNN_MAX_CPU_ISA leaves: "avx512_core_bf16".
std::string instruction_set_name();
// Whether its name tells of these: "amx", "bf16".
bool allows_instructions(const char* instructions);
// Without it no version of the library multiplies bf16.
bool allows_avx512();

void append_activation(dnnl::post_ops& post_ops, Activation activation);

// Lets the memory object stand for other data of the same description.
void set_data(dnnl::memory& memory, void* data, dnnl::stream& stream);

// A function that is shown the library's implementations, in the library's order of preference, until it returns true.
using Accept = std::function<bool(const dnnl::primitive_desc_base& implementation)>;

// Direct convolution. An empty bias means none.
struct ConvolutionDescription {
  dnnl::memory::desc x, w, y;
  dnnl::memory::dims stride, pad;
  dnnl::memory::desc bias{};
};

// True if it multiplies small matrices, a row of output pixels each. Such implementations are called "brgconv:..." in
// 2.6 to 3.2 and "brg_conv_fwd:..." in 3.7.
bool is_brgemm_convolution(const std::string& implementation);

// The functions below return the first implementation that `accept` returned true for, or the library's first one;
// next_impl() must not be called on it. They throw dnnl::error (unimplemented) where there is none.
dnnl::convolution_forward::primitive_desc convolution_forward(dnnl::prop_kind kind, const ConvolutionDescription& call,
                                                              const dnnl::primitive_attr& attributes,
                                                              const Accept& accept = {});
using InputGradient = dnnl::convolution_backward_data;
using WeightGradient = dnnl::convolution_backward_weights;
template <class Operation>  // one of the two
typename Operation::primitive_desc convolution_gradient(const ConvolutionDescription& call,
                                                        const dnnl::primitive_attr& attributes,
                                                        const dnnl::convolution_forward::primitive_desc& forward,
                                                        const Accept& accept = {});

// y = a b + bias, bias being one row; an empty bias means none.
dnnl::matmul::primitive_desc matrix_product(const dnnl::memory::desc& y, const dnnl::memory::desc& a,
                                            const dnnl::memory::desc& b, const dnnl::primitive_attr& attributes,
                                            const dnnl::memory::desc& bias = {});

// x and y, and their gradients, have one description.
dnnl::batch_normalization_forward::primitive_desc batch_normalization_forward(dnnl::prop_kind kind,
                                                                              const dnnl::memory::desc& x, float eps,
                                                                              dnnl::normalization_flags flags,
                                                                              const dnnl::primitive_attr& attributes);
dnnl::batch_normalization_backward::primitive_desc batch_normalization_backward(
    const dnnl::memory::desc& x, float eps, dnnl::normalization_flags flags, const dnnl::primitive_attr& attributes,
    const dnnl::batch_normalization_forward::primitive_desc& forward);

// The arguments of the backward call: 2.6 asks for the shift too, though no gradient depends on it; 3.x refuses it.
std::vector<int> batch_normalization_backward_arguments();

}  // namespace bn::cpu
