// Activations of a batch are megabytes each and live for microseconds. By default glibc's malloc gives such memory back to the kernel as
// soon as it is freed, and the next layer pays for fresh pages: a third of the time of ResNet-20 at batch 128 on one thread (730 against
// 1,170 images/s).
#pragma once

namespace lathe::models::internal {

// From the first call on, freed memory of up to 1 GiB stays with the process. Does nothing with other C libraries. Thread-safe.
void keep_freed_memory();

}  // namespace lathe::models::internal
