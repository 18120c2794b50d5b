#include "evaluators/average_precision.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "evaluators/evaluator.h"
#include "models/base/check.h"
#include "models/base/rng.h"

namespace lathe::evaluators {
namespace {

constexpr int kRecallPoints = 101;
constexpr int kBootstrapSamples = 1000;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

double threshold(int t) {
  return 0.5 + 0.05 * t;
}

// Of a detection: the object of its class that it matches at threshold t, or -1; equal overlaps go to the later object, as in cocoeval.py.
int best_object(const Detection& detection, const std::vector<LabelledBox>& truth, const std::vector<std::uint16_t>& taken, int t) {
  int best = -1;
  double overlap = std::min(threshold(t), 1 - 1e-10);
  for (std::size_t g = 0; g < truth.size(); ++g) {
    if (truth[g].cls != detection.cls || (taken[g] >> t & 1) != 0) continue;
    const double iou = intersection_over_union(detection.box, truth[g].box);
    if (iou < overlap) continue;
    overlap = iou;
    best = static_cast<int>(g);
  }
  return best;
}

// Matches of each class by falling score, in image order where scores are equal.
std::vector<std::vector<DetectionOutcome::Match>> by_class_and_score(const DetectionOutcome& outcome) {
  std::vector<std::vector<DetectionOutcome::Match>> result(static_cast<std::size_t>(outcome.classes));
  for (const auto& match : outcome.matches) result[static_cast<std::size_t>(match.cls)].push_back(match);
  for (auto& matches : result)
    std::stable_sort(matches.begin(), matches.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
  return result;
}

// The curve's points (recall, precision), from the last to the first; so the highest precision to the right is a running maximum.
double interpolated(const std::vector<DetectionOutcome::Match>& matches, std::span<const std::int32_t> weights, double objects, int t,
                    std::vector<std::pair<double, double>>& curve) {
  curve.clear();
  double right = 0, wrong = 0;
  for (const auto& match : matches) {
    const double weight = weights.empty() ? 1 : weights[static_cast<std::size_t>(match.image)];
    if (weight == 0) continue;
    ((match.matched >> t & 1) != 0 ? right : wrong) += weight;
    curve.emplace_back(right / objects, right / (right + wrong));
  }
  double sum = 0, highest = 0;
  auto point = curve.rbegin();
  for (int r = kRecallPoints - 1; r >= 0; --r) {
    // numpy.linspace(0, 1, 101)[r] is this product too.
    const double recall = r == kRecallPoints - 1 ? 1 : 0.01 * r;
    for (; point != curve.rend() && point->first >= recall; ++point) highest = std::max(highest, point->second);
    sum += highest;
  }
  return sum / kRecallPoints;
}

// Average precision again and again with other weights: what does not depend on them is sorted once.
class PrecisionCounter {
 public:
  explicit PrecisionCounter(const DetectionOutcome& outcome) : outcome_(outcome), matches_(by_class_and_score(outcome)) {}

  double class_precision(int cls, int t, std::span<const std::int32_t> weights) {
    double objects = 0;
    for (std::int64_t i = 0; i < outcome_.images; ++i) {
      const double weight = weights.empty() ? 1 : weights[static_cast<std::size_t>(i)];
      objects += weight * outcome_.objects[static_cast<std::size_t>(i * outcome_.classes + cls)];
    }
    return objects > 0 ? interpolated(matches_[static_cast<std::size_t>(cls)], weights, objects, t, curve_) : kNone;
  }

  double mean(PrecisionMetric metric, std::span<const std::int32_t> weights) {
    double sum = 0;
    int count = 0;
    for (int cls = 0; cls < outcome_.classes; ++cls) {
      for (int t = 0; t < (metric == PrecisionMetric::kAt50 ? 1 : kIouThresholds); ++t) {
        const double precision = class_precision(cls, t, weights);
        if (std::isnan(precision)) break;
        sum += precision;
        ++count;
      }
    }
    return count > 0 ? sum / count : 0;
  }

 private:
  const DetectionOutcome& outcome_;
  std::vector<std::vector<DetectionOutcome::Match>> matches_;
  std::vector<std::pair<double, double>> curve_;
};

// Calls `take` with how often each image counts in one sample after the other.
template <typename Take>
void for_each_bootstrap_sample(std::int64_t images, Take take) {
  std::vector<std::int32_t> weights(static_cast<std::size_t>(images));
  for (std::uint64_t sample = 0; sample < kBootstrapSamples; ++sample) {
    Rng rng(/*seed=*/0, "bootstrap over images", sample);
    std::fill(weights.begin(), weights.end(), 0);
    for (std::int64_t i = 0; i < images; ++i) ++weights[static_cast<std::size_t>(rng.below(images))];
    take(weights);
  }
}

// value +- 1.96 standard deviations of the samples. Not their percentiles: draws hold fewer different images than the data, on which
// precision is interpolated over more lucky peaks, so that mAP of draws lies a little above mAP of the data.
std::pair<double, double> interval_about(double value, const std::vector<double>& samples) {
  const double n = static_cast<double>(samples.size());
  const double mean = std::accumulate(samples.begin(), samples.end(), 0.0) / n;
  double squares = 0;
  for (const double sample : samples) squares += (sample - mean) * (sample - mean);
  const double half = kNormalQuantile975 * std::sqrt(squares / (n - 1));
  return {value - half, value + half};
}

}  // namespace

double intersection_over_union(const Box& a, const Box& b) {
  const double width = std::min(a.cx + a.w / 2, b.cx + b.w / 2) - std::max(a.cx - a.w / 2, b.cx - b.w / 2);
  const double height = std::min(a.cy + a.h / 2, b.cy + b.h / 2) - std::max(a.cy - a.h / 2, b.cy - b.h / 2);
  if (width <= 0 || height <= 0) return 0;
  const double both = width * height;
  return both / (a.w * a.h + b.w * b.h - both);
}

std::vector<Detection> non_maximum_suppression(std::vector<Detection> detections, double iou) {
  std::stable_sort(detections.begin(), detections.end(), [](const Detection& a, const Detection& b) { return a.score > b.score; });
  std::vector<Detection> kept;
  for (const Detection& candidate : detections) {
    if (kept.size() == kMostDetections) break;
    const bool is_covered = std::any_of(kept.begin(), kept.end(), [&](const Detection& better) {
      return better.cls == candidate.cls && intersection_over_union(better.box, candidate.box) > iou;
    });
    if (!is_covered) kept.push_back(candidate);
  }
  return kept;
}

void DetectionOutcome::add_image(const std::vector<Detection>& detections, const std::vector<LabelledBox>& truth) {
  std::vector<std::int32_t> counts(static_cast<std::size_t>(classes));
  for (const LabelledBox& object : truth) ++counts.at(static_cast<std::size_t>(object.cls));
  objects.insert(objects.end(), counts.begin(), counts.end());
  std::vector<Detection> sorted = detections;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Detection& a, const Detection& b) { return a.score > b.score; });
  std::vector<std::uint16_t> taken(truth.size());
  for (const Detection& detection : sorted) {
    LATHE_CHECK(detection.cls >= 0 && detection.cls < classes) << detection.cls << " of " << classes;
    Match match{.image = static_cast<std::int32_t>(images), .cls = detection.cls, .score = detection.score};
    for (int t = 0; t < kIouThresholds; ++t) {
      const int object = best_object(detection, truth, taken, t);
      if (object < 0) continue;
      const auto bit = static_cast<std::uint16_t>(1U << t);
      match.matched |= bit;
      taken[static_cast<std::size_t>(object)] |= bit;
    }
    matches.push_back(match);
  }
  ++images;
}

