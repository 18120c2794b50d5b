// Scoring allocates nothing.
#include <gtest/gtest.h>

#include "hwmodels/policy_scorer.h"
#include "tests/hwmodels/counted_allocations.h"
#include "tests/hwmodels/sketched_resnet.h"

namespace lathe::hwmodels {
namespace {

class ScoringAllocatesNothing : public ::testing::TestWithParam<const char*> {};

TEST_P(ScoringAllocatesNothing, OnceItsScratchIsThere) {
  const ScorerCase c(sketched_resnet(2), {GetParam()}, {});
  const auto model = make_hardware_model(load_device(GetParam()));
  const PolicyScorer scorer(c.builder, c.space, *model);
  Rng rng(1, "allocation");
  std::vector<policies::Candidate> candidates;
  for (int i = 0; i < 50; ++i) candidates.push_back(c.random_candidate(rng));
  // The first call makes the thread's scratch memory; a dataflow pipeline prepares the stages that it sees for the first time.
  const std::size_t warm = model->is_additive() ? 1 : candidates.size();
  for (std::size_t i = 0; i < warm; ++i) scorer.score(candidates[i]);
  const long before = allocation_count();
  double sum = 0;
  for (const policies::Candidate& candidate : candidates)
    sum += scorer.score(candidate).latency_ms + scorer.score_cost(candidate).energy_mj;
  EXPECT_EQ(allocation_count(), before);
  EXPECT_GT(sum, 0);
  EXPECT_GT(before, 0) << "the count sees nothing";
}

std::string test_name(const ::testing::TestParamInfo<const char*>& info) {
  std::string name = info.param;
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
}

INSTANTIATE_TEST_SUITE_P(Devices, ScoringAllocatesNothing,
                         ::testing::Values("raspberry-pi-4", "nvidia-t4", "xilinx-zcu102-dpu", "bismo-pynq-z1", "finn-zcu104"), test_name);

}  // namespace
}  // namespace lathe::hwmodels
