#include "experiments/config/config_keys.h"

#include "evaluators/evaluator_registry.h"
#include "experiments/config/key_makers.h"
#include "experiments/config/special_keys.h"
#include "experiments/config/training_keys.h"
#include "policies/policy.h"

namespace lathe::experiments {
namespace {

constexpr double kMany = 1e9;  // a bound that only mistakes exceed

#define MEMBER(expression)            \
  [](ExperimentConfig & c) -> auto& { \
    return c.expression;              \
  }

std::vector<ConfigKey> data_keys() {
  return {
      key("data.kind", MEMBER(data.kind), {.choices = {"idx", "cifar10", "image_folder", "npy", "detection"}},
          "Format: idx (MNIST family, gz or plain), cifar10 (binary batches), image_folder (JPEG, PNG and labels.csv), npy (arrays), "
          "detection (arrays of images and of the objects in them)."),
      key("data.path", MEMBER(data.path), {}, "Folder of the data set."),
      key("data.mean", MEMBER(data.mean), {}, "By channel on the 0..1 scale: images are normalized as (x / 255 - mean) / stddev."),
      key("data.stddev", MEMBER(data.stddev), {.at_least = 1e-6}, "By channel, see mean."),
      key("data.image_size", MEMBER(data.image_size), {.at_least = 0, .at_most = 8192},
          "image_folder: height and width that all images have."),
      key("data.calibration_rows", MEMBER(data.calibration_rows), {.at_least = 1, .at_most = kMany},
          "Rows that set activation ranges and BatchNormalization statistics."),
      key("data.search_rows", MEMBER(data.search_rows), {.at_least = 1, .at_most = kMany}, "Rows on which the search measures accuracy."),
      key("data.test_rows", MEMBER(data.test_rows), {.at_least = 0, .at_most = kMany},
          "Held-out rows that are reported; 0 = all that remain."),
      key("data.split", MEMBER(data.split), {.at_least = 0, .at_most = 1000}, "Which of the fixed shuffles divides the rows."),
      files_key("data.inputs_train", MEMBER(data.inputs_train),
                "npy, detection: files of the training inputs, in the order of the network's inputs."),
      files_key("data.inputs_test", MEMBER(data.inputs_test), "npy, detection: files of the test inputs."),
      files_key("data.labels_train", MEMBER(data.labels_train),
                "npy, detection: file of the training labels (npy: classes [rows]; detection: [rows, objects, 5], class or -1 and the box "
                "as cx, cy, w, h in pixels)."),
      files_key("data.labels_test", MEMBER(data.labels_test), "npy, detection: file of the test labels."),
  };
}

std::vector<ConfigKey> space_keys() {
  return {
      key("space.prune", MEMBER(space.prune), {}, "Whether channels are pruned."),
      key("space.keep_ratios", MEMBER(space.keep_ratios), {.at_least = 0.01, .at_most = 1, .needs_entry = true},
          "Shares of channels that a group may keep."),
      key("space.token_keep_ratios", MEMBER(space.token_keep_ratios), {.at_least = 0.01, .at_most = 1},
          "Transformers: shares of its tokens that a block may pass on to its feed-forward part and all that follows, one decision a "
          "block; "
          "empty = all tokens stay."),
      key("space.channel_granularity", MEMBER(space.channel_granularity), {.at_least = 0, .at_most = 1024},
          "Kept channels are multiples of this; 0 = the devices' own."),
      key("space.weight_bits", MEMBER(space.weight_bits), {.at_least = 2, .at_most = 32}, "Widths of weights; empty = the devices' own."),
      key("space.activation_bits", MEMBER(space.activation_bits), {.at_least = 2, .at_most = 32},
          "Widths of activations; empty = the devices' own."),
      key("space.tie_bits", MEMBER(space.tie_bits), {}, "One width for the weights and activations of a layer."),
      key("space.first_last_bits", MEMBER(space.first_last_bits), {.at_least = 0, .at_most = 32},
          "Width fixed for the first and last layer; 0 = searched."),
      key("space.sparsity", MEMBER(space.sparsity), {.at_least = 0, .at_most = 0.999},
          "Shares of a layer's weights that may be zero, beside none; empty = weights stay dense."),
      key("space.sparsity_pattern", MEMBER(space.sparsity_pattern), {.choices = {"unstructured", "2:4", "4x1"}},
          "Where zeros lie: anywhere, which makes files smaller; two of each four input channels (sparsity 0.5), which GPUs from Ampere "
          "on can also compute faster (of the ready device files nvidia-h200 says how much); or in blocks of four output channels at an "
          "input (4x1), as sparse kernels of CPUs take them."),
      key("space.dynamic_activations", MEMBER(space.dynamic_activations), {},
          "Whether 8-bit activations take their range from each input as the network runs (DynamicQuantizeLinear), in place of one that is "
          "calibrated."),
      key("space.depth", MEMBER(space.depth), {}, "Whether residual blocks may be removed: y = x + f(x) becomes y = x."),
      key("space.rank_ratios", MEMBER(space.rank_ratios), {.at_least = 0.001, .at_most = 1},
          "Shares of the full rank at which a layer may be factored in two; empty = layers stay whole."),
      key("space.criterion", MEMBER(space.criterion), {.choices = policies::pruning_criteria()},
          "How channels to keep are chosen: by the weights (l1, l2, batch_norm, fpgm, random) or on calibration rows (activation, taylor, "
          "fisher, thinet, lasso)."),
      key("space.frozen", MEMBER(space.frozen), {.allows_single = true}, "Groups or layers to leave alone; * stands for any text."),
  };
}

std::vector<ConfigKey> search_keys() {
  return {
      key("search.trials", MEMBER(search.trials), {.at_least = 1, .at_most = 1e7}, "Policies to measure."),
      key("search.threads", MEMBER(search.threads), {.at_least = 0, .at_most = 4096}, "Policies measured at once; 0 = one a processor."),
      key("search.round", MEMBER(search.round), {.at_least = 0, .at_most = 1e6}, "Proposals a round; 0 = 4 for each agent."),
      key("search.asynchronous", MEMBER(search.asynchronous), {},
          "No rounds: whoever is free measures the next proposal. No waiting on many ranks; the trials are not the same each time."),
      key("search.allocation", MEMBER(search.allocation), {.choices = {"equal", "credit"}},
          "How a round is divided among agents: equal, or credit (more to those whose recent trials made the fronts grow)."),
      agents_key(),
      key("search.sensitivity", MEMBER(search.sensitivity), {},
          "Measure each decision alone before the search, as a prior for the agents."),
      key("search.sensitivity_rows", MEMBER(search.sensitivity_rows), {.at_least = 1, .at_most = kMany}, "Rows of that measurement."),
      key("search.racing", MEMBER(search.racing), {},
          "Stop measuring a policy as soon as one that is known is sure to be better (three standard errors); not with "
          "search.asynchronous."),
      key("search.halving.factor", MEMBER(search.halving.factor), {.at_least = 0, .at_most = 100},
          "Successive halving: a round has this many times more policies, all are measured on the first of the rows, and one in so many "
          "goes "
          "on to the others; 0 = every policy on all rows. Policies that stay behind count as trials."),
      key("search.halving.rungs", MEMBER(search.halving.rungs), {.at_least = 2, .at_most = 5},
          "Steps of halving, each with factor times more rows than the one before; the last has all."),
      key("search.warm_start", MEMBER(search.warm_start), {},
          "Folder of an earlier run of the same network, for other devices or limits: what it measured is not measured again."),
      key("search.pretrained", MEMBER(search.pretrained), {},
          "Folder of an earlier run of any network and devices: agents that learn (ddpg, td3, sac, ppo) begin with what those of the same "
          "name learned there."),
      key("search.measured_feedback.every", MEMBER(search.measured_feedback.every), {.at_least = 0, .at_most = 1e7},
          "After so many trials the best policies are compressed and timed in ONNX Runtime on this machine, the x86 device is calibrated "
          "with the times, and the search goes on; 0 = never."),
      key("search.measured_feedback.policies", MEMBER(search.measured_feedback.policies), {.at_least = 1, .at_most = 1000},
          "Policies that are timed each time."),
      key("search.accuracy_range", MEMBER(search.accuracy_range), {.at_least = 0.1, .at_most = 100},
          "Points below the float network's accuracy that a front covers; policies that are worse are worth nothing to the search."),
      key("evaluator.kind", MEMBER(evaluator.kind), {.choices = evaluators::evaluator_kinds()},
          "Who measures accuracy: Lathe, your own program, or an evaluator that a program registered (docs/extending.md)."),
      key("evaluator.command", MEMBER(evaluator.command), {},
          "kind command: the program, started once a thread; see the README for the protocol."),
      key("evaluator.metric", MEMBER(evaluator.metric), {.choices = {"auto", "accuracy", "agreement", "map50", "map"}},
          "What steers the search: accuracy (with the labels), agreement (with the float network's answers), auto (agreement where the "
          "network was trained on the search rows; map50 for detection), map50 and map (data.kind detection: mean average precision at IoU "
          "0.5, and its mean over 0.5 to 0.95)."),
      key("evaluator.calibration", MEMBER(evaluator.calibration), {.choices = {"min_max", "percentile", "mse", "kl"}},
          "How activation ranges are chosen from the calibration rows."),
      key("evaluator.weight_ranges", MEMBER(evaluator.weight_ranges), {.choices = {"min_max", "mse"}}, "How ranges of weights are chosen."),
      key("evaluator.reconstruction", MEMBER(evaluator.reconstruction), {.choices = {"least_squares", "sequential", "none"}},
          "Whether layers that read pruned channels get the weights that best reproduce their outputs on the calibration rows "
          "(least_squares), or all layers do, one after the other, on what the pruned network feeds them (sequential; some seconds a trial "
          "more)."),
      key("evaluator.equalization", MEMBER(evaluator.equalization), {.choices = {"none", "cross_layer"}},
          "Whether channels between two layers are rescaled before quantization so that both use their ranges evenly."),
      key("evaluator.sparsification", MEMBER(evaluator.sparsification), {.choices = {"magnitude", "sparsegpt"}},
          "Which weights of sparse layers become zero: the smallest, or those that outputs miss least, which the others then make up for."),
      key("evaluator.weight_rounding", MEMBER(evaluator.weight_rounding), {.choices = {"nearest", "gptq", "adaround"}},
          "How weights go to integers: each to the nearest, or so that the layer's outputs on the calibration rows change least (gptq, "
          "adaround; some seconds a trial more)."),
      key("evaluator.bias_correction", MEMBER(evaluator.bias_correction), {},
          "Whether biases take back, layer by layer, what quantization does to the means of outputs."),
      key("evaluator.rows", MEMBER(evaluator.rows), {.at_least = 0, .at_most = kMany}, "Rows of the search split a trial; 0 = all."),
      key("evaluator.device", MEMBER(evaluator.device), {.choices = {"cpu", "cuda"}},
          "kind builtin: where the network runs; under MPI each rank of a host takes the next of its GPUs."),
      key("evaluator.timeout_seconds", MEMBER(evaluator.timeout_seconds), {.at_least = 0.1, .at_most = kMany},
          "kind command: how long one policy may take."),
      key("evaluator.cache", MEMBER(evaluator.cache), {},
          "Folder of measured accuracies that searches share, on one machine or many; empty = none. Changes no result of a deterministic "
          "evaluator."),
  };
}

std::vector<ConfigKey> study_keys() {
  return {
      key("study.url", MEMBER(study.url), {},
          "PostgreSQL database in which several searches share their trials, as libpq takes it; empty = none. Needs search.asynchronous."),
      key("study.name", MEMBER(study.name), {}, "Searches of one name in one database share; each needs a seed of its own."),
      key("study.lease_seconds", MEMBER(study.lease_seconds), {.at_least = 1, .at_most = kMany},
          "How long a search may be silent before others measure what it had begun."),
      key("study.patience_seconds", MEMBER(study.patience_seconds), {.at_least = 0, .at_most = kMany},
          "How long a database that has gone is waited for."),
  };
}

std::vector<ConfigKey> all_keys() {
  std::vector<ConfigKey> keys{model_key()};
  const auto append = [&keys](std::vector<ConfigKey> more) { keys.insert(keys.end(), more.begin(), more.end()); };
  append(data_keys());
  append({key("devices", MEMBER(devices), {.allows_single = true, .needs_entry = true},
              "Target devices: names (see `lathe devices`) or files."),
          key("batch", MEMBER(batch), {.at_least = 1, .at_most = 65536}, "Batch size that latency, energy and memory are predicted for.")});
  append(space_keys());
  append({key("objectives", MEMBER(objectives),
              {.choices = {"accuracy", "latency_ms", "energy_mj", "packed_bytes", "macs"}, .needs_entry = true},
              "The axes of each device's Pareto front; accuracy alone: the best within the limits of constraints."),
          key("constraints.accuracy_loss", MEMBER(constraints.accuracy_loss), {.at_least = 0, .at_most = 100},
              "Points of accuracy that a recommended policy may lose (1 = one row in a hundred)."),
          limit_key("constraints.latency_ms", &ConstraintsConfig::latency_ms, "At most; one number, or one a device."),
          key("constraints.latency_quantile", MEMBER(constraints.latency_quantile), {.at_least = 0.01, .at_most = 0.999},
              "The probability with which the true latency keeps to constraints.latency_ms, on devices with a calibrated error bar."),
          limit_key("constraints.energy_mj", &ConstraintsConfig::energy_mj, "At most; one number, or one a device."),
          optional_key("constraints.packed_bytes", MEMBER(constraints.packed_bytes), {.at_least = 1}, "Weights at their widths, at most."),
          optional_key("constraints.macs", MEMBER(constraints.macs), {.at_least = 1},
                       "Multiply-accumulates of one input, at most; `lathe inspect` says how many the network has.")});
  append(search_keys());
  append(study_keys());
  append(recover_keys());
  append(
      {key("delivery.integer_types", MEMBER(delivery.integer_types), {.choices = {"int8", "int4"}},
           "ONNX types of integer weights in delivered files: int8 (a byte each), or int4 (weights of at most 4 bits two a byte; opset 21, "
           "which fewer tools read and ONNX Runtime computes in float on CPUs).")});
  append(train_keys());
  append({key("output", MEMBER(output), {}, "Run directory; runs/NAME of the config file if left out."),
          key("seed", MEMBER(seed), {.at_least = 0, .at_most = 9e15}, "Seed of everything random.")});
  return keys;
}

#undef MEMBER

}  // namespace

const std::vector<ConfigKey>& config_keys() {
  static const std::vector<ConfigKey> keys = all_keys();
  return keys;
}

}  // namespace lathe::experiments
