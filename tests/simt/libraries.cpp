// The ops that NVIDIA's libraries compute: a simulated device has none of them.
#include "bn/error.hpp"
#include "cuda/ops.hpp"

namespace bn::cuda {
namespace {

[[noreturn]] void refuse() { throw UnsupportedError("The simulated device has neither cuDNN nor cuBLASLt."); }

}  // namespace

std::unique_ptr<Op> make_conv2d(const Context&, const Conv2d&, const OpDesc&) { refuse(); }
std::unique_ptr<Op> make_separable_conv2d(const Context&, const SeparableConv2d&, const OpDesc&) { refuse(); }
std::unique_ptr<Op> make_linear(const Context&, const Linear&, const OpDesc&) { refuse(); }
std::unique_ptr<Op> make_batch_norm_cudnn(const Context&, const BatchNorm&, const OpDesc&) { refuse(); }

void open_libraries(Context&) {}
void close_libraries(Context&) {}

}  // namespace bn::cuda
