// Work on a CUDA device, recorded once and replayed with a single launch, so that a small network takes as long as its kernels and not as
// long as a processor needs to launch them. LibTorch's own class for this needs CUDA's headers, which Lathe does not; the six functions
// of the CUDA runtime that it takes are looked up in the library that LibTorch has loaded.
#pragma once

#include <functional>
#include <memory>

namespace lathe::experiments {

class CudaGraph {
 public:
  // Runs `work` a few times on a stream of its own, then records it. What `work` launches must not wait for the device; memory that it
  // takes from LibTorch's allocator and gives back stays with that allocator and is written again by each replay. Throws
  // std::runtime_error, with CUDA's reason, where the work cannot be recorded.
  explicit CudaGraph(const std::function<void()>& work);

  void replay() const;  // and waits for its end

 private:
  struct Recording;
  std::shared_ptr<const Recording> recording_;
};

}  // namespace lathe::experiments
