#include "hwmodels/device_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "hwmodels/device_parameters.h"
#include "models/base/error.h"

namespace lathe::hwmodels {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A device of the smallest class, one line a number, so that tests can count lines.
std::string bit_serial_text() {
  std::string text = "name: mine\ntitle: My board\nclass: fpga_bit_serial\ncalibrated: false\ncapabilities:\n";
  text += "  channel_granularity: {value: 8, source: s}\n  weight_bits: {value: [8, 2, 4], source: s}\n";
  text += "  activation_bits: {value: [8], source: s}\nparameters:\n";
  for (const DeviceParameter& parameter : device_parameters(DeviceClass::kFpgaBitSerial)) {
    const bool is_share = std::string(parameter.key).ends_with("_efficiency");
    text += std::string("  ") + parameter.key + ": {value: " + (is_share ? "0.5" : "2e3") + ", source: data sheet}\n";
  }
  return text;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string error_of(const std::string& text) {
  try {
    parse_device(text, "mine.yaml");
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

TEST(DeviceSpec, ReadsNumbersSourcesAndCapabilities) {
  const DeviceSpec spec = parse_device(bit_serial_text(), "mine.yaml");
  EXPECT_EQ(spec.name, "mine");
  EXPECT_EQ(spec.title, "My board");
  EXPECT_EQ(spec.device_class, DeviceClass::kFpgaBitSerial);
  EXPECT_FALSE(spec.is_calibrated);
  EXPECT_EQ(spec.capabilities.channel_granularity, 8);
  EXPECT_THAT(spec.capabilities.weight_bits, ElementsAre(2, 4, 8));
  EXPECT_EQ(spec.at("clock_hz"), 2000.0);
  EXPECT_EQ(spec.sources.at("clock_hz"), "data sheet");
  EXPECT_EQ(spec.sources.at("weight_bits"), "s");
}

TEST(DeviceSpec, UnknownKeyNamesTheLineAndTheNearestSpelling) {
  EXPECT_EQ(error_of(replaced(bit_serial_text(), "title:", "titel:")), "mine.yaml:2: titel: unknown key; did you mean 'title'?");
  EXPECT_THAT(error_of(replaced(bit_serial_text(), "  array_rows:", "  aray_rows:")),
              HasSubstr("mine.yaml:11: parameters.aray_rows: unknown key; did you mean 'array_rows'?"));
}

TEST(DeviceSpec, MissingKeysAreAllReported) {
  const std::string error = error_of("name: x\nclass: gpu\ncapabilities: {}\nparameters: {}\n");
  EXPECT_THAT(error, HasSubstr("mine.yaml:4: parameters.clock_hz: missing key (boost clock"));
  EXPECT_THAT(error, HasSubstr("mine.yaml:4: parameters.multiprocessors: missing key"));
  EXPECT_THAT(error, HasSubstr("mine.yaml:3: capabilities.weight_bits: missing key"));
  EXPECT_THAT(error, Not(HasSubstr("tf32_macs_per_cycle")));  // optional
  EXPECT_THAT(error_of("title: x\n"), HasSubstr("name: missing key"));
}

TEST(DeviceSpec, NumbersMustBePositive) {
  EXPECT_EQ(error_of(replaced(bit_serial_text(), "clock_hz: {value: 2e3", "clock_hz: {value: -1")),
            "mine.yaml:10: parameters.clock_hz.value: expected a number above 0, got '-1'");
  EXPECT_EQ(error_of(replaced(bit_serial_text(), "clock_hz: {value: 2e3", "clock_hz: {value: 0")),
            "mine.yaml:10: parameters.clock_hz.value: expected a number above 0, got '0'");
  EXPECT_EQ(error_of(replaced(bit_serial_text(), "clock_hz: {value: 2e3", "clock_hz: {value: fast")),
            "mine.yaml:10: parameters.clock_hz.value: expected a number, got 'fast'");
  EXPECT_EQ(error_of(replaced(bit_serial_text(), "clock_hz: {value: 2e3", "clock_hz: {value: .inf")),
            "mine.yaml:10: parameters.clock_hz.value: expected a number, got '.inf'");
  EXPECT_THAT(error_of(replaced(bit_serial_text(), "array_efficiency: {value: 0.5", "array_efficiency: {value: 1.5")),
              HasSubstr("expected a share, above 0 and at most 1, got '1.5'"));
  EXPECT_THAT(error_of(replaced(bit_serial_text(), "[8, 2, 4]", "[8, 2.5]")), HasSubstr("expected a whole number from 1 to 32, got '2.5'"));
}

TEST(DeviceSpec, EveryNumberNeedsASource) {
  EXPECT_EQ(error_of(replaced(bit_serial_text(), "clock_hz: {value: 2e3, source: data sheet}", "clock_hz: {value: 2e3}")),
            "mine.yaml:10: parameters.clock_hz.source: missing: every number says where it comes from");
  EXPECT_EQ(error_of(replaced(bit_serial_text(), "clock_hz: {value: 2e3, source: data sheet}", "clock_hz: 2e3")),
            "mine.yaml:10: parameters.clock_hz: expected {value: ..., source: \"where the number comes from\"}, got '2e3'");
}

TEST(DeviceSpec, UnknownClassListsTheClasses) {
  EXPECT_THAT(error_of(replaced(bit_serial_text(), "fpga_bit_serial", "fpga_bitserial")),
              HasSubstr("mine.yaml:3: class: expected one of arm_cpu, arm_mcu, gpu, fpga_dpu, fpga_bit_serial, fpga_dataflow, x86_cpu, "
                        "lookup_table (did you mean 'fpga_bit_serial'?), got 'fpga_bitserial'"));
}

TEST(DeviceSpec, RepeatedKeysAndBrokenYamlAreErrors) {
  EXPECT_THAT(error_of("name: a\nname: b\n" + bit_serial_text().substr(11)), HasSubstr("mine.yaml:2: name: the key is there twice"));
  EXPECT_THAT(error_of("name: [a\n"), HasSubstr("mine.yaml:"));
  EXPECT_THAT(error_of(""), HasSubstr("expected a map"));
  EXPECT_THAT(error_of("- a\n- b\n"), HasSubstr("mine.yaml:1: expected a map"));
}

TEST(DeviceLookup, UnknownNameGetsTheNearestSpellingAndTheList) {
  try {
    load_device("raspbery-pi-4");
    FAIL() << "no error";
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'raspberry-pi-4'?"));
    EXPECT_THAT(error.what(), HasSubstr("nvidia-t4"));
  }
}

TEST(DeviceLookup, MissingFilesAndDirectoriesAreUserErrors) {
  EXPECT_THROW(load_device("/no/such/file.yaml"), UserError);
  EXPECT_THROW(load_device("configs/"), UserError);
  EXPECT_THROW(load_device(""), UserError);
}

TEST(DeviceLookup, FindsTheUsersOwnDirectoryFirst) {
  const std::filesystem::path folder = std::filesystem::path(LATHE_BINARY_DIR) / "device_lookup_test";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "my-board.yaml") << bit_serial_text();
  ASSERT_EQ(setenv("LATHE_DEVICES", folder.c_str(), 1), 0);
  EXPECT_EQ(load_device("my-board").title, "My board");
  EXPECT_THAT(device_names(), Contains("my-board"));
  ASSERT_EQ(unsetenv("LATHE_DEVICES"), 0);
  EXPECT_THAT(device_names(), Not(Contains("my-board")));
}

TEST(DeviceFiles, AllLoadAndSayWhereEachNumberComesFrom) {
  const std::vector<std::string> names = device_names();
  EXPECT_GE(names.size(), 11u);
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const DeviceSpec spec = load_device(name);
    EXPECT_EQ(spec.name, name);
    EXPECT_EQ(spec.is_calibrated, !spec.calibration.empty()) << "a calibrated device says what it was fitted to";
    EXPECT_FALSE(spec.title.empty());
    EXPECT_EQ(spec.sources.size(),
              spec.parameters.size() + 3 + (spec.capabilities.runs_two_of_four ? 1 : 0));  // the three capabilities too
    const std::string device_class = to_string(spec.device_class);
    EXPECT_EQ(spec.capabilities.has_fixed_ranges, device_class.starts_with("fpga") || device_class == "arm_mcu");
    for (const auto& [key, source] : spec.sources) EXPECT_GT(source.size(), 3u) << key;
  }
}

TEST(DeviceParameters, KeysAreUniqueAndExplained) {
  for (const DeviceClass device_class :
       {DeviceClass::kArmCpu, DeviceClass::kArmMcu, DeviceClass::kGpu, DeviceClass::kFpgaDpu, DeviceClass::kFpgaBitSerial,
        DeviceClass::kFpgaDataflow, DeviceClass::kX86Cpu, DeviceClass::kLookupTable}) {
    std::vector<std::string> keys;
    for (const DeviceParameter& parameter : device_parameters(device_class)) {
      EXPECT_THAT(std::string(parameter.help), Not(IsEmpty()));
      EXPECT_THAT(keys, Not(Contains(parameter.key)));
      keys.emplace_back(parameter.key);
    }
  }
}

}  // namespace
}  // namespace lathe::hwmodels
