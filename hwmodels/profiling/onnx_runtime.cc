#include "hwmodels/profiling/onnx_runtime.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "hwmodels/profiling/onnx_runtime_api.h"
#include "models/base/error.h"

namespace lathe::hwmodels {
namespace {

namespace fs = std::filesystem;

// Library files of the Python packages below `environment`, newest name last.
void add_python_libraries(const fs::path& environment, std::vector<std::string>& candidates) {
  std::error_code error;
  for (const fs::directory_entry& python : fs::directory_iterator(environment / "lib", error)) {
    const fs::path folder = python.path() / "site-packages/onnxruntime/capi";
    std::error_code absent;
    for (const fs::directory_entry& file : fs::directory_iterator(folder, absent)) {
      if (file.path().filename().string().starts_with("libonnxruntime.so")) candidates.push_back(file.path().string());
    }
  }
}

std::vector<std::string> library_candidates(const std::string& library) {
  if (!library.empty()) return {library};
  if (const char* named = std::getenv("LATHE_ONNXRUNTIME"); named != nullptr && *named != '\0') return {named};
  std::vector<std::string> candidates{"libonnxruntime.so", "libonnxruntime.so.1"};
  if (const char* environment = std::getenv("VIRTUAL_ENV"); environment != nullptr) add_python_libraries(environment, candidates);
  add_python_libraries(".venv", candidates);
  return candidates;
}

std::size_t size_of(ort::ElementType type) {
  switch (type) {
    case ort::ElementType::kFloat:
    case ort::ElementType::kInt32:
      return 4;
    case ort::ElementType::kInt64:
      return 8;
    case ort::ElementType::kUint8:
    case ort::ElementType::kInt8:
    case ort::ElementType::kBool:
      return 1;
  }
  return 0;
}

}  // namespace

struct OnnxRuntime::Library {
  std::string version;
  const void* const* api = nullptr;
  ort::Env* env = nullptr;

