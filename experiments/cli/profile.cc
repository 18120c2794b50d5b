#include <fstream>
#include <map>
#include <memory>

#include "experiments/cli/command.h"
#include "experiments/profile/profile_run.h"
#include "models/base/error.h"

namespace lathe::cli {
namespace {

struct Options {
  experiments::ProfileOptions profile;
  std::string output = "-", list;
};

int profile(const Options& options) {
  if (!options.list.empty()) {
    std::ofstream stream(options.list);
    hwmodels::write_layer_shapes(experiments::profiled_layers(options.profile), stream);
    stream.close();
    if (!stream) throw UserError(Fault{.file = options.list, .expected = "cannot write this file"});
    return 0;
  }
  hwmodels::write_measurements(experiments::profile(options.profile), options.output);
  return 0;
}

}  // namespace

void add_profile(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  const std::map<std::string, experiments::ProfiledDevice> devices{{"host", experiments::ProfiledDevice::kHost},
                                                                   {"cuda", experiments::ProfiledDevice::kCuda}};
  const std::map<std::string, experiments::ProfilingRuntime> runtimes{{"onnxruntime", experiments::ProfilingRuntime::kOnnxRuntime},
                                                                      {"libtorch", experiments::ProfilingRuntime::kLibTorch}};
  CLI::App* command = add_command(app, "profile", "Measure a network, policies of it and its layers on this machine",
                                  "lathe profile net.onnx --device host --policy policy.json --threads 4 --out measured.csv");
  command->add_option("MODEL", options->profile.model, "ONNX file")->required();
  command->add_option("--device", options->profile.device, "host or cuda")->required()->transform(CLI::CheckedTransformer(devices));
  command->add_option("--out", options->output, "CSV file to write; - is standard output")->capture_default_str();
  command->add_option("--policy", options->profile.policies, "Policy file to measure beside the network; may be repeated");
  command->add_option("--runtime", options->profile.runtime, "onnxruntime or libtorch")->transform(CLI::CheckedTransformer(runtimes));
  command->add_flag("--layers", options->profile.measures_layers, "Also each layer shape, in fp32 and int8 (libtorch: fp32)");
  command->add_flag("--fp16", options->profile.measures_half, "Also everything in fp16; libtorch only");
  command->add_flag("--cuda-graph", options->profile.uses_graph, "Replay a recorded CUDA graph in place of launching each kernel");
  command->add_option("--list", options->list, "Measure nothing; write the layer shapes to this file, for lathe-profile on a board");
  command->add_option("--threads", options->profile.threads, "Threads")->check(CLI::Range(1, 1024))->capture_default_str();
  command->add_option("--batch", options->profile.batch, "Batch size")->check(CLI::Range(1, 65536))->capture_default_str();
  command->add_option("--seconds", options->profile.seconds, "Time spent on each network or layer")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();
  command->callback([&action, options] { action = [options] { return profile(*options); }; });
}

}  // namespace lathe::cli
