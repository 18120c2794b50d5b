#include "search/rl/layer_walk.h"

#include <algorithm>
#include <cmath>

#include "search/constraints.h"
#include "search/pareto.h"

namespace lathe::search {
namespace {

using policies::Candidate;
using policies::Decision;
using policies::DecisionKind;
using policies::LayerInfo;

constexpr int kFixedFeatures = 14, kMovingFeatures = 6, kKinds = 4, kDeviceFeatures = 1 + kKinds;

// The layer whose decision it is; for a group the layer that it is named after, else that of the next width in network order.
const LayerInfo* layer_of(const policies::SearchSpace& space, std::size_t d) {
  const Decision& decision = space.decisions[d];
  if (decision.kind == DecisionKind::kKeptBlock)
    return &space.layers[static_cast<std::size_t>(space.blocks[static_cast<std::size_t>(decision.subject)].layers.front())];
  if (decision.kind != DecisionKind::kKeptChannels) {
    const auto subject = static_cast<std::size_t>(decision.subject);
    return subject < space.layers.size() ? &space.layers[subject] : nullptr;
  }
  const auto group = static_cast<std::size_t>(decision.subject);
  const std::string name = group < space.groups.size() ? space.groups[group].name : decision.name;
  const LayerInfo* longest = nullptr;  // group names may carry a suffix
  for (const LayerInfo& layer : space.layers) {
    if (name.starts_with(layer.name) && (longest == nullptr || layer.name.size() > longest->name.size())) longest = &layer;
  }
  for (std::size_t next = d + 1; longest == nullptr && next < space.decisions.size(); ++next) {
    if (space.decisions[next].kind != DecisionKind::kKeptChannels) return layer_of(space, next);
  }
  return longest;
}

float log_scaled(std::int64_t value) {
  return static_cast<float>(std::log1p(static_cast<double>(std::max<std::int64_t>(value, 0))) / 10);
}

// One feature a kind from the second on; kept weights are a share, as channels are, of what weight bits are about. Blocks and ranks, which
// agents of before did not know, are combinations too.
void mark_kind(DecisionKind kind, std::vector<float>& features) {
  switch (kind) {
    case DecisionKind::kKeptWeights:
      features[1] = features[2] = 1;
      return;
    case DecisionKind::kKeptBlock:
      features[1] = features[2] = features[3] = 1;
      return;
    case DecisionKind::kRank:
      features[1] = features[3] = 1;
      return;
    default:
      features[1 + static_cast<std::size_t>(kind)] = 1;
  }
}

Candidate uncompressed(const policies::SearchSpace& space) {
  Candidate candidate;
  for (const Decision& decision : space.decisions) candidate.choices.push_back(static_cast<int>(decision.values.size()) - 1);
  return candidate;
}

}  // namespace

// Where a walk stands: the decisions so far with the rest uncompressed and as cheap as can be.
struct LayerWalk::Progress {
  int front;
  double budget;
  Candidate high, low;
  double high_cost, low_cost, previous_action = 1;

