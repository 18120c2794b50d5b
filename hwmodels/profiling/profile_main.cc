// lathe-profile: measures networks and layer shapes on the machine that it is copied to. Needs neither LibTorch nor protobuf: ONNX files
// are handed to ONNX Runtime unread, and layers without it are computed by plain loops.
#include <charconv>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "hwmodels/profiling/layer_shape.h"
#include "hwmodels/profiling/machine_state.h"
#include "hwmodels/profiling/measurement_table.h"
#include "hwmodels/profiling/onnx_runtime.h"
#include "hwmodels/profiling/reference_kernels.h"
#include "hwmodels/profiling/timing.h"
#include "models/base/error.h"

namespace {

using namespace lathe::hwmodels;

constexpr const char* kHelp =
    "Measures networks and layers on this machine; writes the CSV file that `lathe calibrate` reads.\n\n"
    "Usage: lathe-profile [OPTIONS] [MODEL.onnx...]\n"
    "  --layers FILE       also every layer of this list (`lathe profile MODEL.onnx --list FILE` writes one), by built-in kernels\n"
    "  --out FILE          where to write; - is standard output (default)\n"
    "  --threads N         of ONNX Runtime; the built-in kernels have one (default 1)\n"
    "  --batch N           where the model leaves it open (default 1)\n"
    "  --seconds S         time spent on each network or layer (default 0.5)\n"
    "  --onnxruntime FILE  its library libonnxruntime.so*; found in the usual places without this\n"
    "Example:\n  lathe-profile --threads 4 resnet20.onnx resnet20_int8.onnx --out board.csv\n";

struct Options {
  std::vector<std::string> models;
  std::string layers, output = "-", onnx_runtime;
  int threads = 1, batch = 1;
  double seconds = 0.5;
  bool wants_help = false;
};

template <typename T>
void set_number(const std::string& option, const std::string& text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !(number > 0)) {
    throw lathe::UserError(lathe::Fault{.key = option, .expected = "expected a number above 0", .got = text});
  }
}

Options parse(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--help" || argument == "-h") {
      options.wants_help = true;
      return options;
    }
    if (!argument.starts_with("--")) {
      options.models.push_back(argument);
      continue;
    }
    if (i + 1 == arguments.size()) throw lathe::UserError("option " + argument + " needs a value or is unknown (--help lists all)");
    const std::string& value = arguments[++i];
    if (argument == "--layers")
      options.layers = value;
    else if (argument == "--out")
      options.output = value;
    else if (argument == "--threads")
      set_number(argument, value, options.threads);
    else if (argument == "--batch")
      set_number(argument, value, options.batch);
    else if (argument == "--seconds")
      set_number(argument, value, options.seconds);
    else if (argument == "--onnxruntime")
      options.onnx_runtime = value;
    else
      throw lathe::UserError("unknown option " + argument + " (--help lists all)");
  }
  if (options.models.empty() && options.layers.empty()) throw lathe::UserError("name an ONNX file or --layers FILE (--help says more)");
  return options;
}

std::string read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw lathe::UserError(lathe::Fault{.file = path, .expected = "cannot read this file"});
  return {std::istreambuf_iterator<char>(stream), {}};
}

// What is to be measured: a row without its times, and the work.
struct Jobs {
  std::vector<Measurement> rows;
  std::vector<std::function<void()>> work;
};

void add_models(const Options& options, Jobs& jobs) {
  if (options.models.empty()) return;
  const OnnxRuntime runtime(options.onnx_runtime);
  for (const std::string& model : options.models) {
    jobs.work.push_back(runtime.make_job(read_file(model), {.label = model, .threads = options.threads, .batch = options.batch}));
    jobs.rows.push_back(
        {.model = model, .runtime = "onnxruntime " + runtime.version(), .batch = options.batch, .threads = options.threads});
  }
}

void add_layers(const Options& options, Jobs& jobs) {
  if (options.layers.empty()) return;
  for (const LayerShape& layer : read_layer_shapes(options.layers)) {
    for (const auto precision : {ReferencePrecision::kFloat32, ReferencePrecision::kInt8}) {
      jobs.work.push_back(make_reference_layer(layer, precision));
      jobs.rows.push_back({.model = options.layers,
                           .runtime = "built-in",
                           .precision = precision == ReferencePrecision::kInt8 ? "int8" : "fp32",
                           .batch = static_cast<int>(layer.batch),
                           .layer = layer.name});
    }
  }
}

int run(const Options& options) {
  const int pinned = pin_to_processors(options.threads);
  Jobs jobs;
  add_models(options, jobs);
  add_layers(options, jobs);
  TimingOptions timing;
  timing.burst_s = options.seconds / timing.rounds;
  const std::vector<Timing> times = time_jobs(jobs.work, timing);
  const std::string notes = machine_notes(pinned), device = processor_name();
  for (std::size_t i = 0; i < times.size(); ++i) {
    jobs.rows[i].device = device;
    jobs.rows[i].timing = times[i];
    jobs.rows[i].notes = notes;
  }
  write_measurements(jobs.rows, options.output);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  constexpr int kFailed = 1, kUserFault = 2;
  try {
    const Options options = parse({argv + 1, argv + argc});
    if (options.wants_help) {
      std::cout << kHelp;
      return 0;
    }
    return run(options);
  } catch (const lathe::UserError& error) {
    std::cerr << "error: " << error.what() << '\n';
    return kUserFault;
  } catch (const std::exception& error) {
    std::cerr << "failed: " << error.what() << '\n';
    return kFailed;
  }
}
