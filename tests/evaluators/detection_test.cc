#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "evaluators/detection_head.h"
#include "evaluators/internal/detection_loss.h"
#include "evaluators/policy_evaluator.h"
#include "evaluators/pruning_importance.h"
#include "evaluators/recovery.h"
#include "evaluators/trainer.h"
#include "models/base/error.h"
#include "models/operators.h"
#include "policies/prune.h"
#include "tests/evaluators/data_files.h"
#include "tests/evaluators/small_networks.h"

namespace lathe::evaluators {
namespace {

using ::testing::HasSubstr;

#include "tests/evaluators/detection_reference.inc"

at::Tensor reference_tensor(const std::vector<float>& values) {
  return at::tensor(at::ArrayRef<float>(values)).view({2, 7, 3, 3}).to(at::kDouble);
}

// The objects of make_detection_reference.py, main().
at::Tensor reference_objects() {
  const std::vector<float> values{1, 5, 13, 9, 20, 0, 21, 2.5, 6, 5, 0, 12.5, 11, 14, 14, -1, 0, 0, 0, 0};
  return at::tensor(at::ArrayRef<float>(values)).view({2, 2, 5}).to(at::kDouble);
}

TEST(DetectionLoss, IsTheFormulasCellByCell) {
  at::Tensor head = reference_tensor(kReferenceHead);
  head.requires_grad_(true);
  const at::Tensor loss = internal::detection_loss(head, reference_objects(), /*image_width=*/24, /*smoothing=*/0);
  EXPECT_NEAR(loss.item().toDouble(), kReferenceLoss, 2e-5);  // the reference knows no kTiny
  loss.backward();
  const at::Tensor gradient = head.grad().flatten();
  for (std::size_t i = 0; i < kReferenceGradient.size(); ++i)
    EXPECT_NEAR(gradient[static_cast<std::int64_t>(i)].item().toDouble(), kReferenceGradient[i], 2e-5) << "logit " << i;
}

TEST(DetectionLoss, FromATeacherIsTheFormulasCellByCell) {
  at::Tensor head = reference_tensor(kReferenceHead);
  const at::Tensor teacher = reference_tensor(kReferenceTeacher);
  EXPECT_NEAR(internal::soft_detection_loss(head, teacher).item().toDouble(), kReferenceSoftLoss, 2e-5);
  head.requires_grad_(true);
  const at::Tensor agreed = internal::soft_detection_loss(head, head.detach());
  EXPECT_NEAR(agreed.item().toDouble(), 0, 1e-4);
  agreed.backward();
  EXPECT_LT(head.grad().abs().max().item().toDouble(), 1e-4);
}

TEST(DetectionLoss, OfAnEmptyImageIsObjectnessAlone) {
  const at::Tensor none = at::tensor(at::ArrayRef<float>({-1, 0, 0, 0, 0})).view({1, 1, 5});
  at::Tensor head = at::zeros({1, 6, 2, 2});
  head.requires_grad_(true);
  const at::Tensor loss = internal::detection_loss(head, none, 16, 0);
  EXPECT_NEAR(loss.item().toDouble(), 4 * std::log(2), 1e-6);
  loss.backward();
  EXPECT_NEAR(head.grad().select(1, 4).sum().item().toDouble(), 4 * 0.5, 1e-6);
  EXPECT_NEAR(head.grad().abs().sum().item().toDouble(), 4 * 0.5, 1e-6);
}

// Cell (2, 1) of stride 8 with x, y, w, h = 0: centre (2.5, 1.5) * 8, side 32.
TEST(Decode, GivesBoxesInPixelsAndScores) {
  at::Tensor head = at::zeros({1, 7, 3, 4});
  head.select(1, 4).fill_(-20);
  head[0][4][1][2] = 2.0;  // objectness 0.8807971
  head[0][5][1][2] = -20.0;
  head[0][6][1][2] = 1.0;  // 0.7310586
  const auto detections = decode(head, 8);
  ASSERT_EQ(detections.size(), 1U);
  ASSERT_EQ(detections[0].size(), 1U);
  EXPECT_EQ(detections[0][0].cls, 1);
  EXPECT_NEAR(detections[0][0].score, 0.8807971 * 0.7310586, 1e-6);
  EXPECT_EQ(detections[0][0].box, (Box{20, 12, 32, 32}));
}

// 32 x 32 images with one to two bright shapes: class 0 wide, class 1 tall.
Rows shapes(std::int64_t count, std::uint64_t seed) {
  Rows rows{.mean = {0.2F}, .stddev = {0.3F}};
  rows.inputs = {at::empty({count, 1, 32, 32}, at::kByte)};
  rows.labels = at::full({count, 2, 5}, -1.0F);
  auto pixels = rows.inputs[0].accessor<std::uint8_t, 4>();
  auto objects = rows.labels.accessor<float, 3>();
  for (std::int64_t i = 0; i < count; ++i) {
    Rng rng(seed, "shapes", static_cast<std::uint64_t>(i));
    for (std::int64_t p = 0; p < 32 * 32; ++p) pixels[i][0][p / 32][p % 32] = static_cast<std::uint8_t>(rng.below(60));
    const std::int64_t number = 1 + rng.below(2);
    for (std::int64_t o = 0; o < number; ++o) {
      const std::int64_t cls = rng.below(2), width = cls == 0 ? 12 : 6, height = cls == 0 ? 6 : 12;
      const std::int64_t x = rng.below(16 - width + 1) + 16 * o, y = rng.below(32 - height + 1);  // halves of the image, so apart
      for (std::int64_t p = 0; p < width * height; ++p) pixels[i][0][y + p / width][x + p % width] = 200;
      const float object[] = {static_cast<float>(cls), x + width / 2.0F, y + height / 2.0F, static_cast<float>(width),
                              static_cast<float>(height)};
      for (int part = 0; part < 5; ++part) objects[i][o][part] = object[part];
    }
  }
  return rows;
}

struct TrainedDetector {
  Dataset data{.name = "shapes",
               .classes = 2,
               .train = shapes(320, 1),
               .calibration = shapes(64, 2),
               .search = shapes(60, 3),
               .test = shapes(80, 4)};
  models::Network network = policies::prepare_for_pruning(train(models::make_resnet({.in_channels = 1,
                                                                                     .height = 32,
                                                                                     .width = 32,
                                                                                     .classes = 2,
                                                                                     .is_detector = true,
                                                                                     .stem_stride = 2,
                                                                                     .widths = {8, 16},
                                                                                     .seed = 5}),
                                                                data.train, options())
                                                              .network);
  policies::CouplingAnalysis analysis = policies::analyze_coupling(network);

