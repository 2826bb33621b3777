// How commands stop when they are asked to.
#pragma once

#include <functional>

namespace bn {

// From now on the first SIGINT, SIGTERM, SIGHUP or SIGUSR1 ends nothing by itself: the function returned says whether
// one came. A SIGINT that comes half a second after it or later ends the program; all other repetitions are the same
// request. SIGPIPE is ignored. To be called before anything is computed: threads that exist already handle signals,
// too.
std::function<bool()> stop_on_signals();
// The same for work that has nothing to save: it ends at the latest a second after the signal.
std::function<bool()> stop_on_signals_within_a_second();

}  // namespace bn
