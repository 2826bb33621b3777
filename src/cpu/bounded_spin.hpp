// Limits how long OpenMP's threads wait for each other before they sleep.
#pragma once

namespace bn::cpu {

// Starts this program anew, in the same process and with the same arguments, with libgomp told to spin for a short time
// only, and libomp (clang's) for 1 ms: libgomp looks once, before main(). Returns when the environment says already how
// threads wait (the user's wish, or this is the new start) and when there can be no new start; threads then wait as the
// library has it. A command calls it before it has read or written anything.
void bound_spinning();

}  // namespace bn::cpu
