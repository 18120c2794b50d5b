// Measurements as the CSV file that `lathe calibrate` reads:
//
//     model,policy,device,runtime,precision,batch,threads,median_ms,p10_ms,p90_ms,p99_ms,runs,notes,power_w,energy_mj,layer
//
// `policy` and `layer` are empty for the float network as a whole, power and energy where nothing measures them.
#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "hwmodels/profiling/timing.h"

namespace lathe::hwmodels {

struct Measurement {
  std::string model;      // file
  std::string policy;     // file; "" = the network as it is
  std::string device;     // "AMD EPYC", "NVIDIA H200"
  std::string runtime;    // "onnxruntime 1.20.1", "libtorch", "built-in"
  std::string precision;  // "fp32", "int8", "mixed"
  int batch = 1, threads = 1;
  Timing timing;
  std::string notes;
  std::optional<double> power_w;  // average while it ran
  std::string layer;              // name of the layer shape; "" = the whole network
};

void write_measurements(const std::vector<Measurement>& measurements, std::ostream& out);
// To a file, or to standard output where `path` is "-". Throws UserError where the file cannot be written.
void write_measurements(const std::vector<Measurement>& measurements, const std::string& path);

}  // namespace lathe::hwmodels
