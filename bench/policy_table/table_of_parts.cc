// The public table from what measure_policies wrote: adds each policy's latency on the devices and its size.
//
//   table_of_parts MODEL.onnx PARTS OUT --search-rows 2000 --test-rows 1000 --devices raspberry-pi-4 jetson-orin/64 ...
//
// A device's name may be followed by the batch that its latency is of, which then is part of the metric's name.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "bench/policy_table/resnet20_lattice.h"
#include "hwmodels/hardware_model.h"
#include "models/base/error.h"
#include "models/fold_batch_norm.h"
#include "models/onnx_reader.h"
#include "policies/candidate_index.h"
#include "policies/policy.h"
#include "policies/prune.h"
#include "policies/pruning_criterion.h"
#include "policies/quantize_network.h"
#include "policies/workload.h"
#include "search/problems/policy_table.h"

namespace {

using namespace lathe;

struct Arguments {
  std::string model, parts, out;
  std::vector<std::string> devices;
  std::int64_t search_rows = 0, test_rows = 0;
};

void read_parts(const std::string& parts, search::PolicyTable& table) {
  const std::uint64_t size = policies::space_size(table.space);
  table.search_correct.resize(size);
  table.test_correct.resize(size);
  std::vector<bool> is_known(size, false);
  for (const auto& entry : std::filesystem::directory_iterator(parts)) {
    std::ifstream file(entry.path());
    std::uint64_t index = 0;
    for (int search = 0, test = 0; file >> index >> search >> test;) {
      if (index >= size) throw UserError(Fault{.file = entry.path(), .expected = "policies of the lattice", .got = std::to_string(index)});
      table.search_correct[index] = static_cast<std::uint16_t>(search);
      table.test_correct[index] = static_cast<std::uint16_t>(test);
      is_known[index] = true;
    }
  }
  const auto missing = std::count(is_known.begin(), is_known.end(), false);
  if (missing > 0) throw UserError(std::to_string(missing) + " of " + std::to_string(size) + " policies are not measured yet");
}

// The latency of one device as a column of the table.
class LatencyColumn {
 public:
  // wanted: "jetson-orin" or "jetson-orin/64"
  LatencyColumn(const std::string& wanted, const models::Network& network, const policies::CouplingAnalysis& analysis)
      : name_("latency_ms@" + wanted),
        device_(hwmodels::make_hardware_model(hwmodels::load_device(wanted.substr(0, wanted.find('/'))))),
        builder_(network, analysis, batch_of(wanted)) {}

  void add(const models::Network& network, const policies::CouplingAnalysis& analysis, const policies::Policy& policy,
           search::PolicyTable& table) const {
    const auto [counts, bits] = policies::setting_of(builder_, network, analysis, policy);
    table.exact[name_].push_back(static_cast<float>(device_->predict(builder_.build(counts, bits)).latency_ms));
  }

 private:
  static std::int64_t batch_of(const std::string& wanted) {
    const std::size_t slash = wanted.find('/');
    return slash == std::string::npos ? 1 : std::stoll(wanted.substr(slash + 1));
  }

  std::string name_;
  std::unique_ptr<hwmodels::HardwareModel> device_;
  policies::WorkloadBuilder builder_;
};

// Latencies on all devices, then the size: a column each.
void add_exact_metrics(const Arguments& arguments, const models::Network& network, search::PolicyTable& table) {
  const policies::CouplingAnalysis analysis = policies::analyze_coupling(network);
  const policies::Importance importance = policies::weight_importance(network, analysis, "l1");
  std::vector<LatencyColumn> columns;
  for (const std::string& wanted : arguments.devices) columns.emplace_back(wanted, network, analysis);
  for (std::uint64_t index = 0; index < policies::space_size(table.space); ++index) {
    const policies::Policy policy =
        bench::lattice_policy(network, analysis, importance, table.space, policies::candidate_at(table.space, index));
    for (const LatencyColumn& column : columns) column.add(network, analysis, policy, table);
    const models::Network pruned =
        models::fold_batch_norm(policies::prune(network, analysis, policies::kept_channels(network, analysis, policy)));
    table.exact["packed_bytes"].push_back(static_cast<float>(policies::packed_bytes(pruned, policy)));
  }
}

}  // namespace

int main(int argc, char** argv) try {
  Arguments arguments;
  CLI::App app("The table of measured policies");
  app.add_option("model", arguments.model)->required();
  app.add_option("parts", arguments.parts)->required();
  app.add_option("out", arguments.out)->required();
  app.add_option("--devices", arguments.devices)->required();
  app.add_option("--search-rows", arguments.search_rows)->required();
  app.add_option("--test-rows", arguments.test_rows)->required();
  CLI11_PARSE(app, argc, argv);
  const models::Network network = policies::prepare_for_pruning(models::read_onnx(arguments.model));
  search::PolicyTable table{.model_name = network.name,
                            .model_sha256 = network.sha256,
                            .space = bench::resnet20_lattice(network),
                            .search_rows = arguments.search_rows,
                            .test_rows = arguments.test_rows};
  read_parts(arguments.parts, table);
  add_exact_metrics(arguments, network, table);
  search::write_policy_table(table, arguments.out);
  return 0;
} catch (const UserError& error) {
  std::cerr << error.what() << '\n';
  return 2;
}
