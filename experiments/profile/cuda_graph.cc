#include "experiments/profile/cuda_graph.h"

#include <c10/core/Stream.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace lathe::experiments {
namespace {

// As in driver_types.h and cuda_runtime_api.h of CUDA 11.4 and later; streams, graphs and their executable form are opaque pointers.
constexpr unsigned kNonBlockingStream = 1;  // cudaStreamNonBlocking
constexpr int kRelaxedCapture = 2;          // cudaStreamCaptureModeRelaxed: the allocator may ask for memory meanwhile
constexpr int kWarmUpRuns = 3;              // libraries choose kernels and take work space in the first runs

// A function of the CUDA runtime; all return cudaError_t.
template <typename... Arguments>
auto runtime_function(const char* name) {
  const auto function = reinterpret_cast<int (*)(Arguments...)>(dlsym(RTLD_DEFAULT, name));
  if (function == nullptr) throw std::runtime_error(std::string("the CUDA runtime that LibTorch has loaded lacks ") + name);
  return function;
}

void check(const char* name, int error) {
  if (error == 0) return;
  const auto describe = reinterpret_cast<const char* (*)(int)>(dlsym(RTLD_DEFAULT, "cudaGetErrorString"));
  throw std::runtime_error(std::string(name) + ": " + (describe != nullptr ? describe(error) : std::to_string(error)));
}

template <typename... Arguments>
void call(const char* name, Arguments... arguments) {
  check(name, runtime_function<Arguments...>(name)(arguments...));
}

// Makes LibTorch launch on another stream, as c10::cuda::CUDAStreamGuard does. LibTorch's number of a stream that it did not create is
// the stream's address (c10/cuda/CUDAStream.cpp, getStreamFromExternal).
class CurrentStream {
 public:
  explicit CurrentStream(void* stream)
      : guard_(c10::DeviceType::CUDA),
        before_(guard_.exchangeStream(
            c10::Stream(c10::Stream::UNSAFE, guard_.getDevice(), static_cast<c10::StreamId>(reinterpret_cast<std::intptr_t>(stream))))) {}
  ~CurrentStream() { guard_.exchangeStream(before_); }
  CurrentStream(const CurrentStream&) = delete;
  CurrentStream& operator=(const CurrentStream&) = delete;

 private:
  c10::impl::VirtualGuardImpl guard_;
  c10::Stream before_;
};

}  // namespace

// Stream and graph live until the program ends: CUDA may be gone before the last job is.
struct CudaGraph::Recording {
  void* stream = nullptr;      // cudaStream_t
  void* executable = nullptr;  // cudaGraphExec_t
  // Looked up once, since a look-up takes as long as a small kernel.
  int (*launch)(void* executable, void* stream) = runtime_function<void*, void*>("cudaGraphLaunch");
  int (*synchronize)(void* stream) = runtime_function<void*>("cudaStreamSynchronize");
};

CudaGraph::CudaGraph(const std::function<void()>& work) {
  Recording recording;
  call("cudaStreamCreateWithFlags", &recording.stream, kNonBlockingStream);
  const CurrentStream current(recording.stream);
  for (int run = 0; run < kWarmUpRuns; ++run) work();
  check("cudaStreamSynchronize", recording.synchronize(recording.stream));
  call("cudaStreamBeginCapture", recording.stream, kRelaxedCapture);
  void* graph = nullptr;  // cudaGraph_t
  try {
    work();
  } catch (...) {
    call("cudaStreamEndCapture", recording.stream, &graph);
    throw;
  }
  call("cudaStreamEndCapture", recording.stream, &graph);
  call("cudaGraphInstantiateWithFlags", &recording.executable, graph, 0ULL);
  recording_ = std::make_shared<const Recording>(recording);
}

void CudaGraph::replay() const {
  check("cudaGraphLaunch", recording_->launch(recording_->executable, recording_->stream));
  check("cudaStreamSynchronize", recording_->synchronize(recording_->stream));
}

}  // namespace lathe::experiments
