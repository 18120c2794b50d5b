#include "hwmodels/profiling/machine_state.h"

#include <sched.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace lathe::hwmodels {
namespace {

// The text behind "key : " of /proc/cpuinfo, "" where there is no such line.
std::string cpuinfo_field(const std::string& key) {
  std::ifstream stream("/proc/cpuinfo");
  for (std::string line; std::getline(stream, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "";
}

std::string first_word(const std::string& path) {
  std::string word;
  std::ifstream(path) >> word;
  return word;
}

// Where the system scales frequencies, as it says now (kHz); else what /proc/cpuinfo says.
std::string clock_mhz() {
  const std::string khz = first_word("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq");
  const std::string mhz = cpuinfo_field("cpu MHz");
  if (!khz.empty()) return std::to_string(std::atoll(khz.c_str()) / 1000);
  return mhz.substr(0, mhz.find('.'));
}

}  // namespace

int pin_to_processors(int threads) {
  cpu_set_t allowed, chosen;
  CPU_ZERO(&chosen);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return 0;
  int pinned = 0;
  for (int processor = 0; processor < CPU_SETSIZE && pinned < threads; ++processor) {
    if (!CPU_ISSET(processor, &allowed)) continue;
    CPU_SET(processor, &chosen);
    ++pinned;
  }
  return sched_setaffinity(0, sizeof(chosen), &chosen) == 0 ? pinned : 0;
}

std::string machine_notes(int pinned_processors) {
  std::string notes = pinned_processors > 0 ? "pinned to " + std::to_string(pinned_processors) + " processors" : "not pinned";
  const auto add = [&](const std::string& what, const std::string& value, const std::string& unit) {
    if (!value.empty()) notes += "; " + what + " " + value + unit;
  };
  add("clock", clock_mhz(), " MHz");
  add("governor", first_word("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"), "");
  add("load", first_word("/proc/loadavg"), "");
  return notes;
}

std::string processor_name() {
  std::string name = cpuinfo_field("model name");
  if (name.empty()) name = cpuinfo_field("Model");
  utsname system{};
  if (name.empty() && uname(&system) == 0) name = system.machine;
  std::replace(name.begin(), name.end(), ',', ' ');
  return name;
}

}  // namespace lathe::hwmodels
