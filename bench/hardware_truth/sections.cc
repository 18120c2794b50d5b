#include "bench/hardware_truth/sections.h"

namespace lathe::bench {
namespace {

constexpr Section kSections[] = {
    {"nasbench201", "NAS-Bench-201", nasbench201},
    {"fbnet", "FBNet", fbnet},
    {"ofa", "Once-for-All", ofa},
    {"hat", "HAT Transformers", hat},
    {"ncnn", "ncnn on ARM", ncnn},
    {"dpu", "DPU", dpu},
    {"mlperf_tiny", "MLPerf Tiny", mlperf_tiny},
    {"h200", "H200", h200},
    {"jetson", "TensorRT on Jetson", jetson},
    {"haq_lut", "Look-up table of HAQ", haq_lut},
    {"host_cpu", "Host CPU", host_cpu},
};

}  // namespace

std::span<const Section> sections() {
  return kSections;
}

}  // namespace lathe::bench
