// The ONNX operators that Lathe reads and executes.
#pragma once

#include <string>
#include <vector>

namespace lathe::models {

// Sorted. Those that import removes (Constant, Identity, Dropout) are among them.
const std::vector<std::string>& supported_operators();
bool is_supported_operator(const std::string& op);

}  // namespace lathe::models
