// A table of measured policies: every candidate of a small space with its measured accuracy and its exact metrics, so that search
// algorithms are compared on a real network without running it.
//
// The file: one line of JSON (version, model, space, rows, columns), then the columns, each with one little-endian number for each
// candidate, in the order of policies/candidate_index.h: correct rows as uint16, exact metrics as float32.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "policies/search_space.h"
#include "search/standard_problems.h"

namespace lathe::search {

struct PolicyTable {
  std::string model_name, model_sha256;
  policies::SearchSpace space;
  std::int64_t search_rows = 0, test_rows = 0;              // that were run; test_rows may be 0
  std::vector<std::uint16_t> search_correct, test_correct;  // by index of the candidate
  std::map<std::string, std::vector<float>> exact;          // by metric: "latency_ms@raspberry-pi-4", "packed_bytes"
  bool operator==(const PolicyTable&) const = default;

  double search_accuracy(const policies::Candidate& candidate) const;
};

// Throws UserError for files that are no such table or that end early.
PolicyTable read_policy_table(const std::string& path);
void write_policy_table(const PolicyTable& table, const std::string& path);

struct TableProblemOptions {
  std::vector<std::string> objectives{"latency_ms@raspberry-pi-4"};  // exact metrics beside accuracy; each is minimized
  double accuracy_range = 0.4;  // below the uncompressed network's, where hypervolume begins; of other metrics it begins at 1.1 of theirs
  bool has_sensitivity = false;
};
// Accuracy on the search split against exact metrics. Throws UserError for a metric that the table lacks.
StandardProblem make_table_problem(const PolicyTable& table, const TableProblemOptions& options);
// Evaluations that measuring the sensitivities takes: each decision alone at each value, and the uncompressed network.
int sensitivity_evaluations(const policies::SearchSpace& space);

}  // namespace lathe::search
