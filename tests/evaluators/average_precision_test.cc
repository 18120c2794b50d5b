#include "evaluators/average_precision.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "evaluators/evaluator.h"
#include "models/base/rng.h"

namespace lathe::evaluators {
namespace {

#include "tests/evaluators/detection_reference.inc"

DetectionOutcome reference_outcome(const std::vector<int>& images) {
  DetectionOutcome outcome{.classes = kReferenceClasses};
  for (const int image : images) {
    std::vector<Detection> detections;
    std::vector<LabelledBox> truth;
    for (const auto& row : kReferenceDetections)
      if (row.image == image) detections.push_back({row.cls, row.score, row.box});
    for (const auto& row : kReferenceObjects)
      if (row.image == image) truth.push_back({row.cls, row.box});
    outcome.add_image(detections, truth);
  }
  return outcome;
}

DetectionOutcome reference_outcome() {
  return reference_outcome({0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
}

Box integer_box(Rng& rng) {
  const double x = static_cast<double>(rng.below(12)), y = static_cast<double>(rng.below(12));
  const double w = static_cast<double>(1 + rng.below(10)), h = static_cast<double>(1 + rng.below(10));
  return {x + w / 2, y + h / 2, w, h};
}

bool covers(const Box& box, int x, int y) {
  return std::abs(x + 0.5 - box.cx) < box.w / 2 && std::abs(y + 0.5 - box.cy) < box.h / 2;
}

TEST(IntersectionOverUnion, CountsPixels) {
  Rng rng(1, "boxes");
  for (int trial = 0; trial < 300; ++trial) {
    const Box a = integer_box(rng), b = integer_box(rng);
    int both = 0, either = 0;
    for (int y = 0; y < 24; ++y) {
      for (int x = 0; x < 24; ++x) {
        both += covers(a, x, y) && covers(b, x, y) ? 1 : 0;
        either += covers(a, x, y) || covers(b, x, y) ? 1 : 0;
      }
    }
    EXPECT_NEAR(intersection_over_union(a, b), static_cast<double>(both) / either, 1e-12);
  }
  EXPECT_EQ(intersection_over_union({5, 5, 0, 0}, {5, 5, 0, 0}), 0);
}

// A detection is kept exactly if none that is kept, of its class and before it in the order of scores, overlaps it too much.
TEST(NonMaximumSuppression, KeepsWhatNoBetterOneCovers) {
  Rng rng(2, "detections");
  for (int trial = 0; trial < 100; ++trial) {
    std::vector<Detection> all;
    for (int i = 0; i < 30; ++i) all.push_back({static_cast<int>(rng.below(2)), static_cast<double>(rng.below(20)) / 20, integer_box(rng)});
    const std::vector<Detection> kept = non_maximum_suppression(all, 0.4);
    std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
    std::vector<bool> is_kept(all.size());
    std::vector<Detection> expected;
    for (std::size_t i = 0; i < all.size(); ++i) {
      is_kept[i] = true;
      for (std::size_t j = 0; j < i; ++j)
        if (is_kept[j] && all[j].cls == all[i].cls && intersection_over_union(all[j].box, all[i].box) > 0.4) is_kept[i] = false;
      if (is_kept[i]) expected.push_back(all[i]);
    }
    EXPECT_EQ(kept, expected);
  }
}

TEST(NonMaximumSuppression, StopsAtAHundred) {
  std::vector<Detection> apart;
  for (int i = 0; i < 150; ++i) apart.push_back({0, i / 150.0, {20.0 * i, 0, 10, 10}});
  const auto kept = non_maximum_suppression(apart, 0.5);
  ASSERT_EQ(kept.size(), 100U);
  EXPECT_DOUBLE_EQ(kept.back().score, 50 / 150.0);
}

// pycocotools divides by tp + fp + 2.2e-16.
TEST(AveragePrecision, IsPycocotools) {
  const ClassPrecisions precisions = average_precisions(reference_outcome());
  double sum = 0, sum_at_50 = 0;
  int count = 0;
  for (std::size_t cls = 0; cls < precisions.size(); ++cls) {
    if (kReferencePrecisions[cls][0] < 0) {
      EXPECT_TRUE(std::isnan(precisions[cls][0]));
      continue;
    }
    for (std::size_t t = 0; t < kIouThresholds; ++t) {
      EXPECT_NEAR(precisions[cls][t], kReferencePrecisions[cls][t], 1e-9) << "class " << cls << ", threshold " << t;
      sum += kReferencePrecisions[cls][t];
    }
    sum_at_50 += kReferencePrecisions[cls][0];
    ++count;
  }
  EXPECT_NEAR(mean_average_precision(reference_outcome(), PrecisionMetric::kAt50), sum_at_50 / count, 1e-9);
  EXPECT_NEAR(mean_average_precision(reference_outcome(), PrecisionMetric::kMean), sum / count / kIouThresholds, 1e-9);
}

TEST(AveragePrecision, OfPerfectDetectionsIsOneAndOfNoneIsZero) {
  DetectionOutcome perfect{.classes = 2}, none{.classes = 2};
  const std::vector<LabelledBox> truth{{0, {10, 10, 4, 6}}, {1, {30, 12, 8, 8}}};
  perfect.add_image({{0, 0.3, truth[0].box}, {1, 0.9, truth[1].box}}, truth);
  none.add_image({}, truth);
  EXPECT_EQ(mean_average_precision(perfect, PrecisionMetric::kMean), 1);
  EXPECT_EQ(mean_average_precision(none, PrecisionMetric::kMean), 0);
  EXPECT_EQ(mean_average_precision(DetectionOutcome{.classes = 2}, PrecisionMetric::kAt50), 0);
}

// An image of weight k is that image k times.
TEST(AveragePrecision, WeightsRepeatImages) {
  const std::vector<std::int32_t> weights{2, 1, 0, 3, 0, 1, 2, 0, 1, 1};
  const ClassPrecisions weighted = average_precisions(reference_outcome(), weights);
  const ClassPrecisions repeated = average_precisions(reference_outcome({0, 0, 1, 3, 3, 3, 5, 6, 6, 8, 9}));
  for (std::size_t cls = 0; cls + 1 < weighted.size(); ++cls)
    for (std::size_t t = 0; t < kIouThresholds; ++t) EXPECT_NEAR(weighted[cls][t], repeated[cls][t], 1e-12);
}

TEST(FirstImages, EqualsNeverHavingSeenTheOthers) {
  const DetectionOutcome first = first_images(reference_outcome(), 6), alone = reference_outcome({0, 1, 2, 3, 4, 5});
  EXPECT_EQ(first.images, 6);
  EXPECT_EQ(first.objects, alone.objects);
  EXPECT_EQ(first.matches.size(), alone.matches.size());
  EXPECT_EQ(mean_average_precision(first, PrecisionMetric::kMean), mean_average_precision(alone, PrecisionMetric::kMean));
}

// One class, one object an image, found or not at score 1: average precision is 51 or more of 101 recall points at precision 1, so that it
// goes up by steps with the share of images that are right, whose standard error is sqrt(p (1 - p) / n).
DetectionOutcome coin_flips(int images, double share, std::uint64_t seed) {
  DetectionOutcome outcome{.classes = 1};
  Rng rng(seed, "flips");
  const Box box{10, 10, 8, 8};
  for (int i = 0; i < images; ++i)
    outcome.add_image(rng.uniform() < share ? std::vector<Detection>{{0, 1, box}} : std::vector<Detection>{}, {{0, box}});
  return outcome;
}

TEST(PrecisionInterval, HasTheWidthOfTheSamplingError) {
  const DetectionOutcome outcome = coin_flips(400, 0.7, 3);
  const auto [low, high] = precision_interval(outcome);
  const double half = 1.96 * std::sqrt(0.7 * 0.3 / 400);
  const double value = mean_average_precision(outcome, PrecisionMetric::kAt50);
  EXPECT_NEAR(value - low, half, 0.25 * half);  // of 1,000 samples, in steps of 1/101
  EXPECT_NEAR(high - value, half, 0.25 * half);
  EXPECT_EQ(precision_interval(outcome), precision_interval(outcome));
}

TEST(PairedDifference, OfDetectorsIsPairedByImage) {
  const DetectionOutcome a = coin_flips(400, 0.7, 3), b = coin_flips(400, 0.7, 4);
  EXPECT_EQ(paired_difference(a, a, PrecisionMetric::kMean).interval, (std::pair<double, double>{0, 0}));
  const PairedDifference paired = paired_difference(a, b, PrecisionMetric::kAt50);
  EXPECT_DOUBLE_EQ(paired.difference,
                   mean_average_precision(a, PrecisionMetric::kAt50) - mean_average_precision(b, PrecisionMetric::kAt50));
  const double half = 1.96 * std::sqrt(2 * 0.7 * 0.3 / 400);  // independent of each other here
  EXPECT_NEAR((paired.interval.second - paired.interval.first) / 2, half, 0.25 * half);
}

TEST(DetectionEvaluation, IsMeasuredByTheMetricOfTheOutcome) {
  DetectionOutcome outcome = reference_outcome();
  outcome.metric = PrecisionMetric::kMean;
  const Evaluation evaluation = detection_evaluation(outcome);
  EXPECT_EQ(evaluation.accuracy, mean_average_precision(outcome, PrecisionMetric::kMean));
  EXPECT_EQ(evaluation.samples, kReferenceImages);
  EXPECT_LE(evaluation.interval.first, evaluation.accuracy);
  EXPECT_GE(evaluation.interval.second, evaluation.accuracy);
}

}  // namespace
}  // namespace lathe::evaluators
