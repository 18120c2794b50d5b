#include "search/rl/saved_networks.h"

#include <ATen/core/Dict.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <sstream>

#include "models/base/error.h"

namespace lathe::search {
namespace {

constexpr const char* kFormat = "lathe.agent";
constexpr std::int64_t kVersion = 1;

using Dictionary = c10::Dict<c10::IValue, c10::IValue>;

UserError unusable(const std::string& expected, const std::string& got = "") {
  return UserError(Fault{.key = "search.pretrained", .expected = expected, .got = got});
}

Dictionary parsed(const std::string& saved) {
  try {
    const Dictionary dictionary = torch::jit::pickle_load({saved.begin(), saved.end()}).toGenericDict();
    if (dictionary.at("format").toStringRef() == kFormat && dictionary.at("version").toInt() == kVersion) return dictionary;
  } catch (const std::exception&) {  // whatever the parser has to say, it is about bytes that we did not write
  }
  throw unusable("expected an agent that this version of Lathe saved");
}

std::string shape_of(const at::Tensor& tensor) {
  std::ostringstream text;
  text << tensor.sizes();
  return text.str();
}

void copy_values(const Dictionary& saved, const NamedTensors& into) {
  if (saved.size() != into.size()) throw unusable("an agent with other networks: " + std::to_string(saved.size()) + " tensors");
  const c10::AutoGradMode no_grad(false);
  for (const auto& [name, tensor] : into) {
    const auto found = saved.find(name);
    if (found == saved.end()) throw unusable("an agent with other networks: it has no " + name);
    const at::Tensor values = found->value().toTensor();
    if (values.sizes() != tensor.sizes())
      throw unusable("expected " + name + " of shape " + shape_of(tensor) + ", as option `hidden` and this version have it", shape_of(values));
    tensor.copy_(values);
  }
}

}  // namespace

std::string save_networks(const LearningProgress& progress, const NamedTensors& tensors) {
  Dictionary by_name(c10::StringType::get(), c10::TensorType::get()), all(c10::StringType::get(), c10::AnyType::get());
  for (const auto& [name, tensor] : tensors) by_name.insert(name, tensor.detach().clone());
  all.insert("format", kFormat);
  all.insert("version", kVersion);
  all.insert("kind", progress.kind);
  all.insert("trials", progress.trials);
  all.insert("tensors", by_name);
  const std::vector<char> bytes = torch::jit::pickle_save(all);
  return {bytes.begin(), bytes.end()};
}

LearningProgress restore_networks(const std::string& saved, const std::string& kind, const NamedTensors& into) {
  const Dictionary all = parsed(saved);
  LearningProgress progress{.kind = all.at("kind").toStringRef(), .trials = all.at("trials").toInt()};
  if (progress.kind != kind) throw unusable("expected what an agent of kind " + kind + " learned", progress.kind);
  copy_values(all.at("tensors").toGenericDict(), into);
  return progress;
}

}  // namespace lathe::search
