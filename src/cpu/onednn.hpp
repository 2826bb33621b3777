// The parts that all ops on oneDNN share: memory descriptions in our layouts, prepared calls, error messages.
#pragma once

#include <cstdint>
#include <dnnl.hpp>
#include <initializer_list>
#include <string>
#include <vector>

#include "bn/backend.hpp"
#include "core/regions.hpp"
#include "cpu/onednn_api.hpp"

namespace bn::cpu {

dnnl::engine& engine();
dnnl::memory::data_type data_type(DType dtype);

// Descriptions. oneDNN names dimensions n, c, h, w (o, i, h, w) whatever their order in memory is.
dnnl::memory::desc nhwc(DType dtype, const Shape& shape);
dnnl::memory::desc row_major(DType dtype, int64_t rows, int64_t columns);
dnnl::memory::desc column_major(DType dtype, int64_t rows, int64_t columns);  // the transpose of a row-major matrix
dnnl::memory::desc vector(int64_t count);                                     // f32

// Scratchpads are ours to provide; y = activation(y) follows the op.
dnnl::primitive_attr attributes(Activation activation = Activation::kNone);

// The error for the user when the library has no (proper) implementation, or fails otherwise.
[[noreturn]] void rethrow_as_ours(const dnnl::error& error, const OpSpec& spec, const OpDesc& desc);

// One primitive with its arguments' memory objects, so that running it creates nothing.
class PreparedCall {
 public:
  struct Binding {
    int argument;  // DNNL_ARG_SRC, ...
    void* data;
  };

  PreparedCall() = default;
  // Throws dnnl::error (unimplemented) when the library would run its reference loops. Of `arguments` those are left
  // out that the primitive lacks, such as a bias.
  PreparedCall(const dnnl::primitive_desc_base& description, const std::vector<int>& arguments);

  // Every argument must have been bound by this or an earlier run.
  void run(std::initializer_list<Binding> bindings, void* scratch);

  int64_t scratch_bytes() const { return scratch_bytes_; }
  const std::string& implementation() const { return implementation_; }  // "brgconv:avx512_core"
  bool empty() const { return arguments_.empty(); }

 private:
  void add_argument(const dnnl::memory::desc& description, int argument);
  void bind(const Binding& binding);

  dnnl::stream stream_;  // its own: threads may run calls at once, each another
  dnnl::primitive primitive_;
  std::vector<dnnl::memory> memories_;
  std::vector<dnnl_exec_arg_t> arguments_;  // C interface: the C++ one builds a vector in each call
  std::vector<void*> bound_;
  int64_t scratch_bytes_ = 0;
  std::string implementation_;
};

// A copy from one layout or type to another.
PreparedCall prepare_reorder(const dnnl::memory::desc& from, const dnnl::memory::desc& to);

}  // namespace bn::cpu
