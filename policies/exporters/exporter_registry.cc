#include <algorithm>

#include "models/base/check.h"
#include "models/base/error.h"
#include "policies/exporters/aimet_exporter.h"
#include "policies/exporters/csv_exporter.h"
#include "policies/exporters/exporter.h"
#include "policies/exporters/hls4ml_exporter.h"
#include "policies/exporters/json_exporter.h"
#include "policies/exporters/nncf_exporter.h"
#include "policies/exporters/nni_exporter.h"
#include "policies/exporters/onnx_qdq_exporter.h"
#include "policies/exporters/packed_exporter.h"
#include "policies/exporters/pt2e_exporter.h"
#include "policies/exporters/qonnx_exporter.h"
#include "policies/exporters/torch_pruning_exporter.h"
#include "policies/exporters/torchao_exporter.h"

namespace lathe::policies {
namespace {

std::vector<std::unique_ptr<Exporter>>& registry() {
  static std::vector<std::unique_ptr<Exporter>> kExporters = [] {
    std::vector<std::unique_ptr<Exporter>> built_in;
    for (const auto make : {make_onnx_qdq_exporter, make_packed_exporter, make_qonnx_exporter, make_aimet_exporter, make_nncf_exporter,
                            make_torch_pruning_exporter, make_torchao_exporter, make_pt2e_exporter, make_hls4ml_exporter, make_nni_exporter,
                            make_json_exporter, make_csv_exporter}) {
      built_in.push_back(make());
    }
    return built_in;
  }();
  return kExporters;
}

}  // namespace

std::vector<const Exporter*> exporters() {
  std::vector<const Exporter*> all;
  for (const auto& exporter : registry()) all.push_back(exporter.get());
  return all;
}

const Exporter& find_exporter(const std::string& name) {
  std::vector<std::string> names;
  for (const Exporter* exporter : exporters()) {
    if (exporter->format().name == name) return *exporter;
    names.push_back(exporter->format().name);
  }
  const std::string near = nearest_spelling(name, names);
  throw UserError("unknown format '" + name + "'" + (near.empty() ? "" : ", did you mean '" + near + "'?") +
                  " (lathe export --list shows all)");
}

void register_exporter(std::unique_ptr<Exporter> exporter) {
  for (const Exporter* known : exporters()) LATHE_CHECK_NE(known->format().name, exporter->format().name) << "two exporters of one name";
  registry().push_back(std::move(exporter));
}

}  // namespace lathe::policies
