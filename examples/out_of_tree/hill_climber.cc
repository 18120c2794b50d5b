#include "hill_climber.h"

#include <vector>

#include "models/base/rng.h"
#include "search/agent_options.h"
#include "search/proposal_batch.h"

namespace npu {
namespace {

using lathe::policies::Candidate;
using lathe::search::AgentOptions;
using lathe::search::Problem;
using lathe::search::Trial;

class HillClimber final : public lathe::search::Agent {
 public:
  HillClimber(const AgentOptions& options, const Problem& problem, std::uint64_t seed)
      : problem_(problem), rng_(seed, "hill_climber/" + options.name), attempts_(option(options, hill_climber_kind(), "attempts")) {}

  std::vector<Candidate> ask(int count, std::span<const Candidate> pending) override {
    lathe::search::ProposalBatch batch(problem_, known_, count, pending);
    batch.add(least_compressed(problem_.space));
    for (int attempt = 0; attempt < attempts_ && !batch.is_full(); ++attempt) batch.add(step_down(best_at(rng_.uniform())));
    return batch.accepted();
  }

  void tell(std::span<const Trial> finished) override {
    known_.learn(finished);
    for (const Trial& trial : finished) {
      if (trial.state == lathe::search::TrialState::kComplete) trials_.push_back(trial);
    }
  }

 private:
  // The best trial by accuracy - price * latency, latency as a share of the uncompressed network's. Metric 0 is accuracy, 1 the latency
  // of the first device (Problem::metrics).
  Candidate best_at(double price) const {
    if (trials_.empty()) return least_compressed(problem_.space);
    const auto score = [&](const Trial& trial) { return trial.metrics[0] - price * trial.metrics[1] / trials_[0].metrics[1]; };
    const Trial* best = &trials_[0];
    for (const Trial& trial : trials_) {
      if (score(trial) > score(*best)) best = &trial;
    }
    return best->candidate;
  }

  // One decision takes its next smaller value; where it has none, the candidate comes back as it was and the batch refuses it.
  Candidate step_down(Candidate candidate) {
    int& choice = candidate.choices[static_cast<std::size_t>(rng_.below(static_cast<std::int64_t>(candidate.choices.size())))];
    if (choice > 0) --choice;
    return candidate;
  }

  const Problem& problem_;
  lathe::Rng rng_;
  int attempts_;
  lathe::search::KnownCandidates known_;
  std::vector<Trial> trials_;
};

}  // namespace

const lathe::search::AgentKind& hill_climber_kind() {
  static const lathe::search::AgentKind kKind{
      .kind = "hill_climber",
      .summary = "one step down in one decision from the best policy so far",
      .options = {{.name = "attempts", .otherwise = 200, .help = "steps tried for a round of proposals", .low = 1, .high = 1e6}}};
  return kKind;
}

std::unique_ptr<lathe::search::Agent> make_hill_climber(const AgentOptions& options, const Problem& problem, std::uint64_t seed) {
  return std::make_unique<HillClimber>(options, problem, seed);
}

}  // namespace npu
