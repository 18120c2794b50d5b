// The sections of the report, in its order.
#pragma once

#include <span>

#include "bench/hardware_truth/section.h"

namespace lathe::bench {

SectionResult nasbench201(const DataFolder& data);
SectionResult fbnet(const DataFolder& data);
SectionResult ofa(const DataFolder& data);
SectionResult hat(const DataFolder& data);
SectionResult ncnn(const DataFolder& data);
SectionResult dpu(const DataFolder& data);
SectionResult mlperf_tiny(const DataFolder& data);
SectionResult h200(const DataFolder& data);
SectionResult jetson(const DataFolder& data);
SectionResult haq_lut(const DataFolder& data);
SectionResult host_cpu(const DataFolder& data);

std::span<const Section> sections();

}  // namespace lathe::bench
