// How commands stop when they are asked to.
#pragma once

#include <functional>

namespace bn {

// From now on the first SIGINT, SIGTERM, SIGHUP or SIGUSR1 ends nothing by itself: the function returned says whether
// one came. A second one ends the program. SIGPIPE is ignored.
std::function<bool()> stop_on_signals();
// The same for work that has nothing to save: it ends at the latest a second after the signal.
std::function<bool()> stop_on_signals_within_a_second();

}  // namespace bn
