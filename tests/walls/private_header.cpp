// Must not compile in the tests of src/report, which link src/run: safetensors.hpp is private to that room.
#include "run/safetensors.hpp"
