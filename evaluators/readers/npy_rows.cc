#include "evaluators/readers/npy_rows.h"

#include <cmath>
#include <filesystem>
#include <sstream>

#include "evaluators/readers/npy_reader.h"
#include "models/base/error.h"
#include "models/tensor.h"

namespace lathe::evaluators {
namespace {

std::vector<std::string> comma_separated(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) {
    part.erase(0, part.find_first_not_of(' '));
    part.erase(part.find_last_not_of(' ') + 1);
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

std::string shape_text(const at::Tensor& array) {
  return models::to_string(array.sizes().vec());
}

struct Files {
  std::vector<std::string> inputs;
  std::string labels;
};

Files files_of(const DataOptions& options, const std::string& which) {
  const auto resolve = [&](const std::string& file) { return (std::filesystem::path(options.path) / file).string(); };
  Files files;
  for (const auto& file : comma_separated(which == "train" ? options.inputs_train : options.inputs_test))
    files.inputs.push_back(resolve(file));
  const std::string& labels = which == "train" ? options.labels_train : options.labels_test;
  if (files.inputs.empty())
    throw UserError(Fault{.key = "data.inputs_" + which, .expected = "expected .npy files, one for each input of the network"});
  if (labels.empty()) throw UserError(Fault{.key = "data.labels_" + which, .expected = "expected a .npy file of labels"});
  files.labels = resolve(labels);
  return files;
}

void add_inputs(const Files& files, Rows& rows) {
  for (const auto& file : files.inputs) {
    at::Tensor array = read_npy(file);
    if (array.dim() < 1 || array.size(0) != rows.size()) {
      throw UserError(Fault{
          .file = file, .expected = "expected one row for each of " + std::to_string(rows.size()) + " labels", .got = shape_text(array)});
    }
    // Bytes are pixels only where they form images.
    rows.inputs.push_back(array.scalar_type() == at::kByte && array.dim() != 4 ? array.to(at::kLong) : array);
  }
}

// What is wrong with an object, or "".
std::string fault_of(at::TensorAccessor<float, 1> object, const at::Tensor& images, int classes) {
  const float cls = object[0];
  if (cls == -1) return "";
  if (cls < 0 || cls != std::floor(cls) || cls > 1e6F || (classes > 0 && cls >= static_cast<float>(classes))) {
    return "expected class -1 (no object) or 0 to " +
           (classes > 0 ? std::to_string(classes - 1) + " (the network's classes)" : std::string("any whole number"));
  }
  const auto height = static_cast<float>(images.size(2)), width = static_cast<float>(images.size(3));
  // Comparisons are written so that NaN fails them.
  const bool is_inside = object[1] >= 0 && object[1] <= width && object[2] >= 0 && object[2] <= height;
  const bool has_area = object[3] > 0 && object[4] > 0 && object[3] <= 2 * width && object[4] <= 2 * height;
  return is_inside && has_area ? ""
                               : "expected a box cx, cy, w, h in pixels with its centre in the image of " + std::to_string(images.size(2)) +
                                     " x " + std::to_string(images.size(3));
}

void check_objects(const Rows& rows, const std::string& file, int classes) {
  const auto objects = rows.labels.accessor<float, 3>();
  for (std::int64_t i = 0; i < objects.size(0); ++i) {
    for (std::int64_t o = 0; o < objects.size(1); ++o) {
      const std::string fault = fault_of(objects[i][o], rows.inputs[0], classes);
      if (fault.empty()) continue;
      std::ostringstream got;
      for (int part = 0; part < 5; ++part) got << (part > 0 ? ", " : "") << objects[i][o][part];
      throw UserError(
          Fault{.file = file, .key = "row " + std::to_string(i) + ", object " + std::to_string(o), .expected = fault, .got = got.str()});
    }
  }
}

}  // namespace

Rows read_class_rows(const DataOptions& options, const std::string& which) {
  const Files files = files_of(options, which);
  Rows rows;
  rows.labels = read_npy(files.labels);
  if (rows.labels.dim() != 1 || rows.labels.scalar_type() != at::kLong)
    throw UserError(Fault{.file = files.labels, .expected = "expected integer labels [rows]", .got = shape_text(rows.labels)});
  add_inputs(files, rows);
  return rows;
}

Rows read_object_rows(const DataOptions& options, const std::string& which) {
  const Files files = files_of(options, which);
  Rows rows;
  rows.labels = read_npy(files.labels);
  if (rows.labels.dim() != 3 || rows.labels.size(2) != 5 || rows.labels.scalar_type() != at::kFloat)
    throw UserError(Fault{.file = files.labels,
                          .expected = "expected floats [rows, objects, 5]: class or -1, and the box as cx, cy, w, h in pixels",
                          .got = shape_text(rows.labels)});
  add_inputs(files, rows);
  if (rows.inputs.size() != 1 || rows.inputs[0].dim() != 4 || rows.inputs[0].scalar_type() != at::kByte)
    throw UserError(Fault{.file = files.inputs[0],
                          .expected = "expected one file of images, uint8 [rows, channels, height, width]",
                          .got = shape_text(rows.inputs[0])});
  check_objects(rows, files.labels, options.classes);
  return rows;
}

}  // namespace lathe::evaluators
