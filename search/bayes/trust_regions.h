// Where proposals of Bayesian optimization may lie: in boxes about members of the front. Among a hundred decisions and more a global model
// is unsure nearly everywhere, and its acquisition function is largest far from all that is known. A box grows while what is proposed in it
// enlarges the front, and shrinks while it does not.
//   D. Eriksson, M. Pearce, J. R. Gardner, R. Turner, M. Poloczek, Scalable Global Optimization via Local Bayesian Optimization, NeurIPS
//   2019 (TuRBO): sides in proportion to length scales; lengths, and what counts as a row of successes or failures. S. Daulton, D.
//   Eriksson, M. Balandat, E. Bakshy, Multi-Objective Bayesian Optimization over High-Dimensional Search Spaces, UAI 2022 (MORBO): several
//   regions, about the members with the largest hypervolume contributions; a success enlarges the hypervolume.
// Different here: one model serves all regions, since a few hundred trials are too few for one each; the acquisition function stays the
// expected hypervolume improvement; a box has at least one step of each decision to either side, since most have five to eight values; and
// a region that has shrunk to nothing begins anew at its first length about whatever member is its by then.
#pragma once

#include <Eigen/Core>
#include <map>
#include <span>
#include <vector>

#include "search/hypervolume.h"
#include "search/problem.h"
#include "search/trial.h"

namespace lathe::search {

struct TrustBox {
  policies::Candidate center;
  std::vector<int> low, high;  // choices of each decision, both included

  // The choice of decision `d` that is nearest to this one.
  int nearest(int d, int choice) const;
};

struct TrustRegionOptions {
  int regions = 5;
  int successes = 3, failures = 8;                      // one after the other, until a region's length is doubled, or halved
  double length = 0.8, shortest = 0.01, longest = 1.6;  // side of a box, where a decision's values span 1
};

// Of one front. Regions go by number, from 0.
class TrustRegions {
 public:
  // Both references must outlive it.
  TrustRegions(const Problem& problem, const Front& front, const TrustRegionOptions& options);

  // Finished trials: the front, and whether proposals succeeded.
  void learn(std::span<const Trial> finished);
  // False while no trial has a place on the front.
  bool has_boxes() const { return !points_.empty(); }
  int size() const { return static_cast<int>(regions_.size()); }
  // About the member whose contribution to the hypervolume comes at place `region` (again from the first where there are fewer members).
  // log_lengths: length scales by decision.
  TrustBox box(int region, const Eigen::VectorXd& log_lengths) const;
  double length(int region) const { return regions_[static_cast<std::size_t>(region)].length; }
  // The candidate comes from the region, whose luck its trial will be.
  void note(int region, const policies::Candidate& candidate) { proposed_[candidate] = region; }

 private:
  struct Region {
    double length;
    int successes = 0, failures = 0;  // since the last change, one of them 0
  };
  void score(Region& region, bool is_success);
  double gain_of(const Trial& trial);
  std::vector<std::size_t> members_by_contribution() const;

  const Problem& problem_;
  const Front& front_;
  TrustRegionOptions options_;
  std::vector<std::vector<double>> positions_;
  Point reference_;
  std::vector<Point> points_;  // the front, minimized
  std::vector<policies::Candidate> members_;
  std::vector<Region> regions_;
  std::map<policies::Candidate, int> proposed_;
};

}  // namespace lathe::search
