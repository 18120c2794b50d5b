// How good detections are: average precision as COCO counts it (T.-Y. Lin et al., Microsoft COCO, ECCV 2014, and its program cocoeval.py),
// without crowds and areas. Each image's detections of a class are matched with its objects, best score first, each with the object not yet
// taken of the highest intersection over union (IoU), at ten thresholds 0.50, 0.55, ..., 0.95. Over all images, detections by falling score
// trace precision against recall; average precision is the mean of the highest precision at a recall of at least r, over r = 0, 0.01,
// ..., 1. Its mean over the classes that have objects is mAP.
//
// mAP is no mean over images, so that its error does not follow from counts. Matches are an image's own, though: a bootstrap over images
// (B. Efron, 1979) draws images with their matches, and a pair of networks is compared on the same draws.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace lathe::evaluators {

// By its centre, in pixels.
struct Box {
  double cx = 0, cy = 0, w = 0, h = 0;
  bool operator==(const Box&) const = default;
};

// 0 where either has no area.
double intersection_over_union(const Box& a, const Box& b);

struct Detection {
  int cls = 0;
  double score = 0;
  Box box;
  bool operator==(const Detection&) const = default;
};

struct LabelledBox {
  int cls = 0;
  Box box;
};

constexpr int kIouThresholds = 10;
constexpr std::size_t kMostDetections = 100;  // an image, as COCO counts

// By falling score (equal ones in the given order): keeps a detection unless one kept before, of the same class, overlaps it by an IoU
// above `iou`. At most kMostDetections.
std::vector<Detection> non_maximum_suppression(std::vector<Detection> detections, double iou);

// What counts as the accuracy of a detector.
enum class PrecisionMetric { kAt50, kMean };  // at IoU 0.5, or the mean over the ten thresholds

// Matches of detections with the objects of a split.
struct DetectionOutcome {
  struct Match {
    std::int32_t image = 0, cls = 0;
    double score = 0;
    std::uint16_t matched = 0;  // bit t: matches an object at IoU 0.5 + 0.05 t
  };
  PrecisionMetric metric = PrecisionMetric::kAt50;
  int classes = 0;
  std::int64_t images = 0;
  std::vector<std::int32_t> objects;  // [images, classes], how many there are
  std::vector<Match> matches;         // image after image

  // Appends an image. detections: after suppression. Classes outside [0, classes) are our own mistake.
  void add_image(const std::vector<Detection>& detections, const std::vector<LabelledBox>& truth);
};

// The outcome on the first images alone.
DetectionOutcome first_images(const DetectionOutcome& outcome, std::int64_t images);

// [class][threshold], in [0, 1]; NaN for classes without objects. weights: how often each image counts; empty = once.
using ClassPrecisions = std::vector<std::array<double, kIouThresholds>>;
ClassPrecisions average_precisions(const DetectionOutcome& outcome, std::span<const std::int32_t> weights = {});

// Mean over the classes that have objects (0 where none has).
double mean_average_precision(const DetectionOutcome& outcome, PrecisionMetric metric);

// 95 % interval of outcome.metric, by the standard deviation over 1,000 bootstrap samples, always the same ones.
std::pair<double, double> precision_interval(const DetectionOutcome& outcome);

}  // namespace lathe::evaluators
