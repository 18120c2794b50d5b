// One comparison of hardware models with measurements: a function from a data folder to rows of a table, the claims that the rows are
// held to, and the means that end the report. A section is one file and one line in sections.cc; it must work on other rows and other
// device columns than those it was written with.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bench/measurements/csv.h"

namespace lathe::bench {

struct Metric {
  std::string name;  // heads the column: "Spearman", "median error %", "MACs: Spearman" for a baseline
  double value = 0;
};

struct TruthRow {
  std::string dataset;   // "NAS-Bench-201"
  std::string device;    // a column of the data, or "mean of 6 devices"
  std::string protocol;  // "prior of 9 devices, 10 measurements, 20 draws"
  std::vector<Metric> metrics;
};

// What the rows must show.
struct Claim {
  std::string text;  // "mean Spearman, unseen devices"
  double measured = 0;
  enum class Bound { kAtLeast, kAtMost } bound = Bound::kAtLeast;
  double limit = 0;
  bool is_met() const { return bound == Bound::kAtLeast ? measured >= limit : measured <= limit; }
};

struct SectionResult {
  std::vector<TruthRow> rows;  // columns of the printed table: the metrics' names in order of first appearance
  std::vector<Claim> claims;
  std::vector<Metric> means;       // for the last line of the report
  std::vector<std::string> notes;  // printed below the table: rows left out, what a device is scored on
};

// Thrown by a section whose data are not there; the report says so and goes on.
class MissingData : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The folder given by --data, laid out as the folder `hw` of LATHE_DATA.
class DataFolder {
 public:
  explicit DataFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Rows of the file, say "h200/h200_dev.csv"; where it is not there, of the file beside it whose name differs after the last '_' alone
  // (other parts of a set end otherwise). Throws MissingData, and UserError where it lacks some of the `columns`.
  std::vector<measurements::CsvRow> rows(const std::string& file, const std::vector<std::string>& columns) const;
  // Path of that file. Throws MissingData.
  std::filesystem::path find(const std::string& file) const;

 private:
  std::filesystem::path folder_;
};

struct Section {
  const char* name;   // for --section
  const char* title;  // heads its table
  SectionResult (*run)(const DataFolder&);
};

// Names of the columns that hold nothing but numbers, in some row at least, and are not in `known`: the devices.
std::vector<std::string> device_columns(const std::vector<measurements::CsvRow>& rows, const std::vector<std::string>& known);

}  // namespace lathe::bench
