#include "hwmodels/choice_table.h"

#include <algorithm>

#include "hwmodels/op_demand.h"

namespace lathe::hwmodels {
namespace {

using policies::Decision;
using policies::DecisionKind;
using policies::WorkloadSetting;

bool contains(const std::vector<int>& sorted, int item) {
  return std::binary_search(sorted.begin(), sorted.end(), item);
}

}  // namespace

void apply_choice(const policies::SearchSpace& space, int decision_index, int choice, WorkloadSetting& setting) {
  const Decision& decision = space.decisions[static_cast<std::size_t>(decision_index)];
  const auto subject = static_cast<std::size_t>(decision.subject);
  const int value = decision.values[static_cast<std::size_t>(choice)];
  if (decision.kind == DecisionKind::kKeptChannels) {
    setting.kept_counts[static_cast<std::size_t>(space.groups[subject].group)] = value;
    return;
  }
  policies::WorkloadBuilder::Bits& bits = setting.bits[static_cast<std::size_t>(space.layers[subject].node)];
  if (decision.kind == DecisionKind::kWeightBits) bits.weight = value;
  if (decision.kind == DecisionKind::kActivationBits || space.tie_bits) bits.activation = value;
}

void ChoiceTable::for_each_entry(WorkloadSetting setting, const policies::SearchSpace& space,
                                 const std::function<void(std::size_t, const WorkloadSetting&)>& visit) const {
  const std::size_t classes = reading_.empty() ? 1 : reading_representative_.size();
  std::vector<std::size_t> at(main_.size(), 0);
  for (std::size_t reader = 0; reader < classes; ++reader) {
    for (std::size_t i = 0; i < reading_.size(); ++i)
      apply_choice(space, reading_[i].decision, reading_representative_[reader][i], setting);
    // An odometer over the classes of the main dimensions, which ends where it began.
    for (bool is_done = false; !is_done;) {
      std::size_t index = reading_.empty() ? 0 : reading_class_offset_[reader];
      for (std::size_t d = 0; d < main_.size(); ++d) {
        index += main_[d].class_offset[at[d]];
        apply_choice(space, main_[d].decision, main_[d].representative[at[d]], setting);
      }
      visit(index, setting);
      is_done = true;
      for (std::size_t d = 0; d < main_.size() && is_done; ++d) {
        at[d] = (at[d] + 1) % main_[d].representative.size();
        is_done = at[d] == 0;
      }
    }
  }
}

void ChoiceIndex::add_terms(const std::vector<ChoiceTable::Dimension>& dimensions) {
  for (const ChoiceTable::Dimension& dimension : dimensions) {
    terms_.push_back({static_cast<std::uint32_t>(dimension.decision), static_cast<std::uint32_t>(offsets_.size())});
    offsets_.insert(offsets_.end(), dimension.offset.begin(), dimension.offset.end());
  }
}

void ChoiceIndex::add(const ChoiceTable& table, std::size_t first_entry) {
  Table flat{.first_term = static_cast<std::uint32_t>(terms_.size()), .first_entry = first_entry};
  add_terms(table.main_);
  flat.first_reading = static_cast<std::uint32_t>(terms_.size());
  add_terms(table.reading_);
  flat.end_reading = static_cast<std::uint32_t>(terms_.size());
  flat.first_class = static_cast<std::uint32_t>(offsets_.size());
  offsets_.insert(offsets_.end(), table.reading_class_.begin(), table.reading_class_.end());
  tables_.push_back(flat);
}

ChoiceTableMaker::ChoiceTableMaker(const policies::WorkloadBuilder& builder, const policies::SearchSpace& space,
                                   const policies::DeviceCapabilities& capabilities)
    : builder_(builder), space_(space), capabilities_(capabilities), base_(policies::setting_of(builder, space, least_compressed(space))) {}

std::optional<ChoiceTable> ChoiceTableMaker::for_op(int op, std::size_t most_entries) const {
  const policies::OpWorkload work = builder_.build_op(op, base_.kept_counts, base_.bits);
  const bool is_layer = work.weight_elements > 0;
  // A layer's input width is its own decision, others' inputs are as wide as their readers need.
  const WidthsOf widths = [&](const WorkloadSetting& setting) -> Widths {
    const policies::OpWorkload at = at_device_widths(builder_.build_op(op, setting.kept_counts, setting.bits), capabilities_);
    return {is_layer ? 0 : at.input_bits, at.output_bits};
  };
  return make(builder_.dependencies(op), is_layer ? work.node : -1, widths, most_entries);
}

std::optional<ChoiceTable> ChoiceTableMaker::for_value(int value, std::size_t most_entries) const {
  const WidthsOf widths = [&](const WorkloadSetting& setting) -> Widths {
    const policies::LiveValue live = builder_.build_value(value, setting.kept_counts, setting.bits);
    return {0, width_on_device(live.bits, capabilities_.activation_bits)};
  };
  return make(builder_.value_dependencies(value), -1, widths, most_entries);
}

// Choices of equal key share a class. A dimension of one class is left out.
void ChoiceTableMaker::add_dimension(int decision, const std::vector<std::pair<int, int>>& keys,
                                     std::vector<ChoiceTable::Dimension>& dimensions) const {
  ChoiceTable::Dimension dimension{.decision = decision};
  std::vector<std::pair<int, int>> seen;
  for (std::size_t choice = 0; choice < keys.size(); ++choice) {
    const auto found = std::find(seen.begin(), seen.end(), keys[choice]);
    dimension.offset.push_back(static_cast<std::uint32_t>(found - seen.begin()));
    if (found == seen.end()) {
      seen.push_back(keys[choice]);
      dimension.representative.push_back(static_cast<int>(choice));
    }
  }
  if (seen.size() > 1) dimensions.push_back(std::move(dimension));
}

std::optional<ChoiceTable> ChoiceTableMaker::make(const policies::WorkloadBuilder::Dependencies& dependencies, int own_node,
                                                  const WidthsOf& widths, std::size_t most_entries) const {
  ChoiceTable table;
  for (std::size_t d = 0; d < space_.decisions.size(); ++d) {
    const Decision& decision = space_.decisions[d];
    const auto subject = static_cast<std::size_t>(decision.subject);
    const bool is_group = decision.kind == DecisionKind::kKeptChannels;
    if (!contains(is_group ? dependencies.groups : dependencies.nodes,
                  is_group ? space_.groups[subject].group : space_.layers[subject].node)) {
      continue;
    }
    const bool is_own = !is_group && space_.layers[subject].node == own_node;
    const bool sets_weights = decision.kind == DecisionKind::kWeightBits && is_own;
    const bool sets_activations =
        decision.kind == DecisionKind::kActivationBits || (decision.kind == DecisionKind::kWeightBits && space_.tie_bits);
    if (!is_group && !sets_weights && !sets_activations) continue;
    std::vector<std::pair<int, int>> keys;
    for (const int value : decision.values) {
      keys.emplace_back(is_group       ? value
                        : sets_weights ? width_on_device(value, capabilities_.weight_bits)
                                       : 0,
                        sets_activations ? width_on_device(value, capabilities_.activation_bits) : 0);
    }
    add_dimension(static_cast<int>(d), keys, is_group || is_own ? table.main_ : table.reading_);
  }
  drop_idle_readers(widths, table);
  if (!classify_readings(widths, most_entries, table)) return std::nullopt;
  for (ChoiceTable::Dimension& dimension : table.main_) {
    const std::size_t stride = table.entries_;
    table.entries_ *= dimension.representative.size();
    if (table.entries_ > most_entries) return std::nullopt;
    for (std::uint32_t& offset : dimension.offset) offset = static_cast<std::uint32_t>(offset * stride);
    for (std::size_t c = 0; c < dimension.representative.size(); ++c) {
      dimension.class_offset.push_back(static_cast<std::uint32_t>(c * stride));
    }
  }
  return table;
}

// A width in memory is the largest of what its readers need and a floor. So a reader that changes nothing while all others are at their
// narrowest never does.
void ChoiceTableMaker::drop_idle_readers(const WidthsOf& widths, ChoiceTable& table) const {
  WorkloadSetting narrowest = base_;
  for (const ChoiceTable::Dimension& dimension : table.reading_) apply_choice(space_, dimension.decision, 0, narrowest);
  const Widths least = widths(narrowest);
  std::erase_if(table.reading_, [&](const ChoiceTable::Dimension& dimension) {
    WorkloadSetting setting = narrowest;
    apply_choice(space_, dimension.decision, static_cast<int>(dimension.offset.size()) - 1, setting);
    return widths(setting) == least;
  });
}

// Finds the classes of reader choices by the widths they lead to, and makes them the fastest-moving part of the index.
bool ChoiceTableMaker::classify_readings(const WidthsOf& widths, std::size_t most_entries, ChoiceTable& table) const {
  std::size_t combinations = 1;
  for (ChoiceTable::Dimension& dimension : table.reading_) {
    for (std::uint32_t& offset : dimension.offset) offset = static_cast<std::uint32_t>(offset * combinations);
    combinations *= dimension.representative.size();
    if (combinations > most_entries) return false;
  }
  if (table.reading_.empty()) return true;
  WorkloadSetting setting = base_;
  std::vector<Widths> seen;
  for (std::size_t combination = 0; combination < combinations; ++combination) {
    std::vector<int> choices;
    std::size_t rest = combination;
    for (const ChoiceTable::Dimension& dimension : table.reading_) {
      choices.push_back(dimension.representative[rest % dimension.representative.size()]);
      rest /= dimension.representative.size();
      apply_choice(space_, dimension.decision, choices.back(), setting);
    }
    const Widths at = widths(setting);
    const auto found = std::find(seen.begin(), seen.end(), at);
    table.reading_class_.push_back(static_cast<std::uint32_t>(found - seen.begin()));
    if (found != seen.end()) continue;
    table.reading_class_offset_.push_back(static_cast<std::uint32_t>(seen.size()));
    table.reading_representative_.push_back(std::move(choices));
    seen.push_back(at);
  }
  table.entries_ = seen.size();
  return true;
}

}  // namespace lathe::hwmodels
