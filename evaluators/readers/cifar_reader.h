// CIFAR-10's binary layout (A. Krizhevsky, 2009): records of 1 label byte and 3,072 pixel bytes, 32x32, a red, a green and a blue plane.
#pragma once

#include <string>

#include "evaluators/dataset.h"

namespace lathe::evaluators {

// Throws UserError: missing, empty or cut short, a label above 9 (the record is named).
Rows read_cifar10(const std::string& path);

}  // namespace lathe::evaluators
