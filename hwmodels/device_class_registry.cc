#include "hwmodels/device_class_registry.h"

#include <algorithm>
#include <deque>

#include "models/base/check.h"

namespace lathe::hwmodels {
namespace {

std::deque<RegisteredDeviceClass>& registry() {
  static std::deque<RegisteredDeviceClass> kClasses;
  return kClasses;
}

}  // namespace

void register_device_class(RegisteredDeviceClass device_class) {
  const std::vector<std::string> taken = registered_device_classes();
  LATHE_CHECK(std::find(taken.begin(), taken.end(), device_class.name) == taken.end()) << "two device classes called " << device_class.name;
  registry().push_back(std::move(device_class));
}

std::vector<std::string> registered_device_classes() {
  std::vector<std::string> names;
  for (const RegisteredDeviceClass& known : registry()) names.push_back(known.name);
  return names;
}

const RegisteredDeviceClass& registered_device_class(const std::string& name) {
  const auto& all = registry();
  const auto found = std::find_if(all.begin(), all.end(), [&](const RegisteredDeviceClass& known) { return known.name == name; });
  LATHE_CHECK(found != all.end()) << "no device class " << name;
  return *found;
}

}  // namespace lathe::hwmodels
