// A network run by LibTorch as a job to time; apart, since its headers are slow.
#pragma once

#include <functional>
#include <string>

#include "models/network.h"

namespace lathe::experiments {

// device: "cpu" or "cuda". A call runs the network once on a batch of small numbers and waits for the result.
std::function<void()> make_torch_job(const models::Network& network, const std::string& device, int threads, int batch);

bool has_cuda();

}  // namespace lathe::experiments
