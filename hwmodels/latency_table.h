// A user's table of measured layers: shape and widths -> latency, as HAQ, NNI and nn-Meter write them.
//
// One row a layer and pair of widths, as CSV. Columns by any of these names:
//     c_in, cin, in_channels        c_out, cout, out_channels       h_in, input_h, in_height       h_out, output_h, out_height (optional)
//     kernel, kernel_size, ks       stride, strides (optional: 1)   groups (optional: 1)           net_batch, batch (optional: 1)
//     w_bits, weight_bits (optional: 32)      a_bits, activation_bits (optional: 32)
//     latency_ms, latency, latency_raw, median_ms
// Other columns are passed over. A fully connected layer has height 1 and kernel 1.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "policies/workload.h"

namespace lathe::hwmodels {

struct TableShape {
  std::int64_t in_channels = 1, out_channels = 1, kernel = 1, stride = 1, groups = 1, in_height = 1;

  bool is_depthwise() const { return groups > 1 && groups == in_channels; }
  // One sample.
  double macs() const;
  bool operator<(const TableShape& other) const {
    return std::tie(in_channels, out_channels, kernel, stride, groups, in_height) <
           std::tie(other.in_channels, other.out_channels, other.kernel, other.stride, other.groups, other.in_height);
  }
  bool operator==(const TableShape&) const = default;
};
std::string to_string(const TableShape& shape);  // "3x3 convolution, stride 2, 32 -> 64 channels, height 56"

// The layer that an operator is; nullopt for operators without weights.
std::optional<TableShape> table_shape(const policies::OpWorkload& op);

class LatencyTable {
 public:
  struct Entry {
    int weight_bits = 32, activation_bits = 32;
    double latency = 0;  // of one sample, in the table's unit
  };

  void add(const TableShape& shape, const Entry& entry);
  void remove(const TableShape& shape);  // for tests that leave layers out

  // The entry itself where the table has it. Otherwise, widths are interpolated between the entries of the shape, and shapes between the
  // nearest of the same kernel, stride and kind: latency a multiply-accumulate, weighted by inverse distance in powers of two. nullopt
  // where nothing is within a factor of four in channels and height.
  std::optional<double> latency(const TableShape& shape, int weight_bits, int activation_bits) const;

  const std::map<TableShape, std::vector<Entry>>& entries() const { return entries_; }

 private:
  std::map<TableShape, std::vector<Entry>> entries_;
};

// Throws UserError, all faults at once: missing columns, fields that are no positive numbers.
LatencyTable parse_latency_table(const std::string& text, const std::string& file);
LatencyTable read_latency_table(const std::string& path);

}  // namespace lathe::hwmodels
