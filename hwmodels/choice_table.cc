#include "hwmodels/choice_table.h"

#include <algorithm>
#include <limits>

#include "hwmodels/op_demand.h"
#include "policies/weight_sparsity.h"

namespace lathe::hwmodels {
namespace {

using policies::Decision;
using policies::DecisionKind;
using policies::WorkloadSetting;

bool contains(const std::vector<int>& sorted, int item) {
  return std::binary_search(sorted.begin(), sorted.end(), item);
}
bool contains_any(const std::vector<int>& sorted, const std::vector<int>& items) {
  return std::any_of(items.begin(), items.end(), [&](int item) { return contains(sorted, item); });
}

// Numbers keys in order of first appearance.
template <typename Key>
class Numbering {
 public:
  std::uint32_t of(const Key& key) {
    const auto found = std::find(seen_.begin(), seen_.end(), key);
    const auto number = static_cast<std::uint32_t>(found - seen_.begin());
    if (found == seen_.end()) seen_.push_back(key);
    return number;
  }
  std::size_t size() const { return seen_.size(); }
  const std::vector<Key>& seen() const { return seen_; }

 private:
  std::vector<Key> seen_;
};

// -1: nothing is decided of that group.
int decision_of_tokens(const policies::SearchSpace& space, int group) {
  for (std::size_t d = 0; d < space.decisions.size(); ++d) {
    const Decision& decision = space.decisions[d];
    if (decision.kind == DecisionKind::kKeptChannels && space.groups[static_cast<std::size_t>(decision.subject)].group == group)
      return static_cast<int>(d);
  }
  return -1;
}

// The decision on the block that holds the node; -1 where there is none, or where it holds one of `parts` too.
int decision_of_block(const policies::SearchSpace& space, int node, const std::vector<int>& parts) {
  for (std::size_t d = 0; d < space.decisions.size(); ++d) {
    const Decision& decision = space.decisions[d];
    if (decision.kind != DecisionKind::kKeptBlock) continue;
    const std::vector<int>& nodes = space.blocks[static_cast<std::size_t>(decision.subject)].nodes;
    if (contains(nodes, node)) return contains_any(parts, nodes) ? -1 : static_cast<int>(d);
  }
  return -1;
}

}  // namespace

void for_each_entry(const ChoiceTable& table, const CandidateDigits& digits, WorkloadSetting setting,
                    const std::function<void(std::size_t, const WorkloadSetting&)>& visit) {
  for (std::size_t entry = 0; entry < table.entries; ++entry) {
    for (const ChoiceTable::Axis& axis : table.axes) {
      const int slot = static_cast<int>(axis.slot);
      digits.apply(slot, static_cast<int>(entry / axis.stride) % digits.extent(slot), setting);
    }
    visit(entry, setting);
  }
}

ChoiceTableMaker::ChoiceTableMaker(const policies::WorkloadBuilder& builder, const policies::SearchSpace& space,
                                   const policies::DeviceCapabilities& capabilities, CandidateDigits& digits)
    : builder_(builder),
      space_(space),
      capabilities_(capabilities),
      digits_(digits),
      base_(policies::setting_of(builder, space, least_compressed(space))) {}

std::optional<ChoiceTable> ChoiceTableMaker::for_op(int op, std::size_t most_entries) {
  const int layer = builder_.layer_of(op);
  // A layer's input width is its own decision, others' inputs are as wide as their readers need.
  const WidthsOf widths = [&](const WorkloadSetting& setting) -> Widths {
    const policies::OpWorkload at = at_device_widths(builder_.build_op(op, setting.kept_counts, setting.bits), capabilities_);
    return {layer >= 0 ? 0 : at.input_bits, at.output_bits};
  };
  return make(builder_.dependencies(op), layer, widths, most_entries);
}

std::optional<ChoiceTable> ChoiceTableMaker::for_value(int value, std::size_t most_entries) {
  const WidthsOf widths = [&](const WorkloadSetting& setting) -> Widths {
    const policies::LiveValue live = builder_.build_value(value, setting.kept_counts, setting.bits);
    return {0, width_on_device(live.bits, capabilities_.activation_bits)};
  };
  return make(builder_.value_dependencies(value), -1, widths, most_entries);
}

std::optional<ChoiceTable> ChoiceTableMaker::make(const policies::WorkloadBuilder::Dependencies& dependencies, int own_node,
                                                  const WidthsOf& widths, std::size_t most_entries) {
  std::vector<int> slots, readers;
  std::vector<ReadingBlock> blocks;
  for (int d = 0; d < static_cast<int>(space_.decisions.size()); ++d) {
    const Decision& decision = space_.decisions[static_cast<std::size_t>(d)];
    const auto subject = static_cast<std::size_t>(decision.subject);
    if (decision.kind == DecisionKind::kKeptBlock) {
      const std::vector<int>& nodes = space_.blocks[subject].nodes;
      if (contains_any(dependencies.parts, nodes))
        slots.push_back(d);
      else if (contains_any(dependencies.nodes, nodes))
        blocks.push_back({.nodes = nodes, .slots = {d}, .may_go = true});
      continue;
    }
    const bool is_group = decision.kind == DecisionKind::kKeptChannels;
    if (decision.kind == DecisionKind::kRank) {
      if (contains(dependencies.ranks, space_.layers[subject].node)) slots.push_back(d);
      continue;
    }
    if (!contains(is_group ? dependencies.groups : dependencies.nodes,
                  is_group ? space_.groups[subject].group : space_.layers[subject].node)) {
      continue;
    }
    if (is_group && space_.groups[subject].is_tokens) continue;  // see token_slot
    const bool is_own = !is_group && space_.layers[subject].node == own_node;
    const std::optional<int> slot = decision_slot(d, is_own);
    if (!slot) continue;
    if (is_group || is_own) {
      slots.push_back(*slot);
      continue;
    }
    readers.push_back(*slot);
    add_reader(space_.layers[subject].node, *slot, blocks);
  }
  if (const std::optional<int> slot = token_slot(dependencies)) slots.push_back(*slot);
  const bool may_readers_go = std::any_of(blocks.begin(), blocks.end(), [](const ReadingBlock& block) { return block.may_go; });
  if (!may_readers_go) drop_idle_readers(widths, readers);
  if (may_readers_go || !readers.empty()) {
    const std::optional<int> reading =
        may_readers_go ? class_of_blocks(widths, blocks, most_entries) : class_of_readers(widths, readers, most_entries);
    if (!reading) return std::nullopt;
    if (*reading != kNoDigit) slots.insert(slots.begin(), *reading);
  }
  ChoiceTable table;
  for (const int slot : slots) {
    table.axes.push_back({static_cast<std::uint32_t>(slot), static_cast<std::uint32_t>(table.entries)});
    table.entries *= static_cast<std::size_t>(digits_.extent(slot));
    if (table.entries > most_entries) return std::nullopt;
  }
  return table;
}

// The digit of a decision in which choices of the same meaning are one; nullopt where all of them are. is_own: the weights are the
// operator's.
std::optional<int> ChoiceTableMaker::decision_slot(int index, bool is_own) {
  const Decision& decision = space_.decisions[static_cast<std::size_t>(index)];
  const bool is_group = decision.kind == DecisionKind::kKeptChannels;
  const bool sets_weights = decision.kind == DecisionKind::kWeightBits && is_own;
  const bool sets_activations =
      decision.kind == DecisionKind::kActivationBits || (decision.kind == DecisionKind::kWeightBits && space_.tie_bits);
  // Sparsity that the device cannot use leaves the operator as it is.
  const bool sets_sparsity = decision.kind == DecisionKind::kKeptWeights && is_own && capabilities_.runs_two_of_four &&
                             space_.sparsity_pattern == policies::kTwoOfFour;
  Numbering<Widths> classes;
  std::vector<std::uint32_t> class_of;
  for (const int value : decision.values) {
    class_of.push_back(classes.of({is_group || sets_sparsity ? value
                                   : sets_weights            ? width_on_device(value, capabilities_.weight_bits)
                                                             : 0,
                                   sets_activations ? width_on_device(value, capabilities_.activation_bits) : 0}));
  }
  if (classes.size() < 2) return std::nullopt;
  return digits_.derive({index}, class_of);
}

void ChoiceTableMaker::add_reader(int node, int slot, std::vector<ReadingBlock>& blocks) {
  const auto own = std::find_if(blocks.begin(), blocks.end(), [&](const ReadingBlock& block) { return contains(block.nodes, node); });
  if (own != blocks.end())
    own->slots.push_back(slot);
  else
    blocks.push_back({.nodes = {node}, .slots = {slot}});
}

// From the last block to the first, each time a digit of the block's own choices and of the digit of all that follow: along a stage of
// residual blocks the combinations of all choices are far too many. What follows matters by the width that it asks for directly and by the
// one behind one Add, since nobody is asked behind two. So combinations of it are alike that give the same widths where nothing before them
// stays and where any one block before them does, all else at its narrowest.
std::optional<int> ChoiceTableMaker::class_of_blocks(const WidthsOf& widths, const std::vector<ReadingBlock>& blocks,
                                                     std::size_t most_combinations) {
  int following = kNoDigit;
  for (std::size_t b = blocks.size(); b-- > 0;) {
    std::vector<int> slots = blocks[b].slots;
    if (following != kNoDigit) slots.push_back(following);
    std::vector<WorkloadSetting> before{base_};
    for (std::size_t e = 0; e < b; ++e) {
      for (const int slot : blocks[e].slots) digits_.apply(slot, 0, before.front());
    }
    for (std::size_t e = 0; e < b; ++e) {
      if (!blocks[e].may_go) continue;
      before.push_back(before.front());
      digits_.apply(blocks[e].slots.front(), 1, before.back());
    }
    const std::optional<std::vector<std::uint32_t>> class_of = classes(widths, slots, std::move(before), most_combinations);
    if (!class_of) return std::nullopt;
    const bool is_idle = std::all_of(class_of->begin(), class_of->end(), [](std::uint32_t of) { return of == 0; });
    following = is_idle ? kNoDigit : digits_.derive(slots, *class_of);
  }
  return following;
}

// The digit that tells how many tokens there are in those of the groups that are tokens: each count is the least of what the decisions up
// to there say, but for those whose attention goes. Made along the chain, so that the digit of a place follows from the one before, one
// decision and that on its block. nullopt where no decision matters. What goes with that block itself costs nothing then, whatever the tokens.
std::optional<int> ChoiceTableMaker::token_slot(const policies::WorkloadBuilder::Dependencies& dependencies) {
  const std::vector<int>& groups = dependencies.groups;
  using Counts = std::vector<std::int64_t>;  // of the groups so far that are asked for; then of the last one
  std::optional<int> slot;
  std::vector<Counts> states{{std::numeric_limits<std::int64_t>::max()}};
  std::size_t wanted = 0;
  for (const int group : builder_.token_groups()) wanted += contains(groups, group) ? 1 : 0;
  for (const int group : builder_.token_groups()) {
    if (wanted == 0) break;
    const bool is_wanted = contains(groups, group);
    if (is_wanted) --wanted;
    std::vector<int> values{std::numeric_limits<int>::max()}, slots;  // no limit
    if (slot) slots.push_back(*slot);
    if (const int decision = decision_of_tokens(space_, group); decision >= 0) {
      values = space_.decisions[static_cast<std::size_t>(decision)].values;
      slots.push_back(decision);
      if (const int block = decision_of_block(space_, builder_.token_scores_of(group), dependencies.parts); block >= 0) {
        values.insert(values.begin(), values.size(), values.back());  // the block's first choice: it goes, and all tokens stay
        slots.push_back(block);
      }
    }
    Numbering<Counts> classes;
    std::vector<std::uint32_t> class_of;
    for (const int value : values) {
      for (Counts counts : states) {
        counts.back() = std::min<std::int64_t>(counts.back(), value);
        if (is_wanted) counts.push_back(counts.back());
        class_of.push_back(classes.of(counts));
      }
    }
    states = classes.seen();
    if (values.size() > 1) slot = digits_.derive(slots, class_of);  // else one state each, in the same order
  }
  return states.size() < 2 ? std::nullopt : slot;
}

// A width in memory is the largest of what its readers need and a floor. So a reader that changes nothing while all others are at their
// narrowest never does.
void ChoiceTableMaker::drop_idle_readers(const WidthsOf& widths, std::vector<int>& readers) const {
  WorkloadSetting narrowest = base_;
  for (const int slot : readers) digits_.apply(slot, 0, narrowest);
  const Widths least = widths(narrowest);
  std::erase_if(readers, [&](int slot) {
    WorkloadSetting setting = narrowest;
    digits_.apply(slot, digits_.extent(slot) - 1, setting);
    return widths(setting) == least;
  });
}

// The digit that tells apart the widths that the readers' choices lead to.
std::optional<int> ChoiceTableMaker::class_of_readers(const WidthsOf& widths, const std::vector<int>& readers,
                                                      std::size_t most_combinations) {
  const std::optional<std::vector<std::uint32_t>> class_of = classes(widths, readers, {base_}, most_combinations);
  if (!class_of) return std::nullopt;
  return digits_.derive(readers, *class_of);
}

// The class of each combination of the slots' digits, of which the first moves fastest: by the widths in all of the settings.
std::optional<std::vector<std::uint32_t>> ChoiceTableMaker::classes(const WidthsOf& widths, const std::vector<int>& slots,
                                                                    std::vector<WorkloadSetting> settings,
                                                                    std::size_t most_combinations) const {
  std::size_t combinations = 1;
  for (const int slot : slots) {
    combinations *= static_cast<std::size_t>(digits_.extent(slot));
    if (combinations > most_combinations) return std::nullopt;
  }
  Numbering<std::vector<Widths>> numbering;
  std::vector<std::uint32_t> class_of;
  for (std::size_t combination = 0; combination < combinations; ++combination) {
    std::vector<Widths> key;
    for (WorkloadSetting& setting : settings) {
      std::size_t rest = combination;
      for (const int slot : slots) {
        const auto extent = static_cast<std::size_t>(digits_.extent(slot));
        digits_.apply(slot, static_cast<int>(rest % extent), setting);
        rest /= extent;
      }
      key.push_back(widths(setting));
    }
    class_of.push_back(numbering.of(key));
  }
  return class_of;
}

}  // namespace lathe::hwmodels
