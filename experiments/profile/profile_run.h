// `lathe profile`: times of a network under policies, and of its layers, on this machine.
#pragma once

#include <string>
#include <vector>

#include "hwmodels/profiling/layer_shape.h"
#include "hwmodels/profiling/measurement_table.h"

namespace lathe::experiments {

enum class ProfiledDevice { kHost, kCuda };
enum class ProfilingRuntime { kOnnxRuntime, kLibTorch };

struct ProfileOptions {
  std::string model;                  // ONNX file
  std::vector<std::string> policies;  // files, each measured beside the network itself
  ProfiledDevice device = ProfiledDevice::kHost;
  ProfilingRuntime runtime = ProfilingRuntime::kOnnxRuntime;
  bool measures_layers = false;  // also every layer shape of the network and of the policies, in each type
  bool measures_half = false;    // also everything in fp16 (LibTorch)
  bool uses_graph = false;       // CUDA: replay a recorded graph in place of launching each kernel
  int threads = 1, batch = 1;
  double seconds = 0.5;  // spent on each network or layer; on CUDA as long again for its power
};

// Jobs are interleaved, see hwmodels/profiling/timing.h. Throws UserError where the model, a policy, the runtime or the device is missing
// or does not fit.
std::vector<hwmodels::Measurement> profile(const ProfileOptions& options);

// The layer shapes that `measures_layers` would measure, to be measured elsewhere by lathe-profile.
std::vector<hwmodels::LayerShape> profiled_layers(const ProfileOptions& options);

}  // namespace lathe::experiments
