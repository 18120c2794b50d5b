// A network run by LibTorch as a job to time; apart, since its headers are slow.
#pragma once

#include <functional>
#include <string>

#include "models/network.h"

namespace lathe::experiments {

struct TorchJobOptions {
  std::string device = "cpu";  // or "cuda"
  int threads = 1, batch = 1;
  bool is_half = false;   // weights and activations in fp16
  bool is_graph = false;  // a CUDA graph, recorded once, in place of a launch for each kernel; "cuda" only
};

// A call runs the network once on a batch of ones and waits for the result. Throws std::runtime_error where LibTorch cannot compute or
// record it.
std::function<void()> make_torch_job(const models::Network& network, const TorchJobOptions& options);

bool has_cuda();

}  // namespace lathe::experiments
