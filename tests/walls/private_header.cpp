// Must not compile in the tests of src/report, which link src/config: field.hpp is private to that room.
#include "config/field.hpp"
