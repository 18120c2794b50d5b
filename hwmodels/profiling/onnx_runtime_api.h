// The part of ONNX Runtime's C interface that profiling calls. Its packages for Python bring the library without headers; the interface is
// a table of functions whose order never changes (entries are only appended: onnxruntime_c_api.h, "OrtApi"), so places in the table are
// all that is needed.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lathe::hwmodels::ort {

struct Env;
struct Status;
struct Session;
struct SessionOptions;
struct RunOptions;
struct Value;
struct MemoryInfo;
struct Allocator;
struct TypeInfo;
struct TensorInfo;

enum class ElementType : int { kFloat = 1, kUint8 = 2, kInt8 = 3, kInt32 = 6, kInt64 = 7, kBool = 9 };
inline constexpr int kWarning = 2;            // ORT_LOGGING_LEVEL_WARNING
inline constexpr int kArenaAllocator = 1;     // OrtArenaAllocator
inline constexpr int kDefaultMemory = 0;      // OrtMemTypeDefault
inline constexpr int kAllOptimizations = 99;  // ORT_ENABLE_ALL
// Version 11 (ONNX Runtime 1.11, 2022) has all functions used here.
inline constexpr std::uint32_t kApiVersion = 11;

struct ApiBase {
  const void* const* (*get_api)(std::uint32_t version);  // null where the library is older
  const char* (*version)();
};

// A function by its place in the table.
template <std::size_t place, typename Signature>
struct Function {
  static Signature* of(const void* const* api) { return reinterpret_cast<Signature*>(const_cast<void*>(api[place])); }
};

using GetErrorMessage = Function<2, const char*(const Status*)>;
using CreateEnv = Function<3, Status*(int log_level, const char* log_id, Env**)>;
using CreateSessionFromArray = Function<8, Status*(const Env*, const void* model, std::size_t bytes, const SessionOptions*, Session**)>;
using Run = Function<9, Status*(Session*, const RunOptions*, const char* const* input_names, const Value* const* inputs, std::size_t,
                                const char* const* output_names, std::size_t, Value** outputs)>;
using CreateSessionOptions = Function<10, Status*(SessionOptions**)>;
using SetGraphOptimizationLevel = Function<23, Status*(SessionOptions*, int level)>;
using SetIntraOpNumThreads = Function<24, Status*(SessionOptions*, int threads)>;
using SetInterOpNumThreads = Function<25, Status*(SessionOptions*, int threads)>;
using GetInputCount = Function<30, Status*(const Session*, std::size_t*)>;
using GetOutputCount = Function<31, Status*(const Session*, std::size_t*)>;
using GetInputTypeInfo = Function<33, Status*(const Session*, std::size_t, TypeInfo**)>;
using GetInputName = Function<36, Status*(const Session*, std::size_t, Allocator*, char**)>;
using GetOutputName = Function<37, Status*(const Session*, std::size_t, Allocator*, char**)>;
using CreateTensorWithData = Function<49, Status*(const MemoryInfo*, void* data, std::size_t bytes, const std::int64_t* shape,
                                                  std::size_t rank, ElementType, Value**)>;
using CastTypeInfoToTensorInfo = Function<55, Status*(const TypeInfo*, const TensorInfo**)>;
using GetTensorElementType = Function<60, Status*(const TensorInfo*, ElementType*)>;
using GetDimensionsCount = Function<61, Status*(const TensorInfo*, std::size_t*)>;
using GetDimensions = Function<62, Status*(const TensorInfo*, std::int64_t*, std::size_t)>;
using CreateCpuMemoryInfo = Function<69, Status*(int allocator_type, int memory_type, MemoryInfo**)>;
using AllocatorFree = Function<76, Status*(Allocator*, void*)>;
using GetDefaultAllocator = Function<78, Status*(Allocator**)>;
using ReleaseEnv = Function<92, void(Env*)>;
using ReleaseStatus = Function<93, void(Status*)>;
using ReleaseMemoryInfo = Function<94, void(MemoryInfo*)>;
using ReleaseSession = Function<95, void(Session*)>;
using ReleaseValue = Function<96, void(Value*)>;
using ReleaseTypeInfo = Function<98, void(TypeInfo*)>;
using ReleaseSessionOptions = Function<100, void(SessionOptions*)>;

}  // namespace lathe::hwmodels::ort
