// A simulated network split in two: a plain float network, and what is quantized in it by the tensors' names. Tools that insert their own
// quantizers take it so.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/network.h"
#include "policies/quantizer.h"

namespace lathe::policies {

struct TensorEncoding {
  std::string tensor;  // name in EncodedNetwork::network
  std::string node;    // that makes it; "" for weights and inputs of the network
  int bits = 8;
  bool is_weight = false;
  std::int64_t axis = -1;  // -1 = one scale for the tensor
  QuantizationParameters parameters;
};

struct EncodedNetwork {
  models::Network network;
  std::vector<TensorEncoding> encodings;  // in network order
};

// Takes the FakeQuantize nodes out. A value that some readers take quantized and others as it is reaches the former through an Identity
// node, whose output is what is encoded.
EncodedNetwork split_encodings(const models::Network& simulated);

}  // namespace lathe::policies
