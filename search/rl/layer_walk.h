// The decisions of a policy as an episode: one after the other in network order, each with a state made of its layer, of what has been
// saved and can still be saved, and of the budget that is wanted.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "search/problem.h"

namespace lathe::search {

// State as in AMC (Y. He et al., AMC: AutoML for Model Compression and Acceleration on Mobile Devices, ECCV 2018, eq. 2) and HAQ (K. Wang
// et al., HAQ: Hardware-Aware Automated Quantization with Mixed Precision, CVPR 2019, eqs. 2 and 3): index, kind, channels, kernel,
// stride, size, cost, reduced so far, rest, previous action; here for pruning and both widths in one walk, with the wanted budget and
// what the device pays for added, so that one actor serves the whole front of every device. Its size and scales do not depend on the
// network or on how many devices there are, so that it serves other networks and devices too.
//
// Cost is the first minimized exact metric of the front (latency of its device), as a share of the uncompressed network's; where accuracy
// is all that the front asks for, the first metric that it limits.
class LayerWalk {
 public:
  // `problem` must outlive it.
  explicit LayerWalk(const Problem& problem);

  static int state_size();
  int length() const { return static_cast<int>(problem_.space.decisions.size()); }

  // Budgets that make sense for a front: from the least cost to the smallest of uncompressed cost, reference point and limit.
  // The limit alone where the cost is limited and no objective: what is cheaper is worth no more. {1, 1} where the front has no cost.
  struct Range {
    double low = 1, high = 1;
    bool is_point() const { return low == high; }
  };
  Range budget_range(int front) const;
  // The candidate of least cost. Full compression, unless a device pays for it (a width that it has to unpack): then what changing one
  // decision after the other leads to, which is the least where costs of decisions add up.
  const policies::Candidate& cheapest(int front) const { return devices_[static_cast<std::size_t>(front)].cheapest; }
  // Cost share; 1 where the front has no cost or its device cannot run the candidate.
  double cost(int front, const policies::Candidate& candidate) const;

  // Action in [0, 1] for the state [state_size()]; called once a decision, in order.
  using Policy = std::function<double(std::span<const float> state)>;
  // Walks all decisions. Action a takes value floor(a * values), or the nearest one, lower ones first, with which the budget can still be
  // met when everything after it is as cheap as can be (AMC algorithm 1, with exact costs of the whole device instead of MACs). The budget
  // is kept whenever `cheapest` keeps it; where no value does, each decision takes its least cost.
  policies::Candidate walk(int front, double budget, const Policy& policy) const;

  // The walk that leads to `candidate`.
  struct Episode {
    std::vector<float> states;   // [length x state_size]
    std::vector<float> actions;  // [length], the middle of the value's interval
  };
  Episode episode(int front, double budget, const policies::Candidate& candidate) const;

 private:
  struct Progress;
  // What is the same in each walk, by front.
  struct Device {
    int cost_metric = -1;        // -1 = none
    bool is_objective = false;   // of the front, not only limited
    double full_cost = 1;        // in the metric's unit
    policies::Candidate cheapest;
    std::vector<float> savings;         // of each decision alone, as a share of the largest
    std::vector<float> kind_savings;    // of all decisions of a kind together, as a share of the uncompressed cost
  };
  Device device_of(const Front& front) const;
  void find_savings(int front);
  policies::Candidate find_cheapest(int front) const;
  int affordable(int front, double budget, int decision, int wanted, policies::Candidate& low) const;
  void write_state(const Progress& progress, int decision, std::span<float> state) const;
  const Problem& problem_;
  std::vector<Device> devices_;               // of each front
  std::vector<std::vector<float>> features_;  // of each decision, what does not change
};

}  // namespace lathe::search
