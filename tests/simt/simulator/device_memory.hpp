// The memory that the program asked the CUDA runtime for: the device's, and the host's that is page-locked.
#pragma once

#include <cstddef>

namespace bn::simt {

// Null where `limit` bytes would be exceeded.
void* allocate_on_device(size_t bytes, size_t limit);
void* allocate_on_host(size_t bytes);
// False for memory that is not held. What was freed is filled with a pattern and kept for a while: what reads it then
// computes with garbage, and what writes it is found. (The address sanitizer does so itself.)
bool free_on_device(void* pointer);
bool free_on_host(void* pointer);

bool is_on_device(const void* data, size_t bytes);  // all of these bytes, in one piece of memory
size_t device_bytes_in_use();
size_t device_allocations();
size_t host_allocations();

// Throws Fault if something was written beside an allocation on the device.
void require_device_memory_intact(const char* kernel);
// Throws Fault if something was written into memory that had been freed.
void require_freed_memory_intact();

}  // namespace bn::simt
