// Ctrl-C, SIGTERM and SIGUSR1 (a batch system's word before the time limit) as a question that long work asks now and then.
#pragma once

namespace lathe::experiments {

// From now on the first SIGINT, SIGTERM or SIGUSR1 only sets a flag; the second of its kind ends the process at once, as always.
void watch_for_interruption();
bool is_interrupted();

// Thrown in place of work that was not begun because the run is to stop; what was begun comes to its end and is kept.
struct SearchStopped {};

}  // namespace lathe::experiments
