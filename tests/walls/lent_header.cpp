// Compiles in the tests of src/report, which link src/run: their own room, public headers, and what src/run lends.
#include "bn/run_log.hpp"
#include "report/study.hpp"
#include "run/log_tail.hpp"