  template <typename Function, typename... Arguments>
  void call(Arguments... arguments) const {
    ort::Status* status = Function::of(api)(arguments...);
    if (status == nullptr) return;
    const std::string message = ort::GetErrorMessage::of(api)(status);
    ort::ReleaseStatus::of(api)(status);
    throw std::runtime_error(message.substr(0, message.find('\n')));
  }
  ~Library() {
    if (env != nullptr) ort::ReleaseEnv::of(api)(env);
  }
};

namespace {

// A session with its inputs, ready to run.
template <typename Library>
class Session {
 public:
  Session(std::shared_ptr<const Library> library, const std::string& model, int threads, int batch) : library_(std::move(library)) {
    try {
      open(model, threads);
      bind(batch);
    } catch (...) {
      release();
      throw;
    }
  }
  ~Session() { release(); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void run() {
    std::vector<ort::Value*> outputs(output_names_.size(), nullptr);
    library_->template call<ort::Run>(session_, static_cast<const ort::RunOptions*>(nullptr), pointers(input_names_).data(), inputs_.data(),
                                      inputs_.size(), pointers(output_names_).data(), output_names_.size(), outputs.data());
    for (ort::Value* output : outputs) ort::ReleaseValue::of(library_->api)(output);
  }

 private:
  static std::vector<const char*> pointers(const std::vector<std::string>& names) {
    std::vector<const char*> result;
    for (const std::string& name : names) result.push_back(name.c_str());
    return result;
  }

  void open(const std::string& model, int threads) {
    ort::SessionOptions* options = nullptr;
    library_->template call<ort::CreateSessionOptions>(&options);
    const std::unique_ptr<ort::SessionOptions, void (*)(ort::SessionOptions*)> owner(options,
                                                                                     ort::ReleaseSessionOptions::of(library_->api));
    library_->template call<ort::SetIntraOpNumThreads>(options, threads);
    library_->template call<ort::SetInterOpNumThreads>(options, 1);
    library_->template call<ort::SetGraphOptimizationLevel>(options, ort::kAllOptimizations);
    library_->template call<ort::CreateSessionFromArray>(library_->env, static_cast<const void*>(model.data()), model.size(), options,
                                                         &session_);
    library_->template call<ort::CreateCpuMemoryInfo>(ort::kArenaAllocator, ort::kDefaultMemory, &memory_);
  }

  void bind(int batch) {
    std::size_t inputs = 0, outputs = 0;
    library_->template call<ort::GetInputCount>(session_, &inputs);
    library_->template call<ort::GetOutputCount>(session_, &outputs);
    for (std::size_t i = 0; i < inputs; ++i) {
      input_names_.push_back(name<ort::GetInputName>(i));
      add_input(i, batch);
    }
    for (std::size_t i = 0; i < outputs; ++i) output_names_.push_back(name<ort::GetOutputName>(i));
  }

  template <typename Getter>
  std::string name(std::size_t index) const {
    ort::Allocator* allocator = nullptr;
    library_->template call<ort::GetDefaultAllocator>(&allocator);
    char* text = nullptr;
    library_->template call<Getter>(session_, index, allocator, &text);
    std::string copy = text;
    library_->template call<ort::AllocatorFree>(allocator, static_cast<void*>(text));
    return copy;
  }

  void add_input(std::size_t index, int batch) {
    ort::TypeInfo* info = nullptr;
    library_->template call<ort::GetInputTypeInfo>(session_, index, &info);
    const std::unique_ptr<ort::TypeInfo, void (*)(ort::TypeInfo*)> owner(info, ort::ReleaseTypeInfo::of(library_->api));
    const ort::TensorInfo* tensor = nullptr;
    library_->template call<ort::CastTypeInfoToTensorInfo>(static_cast<const ort::TypeInfo*>(info), &tensor);
    if (tensor == nullptr) throw std::runtime_error("input " + input_names_.back() + " is not a tensor");
    ort::ElementType type{};
    std::size_t rank = 0;
    library_->template call<ort::GetTensorElementType>(tensor, &type);
    library_->template call<ort::GetDimensionsCount>(tensor, &rank);
    std::vector<std::int64_t> shape(rank);
    library_->template call<ort::GetDimensions>(tensor, shape.data(), rank);
    if (size_of(type) == 0) throw std::runtime_error("input " + input_names_.back() + " has an element type that profiling does not fill");
    std::size_t elements = 1;
    for (std::size_t axis = 0; axis < rank; ++axis) {
      if (shape[axis] < 0) shape[axis] = axis == 0 ? batch : 1;
      elements *= static_cast<std::size_t>(shape[axis]);
    }
    data_.push_back(small_numbers(type, elements));
    ort::Value* value = nullptr;
    library_->template call<ort::CreateTensorWithData>(static_cast<const ort::MemoryInfo*>(memory_),
                                                       static_cast<void*>(data_.back().data()), data_.back().size(),
                                                       static_cast<const std::int64_t*>(shape.data()), rank, type, &value);
    inputs_.push_back(value);
  }

  // Zeros for integers, which may be indices; else a ramp over [0, 1), since arithmetic with denormal numbers or zeros may be slower or
  // faster than usual.
  static std::vector<std::byte> small_numbers(ort::ElementType type, std::size_t elements) {
    std::vector<std::byte> bytes(elements * size_of(type));
    if (type != ort::ElementType::kFloat) return bytes;
    auto* values = reinterpret_cast<float*>(bytes.data());
    for (std::size_t i = 0; i < elements; ++i) values[i] = static_cast<float>(i % 251) / 251.0f;
    return bytes;
  }

  void release() {
    for (ort::Value* input : inputs_) ort::ReleaseValue::of(library_->api)(input);
    if (memory_ != nullptr) ort::ReleaseMemoryInfo::of(library_->api)(memory_);
    if (session_ != nullptr) ort::ReleaseSession::of(library_->api)(session_);
  }

  std::shared_ptr<const Library> library_;
  ort::Session* session_ = nullptr;
  ort::MemoryInfo* memory_ = nullptr;
  std::vector<std::string> input_names_, output_names_;
  std::vector<std::vector<std::byte>> data_;  // of the inputs, which point into it
  std::vector<ort::Value*> inputs_;
};

}  // namespace

OnnxRuntime::OnnxRuntime(const std::string& library) {
  void* handle = nullptr;
  const std::vector<std::string> candidates = library_candidates(library);
  for (const std::string& candidate : candidates) {
    // Never closed: its threads may outlive every session.
    if (handle == nullptr) handle = dlopen(candidate.c_str(), RTLD_NOW | RTLD_LOCAL);
  }
  if (handle == nullptr) {
    throw UserError(
        "cannot load ONNX Runtime (" + candidates.front() +
        "); name its library libonnxruntime.so* in LATHE_ONNXRUNTIME (the Python package onnxruntime has it in its folder capi)");
  }
  const auto get_api_base = reinterpret_cast<const ort::ApiBase* (*)()>(dlsym(handle, "OrtGetApiBase"));
  if (get_api_base == nullptr) throw UserError(candidates.front() + " is not ONNX Runtime: it lacks OrtGetApiBase");
  auto loaded = std::make_shared<Library>();
  loaded->version = get_api_base()->version();
  loaded->api = get_api_base()->get_api(ort::kApiVersion);
  if (loaded->api == nullptr) throw UserError("ONNX Runtime " + loaded->version + " is too old, expected 1.11 or later");
  loaded->call<ort::CreateEnv>(ort::kWarning, "lathe", &loaded->env);
  library_ = std::move(loaded);
}

std::string OnnxRuntime::version() const {
  return library_->version;
}

std::function<void()> OnnxRuntime::make_job(const std::string& model, const SessionOptions& options) const {
  try {
    auto session = std::make_shared<Session<Library>>(library_, model, options.threads, options.batch);
    return [session] { session->run(); };
  } catch (const std::runtime_error& error) {
    throw UserError(Fault{.file = options.label, .expected = std::string("ONNX Runtime cannot run this model: ") + error.what()});
  }
}

}  // namespace lathe::hwmodels
