#include "policies/packed_file.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "models/base/error.h"
#include "models/onnx_skeleton.h"
#include "models/onnx_writer.h"
#include "policies/packed_constants.h"
#include "policies/weight_sparsity.h"

namespace lathe::policies {
namespace {

using models::DataType;
using models::Network;
using models::Tensor;
using nlohmann::json;

constexpr char kMagic[] = "LATHEPK1";
constexpr std::size_t kMagicBytes = 8, kHeaderBytes = kMagicBytes + 4 * sizeof(std::uint32_t);
constexpr std::int64_t kMostBlock = 64;
constexpr std::uint32_t kMostBytes = std::uint32_t{1} << 28;  // a few bytes of a file must not ask for all memory

constexpr DataType kStoredTypes[] = {DataType::kFloat32, DataType::kFloat16, DataType::kBFloat16, DataType::kInt4,
                                     DataType::kInt8,    DataType::kInt16,   DataType::kInt32};

const char* to_string(WeightStorage storage) {
  return storage == WeightStorage::kDense ? "dense" : storage == WeightStorage::kBitmask ? "bitmask" : "indices";
}

json described(const Network& network, models::ValueId id) {
  const Tensor& tensor = network.constants.at(id);
  return {{"name", network.value(id).name}, {"type", models::to_string(tensor.type())}, {"shape", tensor.shape()}};
}

json table_of(const Network& network, const PackedConstants& constants) {
  json tensors = json::array();
  for (const PackedConstant& constant : constants.stored) {
    const PackedLayout& layout = constant.layout;
    const WeightStorage storage = storage_of(layout);
    json entry = described(network, constant.id);
    entry.update({{"encoding", to_string(layout.encoding)},
                  {"bits", layout.bits},
                  {"kept", layout.units.kept},
                  {"storage", to_string(storage)},
                  {"bytes", bytes_of(layout)}});
    if (storage == WeightStorage::kIndices) entry["low_bits"] = low_bits_of_positions(unit_count(layout), layout.units.kept);
    if (layout.units.size > 1) entry.update({{"block", layout.units.size}, {"axis", layout.units.axis}});
    tensors.push_back(std::move(entry));
  }
  for (const DerivedConstant& constant : constants.derived) {
    json entry = described(network, constant.id);
    if (constant.of) entry.update({{"factor", static_cast<double>(constant.factor)}, {"of", network.value(*constant.of).name}});
    tensors.push_back(std::move(entry));
  }
  return {{"format", "lathe.packed"}, {"version", 1}, {"tensors", tensors}};
}

std::string deflated(const std::string& text) {
  uLongf bytes = compressBound(static_cast<uLong>(text.size()));
  std::string out(bytes, '\0');
  LATHE_CHECK_EQ(compress2(reinterpret_cast<Bytef*>(out.data()), &bytes, reinterpret_cast<const Bytef*>(text.data()),
                           static_cast<uLong>(text.size()), Z_BEST_COMPRESSION),
                 Z_OK);
  out.resize(bytes);
  return out;
}

std::string inflated(const std::string& bytes, std::uint32_t size) {
  if (size > kMostBytes) throw UserError("its graph or table is too large");
  std::string out(size, '\0');
  uLongf got = size;
  const int result = uncompress(reinterpret_cast<Bytef*>(out.data()), &got, reinterpret_cast<const Bytef*>(bytes.data()),
                                static_cast<uLong>(bytes.size()));
  if (result != Z_OK || got != size) throw UserError("it is damaged");
  return out;
}

DataType type_named(const std::string& name) {
  for (const DataType type : kStoredTypes) {
    if (name == models::to_string(type)) return type;
  }
  throw UserError("tensors of type '" + name + "' are not packed");
}

bool is_legal(const PackedLayout& layout) {
  const auto is_one_of = [&](std::initializer_list<DataType> types) {
    return std::find(types.begin(), types.end(), layout.type) != types.end();
  };
  const bool is_float = is_one_of({DataType::kFloat32, DataType::kFloat16, DataType::kBFloat16});
  const int widest = layout.type == DataType::kInt4 ? 4 : 8 * static_cast<int>(size_of(layout.type));
  switch (layout.encoding) {
    case PackedEncoding::kInt:
      return !is_float && layout.bits >= 2 && layout.bits <= widest;
    case PackedEncoding::kPow2:
      return is_float && layout.bits >= 2 && layout.bits <= 8;
    case PackedEncoding::kFloat8:
      return is_float && layout.bits == 8;
    case PackedEncoding::kFloat16:
    case PackedEncoding::kBfloat16:
      return is_float && layout.bits == 16;
    case PackedEncoding::kFloat32:
      return is_float && layout.bits == 32;
  }
  return false;
}

models::Shape shape_of(const json& entry) {
  const auto shape = entry.at("shape").get<models::Shape>();
  std::int64_t elements = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(elements, extent, &elements) || elements > kMostBytes) throw UserError("a shape is not legal");
  }
  return shape;
}

