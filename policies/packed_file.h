// A delivered network as a file whose weights take the bytes that packed_bytes counts, and from which its ONNX file comes back bit by bit.
// Nothing runs it: it is for storing and sending, and for decoders of one's own (scripts/unpack.py is one of 150 lines).
//
//   bytes 0-7     "LATHEPK1"
//   4 x uint32    little endian: bytes of the table and of the graph, each deflated and as it is
//   table         zlib: JSON {"format": "lathe.packed", "version": 1, "tensors": [...]}
//   graph         zlib: the ONNX file without the data of the tensors
//   payload       the stored tensors in the table's order (see packed_tensor.h)
// A tensor of the table: {"name", "type", "shape"} and, where it is stored, {"encoding", "bits", "kept", "storage": "dense", "bitmask" or
// "indices", "low_bits" of indices, "block" and "axis" where units are blocks, "bytes"}; where it is worked out, {"factor", "of": name} or
// neither, which is zeros.
#pragma once

#include <cstdint>
#include <string>

#include "models/network.h"
#include "policies/policy.h"

namespace lathe::policies {

struct PackedFile {
  std::string bytes;
  std::int64_t payload_bytes = 0;  // weights and parameters; the rest is the graph and the table
};

// `delivered`: what lower_to_qdq() made by `policy`, or such a file read back. Throws UserError as packed_constants() does.
PackedFile pack_network(const models::Network& delivered, const Policy& policy);

// The ONNX file: serialize_onnx() of the network, with sparse initializers where the policy has zeros. `label` names the file in the
// UserError that is thrown where it is cut short or not one of these.
std::string unpack_to_onnx(const std::string& packed, const std::string& label);

}  // namespace lathe::policies
