// What of a policy a format cannot say, in words for the user.
#pragma once

#include <string>
#include <vector>

#include "policies/policy.h"

namespace lathe::policies {

// What a format has words for.
struct Expressible {
  bool channels = false;
  bool integer_weights = false;
  int widest_activation = 0;   // bits of integer activations; 0 = none
  bool other_formats = false;  // float16, bfloat16, tf32, pow2
  bool dynamic_ranges = false;
  bool sparsity = false;
  bool compressed_network = false;  // the network goes with it, which lacks blocks, has layers in two factors and drops tokens by itself
};

// One sentence for each kind of thing that `policy` asks for and the format has no word for.
std::vector<std::string> losses(const Policy& policy, const Expressible& expressible);

// "3 layers (a, b, c)", the first few by name.
std::string named(const std::vector<std::string>& layers);

}  // namespace lathe::policies
