// Attainment bands as an SVG picture, for the report and for papers.
#pragma once

#include <string>
#include <vector>

#include "experiments/sweep/attainment.h"

namespace lathe::experiments {

struct AttainmentBand {
  std::string name;
  // What a quarter, half and three quarters of the runs attain.
  std::vector<FrontPoint> quarter, half, three_quarters;
};

// `band` of the fronts of several runs.
AttainmentBand attainment_band(const std::string& name, const std::vector<std::vector<FrontPoint>>& fronts);

// Median lines over shaded bands, with axes. cost_title: "latency_ms".
std::string attainment_svg(const std::string& title, const std::string& cost_title, const std::vector<AttainmentBand>& bands);

}  // namespace lathe::experiments
