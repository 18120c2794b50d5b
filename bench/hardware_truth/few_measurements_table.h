// Tables of the sections that follow the protocol of few_measurements.h.
#pragma once

#include <string>
#include <vector>

#include "bench/hardware_truth/few_measurements.h"
#include "bench/hardware_truth/section.h"

namespace lathe::bench {

struct SpaceTable {
  std::string dataset;
  const MeasuredSpace* space = nullptr;
  const std::vector<double>* macs = nullptr;
  const Eigen::MatrixXd* linear_features = nullptr;  // of the linear baseline
  FewMeasurementsOptions options;
};

// Rows of HELP's protocol: the prior from its training devices, every other device in turn. Adds the means over its unseen devices.
void add_help_protocol(const SpaceTable& table, SectionResult& result);

// Each chip that was really measured left out in turn, all its batches; the prior from all other measured chips. Adds the mean.
void add_chip_left_out(const SpaceTable& table, SectionResult& result);

// The row of the mean of this protocol; null where no device was scored by it.
const TruthRow* find_mean(const SectionResult& result, const std::string& protocol);
double metric(const TruthRow& row, const std::string& name);

inline constexpr const char* kHelpProtocol = "HELP's training devices + 10";
inline constexpr const char* kChipLeftOut = "chip left out + 10";
inline constexpr const char* kSpearman = "Spearman";
inline constexpr const char* kError = "median error %";

}  // namespace lathe::bench
