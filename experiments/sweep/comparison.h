// The runs of a sweep side by side. The values of one key of the config are the *methods* that are compared (agents, most often); what else
// differs between runs, seed apart, are the *problems*; each problem on each device with each seed is a *block* in which every method was
// tried once.
#pragma once

#include <string>
#include <vector>

#include "experiments/sweep/attainment.h"
#include "experiments/sweep/run_record.h"
#include "experiments/sweep/statistics.h"

namespace lathe::experiments {

// One run on one device.
struct RunResult {
  std::string method, problem, device, seed, run;
  std::string cost;               // name of the metric that is the front's second axis
  double hypervolume = 0;         // as a share of the box between the reference point and the ideal
  std::vector<FrontPoint> front;  // accuracy against the cost
};

// Gathers results run by run, dropping the trials.
class ResultCollector {
 public:
  // compared: the key whose values are the methods; "" = search.agents if that differs, else the first key that does.
  explicit ResultCollector(std::string compared) : compared_(std::move(compared)) {}
  void add(const RunRecord& run);

  struct Collection {
    std::string compared;  // key
    std::vector<std::string> methods, problems;
    std::vector<RunResult> results;  // by problem, device, method, seed
    int incomplete = 0;              // runs that have not come to their end and are left out
  };
  Collection finish() &&;

 private:
  struct Run {
    std::map<std::string, std::string> settings;
    std::vector<RunResult> results;
  };
  std::string compared_;
  std::vector<Run> runs_;
  int incomplete_ = 0;
};

struct PairTest {
  std::string a, b;
  int blocks = 0, wins = 0, losses = 0;  // of a
  double median_difference = 0;          // of the hypervolumes, a minus b
  SignedRank test;
  double adjusted_p = 1;  // Holm, over all pairs
};

struct Comparison {
  std::vector<PairTest> pairs;
  FriedmanTest ranks;  // of the methods; empty where fewer than two, or no block has all
  int blocks = 0;      // that have every method
};

Comparison compare_methods(const ResultCollector::Collection& collection);

}  // namespace lathe::experiments