PackedLayout layout_of(const json& entry) {
  PackedLayout layout{.type = type_named(entry.at("type")),
                      .shape = shape_of(entry),
                      .encoding = parse_packed_encoding(entry.at("encoding")),
                      .bits = entry.at("bits"),
                      .units = {.kept = entry.at("kept"), .size = entry.value("block", std::int64_t{1}), .axis = entry.value("axis", 0)}};
  const PackedUnits& units = layout.units;
  const int rank = static_cast<int>(layout.shape.size());
  const bool is_block = units.size >= 1 && units.size <= kMostBlock && units.axis >= 0 && units.axis <= rank;
  if (!is_legal(layout) || !is_block || units.kept < 0 || units.kept > unit_count(layout)) throw UserError("a layout is not legal");
  return layout;
}

Tensor worked_out(const json& entry, const std::map<std::string, Tensor>& known) {
  const models::Shape shape = shape_of(entry);
  if (!entry.contains("of")) {
    const DataType type = type_named(entry.at("type"));
    return Tensor(type, shape, std::vector<std::byte>(static_cast<std::size_t>(models::element_count(shape)) * size_of(type)));
  }
  const auto of = known.find(entry.at("of"));
  if (of == known.end() || of->second.shape() != shape) throw UserError("a tensor follows from one that is not there or has another shape");
  std::vector<float> values = of->second.to_floats();
  for (float& value : values) value *= static_cast<float>(entry.at("factor").get<double>());
  return Tensor::from<float>(shape, values);
}

std::string unpack(const std::string& packed) {
  if (packed.size() < kHeaderBytes || packed.compare(0, kMagicBytes, kMagic) != 0) throw UserError("is no packed network");
  std::uint32_t sizes[4];
  std::memcpy(sizes, packed.data() + kMagicBytes, sizeof sizes);
  const auto& [table_bytes, table_size, graph_bytes, graph_size] = sizes;
  std::size_t at = kHeaderBytes + std::size_t{table_bytes} + graph_bytes;
  if (at > packed.size()) throw UserError("it is cut short");
  const json table = json::parse(inflated(packed.substr(kHeaderBytes, table_bytes), table_size));
  std::map<std::string, Tensor> tensors;
  for (const json& entry : table.at("tensors")) {
    const std::string name = entry.at("name");
    if (!entry.contains("encoding")) {
      tensors.emplace(name, worked_out(entry, tensors));
      continue;
    }
    const PackedLayout layout = layout_of(entry);
    const auto bytes = std::as_bytes(std::span(packed)).subspan(at);
    const auto size = static_cast<std::size_t>(bytes_of(layout));
    if (size > bytes.size()) throw UserError("it is cut short");
    tensors.emplace(name, unpack_tensor(bytes.first(size), layout));
    at += size;
  }
  return models::with_tensor_data(inflated(packed.substr(kHeaderBytes + table_bytes, graph_bytes), graph_size), tensors);
}

}  // namespace

PackedFile pack_network(const Network& delivered, const Policy& policy) {
  const PackedConstants constants = packed_constants(delivered, policy);
  std::set<std::string> names;
  for (const PackedConstant& constant : constants.stored) names.insert(delivered.value(constant.id).name);
  for (const DerivedConstant& constant : constants.derived) names.insert(delivered.value(constant.id).name);
  const std::string table = table_of(delivered, constants).dump();
  const std::string graph = models::without_tensor_data(models::serialize_onnx(delivered, sparse_initializers_for(policy)), names);
  const std::string small_table = deflated(table), small_graph = deflated(graph);
  const std::uint32_t sizes[] = {static_cast<std::uint32_t>(small_table.size()), static_cast<std::uint32_t>(table.size()),
                                 static_cast<std::uint32_t>(small_graph.size()), static_cast<std::uint32_t>(graph.size())};
  PackedFile file{.bytes = kMagic, .payload_bytes = constants.bytes()};
  file.bytes.append(reinterpret_cast<const char*>(sizes), sizeof sizes);
  file.bytes += small_table + small_graph;
  for (const PackedConstant& constant : constants.stored) {
    const std::vector<std::byte> bytes = pack_tensor(delivered.constants.at(constant.id), constant.layout);
    file.bytes.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  return file;
}

std::string unpack_to_onnx(const std::string& packed, const std::string& label) {
  try {
    return unpack(packed);
  } catch (const UserError& error) {
    throw UserError(Fault{.file = label, .expected = error.what()});
  } catch (const json::exception&) {
    throw UserError(Fault{.file = label, .expected = "its table is damaged"});
  }
}

}  // namespace lathe::policies
