#include "experiments/predictions.h"

#include <nlohmann/json.hpp>

#include "experiments/text_table.h"
#include "models/onnx_reader.h"
#include "policies/workload.h"

namespace lathe::experiments {
namespace {

using nlohmann::json;

std::string join_numbers(const std::vector<int>& numbers) {
  std::string text;
  for (const int number : numbers) text += (text.empty() ? "" : ", ") + std::to_string(number);
  return text;
}

const char* trust(bool is_calibrated) {
  return is_calibrated ? "calibrated" : "uncalibrated";
}

}  // namespace

hwmodels::Prediction predict_file(const std::string& model, const hwmodels::HardwareModel& hardware, const policies::Policy* policy,
                                  int batch) {
  const models::Network network = policies::prepare_for_pruning(models::read_onnx(model));
  const policies::CouplingAnalysis analysis = policies::analyze_coupling(network);
  const policies::WorkloadBuilder builder(network, analysis, batch);
  return hardware.predict(policies::workload_of(builder, network, analysis, policy != nullptr ? *policy : policies::Policy{}));
}

json prediction_json(const hwmodels::Prediction& prediction, const hwmodels::DeviceSpec& device, int batch) {
  json layers = json::array();
  for (const hwmodels::LayerPrediction& layer : prediction.layers)
    layers.push_back(
        {{"name", layer.name}, {"latency_ms", layer.cost.latency_ms}, {"energy_mj", layer.cost.energy_mj}, {"bound", layer.bound}});
  json result{{"device", device.name},
              {"kind", "predicted"},
              {"calibrated", prediction.is_calibrated},
              {"batch", batch},
              {"latency_ms", prediction.latency_ms},
              {"energy_mj", prediction.energy_mj},
              {"average_power_w", prediction.average_power_w},
              {"peak_activation_bytes", prediction.peak_activation_bytes},
              {"weight_bytes", prediction.weight_bytes},
              {"feasible", prediction.is_feasible},
              {"reason", prediction.reason},
              {"layers", layers}};
  if (const auto interval = latency_interval_ms(prediction)) result["latency_interval_ms"] = {interval->first, interval->second};
  if (prediction.resources) {
    const hwmodels::FpgaResources& used = *prediction.resources;
    result["resources"] = {{"lut", used.lut}, {"ff", used.ff}, {"bram36", used.bram36}, {"dsp", used.dsp}};
  }
  return result;
}

std::string prediction_text(const hwmodels::Prediction& prediction, const hwmodels::DeviceSpec& device, int batch) {
  using Align = TextTable::Align;
  TextTable layers({{"layer"}, {"latency ms", Align::kRight}, {"share", Align::kRight}, {"energy mJ", Align::kRight}, {"bound by"}});
  for (const hwmodels::LayerPrediction& layer : prediction.layers) {
    const double share = prediction.latency_ms > 0 ? layer.cost.latency_ms / prediction.latency_ms : 0;
    layers.add_row({layer.name, format_significant(layer.cost.latency_ms, 3), format_fixed(100 * share, 1) + " %",
                    format_significant(layer.cost.energy_mj, 3), layer.bound});
  }
  std::string text = layers.to_string() + "\n" + device.title + ", batch " + std::to_string(batch) + ", predicted (" +
                     trust(prediction.is_calibrated) + ")\n";
  text += "latency          " + format_significant(prediction.latency_ms, 3) + " ms";
  if (const auto interval = latency_interval_ms(prediction))
    text += ", 90 % interval " + format_significant(interval->first, 3) + " to " + format_significant(interval->second, 3) + " ms";
  text += "\n";
  text += "energy           " + format_significant(prediction.energy_mj, 3) + " mJ, on average " +
          format_significant(prediction.average_power_w, 3) + " W\n";
  text += "activation peak  " + format_bytes(static_cast<double>(prediction.peak_activation_bytes)) + "\n";
  text += "weights          " + format_bytes(static_cast<double>(prediction.weight_bytes)) + "\n";
  if (prediction.resources) {
    const hwmodels::FpgaResources& used = *prediction.resources;
    text += "resources        " + format_count(used.lut) + " LUT, " + format_count(used.ff) + " FF, " + format_fixed(used.bram36, 1) +
            " BRAM36, " + format_fixed(used.dsp, 0) + " DSP\n";
  }
  if (!prediction.is_feasible) text += "does not fit     " + prediction.reason + "\n";
  return text;
}

json device_json(const hwmodels::DeviceSpec& device) {
  json parameters = json::object();
  for (const auto& [name, value] : device.parameters) {
    const auto source = device.sources.find(name);
    parameters[name] = {{"value", value}, {"source", source == device.sources.end() ? "" : source->second}};
  }
  return {{"name", device.name},
          {"title", device.title},
          {"class", hwmodels::to_string(device.device_class)},
          {"calibrated", device.is_calibrated},
          {"channel_granularity", device.capabilities.channel_granularity},
          {"weight_bits", device.capabilities.weight_bits},
          {"activation_bits", device.capabilities.activation_bits},
          {"runs_two_of_four", device.capabilities.runs_two_of_four},
          {"parameters", parameters},
          {"file", device.file}};
}

std::string device_text(const hwmodels::DeviceSpec& device) {
  std::string text = device.name + ": " + device.title + " (" + trust(device.is_calibrated) + ")\n";
  text += "class                " + std::string(hwmodels::to_string(device.device_class)) + "\n";
  text += "channel granularity  " + std::to_string(device.capabilities.channel_granularity) + "\n";
  text += "weight bits          " + join_numbers(device.capabilities.weight_bits) + "\n";
  text += "activation bits      " + join_numbers(device.capabilities.activation_bits) + "\n";
  if (device.capabilities.runs_two_of_four) text += "sparse weights       2:4\n";
  if (!device.calibration.empty()) text += "calibration          " + device.calibration + "\n";
  text += "file                 " + device.file + "\n\n";
  TextTable table({{"parameter"}, {"value", TextTable::Align::kRight}, {"source"}});
  for (const auto& [name, value] : device.parameters) {
    const auto source = device.sources.find(name);
    const bool is_plain = value == 0 || (value >= 1e-3 && value < 1e6);
    std::string number = is_plain ? format_significant(value, 4) : json(value).dump();
    table.add_row({name, number, source == device.sources.end() ? "" : source->second});
  }
  return text + table.to_string();
}

std::string devices_text(const std::vector<hwmodels::DeviceSpec>& devices) {
  TextTable table({{"name"}, {"class"}, {"weight bits"}, {"activation bits"}, {"predictions"}, {"title"}});
  for (const hwmodels::DeviceSpec& device : devices)
    table.add_row({device.name, hwmodels::to_string(device.device_class), join_numbers(device.capabilities.weight_bits),
                   join_numbers(device.capabilities.activation_bits), trust(device.is_calibrated), device.title});
  return table.to_string();
}

}  // namespace lathe::experiments
