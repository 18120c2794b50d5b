#include "bench/measurements/measured_networks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <sstream>

#include "tests/hwmodels/sample_workloads.h"

namespace lathe::measurements {
namespace {

using hwmodels::add_op;
using hwmodels::conv_op;
using hwmodels::gemm_op;
using policies::OpKind;
using policies::OpWorkload;
using policies::Workload;

std::int64_t integer(const CsvRow& row, const std::string& key, std::int64_t otherwise = 0) {
  const auto found = row.find(key);
  return found == row.end() || found->second.empty() ? otherwise : std::stoll(found->second);
}

std::vector<std::string> split(const std::string& line, char separator) {
  std::vector<std::string> words;
  std::stringstream stream(line);
  for (std::string word; std::getline(stream, word, separator);) words.push_back(word);
  return words;
}

// ncnn's layers that cost nothing: no data is touched, or they end the network outside of its arithmetic.
bool is_free(const std::string& type) {
  static const std::set<std::string> free = {"Input", "Split", "Noop", "MemoryData", "Reshape", "Flatten", "PriorBox"};
  return free.contains(type);
}

OpWorkload ncnn_op(const CsvRow& row, int float_bits) {
  OpWorkload op;
  op.name = row.at("name");
  const std::string& type = row.at("type");
  op.in_channels = integer(row, "in_c");
  op.out_channels = integer(row, "out_c");
  op.in_height = integer(row, "in_h", 1);
  op.in_width = integer(row, "in_w", 1);
  op.out_height = integer(row, "out_h", 1);
  op.out_width = integer(row, "out_w", 1);
  op.groups = integer(row, "groups", 1);
  op.kernel_height = integer(row, "kernel_h", 1);
  op.kernel_width = integer(row, "kernel_w", 1);
  op.stride_height = integer(row, "stride_h", 1);
  op.stride_width = integer(row, "stride_w", 1);
  op.macs = integer(row, "macs");
  op.weight_elements = integer(row, "weights");
  op.output_elements = op.out_channels * op.out_height * op.out_width;
  const std::int64_t inputs = static_cast<std::int64_t>(split(row.at("inputs"), '|').size());
  op.input_elements = op.in_channels * op.in_height * op.in_width;
  if (type == "Eltwise" || type == "BinaryOp") op.input_elements *= inputs;
  if (type == "Concat") op.input_elements = op.output_elements;
  const bool is_int8 = integer(row, "int8") == 1;
  op.weight_bits = op.input_bits = is_int8 ? 8 : float_bits;
  op.output_bits = is_int8 ? 8 : float_bits;
  if (type == "Convolution") {
    op.kind = OpKind::kConv;
  } else if (type == "ConvolutionDepthWise") {
    op.kind = op.groups == op.in_channels ? OpKind::kDepthwiseConv : OpKind::kConv;
  } else if (type == "DeconvolutionDepthWise") {
    op.kind = OpKind::kDepthwiseConv;
  } else if (type == "InnerProduct") {
    op.kind = OpKind::kGemm;
    op.in_channels *= op.in_height * op.in_width;
    op.out_height = op.out_width = 1;
  } else if (type == "Gemm" || type == "MultiHeadAttention") {
    // A two-dimensional tensor: rows in h, features in w. Attention is charged as products of the same depth as its projections.
    op.kind = OpKind::kGemm;
    op.in_channels = op.in_width;
    op.out_channels = op.macs / (op.in_height * op.in_width);
    op.out_height = op.in_height;
    op.out_width = 1;
  } else if (type == "Pooling") {
    op.kind = OpKind::kPool;
  } else if (type == "Concat" || type == "Permute" || type == "ShuffleChannel" || type == "Slice" || type == "Crop" || type == "Padding") {
    op.kind = OpKind::kDataMovement;
  } else {
    op.kind = OpKind::kElementwise;
  }
  op.is_fused = is_free(type);
  return op;
}

// An int8 layer reads bytes only where it follows another one alone; what comes from anything else (pooling, concatenation, a tensor
// with several readers) was left as floats and is quantized first.
OpWorkload quantization(const OpWorkload& layer, int float_bits) {
  OpWorkload op;
  op.name = layer.name + " quantization";
  op.kind = OpKind::kElementwise;
  op.input_elements = op.output_elements = layer.input_elements;
  op.input_bits = float_bits;
  op.output_bits = 8;
  return op;
}

void add_cell(const CsvRow& row, std::int64_t channels, std::int64_t size, Workload& workload) {
  const std::array<std::pair<const char*, int>, 6> edges = {{{"e01", 1}, {"e02", 2}, {"e12", 2}, {"e03", 3}, {"e13", 3}, {"e23", 3}}};
  std::array<int, 4> arriving{};
  for (const auto& [edge, to] : edges) {
    const std::string& operation = row.at(edge);
    if (operation == "none") continue;
    ++arriving[static_cast<std::size_t>(to)];
    OpWorkload op = conv_op({.in = channels, .out = channels, .size = size, .kernel = operation == "nor_conv_1x1" ? 1 : 3});
    if (operation == "nor_conv_1x1" || operation == "nor_conv_3x3") {
      OpWorkload relu = add_op(channels * size * size);
      relu.input_elements /= 2;
      workload.ops.push_back(relu);
      workload.ops.push_back(op);
    } else if (operation == "avg_pool_3x3") {
      op.kind = OpKind::kPool;
      op.macs = op.weight_elements = 0;
      workload.ops.push_back(op);
    }
  }
  for (const int count : arriving) {
    for (int i = 1; i < count; ++i) workload.ops.push_back(add_op(channels * size * size));
  }
}

// ResNet's operators, with the pointwise ones only where the runtime does not fuse them.
class ResNetBuilder {
 public:
  ResNetBuilder(std::int64_t batch, int bits, bool is_unfused) : batch_(batch), bits_(bits), is_unfused_(is_unfused) {}

