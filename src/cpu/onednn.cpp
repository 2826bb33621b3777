#include "cpu/onednn.hpp"

#include <fmt/format.h>

#include "bn/error.hpp"

namespace bn::cpu {

dnnl::engine& engine() {
  static dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  return engine;
}

dnnl::memory::data_type data_type(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return dnnl::memory::data_type::f32;
    case DType::kBf16:
      return dnnl::memory::data_type::bf16;
    default:
      throw UnsupportedError(fmt::format("Activations cannot be stored as {}.", name_of(dtype)));
  }
}

dnnl::memory::desc nhwc(DType dtype, const Shape& shape) {
  return {{shape.n, shape.c, shape.h, shape.w}, data_type(dtype), dnnl::memory::format_tag::nhwc};
}

dnnl::memory::desc row_major(DType dtype, int64_t rows, int64_t columns) {
  return {{rows, columns}, data_type(dtype), dnnl::memory::format_tag::ab};
}

dnnl::memory::desc column_major(DType dtype, int64_t rows, int64_t columns) {
  return {{rows, columns}, data_type(dtype), dnnl::memory::format_tag::ba};
}

dnnl::memory::desc vector(int64_t count) {
  return {{count}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a};
}

dnnl::primitive_attr attributes(Activation activation) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (activation != Activation::kNone) {
    dnnl::post_ops post_ops;
    append_activation(post_ops, activation);
    attributes.set_post_ops(post_ops);
  }
  return attributes;
}

void rethrow_as_ours(const dnnl::error& error, const OpSpec& spec, const OpDesc& desc) {
  const TensorDesc& x = desc.x.at(0);
  const std::string what = fmt::format("{} from {} {} to {} {}", describe(spec), name_of(x.dtype), to_string(x.shape),
                                       name_of(desc.y.dtype), to_string(desc.y.shape));
  if (error.status == dnnl_unimplemented) {
    throw UnsupportedError(fmt::format("oneDNN has nothing but reference loops, if anything, for {} on {}.", what,
                                       instruction_set_name()));
  }
  throw Error(ExitCode::kFailure, fmt::format("oneDNN failed to prepare {}: {}.", what, error.message));
}

PreparedCall::PreparedCall(const dnnl::primitive_desc_base& description, const std::vector<int>& arguments)
    : stream_(engine()), implementation_(description.impl_info_str()) {
  if (implementation_.find("ref") != std::string::npos) throw dnnl::error(dnnl_unimplemented, "reference loops");
  primitive_ = dnnl::primitive(description.get());
  for (const int argument : arguments) {
    const dnnl::memory::desc memory = description.query_md(dnnl::query::exec_arg_md, argument);
    if (memory.get_size() > 0) add_argument(memory, argument);
  }
  const dnnl::memory::desc scratch = description.query_md(dnnl::query::scratchpad_md);
  scratch_bytes_ = static_cast<int64_t>(scratch.get_size());
  if (scratch_bytes_ > 0) add_argument(scratch, DNNL_ARG_SCRATCHPAD);
}

void PreparedCall::add_argument(const dnnl::memory::desc& description, int argument) {
  memories_.emplace_back(description, engine(), nullptr);
  arguments_.push_back({.arg = argument, .memory = memories_.back().get()});
  bound_.push_back(nullptr);
}

void PreparedCall::bind(const Binding& binding) {
  for (size_t i = 0; i < arguments_.size(); ++i) {
    if (arguments_[i].arg != binding.argument) continue;
    // The pointer is set only when it moved: in oneDNN 2.6 this also writes zeros into the padding of a blocked layout.
    if (bound_[i] != binding.data) set_data(memories_[i], binding.data, stream_);
    bound_[i] = binding.data;
  }
}

void PreparedCall::run(std::initializer_list<Binding> bindings, void* scratch) {
  for (const Binding& binding : bindings) bind(binding);
  if (scratch_bytes_ > 0) bind({DNNL_ARG_SCRATCHPAD, scratch});
  const dnnl_status_t status =
      dnnl_primitive_execute(primitive_.get(), stream_.get(), static_cast<int>(arguments_.size()), arguments_.data());
  if (status != dnnl_success) {
    throw Error(ExitCode::kFailure,
                fmt::format("oneDNN's {} failed with status {}.", implementation_, static_cast<int>(status)));
  }
}

PreparedCall prepare_reorder(const dnnl::memory::desc& from, const dnnl::memory::desc& to) {
  const dnnl::reorder::primitive_desc description(engine(), from, engine(), to, attributes());
  return {description, {DNNL_ARG_FROM, DNNL_ARG_TO}};
}

}  // namespace bn::cpu
