// The tables of studies in PostgreSQL, their versions, and how an older database is brought up to date.
#pragma once

#include <string>
#include <vector>

#include "experiments/study/postgres_connection.h"

namespace lathe::experiments {

// Statements that lead from version i to i + 1.
const std::vector<std::string>& study_migrations();

// Makes the tables or brings them up to date; several searches may do so at once. Throws UserError where they are of a newer Lathe.
void bring_study_up_to_date(PostgresConnection& database);

}  // namespace lathe::experiments
