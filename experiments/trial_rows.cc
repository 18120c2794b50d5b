#include "experiments/trial_rows.h"

#include <algorithm>
#include <cmath>

#include "experiments/trial_text.h"

namespace lathe::experiments {

void bind_trial(SQLite::Statement& statement, int first, const search::Trial& trial) {
  const TrialText text = text_of(trial);
  statement.bind(first, trial.id);
  statement.bind(first + 1, text.agent);
  statement.bind(first + 2, text.choices);
  statement.bind(first + 3, text.state);
  statement.bind(first + 4, text.error);
  statement.bind(first + 5, text.metrics);
  statement.bind(first + 6, trial.stddev);
  statement.bind(first + 7, trial.seconds);
}

search::Trial trial_of(SQLite::Statement& row) {
  const TrialText text{.agent = row.getColumn(1).getString(),
                       .choices = row.getColumn(2).getString(),
                       .state = row.getColumn(3).getString(),
                       .error = row.getColumn(4).getString(),
                       .metrics = row.getColumn(5).getString()};
  return trial_of(row.getColumn(0).getInt64(), text, row.getColumn(6).getDouble(), row.getColumn(7).getDouble());
}

bool is_same_trial(const search::Trial& a, const search::Trial& b) {
  const auto equal = [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); };
  return a.id == b.id && a.agent == b.agent && a.candidate == b.candidate && a.state == b.state &&
         std::equal(a.metrics.begin(), a.metrics.end(), b.metrics.begin(), b.metrics.end(), equal);
}

}  // namespace lathe::experiments
