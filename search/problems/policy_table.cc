#include "search/problems/policy_table.h"

#include <bit>
#include <cmath>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "models/base/check.h"
#include "models/base/error.h"
#include "policies/candidate_index.h"
#include "policies/search_space_json.h"

namespace lathe::search {
namespace {

using nlohmann::json;
using policies::Candidate;

constexpr const char* kFormat = "lathe.policy_table";
constexpr int kVersion = 1;
static_assert(std::endian::native == std::endian::little, "columns are written as they lie in memory");

template <typename T>
void write_column(std::ostream& file, const std::vector<T>& column) {
  file.write(reinterpret_cast<const char*>(column.data()), static_cast<std::streamsize>(column.size() * sizeof(T)));
}

template <typename T>
std::vector<T> read_column(std::istream& file, std::size_t size, const std::string& path) {
  std::vector<T> column(size);
  const auto bytes = static_cast<std::streamsize>(size * sizeof(T));
  if (!file.read(reinterpret_cast<char*>(column.data()), bytes))
    throw UserError(Fault{.file = path, .expected = "the table ends before its last column"});
  return column;
}

UserError not_a_table(const std::string& path, const std::string& why) {
  return UserError(Fault{.file = path, .expected = "the first line of a table of policies: " + why});
}

// Looks candidates up.
class TableMetrics final : public ExactMetrics {
 public:
  TableMetrics(policies::SearchSpace space, std::vector<std::vector<float>> columns)
      : space_(std::move(space)), columns_(std::move(columns)) {}
  bool compute(const Candidate& candidate, std::span<double> values) const override {
    const std::uint64_t index = policies::index_of(space_, candidate);
    for (std::size_t m = 0; m < columns_.size(); ++m) values[m + 1] = static_cast<double>(columns_[m][index]);
    return true;
  }

 private:
  const policies::SearchSpace space_;
  const std::vector<std::vector<float>> columns_;  // of the metrics behind accuracy
};

std::vector<std::vector<double>> sensitivity_of(const PolicyTable& table) {
  const Candidate full = policies::least_compressed(table.space);
  std::vector<std::vector<double>> drops;
  for (std::size_t d = 0; d < table.space.decisions.size(); ++d) {
    drops.emplace_back();
    for (std::size_t v = 0; v < table.space.decisions[d].values.size(); ++v) {
      Candidate alone = full;
      alone.choices[d] = static_cast<int>(v);
      drops.back().push_back(table.search_accuracy(full) - table.search_accuracy(alone));
    }
  }
  return drops;
}

}  // namespace

double PolicyTable::search_accuracy(const Candidate& candidate) const {
  return static_cast<double>(search_correct[policies::index_of(space, candidate)]) / static_cast<double>(search_rows);
}

PolicyTable read_policy_table(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string header;
  if (!std::getline(file, header)) throw UserError(Fault{.file = path, .expected = "a table of policies that can be read"});
  PolicyTable table;
  try {
    const json document = json::parse(header);
    if (document.at("format") != kFormat || document.at("version") != kVersion)
      throw UserError(Fault{.file = path, .expected = std::string(kFormat) + " of version " + std::to_string(kVersion)});
    table.model_name = document.at("model").at("name").get<std::string>();
    table.model_sha256 = document.at("model").at("sha256").get<std::string>();
    table.space = policies::space_of(document.at("space"));
    table.search_rows = document.at("search_rows").get<std::int64_t>();
    table.test_rows = document.at("test_rows").get<std::int64_t>();
    const auto size = static_cast<std::size_t>(policies::space_size(table.space));
    table.search_correct = read_column<std::uint16_t>(file, size, path);
    table.test_correct = read_column<std::uint16_t>(file, size, path);
    for (const json& name : document.at("exact")) table.exact[name.get<std::string>()] = read_column<float>(file, size, path);
  } catch (const json::exception& error) {
    throw not_a_table(path, error.what());
  } catch (const std::out_of_range& error) {
    throw not_a_table(path, error.what());
  }
  return table;
}

void write_policy_table(const PolicyTable& table, const std::string& path) {
  json document{{"format", kFormat},
                {"version", kVersion},
                {"model", {{"name", table.model_name}, {"sha256", table.model_sha256}}},
                {"space", policies::space_json(table.space)},
                {"search_rows", table.search_rows},
                {"test_rows", table.test_rows},
                {"exact", json::array()}};
  for (const auto& [name, column] : table.exact) document["exact"].push_back(name);
  std::ofstream file(path, std::ios::binary);
  file << document.dump() << '\n';
  write_column(file, table.search_correct);
  write_column(file, table.test_correct);
  for (const auto& [name, column] : table.exact) write_column(file, column);
  if (!file.flush()) throw UserError(Fault{.file = path, .expected = "a place that can be written"});
}

StandardProblem make_table_problem(const PolicyTable& table, const TableProblemOptions& options) {
  constexpr double kBeyond = 1.1;
  const Candidate full = policies::least_compressed(table.space);
  StandardProblem made{.name = table.model_name};
  made.problem.space = table.space;
  made.problem.metrics.push_back({"accuracy", Direction::kMaximize, /*is_measured=*/true});
  Front front{table.model_name, {0}, {table.search_accuracy(full) - options.accuracy_range}, {}};
  std::vector<std::vector<float>> columns;
  for (const std::string& name : options.objectives) {
    const auto column = table.exact.find(name);
    if (column == table.exact.end()) throw UserError(Fault{.key = "objectives", .expected = "a metric of the table", .got = name});
    front.metrics.push_back(static_cast<int>(made.problem.metrics.size()));
    front.reference_point.push_back(kBeyond * static_cast<double>(column->second[policies::index_of(table.space, full)]));
    made.problem.metrics.push_back({name, Direction::kMinimize, /*is_measured=*/false});
    columns.push_back(column->second);
  }
  made.problem.fronts.push_back(std::move(front));
  if (options.has_sensitivity) made.problem.sensitivity = sensitivity_of(table);
  made.exact = std::make_unique<TableMetrics>(table.space, std::move(columns));
  made.problem.exact = made.exact.get();
  const auto shared = std::make_shared<const PolicyTable>(table);
  made.measured = [shared](const Candidate& candidate) { return shared->search_accuracy(candidate); };
  const double p = table.search_accuracy(full);
  made.rows = table.search_rows;
  made.stddev = std::sqrt(p * (1 - p) / static_cast<double>(table.search_rows));
  return made;
}

int sensitivity_evaluations(const policies::SearchSpace& space) {
  int count = 1;
  for (const auto& decision : space.decisions) count += static_cast<int>(decision.values.size()) - 1;
  return count;
}

}  // namespace lathe::search
