// One instruction set's table, from the parts compiled for it.
#include "cpu/kernels/tables.hpp"

#define BN_TEXT_OF(name) #name
#define BN_TEXT(name) BN_TEXT_OF(name)

namespace bn::cpu::BN_CPU_ISA {

const KernelTable& table() {
  static constexpr const char* kName = BN_TEXT(BN_CPU_ISA);
  static const KernelTable kTable = {.instruction_set = kName,
                                     .columns_f32 = kColumnsF32,
                                     .columns_bf16 = kColumnsBf16,
                                     .pool_f32 = kPoolF32,
                                     .pool_bf16 = kPoolBf16,
                                     .elements_f32 = kElementsF32,
                                     .elements_bf16 = kElementsBf16,
                                     .statistics = kStatistics,
                                     .updates = kUpdates,
                                     .conversions = kConversions,
                                     .winograd_f32 = kWinogradF32,
                                     .winograd_bf16 = kWinogradBf16,
                                     .amx_f32 = kAmxF32,
                                     .amx_bf16 = kAmxBf16};
  return kTable;
}

}  // namespace bn::cpu::BN_CPU_ISA
