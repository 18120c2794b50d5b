// A trial as a row of SQLite: its texts (trial_text.h), stddev and seconds.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include "search/trial.h"

namespace lathe::experiments {

inline constexpr const char* kTrialColumns = "id, agent, choices, state, error, metrics, stddev, seconds";
// All but the id.
inline constexpr const char* kTrialColumnTypes =
    "agent TEXT NOT NULL, choices TEXT NOT NULL, state TEXT NOT NULL, error TEXT NOT NULL, metrics TEXT NOT NULL, stddev REAL NOT NULL, "
    "seconds REAL NOT NULL";
inline constexpr int kTrialColumnCount = 8;

// Binds the columns of kTrialColumns to parameters from `first` on.
void bind_trial(SQLite::Statement& statement, int first, const search::Trial& trial);
// Reads them from columns 0 on.
search::Trial trial_of(SQLite::Statement& row);

// Whether both are one trial with one result, wall clock apart.
bool is_same_trial(const search::Trial& a, const search::Trial& b);

}  // namespace lathe::experiments
