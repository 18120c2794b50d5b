#include "hwmodels/profiling/layer_shape.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <sstream>

#include "models/base/error.h"

namespace lathe::hwmodels {
namespace {

struct Extent {
  const char* column;
  std::int64_t LayerShape::*member;
};
constexpr std::array<Extent, 12> kExtents = {{{"batch", &LayerShape::batch},
                                              {"in_channels", &LayerShape::in_channels},
                                              {"out_channels", &LayerShape::out_channels},
                                              {"kernel_height", &LayerShape::kernel_height},
                                              {"kernel_width", &LayerShape::kernel_width},
                                              {"stride_height", &LayerShape::stride_height},
                                              {"stride_width", &LayerShape::stride_width},
                                              {"groups", &LayerShape::groups},
                                              {"in_height", &LayerShape::in_height},
                                              {"in_width", &LayerShape::in_width},
                                              {"out_height", &LayerShape::out_height},
                                              {"out_width", &LayerShape::out_width}}};

std::string header() {
  std::string text = "layer,kind";
  for (const Extent& extent : kExtents) text += std::string(",") + extent.column;
  return text;
}

std::vector<std::string> fields_of(std::string line) {
  if (!line.empty() && line.back() == '\r') line.pop_back();
  std::vector<std::string> fields(1);
  for (const char c : line) {
    if (c == ',')
      fields.emplace_back();
    else
      fields.back() += c;
  }
  return fields;
}

// What is wrong with the line, "" where nothing is.
std::string parse_line(const std::string& line, LayerShape& layer, std::string& key) {
  const std::vector<std::string> fields = fields_of(line);
  if (fields.size() != kExtents.size() + 2) return "expected " + std::to_string(kExtents.size() + 2) + " fields as in the first line";
  layer.name = fields[0];
  key = "kind";
  if (fields[1] != "conv" && fields[1] != "gemm") return "expected conv or gemm";
  layer.is_product = fields[1] == "gemm";
  for (std::size_t i = 0; i < kExtents.size(); ++i) {
    const std::string& text = fields[i + 2];
    std::int64_t& value = layer.*kExtents[i].member;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    key = kExtents[i].column;
    constexpr std::int64_t kLargest = 1 << 20;
    if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > kLargest) {
      return "expected a whole number from 1 to " + std::to_string(kLargest);
    }
  }
  key = "groups";
  if (layer.in_channels % layer.groups != 0 || layer.out_channels % layer.groups != 0) return "expected a divisor of both channel counts";
  key.clear();
  return "";
}

}  // namespace

bool LayerShape::has_same_shape(const LayerShape& other) const {
  return is_product == other.is_product &&
         std::all_of(kExtents.begin(), kExtents.end(), [&](const Extent& e) { return this->*e.member == other.*e.member; });
}

std::int64_t LayerShape::macs() const {
  return batch * out_height * out_width * out_channels * (in_channels / groups) * kernel_height * kernel_width;
}

void write_layer_shapes(const std::vector<LayerShape>& layers, std::ostream& out) {
  out << header() << '\n';
  for (const LayerShape& layer : layers) {
    std::string name = layer.name;
    std::replace(name.begin(), name.end(), ',', ';');
    out << name << (layer.is_product ? ",gemm" : ",conv");
    for (const Extent& extent : kExtents) out << ',' << layer.*extent.member;
    out << '\n';
  }
}

std::vector<LayerShape> read_layer_shapes(const std::string& path) {
  std::ifstream stream(path);
  std::string line;
  if (!std::getline(stream, line)) throw UserError(Fault{.file = path, .expected = "cannot read a layer list from this file"});
  if (fields_of(line) != fields_of(header()))
    throw UserError(Fault{.file = path, .line = 1, .expected = "expected the columns " + header()});
  std::vector<LayerShape> layers;
  std::vector<Fault> faults;
  for (int number = 2; std::getline(stream, line); ++number) {
    if (line.empty()) continue;
    LayerShape layer;
    std::string key;
    const std::string fault = parse_line(line, layer, key);
    if (fault.empty())
      layers.push_back(std::move(layer));
    else
      faults.push_back({.file = path, .line = number, .key = key, .expected = fault, .got = line});
  }
  if (!faults.empty()) throw UserError(std::move(faults));
  return layers;
}

}  // namespace lathe::hwmodels
