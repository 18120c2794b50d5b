// What a reader of a measurement must know of the machine: which cores, at which clock, how busy.
#pragma once

#include <string>

namespace lathe::hwmodels {

// Binds the calling thread, and the threads that it starts from now on, to the first `threads` processors that it may use. Returns how many
// that are; 0 where the system does not allow it.
int pin_to_processors(int threads);

// "pinned to 2 processors; clock 3700 MHz; governor performance; load 0.12"; what the system does not tell is left out. No commas: the
// text is a field of a CSV file.
std::string machine_notes(int pinned_processors);

std::string processor_name();  // "AMD EPYC", "aarch64" where the system has no name

}  // namespace lathe::hwmodels
