// The parts of one instruction set's table, each defined in the source of its name.
#pragma once

#include "cpu/kernels/kernels.hpp"

namespace bn::cpu::BN_CPU_ISA {

const KernelTable& table();

extern const ColumnKernels kColumnsF32, kColumnsBf16;
extern const StatisticsKernels kStatistics;
extern const PoolKernels kPoolF32, kPoolBf16;
extern const ElementKernels kElementsF32, kElementsBf16;
extern const UpdateKernels kUpdates;
extern const ConversionKernels kConversions;
extern const WinogradKernels kWinogradF32, kWinogradBf16;
extern const AmxKernels kAmxF32, kAmxBf16;

}  // namespace bn::cpu::BN_CPU_ISA