DetectionOutcome first_images(const DetectionOutcome& outcome, std::int64_t images) {
  LATHE_CHECK_LE(images, outcome.images);
  DetectionOutcome first{.metric = outcome.metric, .classes = outcome.classes, .images = images};
  first.objects.assign(outcome.objects.begin(), outcome.objects.begin() + images * outcome.classes);
  std::copy_if(outcome.matches.begin(), outcome.matches.end(), std::back_inserter(first.matches),
               [&](const auto& match) { return match.image < images; });
  return first;
}

ClassPrecisions average_precisions(const DetectionOutcome& outcome, std::span<const std::int32_t> weights) {
  LATHE_CHECK(weights.empty() || static_cast<std::int64_t>(weights.size()) == outcome.images);
  PrecisionCounter counter(outcome);
  ClassPrecisions precisions(static_cast<std::size_t>(outcome.classes));
  for (int cls = 0; cls < outcome.classes; ++cls)
    for (int t = 0; t < kIouThresholds; ++t)
      precisions[static_cast<std::size_t>(cls)][static_cast<std::size_t>(t)] = counter.class_precision(cls, t, weights);
  return precisions;
}

double mean_average_precision(const DetectionOutcome& outcome, PrecisionMetric metric) {
  return PrecisionCounter(outcome).mean(metric, {});
}

std::pair<double, double> precision_interval(const DetectionOutcome& outcome) {
  PrecisionCounter counter(outcome);
  std::vector<double> values;
  for_each_bootstrap_sample(outcome.images, [&](const auto& weights) { values.push_back(counter.mean(outcome.metric, weights)); });
  const auto [low, high] = interval_about(counter.mean(outcome.metric, {}), values);
  return {std::max(low, 0.0), std::min(high, 1.0)};
}

PairedDifference paired_difference(const DetectionOutcome& a, const DetectionOutcome& b, PrecisionMetric metric) {
  LATHE_CHECK_EQ(a.images, b.images);
  PrecisionCounter of_a(a), of_b(b);
  const auto difference = [&](std::span<const std::int32_t> weights) { return of_a.mean(metric, weights) - of_b.mean(metric, weights); };
  std::vector<double> samples;
  for_each_bootstrap_sample(a.images, [&](const auto& weights) { samples.push_back(difference(weights)); });
  return {.difference = difference({}), .interval = interval_about(difference({}), samples)};
}

Evaluation detection_evaluation(DetectionOutcome outcome) {
  return {.accuracy = mean_average_precision(outcome, outcome.metric),
          .interval = precision_interval(outcome),
          .samples = outcome.images,
          .detections = std::move(outcome)};
}

}  // namespace lathe::evaluators