  void conv(std::int64_t in, std::int64_t out, std::int64_t size, std::int64_t kernel, std::int64_t stride, bool has_relu) {
    workload_.ops.push_back(conv_op({.in = in,
                                     .out = out,
                                     .size = size,
                                     .kernel = kernel,
                                     .stride = stride,
                                     .batch = batch_,
                                     .weight_bits = bits_,
                                     .activation_bits = bits_}));
    if (!is_unfused_) return;
    OpWorkload pointwise = add_op(workload_.ops.back().output_elements, bits_);
    pointwise.input_elements /= 2;
    workload_.ops.push_back(pointwise);
    if (has_relu) workload_.ops.push_back(pointwise);
  }

  void add(std::int64_t channels, std::int64_t size) {
    workload_.ops.push_back(add_op(batch_ * channels * size * size, bits_));
    if (!is_unfused_) return;
    OpWorkload relu = workload_.ops.back();
    relu.input_elements /= 2;
    workload_.ops.push_back(relu);
  }

  void pool(std::int64_t channels, std::int64_t size, std::int64_t kernel, std::int64_t stride) {
    OpWorkload op = conv_op({.in = channels,
                             .out = channels,
                             .size = size,
                             .kernel = kernel,
                             .stride = stride,
                             .groups = channels,
                             .batch = batch_,
                             .activation_bits = bits_});
    op.kind = OpKind::kPool;
    op.macs = op.weight_elements = 0;
    workload_.ops.push_back(op);
  }

  void classifier(std::int64_t channels) { workload_.ops.push_back(gemm_op(batch_, channels, 1000, bits_, bits_)); }

  Workload workload_;

 private:
  std::int64_t batch_;
  int bits_;
  bool is_unfused_;
};

}  // namespace

std::map<std::string, Workload> ncnn_networks(const std::string& path, int float_bits) {
  std::map<std::string, Workload> networks;
  std::map<std::string, std::set<std::string>> byte_tensors;  // by network: what int8 layers leave
  for (const CsvRow& row : read_csv(path)) {
    std::vector<OpWorkload>& ops = networks[row.at("network")].ops;
    std::set<std::string>& bytes = byte_tensors[row.at("network")];
    const OpWorkload op = ncnn_op(row, float_bits);
    if (integer(row, "int8") == 1) {
      if (!bytes.contains(row.at("inputs"))) ops.push_back(quantization(op, float_bits));
      bytes.insert(row.at("outputs"));
    }
    ops.push_back(op);
  }
  return networks;
}

Workload nasbench201_network(const CsvRow& row) {
  Workload workload;
  workload.ops.push_back(conv_op({.in = 3, .out = 16, .size = 32}));
  std::int64_t channels = 16, size = 32;
  for (int stage = 0; stage < 3; ++stage) {
    if (stage > 0) {
      workload.ops.push_back(conv_op({.in = channels, .out = 2 * channels, .size = size, .stride = 2}));
      workload.ops.push_back(conv_op({.in = 2 * channels, .out = 2 * channels, .size = size / 2}));
      OpWorkload pool = conv_op({.in = channels, .out = channels, .size = size, .kernel = 2, .stride = 2, .groups = channels});
      pool.kind = OpKind::kPool;
      pool.macs = pool.weight_elements = 0;
      workload.ops.push_back(pool);
      workload.ops.push_back(conv_op({.in = channels, .out = 2 * channels, .size = size / 2, .kernel = 1}));
      channels *= 2;
      size /= 2;
      workload.ops.push_back(add_op(channels * size * size));
    }
    for (int cell = 0; cell < 5; ++cell) add_cell(row, channels, size, workload);
  }
  workload.ops.push_back(gemm_op(1, 64, 10));
  return workload;
}

Workload imagenet_resnet(int depth, double width, std::int64_t batch, int bits, bool is_unfused) {
  const auto scaled = [&](std::int64_t channels) {
    return static_cast<std::int64_t>(std::lround(static_cast<double>(channels) * width / 8)) * 8;
  };
  const bool is_bottleneck = depth == 50;
  const std::array<int, 4> blocks = is_bottleneck ? std::array<int, 4>{3, 4, 6, 3} : std::array<int, 4>{2, 2, 2, 2};
  ResNetBuilder builder(batch, bits, is_unfused);
  builder.conv(3, scaled(64), 224, 7, 2, /*has_relu=*/true);
  builder.pool(scaled(64), 112, 3, 2);
  std::int64_t in = scaled(64), size = 56;
  for (int stage = 0; stage < 4; ++stage) {
    const std::int64_t middle = scaled(64LL << stage);
    const std::int64_t out = is_bottleneck ? scaled(256LL << stage) : middle;
    for (int block = 0; block < blocks[static_cast<std::size_t>(stage)]; ++block) {
      const std::int64_t stride = stage > 0 && block == 0 ? 2 : 1;
      if (is_bottleneck) {
        builder.conv(in, middle, size, 1, 1, true);
        builder.conv(middle, middle, size, 3, stride, true);
        builder.conv(middle, out, size / stride, 1, 1, false);
      } else {
        builder.conv(in, middle, size, 3, stride, true);
        builder.conv(middle, out, size / stride, 3, 1, false);
      }
      if (in != out || stride != 1) builder.conv(in, out, size, 1, stride, false);
      size /= stride;
      in = out;
      builder.add(out, size);
    }
  }
  builder.classifier(in);
  return builder.workload_;
}

}  // namespace lathe::measurements
