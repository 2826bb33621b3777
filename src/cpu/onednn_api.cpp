#include "cpu/onednn_api.hpp"

#include <fmt/format.h>

#include <utility>

#include "cpu/onednn.hpp"

#define BN_ONEDNN_3 (DNNL_VERSION_MAJOR >= 3)

namespace bn::cpu {
namespace {

constexpr auto kDirect = dnnl::algorithm::convolution_direct;

// `make` describes the operation anew: in 3.x next_impl() changes the description itself.
template <class Make>
auto first_accepted(const Make& make, const Accept& accept) {
  auto implementation = make();
  if (!accept) return implementation;
  do {
    if (accept(implementation)) return implementation;
  } while (implementation.next_impl());
  return make();
}

}  // namespace

std::string library_version() {
  const dnnl_version_t* version = dnnl_version();
  return fmt::format("oneDNN {}.{}.{}", version->major, version->minor, version->patch);
}

std::string instruction_set_name() {
  const auto isa = dnnl::get_effective_cpu_isa();
  constexpr std::pair<dnnl::cpu_isa, const char*> kNames[] = {
    {dnnl::cpu_isa::sse41, "sse41"},
    {dnnl::cpu_isa::avx, "avx"},
    {dnnl::cpu_isa::avx2, "avx2"},
    {dnnl::cpu_isa::avx2_vnni, "avx2_vnni"},
    {dnnl::cpu_isa::avx512_core, "avx512_core"},
    {dnnl::cpu_isa::avx512_core_vnni, "avx512_core_vnni"},
    {dnnl::cpu_isa::avx512_core_bf16, "avx512_core_bf16"},
    {dnnl::cpu_isa::avx512_core_amx, "avx512_core_amx"},
#if BN_ONEDNN_3
    {dnnl::cpu_isa::avx2_vnni_2, "avx2_vnni_2"},
    {dnnl::cpu_isa::avx512_core_fp16, "avx512_core_fp16"},
    {dnnl::cpu_isa::avx512_core_amx_fp16, "avx512_core_amx_fp16"},
#endif
  };
  for (const auto& [known, name] : kNames) {
    if (known == isa) return name;
  }
  return allows_avx512() ? "avx512_core" : "generic";  // one that came after this list was made
}

bool allows_instructions(const char* instructions) {
  return instruction_set_name().find(instructions) != std::string::npos;
}

bool allows_avx512() {
  // The values are sets of bits, in both versions.
  const auto avx512 = static_cast<unsigned>(dnnl::cpu_isa::avx512_core);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & avx512) == avx512;
}

void append_activation(dnnl::post_ops& post_ops, Activation activation) {
  dnnl::algorithm algorithm{};
  switch (activation) {
    case Activation::kNone:
      return;
    case Activation::kRelu:
      algorithm = dnnl::algorithm::eltwise_relu;
      break;
    case Activation::kSigmoid:
      algorithm = dnnl::algorithm::eltwise_logistic;
      break;
  }
#if BN_ONEDNN_3
  post_ops.append_eltwise(algorithm, 0.0F, 0.0F);
#else
  post_ops.append_eltwise(1.0F, algorithm, 0.0F, 0.0F);
#endif
}

void set_data(dnnl::memory& memory, void* data, [[maybe_unused]] dnnl::stream& stream) {
#if BN_ONEDNN_3
  memory.set_data_handle(data);
#else
  memory.set_data_handle(data, stream);
#endif
}

bool is_brgemm_convolution(const std::string& implementation) {
  return implementation.starts_with("brgconv:") || implementation.starts_with("brg_conv_fwd:");
}

dnnl::convolution_forward::primitive_desc convolution_forward(dnnl::prop_kind kind, const ConvolutionDescription& call,
                                                              const dnnl::primitive_attr& attributes,
                                                              const Accept& accept) {
  using Operation = dnnl::convolution_forward;
#if BN_ONEDNN_3
  const auto make = [&] {
    return Operation::primitive_desc(engine(), kind, kDirect, call.x, call.w, call.bias, call.y, call.stride, call.pad,
                                     call.pad, attributes);
  };
#else
  const Operation::desc desc(kind, kDirect, call.x, call.w, call.bias, call.y, call.stride, call.pad, call.pad);
  const auto make = [&] { return Operation::primitive_desc(desc, attributes, engine()); };
#endif
  return first_accepted(make, accept);
}

template <class Operation>
typename Operation::primitive_desc convolution_gradient(const ConvolutionDescription& call,
                                                        const dnnl::primitive_attr& attributes,
                                                        const dnnl::convolution_forward::primitive_desc& forward,
                                                        const Accept& accept) {
  using Description = typename Operation::primitive_desc;
#if BN_ONEDNN_3
  const auto make = [&] {
    return Description(engine(), kDirect, call.x, call.w, call.y, call.stride, call.pad, call.pad, forward, attributes);
  };
#else
  const typename Operation::desc desc(kDirect, call.x, call.w, call.y, call.stride, call.pad, call.pad);
  const auto make = [&] { return Description(desc, attributes, engine(), forward); };
#endif
  return first_accepted(make, accept);
}
template InputGradient::primitive_desc convolution_gradient<InputGradient>(
    const ConvolutionDescription&, const dnnl::primitive_attr&, const dnnl::convolution_forward::primitive_desc&,
    const Accept&);
template WeightGradient::primitive_desc convolution_gradient<WeightGradient>(
    const ConvolutionDescription&, const dnnl::primitive_attr&, const dnnl::convolution_forward::primitive_desc&,
    const Accept&);

dnnl::matmul::primitive_desc matrix_product(const dnnl::memory::desc& y, const dnnl::memory::desc& a,
                                            const dnnl::memory::desc& b, const dnnl::primitive_attr& attributes,
                                            const dnnl::memory::desc& bias) {
#if BN_ONEDNN_3
  return {engine(), a, b, bias, y, attributes};
#else
  return {{a, b, bias, y}, attributes, engine()};
#endif
}

dnnl::batch_normalization_forward::primitive_desc batch_normalization_forward(dnnl::prop_kind kind,
                                                                              const dnnl::memory::desc& x, float eps,
                                                                              dnnl::normalization_flags flags,
                                                                              const dnnl::primitive_attr& attributes) {
#if BN_ONEDNN_3
  return {engine(), kind, x, x, eps, flags, attributes};
#else
  return {{kind, x, eps, flags}, attributes, engine()};
#endif
}

dnnl::batch_normalization_backward::primitive_desc batch_normalization_backward(
    const dnnl::memory::desc& x, float eps, dnnl::normalization_flags flags, const dnnl::primitive_attr& attributes,
    const dnnl::batch_normalization_forward::primitive_desc& forward) {
#if BN_ONEDNN_3
  return {engine(), dnnl::prop_kind::backward, x, x, x, eps, flags, forward, attributes};
#else
  return {{dnnl::prop_kind::backward, x, x, eps, flags}, attributes, engine(), forward};
#endif
}

std::vector<int> batch_normalization_backward_arguments() {
  std::vector<int> arguments{DNNL_ARG_SRC,      DNNL_ARG_DIFF_DST, DNNL_ARG_SCALE,      DNNL_ARG_MEAN,
                             DNNL_ARG_VARIANCE, DNNL_ARG_DIFF_SRC, DNNL_ARG_DIFF_SCALE, DNNL_ARG_DIFF_SHIFT};
#if !BN_ONEDNN_3
  arguments.push_back(DNNL_ARG_SHIFT);
#endif
  return arguments;
}

}  // namespace bn::cpu