  static TrainOptions options() {
    return {
        .epochs = 12, .batch_size = 16, .learning_rate = 0.01, .warmup_epochs = 1, .augmentation = {.horizontal_flip = true}, .seed = 2};
  }
};
const TrainedDetector& detector() {
  static const TrainedDetector instance;
  return instance;
}

double map50(const models::Network& network, const Rows& rows) {
  return mean_average_precision(detect(models::Executor(network), rows, PrecisionMetric::kAt50), PrecisionMetric::kAt50);
}

TEST(Detector, LearnsWhereShapesAre) {
  check_matches(detector().data, detector().network);
  EXPECT_GT(map50(detector().network, detector().data.test), 0.8);
}

policies::Policy half_at_four_bits() {
  policies::Policy policy;
  for (const auto& group : detector().analysis.groups)
    if (group.prunable) policy.groups.push_back({.name = group.name, .keep_ratio = 0.5});
  for (const auto& node : detector().network.nodes)
    if (models::weight_input(detector().network, node) >= 0)
      policy.layers.push_back(
          {.name = node.name, .weight_bits = 4, .weight_format = "int", .activation_bits = 4, .activation_format = "int"});
  return policy;
}

TEST(Detector, IsMeasuredByThePolicyEvaluator) {
  const PolicyEvaluator evaluator(detector().network, detector().analysis, detector().data, {});
  const Evaluation whole = evaluator.reference(Split::kTest);
  EXPECT_EQ(whole.accuracy, map50(detector().network, detector().data.test));
  EXPECT_EQ(whole.samples, 80);
  EXPECT_TRUE(whole.correct.empty());
  const Evaluation halved = evaluator.evaluate({.policy = half_at_four_bits(), .split = Split::kTest});
  ASSERT_TRUE(halved.is_ok) << halved.error;
  EXPECT_LT(halved.accuracy, whole.accuracy);
  const Evaluation ten = evaluator.evaluate({.policy = {}, .split = Split::kTest, .rows = 10});
  ASSERT_TRUE(ten.is_ok) << ten.error;
  EXPECT_NEAR(ten.accuracy, mean_average_precision(first_images(*whole.detections, 10), PrecisionMetric::kAt50), 1e-3);
}

TEST(Detector, RecoversByFineTuningAndLearnedScalesFromTheFloatOne) {
  RecoveryOptions options{
      .fine_tune_epochs = 4, .qat_epochs = 3, .fine_tune_learning_rate = 0.01, .qat_learning_rate = 0.003, .qat_method = "lsq"};
  options.training = TrainedDetector::options();
  const auto recover_with = [&](double epochs_factor) {
    RecoveryOptions used = options;
    used.fine_tune_epochs *= epochs_factor;
    used.qat_epochs *= epochs_factor;
    return recover(detector().network, detector().analysis, half_at_four_bits(), detector().data, used);
  };
  const double calibrated = map50(recover_with(0).delivered, detector().data.test),
               recovered = map50(recover_with(1).delivered, detector().data.test);
  EXPECT_GT(recovered, calibrated);
  EXPECT_GT(recovered, 0.7);
}

TEST(Detector, HasTaylorScoresOfItsOwnLoss) {
  const auto importance = channel_importance(detector().network, detector().analysis, "taylor", 0, &detector().data.calibration);
  for (std::size_t g = 0; g < importance.size(); ++g) {
    if (!detector().analysis.groups[g].prunable) continue;
    EXPECT_GT(*std::max_element(importance[g].begin(), importance[g].end()), 0) << detector().analysis.groups[g].name;
  }
}

// The tight box of the bright pixels moves as the object does.
TEST(AugmentedLabels, FollowTheImages) {
  Rows rows = shapes(40, 9);
  for (std::int64_t i = 0; i < rows.size(); ++i) {  // one shape alone
    rows.labels[i][1][0] = -1.0F;
    rows.inputs[0][i].narrow(2, 16, 16).zero_();
  }
  const AugmentationOptions options{.crop_padding = 3, .horizontal_flip = true};
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < rows.size(); ++i) indices.push_back(rows.size() - 1 - i);
  const at::Tensor images = augmented_batch(rows, indices, options, 4, 2)[0], labels = augmented_labels(rows, indices, options, 4, 2);
  for (std::int64_t i = 0; i < rows.size(); ++i) {
    const at::Tensor bright = images[i][0].gt((150 / 255.0 - 0.2) / 0.3).nonzero();
    const at::Tensor low = std::get<0>(bright.min(0)), high = std::get<0>(bright.max(0));
    const auto number = [](const at::Tensor& t) { return t.item().toDouble(); };
    const double left = number(low[1]), right = number(high[1]) + 1, top = number(low[0]), bottom = number(high[0]) + 1;
    ASSERT_GE(number(labels[i][0][0]), 0);
    EXPECT_EQ(number(labels[i][0][1]), (left + right) / 2);
    EXPECT_EQ(number(labels[i][0][2]), (top + bottom) / 2);
    EXPECT_EQ(number(labels[i][0][3]), right - left);
    EXPECT_EQ(number(labels[i][0][4]), bottom - top);
  }
}

TEST(AugmentedLabels, DropWhatIsMostlyOutside) {
  Rows rows;
  rows.inputs = {at::zeros({60, 1, 8, 8}, at::kByte)};
  rows.labels = at::tensor(at::ArrayRef<float>({0, 1, 4, 2, 4})).view({1, 1, 5}).repeat({60, 1, 1});
  std::vector<std::int64_t> indices(60);
  for (std::int64_t i = 0; i < 60; ++i) indices[static_cast<std::size_t>(i)] = i;
  const at::Tensor labels = augmented_labels(rows, indices, {.crop_padding = 2}, 1, 0);
  for (std::int64_t i = 0; i < 60; ++i) {
    const float cls = labels[i][0][0].item().toFloat(), width = labels[i][0][3].item().toFloat();
    EXPECT_EQ(cls == 0, width >= 1) << width;
  }
  EXPECT_GT(labels.select(2, 0).eq(-1).sum().item().toLong(), 0);
}

// Two images of 16 x 16 in training, four in test.
class DetectionData : public ::testing::Test {
 protected:
  void write(const std::string& objects_descr, const std::vector<float>& test_objects) {
    write_bytes(folder_.path("train.npy"), npy_bytes("|u1", "2, 1, 16, 16", std::string(512, '\x10')));
    write_bytes(folder_.path("test.npy"), npy_bytes("|u1", "4, 1, 16, 16", std::string(1024, '\x10')));
    write_bytes(folder_.path("train_o.npy"), npy_bytes("<f4", "2, 1, 5", raw<float>({0, 8, 8, 4, 4, 2, 4, 4, 3, 3})));
    write_bytes(folder_.path("test_o.npy"), npy_bytes(objects_descr, "4, 1, 5", raw(test_objects)));
  }
  DataOptions options() const {
    return {.kind = "detection",
            .path = folder_.path(),
            .calibration_rows = 2,
            .search_rows = 2,
            .load_train = true,
            .inputs_train = "train.npy",
            .inputs_test = "test.npy",
            .labels_train = "train_o.npy",
            .labels_test = "test_o.npy"};
  }
  std::string error_of(DataOptions options) const {
    try {
      load_dataset(options);
    } catch (const UserError& error) {
      return error.what();
    }
    return "";
  }
  TemporaryFolder folder_;
  std::vector<float> test_objects_{1, 8, 8, 4, 4, -1, 0, 0, 0, 0, 0, 3, 3, 2, 2, 0, 9, 9, 2, 2};
};

TEST_F(DetectionData, IsSplitAsIdxIs) {
  write("<f4", test_objects_);
  const Dataset data = load_dataset(options());
  EXPECT_EQ(data.classes, 3);
  EXPECT_EQ(data.train.size(), 2);
  EXPECT_EQ(data.search.size(), 2);
  EXPECT_EQ(data.test.size(), 2);
  EXPECT_FALSE(data.search_rows_were_trained_on);
  EXPECT_TRUE(are_objects(data.test.labels));
}

TEST_F(DetectionData, NamesWhatIsWrong) {
  write("<f4", test_objects_);
  DataOptions two_classes = options();
  two_classes.classes = 2;
  EXPECT_THAT(error_of(two_classes),
              AllOf(HasSubstr("train_o.npy"), HasSubstr("row 1, object 0"), HasSubstr("0 to 1"), HasSubstr("2, 4, 4, 3, 3")));
  test_objects_[1] = 20;
  write("<f4", test_objects_);
  EXPECT_THAT(error_of(options()), AllOf(HasSubstr("test_o.npy"), HasSubstr("row 0, object 0"), HasSubstr("16 x 16")));
  test_objects_[1] = NAN;
  write("<f4", test_objects_);
  EXPECT_THAT(error_of(options()), HasSubstr("row 0, object 0"));
  write("<i4", test_objects_);
  EXPECT_THAT(error_of(options()), HasSubstr("expected floats [rows, objects, 5]"));
  DataOptions no_labels = options();
  no_labels.labels_test = "";
  EXPECT_THAT(error_of(no_labels), HasSubstr("data.labels_test"));
}

TEST_F(DetectionData, NeedsADetector) {
  write("<f4", test_objects_);
  const Dataset data = load_dataset(options());
  const auto error_for = [&](const models::ResNetOptions& network) -> std::string {
    try {
      check_matches(data, models::make_resnet(network));
    } catch (const UserError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(error_for({.in_channels = 1, .height = 16, .width = 16, .classes = 3}), HasSubstr("expected a detector"));
  EXPECT_THAT(error_for({.in_channels = 1, .height = 16, .width = 16, .classes = 2, .is_detector = true}),
              HasSubstr("classes from 0 to 1"));
  EXPECT_EQ(error_for({.in_channels = 1, .height = 16, .width = 16, .classes = 3, .is_detector = true}), "");
}

}  // namespace
}  // namespace lathe::evaluators
