#include "experiments/repeated_run.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "experiments/provenance.h"
#include "experiments/run_store.h"
#include "experiments/trial_rows.h"

namespace lathe::experiments {

std::string compare_runs(const std::string& original, const std::string& repetition) {
  const RunStore then(original + "/run.db", RunStore::Mode::kRead), now(repetition + "/run.db", RunStore::Mode::kRead);
  const std::vector<search::Trial> a = then.trials(), b = now.trials();
  const auto [first, second] = std::mismatch(a.begin(), a.end(), b.begin(), b.end(), is_same_trial);
  std::string text = first == a.end() && second == b.end()
                         ? "repeated: all " + std::to_string(a.size()) + " trials are those of " + original + "\n"
                         : "repeated, but from trial " + std::to_string(first - a.begin()) + " on the trials are not those of " + original +
                               " (" + std::to_string(a.size()) + " then, " + std::to_string(b.size()) + " now)\n";
  const nlohmann::json before = then.sessions(), after = now.sessions();
  if (before.empty() || after.empty()) return text;
  for (const std::string& difference : provenance_differences(before.front(), after.front())) text += "  " + difference + "\n";
  return text;
}

}  // namespace lathe::experiments
