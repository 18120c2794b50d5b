// `lathe apply`: a policy's pruning and weight widths on an ONNX file, without data.
#pragma once

#include <string>

namespace lathe::experiments {

enum class Pruning { kCut, kMask };

struct Application {
  std::string summary;  // parameters and MACs before and after
  std::string note;     // what the user should know; "" if nothing
};

// Widths of the policy's layers are not applied: activations need data (`lathe compress`). Throws UserError.
Application apply_policy(const std::string& model, const std::string& policy, Pruning pruning, const std::string& output);

// A warning where the policy was made for another file than `sha256`; "" else.
std::string other_model_note(const std::string& policy_sha256, const std::string& sha256);

}  // namespace lathe::experiments
