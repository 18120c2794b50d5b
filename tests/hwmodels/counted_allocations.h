// Counts the calls of operator new in a program that links counted_allocations.cc.
#pragma once

namespace lathe::hwmodels {

long allocation_count();

}  // namespace lathe::hwmodels
