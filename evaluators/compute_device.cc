#include "evaluators/compute_device.h"

#include <ATen/Context.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "models/base/check.h"
#include "models/base/error.h"

namespace lathe::evaluators {

bool is_available(const std::string& device) {
  return device == "cpu" || (device.rfind("cuda", 0) == 0 && at::hasCUDA());
}

void check_available(const std::string& device, const std::string& file, const std::string& key) {
  if (is_available(device)) return;
  throw UserError(
      Fault{.file = file, .key = key, .expected = "this LibTorch finds no GPU (see LATHE_TORCH_DIR); expected cpu", .got = device});
}

int gpu_count() {
  return at::hasCUDA() ? c10::impl::VirtualGuardImpl(at::kCUDA).deviceCount() : 0;
}

std::string device_of_process(const std::string& device, int process_on_host, int gpus) {
  LATHE_CHECK_GE(process_on_host, 0);
  LATHE_CHECK_GT(gpus, 0);
  return device == "cuda" ? "cuda:" + std::to_string(process_on_host % gpus) : device;
}

void compute_in_full_precision() {
  at::globalContext().setAllowTF32CuDNN(false);
  at::globalContext().setAllowTF32CuBLAS(false);
}

FullPrecision::FullPrecision(const std::string& device) : changes_(device != "cpu") {
  if (!changes_) return;
  convolutions_ = at::globalContext().allowTF32CuDNN();
  products_ = at::globalContext().allowTF32CuBLAS();
  compute_in_full_precision();
}

FullPrecision::~FullPrecision() {
  if (!changes_) return;
  at::globalContext().setAllowTF32CuDNN(convolutions_);
  at::globalContext().setAllowTF32CuBLAS(products_);
}

}  // namespace lathe::evaluators
