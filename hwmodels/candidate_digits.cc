#include "hwmodels/candidate_digits.h"

#include <algorithm>

#include "models/base/check.h"

namespace lathe::hwmodels {

using policies::Decision;
using policies::DecisionKind;
using policies::WorkloadSetting;

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

CandidateDigits::CandidateDigits(const policies::SearchSpace& space) : space_(space) {
  for (const Decision& decision : space.decisions) extents_.push_back(static_cast<int>(decision.values.size()));
}

int CandidateDigits::derive(const std::vector<int>& slots, const std::vector<std::uint32_t>& class_of) {
  std::vector<std::uint32_t> representatives;
  for (std::uint32_t combination = 0; combination < class_of.size(); ++combination) {
    LATHE_CHECK_LE(class_of[combination], representatives.size()) << "classes are numbered as they appear";
    if (class_of[combination] == representatives.size()) representatives.push_back(combination);
  }
  if (slots.size() == 1 && representatives.size() == class_of.size()) return slots.front();
  const auto [known, is_new] = known_.try_emplace({slots, class_of}, static_cast<int>(extents_.size()));
  if (!is_new) return known->second;

  Derived digit{.first_term = static_cast<std::uint32_t>(terms_.size()),
                .end_term = static_cast<std::uint32_t>(terms_.size() + slots.size()),
                .first_class = static_cast<std::uint32_t>(classes_.size())};
  std::uint32_t stride = 1;
  for (const int slot : slots) {
    terms_.push_back({static_cast<std::uint32_t>(slot), stride});
    stride *= static_cast<std::uint32_t>(extent(slot));
  }
  LATHE_CHECK_EQ(class_of.size(), stride) << "one class a combination";
  classes_.insert(classes_.end(), class_of.begin(), class_of.end());
  derived_.push_back(digit);
  extents_.push_back(static_cast<int>(representatives.size()));
  representatives_.push_back(std::move(representatives));
  return known->second;
}

void CandidateDigits::apply(int slot, int value, WorkloadSetting& setting) const {
  const std::size_t choices = space_.decisions.size();
  if (static_cast<std::size_t>(slot) < choices) {
    apply_choice(space_, slot, value, setting);
    return;
  }
  const std::size_t index = static_cast<std::size_t>(slot) - choices;
  const std::uint32_t combination = representatives_[index][static_cast<std::size_t>(value)];
  for (std::uint32_t t = derived_[index].first_term; t < derived_[index].end_term; ++t) {
    const int of = static_cast<int>(terms_[t].slot);
    apply(of, static_cast<int>(combination / terms_[t].stride) % extent(of), setting);
  }
}

void CandidateDigits::evaluate(const int* choices, std::size_t count, std::uint32_t* digits) const {
  std::copy_n(choices, space_.decisions.size(), digits);
  const Derived* digit = derived_.data();
  for (std::size_t slot = space_.decisions.size(); slot < count; ++slot, ++digit) {
    std::uint32_t combination = digit->first_class;
    for (const Term* term = terms_.data() + digit->first_term; term != terms_.data() + digit->end_term; ++term) {
      combination += term->stride * digits[term->slot];
    }
    digits[slot] = classes_[combination];
  }
}

void CandidateDigits::evaluate_lanes(const std::array<const int*, kLanes>& choices, std::size_t count, float* digits) const {
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const int* choice = choices[lane];
    for (std::size_t slot = 0; slot < space_.decisions.size(); ++slot) digits[slot * kLanes + lane] = static_cast<float>(choice[slot]);
  }
  const Derived* digit = derived_.data();
  for (std::size_t slot = space_.decisions.size(); slot < count; ++slot, ++digit) {
    std::array<float, kLanes> combination{};
    for (const Term* term = terms_.data() + digit->first_term; term != terms_.data() + digit->end_term; ++term) {
      const auto stride = static_cast<float>(term->stride);
      for (std::size_t lane = 0; lane < kLanes; ++lane) combination[lane] += stride * digits[term->slot * kLanes + lane];
    }
    const std::uint32_t* classes = classes_.data() + digit->first_class;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      digits[slot * kLanes + lane] = static_cast<float>(classes[static_cast<std::int32_t>(combination[lane])]);
    }
  }
}

}  // namespace lathe::hwmodels
