// Stands in for NVIDIA's NCCL: its processes are threads that take turns (simulator/turn.hpp), its GPUs the simulated
// ones. Exchanges are done in the streams' order. It throws Fault where the real library would hang, crash or give
// anything: where two processes make other calls or give other counts, a GPU is used twice, memory is not a device's, a
// call is recorded, or a communicator is destroyed twice.
#pragma once

#include "simt/simulator/device.hpp"

namespace bn::simt {

struct NcclDouble {
  int version = 22809;
  int unique_id_result = 0, init_result = 0, exchange_result = 0;  // returned by these calls
  int communicators = 0;                                           // that live
  int exchanges = 0;                                               // groups of calls, in all processes
};
NcclDouble& nccl_double();

}  // namespace bn::simt
