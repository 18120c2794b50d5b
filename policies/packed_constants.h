// Which constants of a delivered network its packed form stores, and how: weights and tables at the policy's widths, their scales, and all
// other parameters as they are. What follows from these or from the graph alone (scales of biases, zero points, shapes) takes no room.
#pragma once

#include <optional>
#include <vector>

#include "models/network.h"
#include "policies/packed_tensor.h"
#include "policies/policy.h"

namespace lathe::policies {

struct PackedConstant {
  models::ValueId id;
  PackedLayout layout;
};

// A constant that a reader works out: zeros, or `of` times `factor` in float32.
struct DerivedConstant {
  models::ValueId id;
  std::optional<models::ValueId> of;  // of float32 and the same shape; none: zeros
  float factor = 0;
};

struct PackedConstants {
  std::vector<PackedConstant> stored;    // each constant once
  std::vector<DerivedConstant> derived;  // `of` is among `stored`
  std::int64_t bytes() const;            // of all that is stored
};

// `delivered`: what lower_to_qdq() made by `policy`, or such a file read back. Weights whose numbers the policy's format lacks (that of
// another run, or trained since) are stored as float32. Throws UserError where the policy does not have the widths of an integer weight.
PackedConstants packed_constants(const models::Network& delivered, const Policy& policy);

}  // namespace lathe::policies
