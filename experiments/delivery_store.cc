#include "experiments/delivery_store.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "evaluators/evaluation_json.h"
#include "experiments/run_directory.h"
#include "models/base/sha256.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json kept_form(const Delivery& delivery) {
  return {{"policy", policies::to_json(delivery.policy)},
          {"onnx_sha256", sha256(delivery.onnx)},
          {"search", evaluators::evaluation_json(delivery.search)},
          {"test", evaluators::evaluation_json(delivery.test)},
          {"is_recovered", delivery.is_recovered}};
}

Delivery delivery_of(const json& document, std::string onnx) {
  return {.policy = policies::policy_from_json(document.at("policy"), "a kept delivery", policies::PolicyDocument::kFile),
          .onnx = std::move(onnx),
          .search = evaluators::evaluation_of(document.at("search")),
          .test = evaluators::evaluation_of(document.at("test")),
          .is_recovered = document.at("is_recovered")};
}

// "" where there is none.
}  // namespace

DeliveryStore::DeliveryStore(RunStore& store, std::string folder, const std::vector<std::string>& settings)
    : store_(store), folder_(std::move(folder)) {
  std::string lines;
  for (const std::string& line : settings) lines += line + "\n";
  settings_hash_ = sha256(lines);
}

Delivery DeliveryStore::find_or_make(std::int64_t trial, Recovery recovery, const std::function<Delivery()>& make) {
  const std::string file = folder_ + "/" + std::to_string(trial) + ".onnx";
  const std::string key =
      "delivery/" + std::to_string(trial) + (recovery == Recovery::kNone ? "/as it is/" : "/recovered/") + settings_hash_;
  std::optional<Delivery> made;
  const json kept = store_.fact(key, [&] {
    made = make();
    fs::create_directories(folder_);
    write_atomically(file, made->onnx);  // before the store says that it is there
    return kept_form(*made);
  });
  if (made) return *std::move(made);
  std::string onnx = bytes_of(file);
  return sha256(onnx) == kept.at("onnx_sha256").get<std::string>() ? delivery_of(kept, std::move(onnx)) : make();
}

evaluators::RecoveryCheckpoints DeliveryStore::checkpoints(std::int64_t trial, double save_interval_s) const {
  const auto file_of = [folder = folder_, trial, settings = settings_hash_](const std::string& key) {
    constexpr std::size_t kHashDigits = 16;
    return folder + "/" + std::to_string(trial) + "-" + sha256(settings + key).substr(0, kHashDigits) + ".onnx";
  };
  const auto state_of = [file_of](const std::string& key) { return file_of(key) + ".state"; };
  return {.load = [file_of](const std::string& key) -> std::optional<models::Network> {
            const std::string onnx = bytes_of(file_of(key));
            return onnx.empty() ? std::nullopt : std::optional(models::parse_onnx(onnx, file_of(key)));
          },
          .save =
              [file_of, folder = folder_](const std::string& key, const models::Network& network) {
                fs::create_directories(folder);
                write_atomically(file_of(key), models::serialize_onnx(network));
              },
          .load_state = [state_of](const std::string& key) -> std::optional<std::string> {
            std::string bytes = bytes_of(state_of(key));
            return bytes.empty() ? std::nullopt : std::optional(std::move(bytes));
          },
          .save_state =
              [state_of, folder = folder_](const std::string& key, const std::string& bytes) {
                fs::create_directories(folder);
                if (bytes.empty()) {
                  fs::remove(state_of(key));
                } else {
                  write_atomically(state_of(key), bytes);
                }
              },
          .save_interval_s = save_interval_s};
}

void DeliveryStore::clear() {
  fs::remove_all(folder_);
}

}  // namespace lathe::experiments
