// ONNX files without the numbers of their large constants, for formats that store these in another way.
#pragma once

#include <map>
#include <set>
#include <string>

#include "models/tensor.h"

namespace lathe::models {

// The bytes of serialize_onnx() without the data of the named constants.
std::string without_tensor_data(const std::string& onnx, const std::set<std::string>& names);
// The other way: the same bytes that serialize_onnx() gave. Throws UserError where a constant is missing in the skeleton, has another shape
// there, or the skeleton is no ONNX.
std::string with_tensor_data(const std::string& skeleton, const std::map<std::string, Tensor>& tensors);

}  // namespace lathe::models
