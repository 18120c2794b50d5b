// Runs folders of ONNX test cases: model.onnx, input_I.pb, output_I.pb, tolerance.txt (relative, absolute). Three sets exist:
// ONNX's official operator cases (generate_node_tests.py), small networks with the patterns that exporters write, and the networks of
// LATHE_DATA, these two with ONNX Runtime's outputs (generate_small_networks.py, generate_network_tests.py).
//   onnx_cases_test --list-operators          what the generator asks
//   onnx_cases_test --export FOLDER OUT       reads each model and writes it to OUT/CASE.onnx, for check_exported.py
//   onnx_cases_test FOLDER MINIMUM [--round-trip] [gtest flags]    fails where FOLDER has fewer than MINIMUM cases
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "models/executor.h"
#include "models/internal/onnx_proto.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"
#include "models/supported_operators.h"

namespace lathe::models {
namespace {

namespace fs = std::filesystem;

Tensor read_tensor(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  onnx::TensorProto proto;
  EXPECT_TRUE(proto.ParseFromIstream(&file)) << path;
  return internal::tensor_of(proto);
}

std::vector<Tensor> read_tensors(const fs::path& folder, const std::string& prefix) {
  std::vector<Tensor> tensors;
  for (int i = 0;; ++i) {
    const fs::path path = folder / (prefix + std::to_string(i) + ".pb");
    if (!fs::exists(path)) return tensors;
    tensors.push_back(read_tensor(path));
  }
}

struct Tolerance {
  double relative = 0, absolute = 0;
  bool of_largest = false;  // relative to the largest element instead of to each
};

Tolerance read_tolerance(const fs::path& path) {
  Tolerance tolerance;
  std::ifstream file(path);
  std::string kind;
  file >> tolerance.relative >> tolerance.absolute >> kind;
  tolerance.of_largest = kind == "of_largest";
  return tolerance;
}

void expect_close(const Tensor& computed, const Tensor& expected, const Tolerance& tolerance, std::size_t output) {
  SCOPED_TRACE("output " + std::to_string(output));
  ASSERT_EQ(to_string(computed.shape()), to_string(expected.shape()));
  // Half floats and wide unsigned integers are computed in wider types.
  const bool is_widened = expected.type() == DataType::kFloat16 || expected.type() == DataType::kUint16 ||
                          expected.type() == DataType::kUint32 || expected.type() == DataType::kUint64;
  if (!is_widened) {
    ASSERT_STREQ(to_string(computed.type()), to_string(expected.type()));
  }
  const std::vector<float> a = computed.to_floats(), b = expected.to_floats();
  double largest = 0;
  for (const float value : b) largest = std::isfinite(value) ? std::max<double>(largest, std::abs(value)) : largest;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(b[i])) {
      ASSERT_TRUE(std::isnan(a[i])) << "element " << i;
    } else if (std::isinf(b[i])) {
      ASSERT_EQ(a[i], b[i]) << "element " << i;
    } else {
      ASSERT_NEAR(a[i], b[i], tolerance.absolute + tolerance.relative * (tolerance.of_largest ? largest : std::abs(b[i])))
          << "element " << i;
    }
  }
}

// The shapes that import wrote down are those that come out.
void expect_declared_shape(const Value& declared, const at::Tensor& computed) {
  Shape shape(computed.sizes().begin(), computed.sizes().end());
  ASSERT_EQ(shape.size(), declared.shape.size()) << declared.name;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (declared.shape[axis] == kDynamic) shape[axis] = kDynamic;
  }
  EXPECT_EQ(to_string(shape), to_string(declared.shape)) << declared.name;
}

class OnnxCase : public testing::Test {
 public:
  OnnxCase(fs::path folder, bool round_trip) : folder_(std::move(folder)), round_trip_(round_trip) {}

  void TestBody() override {
    Network network = read_onnx((folder_ / "model.onnx").string());
    validate(network);
    if (round_trip_) network = parse_onnx(serialize_onnx(network), "round trip");
    const Executor executor(network);
    std::vector<at::Tensor> inputs;
    for (const Tensor& input : read_tensors(folder_, "input_")) inputs.push_back(to_torch(input));
    const at::NoGradGuard no_grad;
    RunOptions options;
    options.observer = [&](ValueId id, const at::Tensor& value) { expect_declared_shape(network.value(id), value); };
    const std::vector<at::Tensor> outputs = executor.run(inputs, options);
    const std::vector<Tensor> expected = read_tensors(folder_, "output_");
    const Tolerance tolerance = read_tolerance(folder_ / "tolerance.txt");
    ASSERT_EQ(outputs.size(), expected.size());
    ASSERT_FALSE(expected.empty());
    for (std::size_t i = 0; i < expected.size(); ++i) expect_close(from_torch(outputs[i]), expected[i], tolerance, i);
  }

 private:
  fs::path folder_;
  bool round_trip_;
};

std::vector<fs::path> cases_in(const fs::path& root) {
  std::vector<fs::path> folders;
  if (fs::is_directory(root)) {
    for (const auto& entry : fs::directory_iterator(root)) {
      if (fs::exists(entry.path() / "model.onnx")) folders.push_back(entry.path());
    }
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

int register_cases(const fs::path& root, bool round_trip) {
  const std::vector<fs::path> folders = cases_in(root);
  for (const fs::path& folder : folders) {
    const std::string suite = round_trip ? "OnnxCaseRoundTrip" : "OnnxCase";
    testing::RegisterTest(suite.c_str(), folder.filename().c_str(), nullptr, nullptr, __FILE__, __LINE__,
                          [=]() -> testing::Test* { return new OnnxCase(folder, round_trip); });
  }
  return static_cast<int>(folders.size());
}

void export_cases(const fs::path& root, const fs::path& out) {
  for (const fs::path& folder : cases_in(root)) {
    write_onnx(read_onnx((folder / "model.onnx").string()), (out / folder.filename()).string() + ".onnx");
  }
}

}  // namespace
}  // namespace lathe::models

constexpr int kSkipped = 77;  // SKIP_RETURN_CODE in CMakeLists.txt

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc == 2 && std::string(argv[1]) == "--list-operators") {
    for (const std::string& op : lathe::models::supported_operators()) std::cout << op << '\n';
    return 0;
  }
  if (argc == 4 && std::string(argv[1]) == "--export") {
    lathe::models::export_cases(argv[2], argv[3]);
    return 0;
  }
  if (argc < 3) {
    std::cerr << "usage: onnx_cases_test FOLDER MINIMUM [--round-trip] | --list-operators\n";
    return 2;
  }
  if (std::ifstream why(std::string(argv[1]) + "/skipped.txt"); why) {
    std::cout << "skipped: " << why.rdbuf();
    return kSkipped;
  }
  const bool round_trip = argc > 3 && std::string(argv[3]) == "--round-trip";
  const int count = lathe::models::register_cases(argv[1], round_trip);
  if (count < std::stoi(argv[2])) {
    std::cerr << argv[1] << " has " << count << " cases, expected at least " << argv[2] << '\n';
    return 1;
  }
  return RUN_ALL_TESTS();
}
