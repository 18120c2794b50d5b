// Where networks run, for measuring and for training: "cpu", "cuda" (the first GPU) or "cuda:N".
#pragma once

#include <string>

namespace lathe::evaluators {

// "cpu" always; "cuda" where LibTorch was built for it and finds a GPU.
bool is_available(const std::string& device);
// Throws UserError, naming the config file and its key, where the device is not available.
void check_available(const std::string& device, const std::string& file, const std::string& key);

// GPUs that LibTorch finds; 0 where it was built without CUDA.
int gpu_count();
// The GPU of one of several processes on a host, which share `gpus` (>= 1) of them in turn: "cuda" becomes "cuda:N". Others stay.
std::string device_of_process(const std::string& device, int process_on_host, int gpus);

// Float convolutions and products in full float32 on GPUs, where LibTorch's default for convolutions is TF32 (10 bits of fraction): what is
// measured there then agrees with the CPU but for the order of sums. Holds for the process.
void compute_in_full_precision();

// The same until the end of the scope, for programs that train in TF32. Nothing for "cpu". Not beside other threads that compute in TF32.
class FullPrecision {
 public:
  explicit FullPrecision(const std::string& device);
  ~FullPrecision();
  FullPrecision(const FullPrecision&) = delete;
  FullPrecision& operator=(const FullPrecision&) = delete;

 private:
  bool changes_;
  bool convolutions_ = false, products_ = false;  // whether they were in TF32 before
};

}  // namespace lathe::evaluators
