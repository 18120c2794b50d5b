#include "hwmodels/profiling/measurement_table.h"

#include <cstdio>
#include <fstream>
#include <iostream>

#include "models/base/error.h"

namespace lathe::hwmodels {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", value);
  return text;
}

std::string quoted(const std::string& field) {
  if (field.find_first_of(",\"\n") == std::string::npos) return field;
  std::string text = "\"";
  for (const char c : field) text += c == '"' ? "\"\"" : std::string(1, c);
  return text + '"';
}

}  // namespace

void write_measurements(const std::vector<Measurement>& measurements, std::ostream& out) {
  out << "model,policy,device,runtime,precision,batch,threads,median_ms,p10_ms,p90_ms,p99_ms,runs,notes,power_w,energy_mj,layer\n";
  for (const Measurement& m : measurements) {
    out << quoted(m.model) << ',' << quoted(m.policy) << ',' << quoted(m.device) << ',' << quoted(m.runtime) << ',' << m.precision << ','
        << m.batch << ',' << m.threads << ',' << number(m.timing.median_ms) << ',' << number(m.timing.p10_ms) << ','
        << number(m.timing.p90_ms) << ',' << number(m.timing.p99_ms) << ',' << m.timing.runs << ',' << quoted(m.notes) << ',';
    // W x ms = mJ.
    if (m.power_w)
      out << number(*m.power_w) << ',' << number(*m.power_w * m.timing.median_ms) << ',';
    else
      out << ",,";
    out << quoted(m.layer) << '\n';
  }
}

void write_measurements(const std::vector<Measurement>& measurements, const std::string& path) {
  if (path == "-") return write_measurements(measurements, std::cout);
  std::ofstream stream(path);
  write_measurements(measurements, stream);
  stream.close();
  if (!stream) throw UserError(Fault{.file = path, .expected = "cannot write this file"});
}

}  // namespace lathe::hwmodels
