// Finished deliveries are found again by a resumed run, bit for bit, and made anew where anything about them has changed.
#include "experiments/delivery_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;

Delivery example() {
  Delivery delivery{.onnx = std::string("bytes\0of a file", 15), .is_recovered = true};
  delivery.policy.model_name = "net";
  delivery.policy.groups = {{.name = "conv1", .keep_ratio = 1.0 / 3, .channels = 2, .kept = {0, 5}}};
  delivery.policy.metrics.packed_bytes = 77;
  delivery.search = {.accuracy = 2.0 / 3, .interval = {0.1, 0.9}, .samples = 3, .correct = {1, 0, 1}};
  delivery.test = {.is_ok = false, .error = "why not"};
  return delivery;
}

class DeliveryStoreTest : public testing::Test {
 protected:
  DeliveryStoreTest() : folder_(fs::temp_directory_path() / ("lathe_deliveries_" + std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~DeliveryStoreTest() override { fs::remove_all(folder_); }

  // How often the delivery of trial 4 is made when a run with these settings asks for it.
  int makes(const std::vector<std::string>& settings, Recovery recovery = Recovery::kAsConfigured) {
    RunStore store(folder_ / "run.db", RunStore::Mode::kResume, {"seed: 0"});
    int count = 0;
    found_ = DeliveryStore(store, folder_ / "deliveries", settings).find_or_make(4, recovery, [&] {
      ++count;
      return example();
    });
    return count;
  }

  fs::path folder_;
  Delivery found_;
};

TEST_F(DeliveryStoreTest, FindsWhatAnEarlierProcessMade) {
  EXPECT_EQ(makes({"recover.qat_epochs: 1"}), 1);
  EXPECT_EQ(makes({"recover.qat_epochs: 1"}), 0);
  const Delivery made = example();
  EXPECT_EQ(found_.policy, made.policy);
  EXPECT_EQ(found_.onnx, made.onnx);
  EXPECT_EQ(found_.is_recovered, made.is_recovered);
  EXPECT_EQ(found_.search.accuracy, made.search.accuracy);
  EXPECT_EQ(found_.search.interval, made.search.interval);
  EXPECT_EQ(found_.search.samples, made.search.samples);
  EXPECT_EQ(found_.search.correct, made.search.correct);
  EXPECT_EQ(found_.test.is_ok, made.test.is_ok);
  EXPECT_EQ(found_.test.error, made.test.error);
}

TEST_F(DeliveryStoreTest, MakesAnewWhereRecoveryIsAnother) {
  EXPECT_EQ(makes({"recover.qat_epochs: 1"}), 1);
  EXPECT_EQ(makes({"recover.qat_epochs: 2"}), 1);
  EXPECT_EQ(makes({"recover.qat_epochs: 1"}, Recovery::kNone), 1);
}

TEST_F(DeliveryStoreTest, MakesAnewWhereTheFileIsGoneOrDamaged) {
  EXPECT_EQ(makes({}), 1);
  std::ofstream(folder_ / "deliveries" / "4.onnx") << "something else";
  EXPECT_EQ(makes({}), 1);
  EXPECT_EQ(found_.onnx, example().onnx);
  fs::remove_all(folder_ / "deliveries");
  EXPECT_EQ(makes({}), 1);
}

}  // namespace
}  // namespace lathe::experiments
