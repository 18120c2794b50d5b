// Ctrl-C and SIGTERM as a question that long work asks now and then.
#pragma once

namespace lathe::experiments {

// From now on the first SIGINT or SIGTERM only sets a flag; the second one ends the process at once, as always.
void watch_for_interruption();
bool is_interrupted();

}  // namespace lathe::experiments
