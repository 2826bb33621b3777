#include "simt/library_doubles.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>

namespace bn::simt {
namespace {

bool overlap(const Operand& a, const Operand& b) {
  const auto *first = static_cast<const std::byte*>(a.data), *second = static_cast<const std::byte*>(b.data);
  return first < second + b.bytes && second < first + a.bytes;
}

bool may_lie_over(const Operand& written, const Operand& other) {
  if (written.use == Use::kRead || &written == &other) return true;
  return written.use == Use::kInPlace && written.data == other.data && written.bytes == other.bytes;
}

void require_operands(const LibraryCall& call) {
  for (const Operand& operand : call.operands) {
    const auto fail = [&](const std::string& why) {
      throw Fault(fmt::format("{}: {} {}.", call.name, operand.name, why));
    };
    if (operand.bytes > 0 && !is_on_device(operand.data, static_cast<size_t>(operand.bytes))) {
      fail(fmt::format("({} bytes) is not memory of the device, or no longer", operand.bytes));
    }
    if (reinterpret_cast<uintptr_t>(operand.data) % kAlignment != 0) fail("lies askew");
    for (const Operand& other : call.operands) {
      if (!may_lie_over(operand, other) && overlap(operand, other)) fail(fmt::format("lies over {}", other.name));
    }
  }
}

}  // namespace

Libraries& libraries() {
  static Libraries here;
  return here;
}

void refuse_while_recording(const std::string& what) {
  if (records_in_this_thread()) throw Fault(what + " while a stream is recorded.");
}

void enqueue_call(LibraryCall call, std::function<void()> work) {
  require_usable(call.stream, call.name);
  require_operands(call);
  call.is_recorded = is_recorded(call.stream);
  libraries().calls.push_back(call);
  const cudaStream_t stream = call.stream;
  enqueue(stream, [call = std::move(call), work = std::move(work)] {
    if (call.plan != nullptr) require_object(call.plan, kPlan);
    require_operands(call);
    work();
  });
}

Values widen(const void* data, DType dtype, int64_t count) {
  Values values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] =
        dtype == DType::kBf16 ? static_cast<const Bfloat16*>(data)[i].to_float() : static_cast<const float*>(data)[i];
  }
  return values;
}

void narrow(void* data, DType dtype, const Values& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    const auto single = static_cast<float>(values[i]);
    if (dtype == DType::kBf16) {
      static_cast<Bfloat16*>(data)[i] = Bfloat16::from_float(single);
    } else {
      static_cast<float*>(data)[i] = single;
    }
  }
}

void round_to_tensor_float(Values& values) {
  for (double& value : values) {
    int exponent = 0;
    const double fraction = std::frexp(value, &exponent);
    value = std::ldexp(std::nearbyint(std::ldexp(fraction, 11)), exponent - 11);
  }
}

void spoil(void* workspace, int64_t bytes) { std::memset(workspace, 0x7f, static_cast<size_t>(bytes)); }

}  // namespace bn::simt
