#include "policies/coupling_groups.h"

#include <algorithm>
#include <set>

#include "models/base/check.h"
#include "policies/coupling_propagation.h"
#include "policies/coupling_rules.h"
#include "policies/token_selection.h"

namespace lathe::policies {
namespace {

using models::kDynamic;
using models::Network;

// A dimension on the way to a group.
struct Occurrence {
  int dimension;  // -1: an integer that belongs to one layer only
  std::int64_t size;
  std::string name, reason;
  std::vector<std::string> producers, consumers;
};

void add_once(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

// Turns the dimensions that a finished propagation left into named groups.
class GroupBuilder {
 public:
  explicit GroupBuilder(CouplingPropagation& p) : p_(p) {}

  std::vector<CouplingGroup> build(std::map<int, int>& group_of) {
    std::vector<LayerAxes> layers = p_.layers();
    settle(layers);
    const std::vector<TokenDimension> token_dimensions = settle_tokens(p_);
    for (const LayerAxes& layer : layers) add_producer(layer);
    for (const LayerAxes& layer : layers) add_consumer(layer);
    std::stable_sort(found_.begin(), found_.end(),
                     [](const Occurrence& a, const Occurrence& b) { return a.reason.empty() > b.reason.empty(); });
    std::vector<CouplingGroup> groups;
    for (Occurrence& item : found_) {
      if (item.reason.empty()) group_of[item.dimension] = static_cast<int>(groups.size());
      groups.push_back({.name = std::move(item.name),
                        .channels = item.size,
                        .prunable = item.reason.empty(),
                        .reason = item.reason,
                        .producers = std::move(item.producers),
                        .consumers = std::move(item.consumers)});
    }
    for (const TokenDimension& tokens : token_dimensions) groups.push_back(token_group(tokens, static_cast<int>(groups.size()), group_of));
    return groups;
  }

 private:
  const std::string& name_of(const LayerAxes& layer) const { return p_.network().nodes[static_cast<std::size_t>(layer.node)].name; }

  bool is_prunable(const Term& term) const { return term.dimension >= 0 && !p_.algebra().is_frozen(term.dimension); }

  // Resolving may freeze, and what is frozen may change other expressions, once.
  void settle(std::vector<LayerAxes>& layers) {
    std::sort(layers.begin(), layers.end(), [](const LayerAxes& a, const LayerAxes& b) { return a.node < b.node; });
    for (std::size_t id = 0; id < p_.network().values.size(); ++id) {
      for (const AxisState& axis : p_.state(static_cast<int>(id))) p_.algebra().resolve(axis.expression);
    }
    for (LayerAxes& layer : layers) {
      layer.output = p_.algebra().resolve(layer.output);
      layer.input = p_.algebra().resolve(layer.input);
    }
  }

  // The dimensions of a layer's output that it is the first to produce get its name, with a suffix where several are prunable.
  void add_producer(const LayerAxes& layer) {
    std::vector<Term> terms;
    for (const Product& product : layer.output) collect(product, terms);
    const auto prunable_terms = std::count_if(terms.begin(), terms.end(), [&](const Term& term) { return is_prunable(term); });
    std::vector<std::string> suffixes;
    for (const Term& term : terms) suffixes.push_back(term.dimension < 0 ? "" : p_.algebra().hint_of(term.dimension));
    for (std::size_t i = 0; i < terms.size(); ++i) {
      const bool is_unique = !suffixes[i].empty() && std::count(suffixes.begin(), suffixes.end(), suffixes[i]) == 1;
      const std::string suffix = is_unique ? "/" + suffixes[i] : "#" + std::to_string(i);
      const bool is_only = is_prunable(terms[i]) ? prunable_terms == 1 : terms.size() == 1;
      produce(terms[i], layer, is_only ? name_of(layer) : name_of(layer) + suffix);
    }
  }

  // The dimensions of a segment; of a segment without prunable ones the integers too, as one.
  void collect(const Product& product, std::vector<Term>& terms) {
    bool has_dimension = false;
    for (const Term& term : product) {
      if (term.dimension < 0) continue;
      has_dimension = true;
      const auto same = [&](const Term& other) { return other.dimension == term.dimension; };
      if (std::none_of(terms.begin(), terms.end(), same)) terms.push_back(term);
    }
    if (has_dimension) return;
    Term whole{.dimension = -1, .size = extent(product)};
    if (!product.empty()) whole.reason = product[0].reason;
    terms.push_back(whole);
  }

  void produce(const Term& term, const LayerAxes& layer, const std::string& name) {
    std::string reason = is_prunable(term) ? "" : p_.algebra().reason_of(term);
    if (term.size == 1) reason = extent(layer.output) == 1 ? "single channel" : "parts of one channel each";
    for (Occurrence& item : found_) {
      if (term.dimension >= 0 && item.dimension == term.dimension) return add_once(item.producers, name_of(layer));
      const bool is_more_of_it = term.dimension < 0 && item.dimension < 0 && item.reason == reason && item.producers[0] == name_of(layer);
      if (!is_more_of_it) continue;
      item.size += term.size;
      return;
    }
    found_.push_back(
        {.dimension = term.dimension, .size = term.size, .name = unique(name), .reason = reason, .producers = {name_of(layer)}});
  }

  CouplingGroup token_group(const TokenDimension& tokens, int index, std::map<int, int>& group_of) {
    const Axis axis = p_.algebra().resolve(tokens.axis);
    const bool is_open = axis.size() == 1 && axis[0].size() == 1 && is_prunable(axis[0][0]);
    if (is_open) group_of[axis[0][0].dimension] = index;
    return {.name = unique(tokens.layer + "/tokens"),
            .channels = extent(axis),
            .prunable = is_open,
            .reason = is_open ? "" : p_.algebra().reason_of(axis.front().front()),
            .producers = {tokens.layer},
            .consumers = {},
            .is_tokens = true};
  }

  void add_consumer(const LayerAxes& layer) {
    for (const Product& product : layer.input) {
      for (const Term& term : product) {
        for (Occurrence& item : found_) {
          if (term.dimension >= 0 && item.dimension == term.dimension) add_once(item.consumers, name_of(layer));
        }
      }
    }
  }

  std::string unique(const std::string& name) {
    std::string result = name;
    for (int i = 1; !names_.insert(result).second; ++i) result = name + "#" + std::to_string(i);
    return result;
  }

  CouplingPropagation& p_;
  std::vector<Occurrence> found_;
  std::set<std::string> names_;
};

AxisExpression expression_of(CouplingPropagation& p, const Axis& axis, const std::map<int, int>& group_of) {
  AxisExpression result;
  for (const Product& product : p.algebra().resolve(axis)) {
    Segment segment;
    for (const Term& term : product) {
      const auto group = group_of.find(term.dimension);
      segment.push_back({.group = group == group_of.end() ? -1 : group->second, .size = term.size});
    }
    result.push_back(std::move(segment));
  }
  return result;
}

}  // namespace

CouplingAnalysis analyze_coupling(const Network& network) {
  CouplingPropagation propagation(network);
  for (const models::Node& node : network.nodes) rule_of(node)(propagation, node);
  for (const models::ValueId id : network.outputs) propagation.freeze_all(id, "network output \"" + network.value(id).name + "\"");
  std::map<int, int> group_of;
  CouplingAnalysis analysis;
  analysis.groups = GroupBuilder(propagation).build(group_of);
  for (std::size_t id = 0; id < network.values.size(); ++id) {
    std::vector<AxisExpression> axes;
    for (const AxisState& axis : propagation.state(static_cast<int>(id)))
      axes.push_back(expression_of(propagation, axis.expression, group_of));
    analysis.axes.push_back(std::move(axes));
  }
  return analysis;
}

std::vector<int> token_groups(const CouplingAnalysis& analysis) {
  std::vector<int> groups;
  for (std::size_t g = 0; g < analysis.groups.size(); ++g) {
    if (analysis.groups[g].is_tokens) groups.push_back(static_cast<int>(g));
  }
  return groups;
}

std::map<int, int> scores_of_tokens(const Network& network, const CouplingAnalysis& analysis) {
  const std::vector<int> producers = models::producers(network);
  std::map<int, int> scores;
  for (const models::Node& node : network.nodes) {
    if (!is_select_tokens(node)) continue;
    const AxisExpression& tokens = analysis.axes[static_cast<std::size_t>(node.outputs[0])].at(1);
    const int group = tokens.size() == 1 && tokens[0].size() == 1 ? tokens[0][0].group : -1;
    if (group >= 0) scores[group] = producers[static_cast<std::size_t>(node.inputs[1])];
  }
  return scores;
}

void limit_tokens(const std::vector<int>& token_groups, std::vector<std::int64_t>& kept_counts) {
  for (std::size_t i = 1; i < token_groups.size(); ++i) {
    std::int64_t& count = kept_counts[static_cast<std::size_t>(token_groups[i])];
    count = std::min(count, kept_counts[static_cast<std::size_t>(token_groups[i - 1])]);
  }
}

std::int64_t evaluate(const AxisExpression& axis, const std::vector<std::int64_t>& kept_counts) {
  std::int64_t total = 0;
  for (const Segment& segment : axis) {
    std::int64_t size = 1;
    for (const Factor& factor : segment) {
      if (factor.size == kDynamic) return kDynamic;
      size *= factor.group < 0 ? factor.size : kept_counts.at(static_cast<std::size_t>(factor.group));
    }
    total += size;
  }
  return total;
}

std::vector<std::int64_t> kept_indices(const AxisExpression& axis, const CouplingAnalysis& analysis, const KeptChannels& kept) {
  LATHE_CHECK_EQ(kept.size(), analysis.groups.size());
  std::vector<std::int64_t> result;
  std::int64_t offset = 0;
  for (const Segment& segment : axis) {
    std::vector<std::int64_t> indices{0};
    std::int64_t size = 1;
    for (const Factor& factor : segment) {
      LATHE_CHECK_NE(factor.size, kDynamic) << "indices of an axis that depends on the batch";
      const std::vector<std::int64_t>* chosen = factor.group < 0 ? nullptr : &kept[static_cast<std::size_t>(factor.group)];
      std::vector<std::int64_t> next;
      for (const std::int64_t index : indices) {
        if (chosen && !chosen->empty()) {
          for (const std::int64_t i : *chosen) next.push_back(index * factor.size + i);
        } else {
          for (std::int64_t i = 0; i < factor.size; ++i) next.push_back(index * factor.size + i);
        }
      }
      indices = std::move(next);
      size *= factor.size;
    }
    for (const std::int64_t index : indices) result.push_back(offset + index);
    offset += size;
  }
  return result;
}

}  // namespace lathe::policies
