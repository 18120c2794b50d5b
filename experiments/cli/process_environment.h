// What the numerical libraries read from the environment before main starts.
#pragma once

namespace lathe::cli {

// OpenBLAS and libgomp choose their threads when they are loaded: Lathe runs parallel tasks of one thread each, so OpenBLAS must stay at
// one thread, and idle OpenMP threads must sleep (spinning ones slow busy cores tenfold). Where the user has not set these variables, sets
// them and starts the program anew in the same process; returns otherwise.
void settle_environment(char** argv);

}  // namespace lathe::cli
