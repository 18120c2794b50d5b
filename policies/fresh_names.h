// Short names that a network does not have yet. Short, because in a small network the names of what quantization adds would weigh as much
// as its weights.
#pragma once

#include <set>
#include <string>

#include "models/network.h"

namespace lathe::policies {

class FreshNames {
 public:
  explicit FreshNames(const models::Network& network) {
    for (const models::Value& value : network.values) taken_.insert(value.name);
    for (const models::Node& node : network.nodes) taken_.insert(node.name);
  }

  std::string next() {
    std::string name;
    do {
      name.clear();
      constexpr std::size_t kDigits = 26;
      for (std::size_t rest = counter_++ + 1; rest > 0; rest = (rest - 1) / kDigits) name += static_cast<char>('a' + (rest - 1) % kDigits);
    } while (!taken_.insert(name).second);
    return name;
  }

 private:
  std::set<std::string> taken_;
  std::size_t counter_ = 0;
};

}  // namespace lathe::policies