  Progress(const LayerWalk& walk, int front_index, double wanted)
      : front(front_index), budget(wanted), high(uncompressed(walk.problem_.space)), low(walk.cheapest(front_index)) {
    high_cost = walk.cost(front, high);
    low_cost = walk.cost(front, low);
  }
  void take(const LayerWalk& walk, std::size_t d, int choice, double action) {
    high.choices[d] = low.choices[d] = choice;
    high_cost = walk.cost(front, high);
    low_cost = walk.cost(front, low);
    previous_action = action;
  }
};

LayerWalk::LayerWalk(const Problem& problem) : problem_(problem) {
  for (const Front& front : problem.fronts) devices_.push_back(device_of(front));
  for (int f = 0; f < static_cast<int>(devices_.size()); ++f) {
    devices_[static_cast<std::size_t>(f)].cheapest = find_cheapest(f);
    find_savings(f);
  }
  std::int64_t most_macs = 1;
  for (const LayerInfo& layer : problem.space.layers) most_macs = std::max(most_macs, layer.macs);
  const std::size_t count = problem.space.decisions.size();
  for (std::size_t d = 0; d < count; ++d) {
    const Decision& decision = problem.space.decisions[d];
    std::vector<float> f(kFixedFeatures, 0);
    f[0] = static_cast<float>(d + 1) / static_cast<float>(count);
    mark_kind(decision.kind, f);
    f[4] = log_scaled(static_cast<std::int64_t>(decision.values.size()));
    if (const LayerInfo* layer = layer_of(problem.space, d)) {
      f[5] = log_scaled(layer->in_channels);
      f[6] = log_scaled(layer->out_channels);
      f[7] = static_cast<float>(layer->kernel) / 7;
      f[8] = static_cast<float>(layer->stride) / 2;
      f[9] = layer->groups > 1 ? 1 : 0;
      f[10] = log_scaled(layer->input_elements);
      f[11] = log_scaled(layer->parameters);
      f[12] = log_scaled(layer->macs);
      f[13] = static_cast<float>(static_cast<double>(layer->macs) / static_cast<double>(most_macs));
    }
    features_.push_back(std::move(f));
  }
}

LayerWalk::Device LayerWalk::device_of(const Front& front) const {
  const ExactScore full = score_exactly(problem_, uncompressed(problem_.space));
  const auto costs = [&](int m) {
    const Metric& metric = problem_.metrics[static_cast<std::size_t>(m)];
    const double value = full.metrics[static_cast<std::size_t>(m)];
    return !metric.is_measured && metric.direction == Direction::kMinimize && std::isfinite(value) && value > 0;
  };
  const auto is_limited = [&](int m) { return costs(m) && !std::isnan(problem_.metrics[static_cast<std::size_t>(m)].limit); };
  Device device;
  if (const auto m = std::find_if(front.metrics.begin(), front.metrics.end(), costs); m != front.metrics.end()) {
    device.cost_metric = *m;
    device.is_objective = true;
  } else if (const auto l = std::find_if(front.limited.begin(), front.limited.end(), is_limited); l != front.limited.end()) {
    device.cost_metric = *l;
  }
  if (device.cost_metric >= 0) device.full_cost = full.metrics[static_cast<std::size_t>(device.cost_metric)];
  return device;
}

// How a device pays for what a layer and what a whole network saves: it tells devices apart by what matters to a policy.
void LayerWalk::find_savings(int front) {
  Device& device = devices_[static_cast<std::size_t>(front)];
  const Candidate full = uncompressed(problem_.space);
  double largest = 1e-12;
  for (std::size_t d = 0; d < full.choices.size(); ++d) {
    Candidate alone = full;
    alone.choices[d] = device.cheapest.choices[d];
    device.savings.push_back(static_cast<float>(1 - cost(front, alone)));
    largest = std::max<double>(largest, device.savings.back());
  }
  for (float& saving : device.savings) saving = static_cast<float>(saving / largest);
  for (int kind = 0; kind < kKinds; ++kind) {
    Candidate together = full;
    for (std::size_t d = 0; d < full.choices.size(); ++d) {
      if (static_cast<int>(problem_.space.decisions[d].kind) == kind) together.choices[d] = device.cheapest.choices[d];
    }
    device.kind_savings.push_back(static_cast<float>(1 - cost(front, together)));
  }
}

int LayerWalk::state_size() {
  return kFixedFeatures + kMovingFeatures + kDeviceFeatures;
}

double LayerWalk::cost(int front, const Candidate& candidate) const {
  const Device& device = devices_[static_cast<std::size_t>(front)];
  if (device.cost_metric < 0) return 1;
  const ExactScore exact = score_exactly(problem_, candidate);
  const double value = exact.metrics[static_cast<std::size_t>(device.cost_metric)];
  return exact.can_run && std::isfinite(value) ? value / device.full_cost : 1;
}

LayerWalk::Range LayerWalk::budget_range(int front) const {
  const Device& device = devices_[static_cast<std::size_t>(front)];
  if (device.cost_metric < 0) return {};
  const double low = cost(front, cheapest(front));
  double high = 1;
  const Metric& metric = problem_.metrics[static_cast<std::size_t>(device.cost_metric)];
  if (!std::isnan(metric.limit)) high = std::min(high, metric.limit / device.full_cost);
  const Front& wanted = problem_.fronts[static_cast<std::size_t>(front)];
  for (std::size_t k = 0; k < wanted.metrics.size(); ++k) {
    if (wanted.metrics[k] == device.cost_metric) high = std::min(high, wanted.reference_point[k] / device.full_cost);
  }
  const double most = std::max(high, std::min(low, 1.0));
  return {device.is_objective ? std::min(low, high) : most, most};
}

void LayerWalk::write_state(const Progress& progress, int decision, std::span<float> state) const {
  const std::vector<float>& fixed = features_[static_cast<std::size_t>(decision)];
  std::copy(fixed.begin(), fixed.end(), state.begin());
  const std::span<float> moving = state.subspan(kFixedFeatures);
  moving[0] = static_cast<float>(1 - progress.high_cost);                  // reduced so far
  moving[1] = static_cast<float>(progress.high_cost - progress.low_cost);  // what the rest can still save
  moving[2] = static_cast<float>(progress.high_cost - progress.budget);    // what it has to save
  moving[3] = static_cast<float>(progress.budget - progress.low_cost);     // what may be spent
  moving[4] = static_cast<float>(progress.budget);
  moving[5] = static_cast<float>(progress.previous_action);
  const Device& device = devices_[static_cast<std::size_t>(progress.front)];
  const std::span<float> paid = moving.subspan(kMovingFeatures);
  paid[0] = device.savings[static_cast<std::size_t>(decision)];
  std::copy(device.kind_savings.begin(), device.kind_savings.end(), paid.begin() + 1);
}

Candidate LayerWalk::find_cheapest(int front) const {
  Candidate best{std::vector<int>(problem_.space.decisions.size(), 0)};
  double least = cost(front, best);
  constexpr int kSweeps = 3;  // decisions of a network hardly interact in this: a second sweep changes next to nothing
  bool is_better = true;
  for (int sweep = 0; sweep < kSweeps && is_better; ++sweep) {
    is_better = false;
    for (std::size_t d = 0; d < best.choices.size(); ++d) {
      const int kept = best.choices[d], values = static_cast<int>(problem_.space.decisions[d].values.size());
      int cheapest = kept;
      for (int v = 0; v < values; ++v) {
        best.choices[d] = v;
        const double tried = cost(front, best);
        if (tried >= least) continue;
        least = tried;
        cheapest = v;
      }
      best.choices[d] = cheapest;
      is_better |= cheapest != kept;
    }
  }
  return best;
}

// low: the decisions so far and the cheapest rest, from `decision` on. Only that decision is written to.
int LayerWalk::affordable(int front, double budget, int decision, int wanted, Candidate& low) const {
  const auto d = static_cast<std::size_t>(decision);
  const int values = static_cast<int>(problem_.space.decisions[d].values.size()), cheapest = low.choices[d];
  const auto is_affordable = [&](int value) {
    low.choices[d] = value;
    return cost(front, low) <= budget;
  };
  for (int value = wanted; value >= 0; --value) {
    if (is_affordable(value)) return value;
  }
  for (int value = wanted + 1; value < values; ++value) {
    if (is_affordable(value)) return value;
  }
  return cheapest;
}

Candidate LayerWalk::walk(int front, double budget, const Policy& policy) const {
  Progress progress(*this, front, budget);
  std::vector<float> state(static_cast<std::size_t>(state_size()));
  for (std::size_t d = 0; d < problem_.space.decisions.size(); ++d) {
    write_state(progress, static_cast<int>(d), state);
    const int values = static_cast<int>(problem_.space.decisions[d].values.size());
    const int wanted = std::clamp(static_cast<int>(policy(state) * values), 0, values - 1);
    const int choice = affordable(front, budget, static_cast<int>(d), wanted, progress.low);
    progress.take(*this, d, choice, (choice + 0.5) / values);
  }
  return progress.low;
}

LayerWalk::Episode LayerWalk::episode(int front, double budget, const Candidate& candidate) const {
  Progress progress(*this, front, budget);
  const auto size = static_cast<std::size_t>(state_size());
  Episode episode;
  episode.states.resize(problem_.space.decisions.size() * size);
  for (std::size_t d = 0; d < problem_.space.decisions.size(); ++d) {
    write_state(progress, static_cast<int>(d), std::span(episode.states).subspan(d * size, size));
    const double action = (candidate.choices[d] + 0.5) / static_cast<double>(problem_.space.decisions[d].values.size());
    episode.actions.push_back(static_cast<float>(action));
    progress.take(*this, d, candidate.choices[d], action);
  }
  return episode;
}

}  // namespace lathe::search
