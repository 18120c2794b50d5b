// Studies in PostgreSQL.
//
// A claim is a row with a lease that its search renews by a heartbeat and the server's clock ends, so that the trials of a search that died
// are measured by another one. Advisory locks of the server would end with the connection: a restart of the database would free every trial
// that is being measured. Each step is one statement that may be sent twice, so that a connection lost at any moment is mended by
// connecting again and repeating it.
#pragma once

#include "experiments/shared_study.h"

namespace lathe::experiments {

// As StudyOpener. Where Lathe was built without libpq, throws UserError.
std::unique_ptr<SharedStudy> open_study(const StudySearch& search);

}  // namespace lathe::experiments
