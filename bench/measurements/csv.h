// Tables of published measurements: the folder `hw` of LATHE_DATA and its comma-separated files.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace lathe::measurements {

using CsvRow = std::map<std::string, std::string>;  // by the name in the first line

// Fields may be quoted; reads gzip too. Empty where the file is not there.
std::vector<CsvRow> read_csv(const std::string& path);

// The field as a number; `otherwise` where it is missing or empty. Throws UserError where it is no number.
double number(const CsvRow& row, const std::string& name, double otherwise = 0);

// LATHE_DATA/hw, or "" where it is not there.
std::string measurement_folder();

}  // namespace lathe::measurements
