// The trials of a run in SQLite (`run.db`), each on disk before anybody is told of it, so that a kill at any moment loses only what was
// still being measured. Write-ahead logging with synchronous=FULL: a commit survives a kill and a power cut.
//
// Tables: settings(line, text) what steers the trials; facts(key, value) measurements besides trials, as JSON (the float network's
// accuracy, sensitivities, what is searched); sessions(number, provenance) one for each time that the run was worked on; trials(id, agent,
// choices, state, error, metrics, stddev, seconds, session), arrays as JSON text whose numbers read back to the same bits, NaN as null.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "search/trial.h"

namespace lathe::experiments {

// One process at a time. Thread-safe: every call is one transaction under a lock.
class RunStore {
 public:
  // kCreate throws UserError where the file exists already; kResume takes what is there and creates the file where nothing is.
  enum class Mode { kCreate, kResume, kRead };

  // settings: trial_settings() of the config. Throws UserError where the place cannot be written, the file is no run store or of another
  // version, another process has it open for writing, or a resumed run had other settings (each that differs is named).
  RunStore(const std::string& path, Mode mode, const std::vector<std::string>& settings = {});
  ~RunStore();

  // What the world does (disk full, file locked) is thrown by all that follow as std::runtime_error that names the file.

  // Trials that are recorded from now on count as measured by this program on this host. provenance: program, libraries, host.
  void begin_session(const nlohmann::json& provenance);
  // All of them or none, durable when it returns. A trial of that id must not be there yet.
  void record(std::span<const search::Trial> trials);
  void record(const search::Trial& trial) { record({&trial, 1}); }
  // Throws UserError where the stored trial is of another candidate: then the program or its data have changed since.
  std::optional<search::Trial> recall(std::int64_t id, const policies::Candidate& candidate) const;
  std::vector<search::Trial> trials() const;  // in id order
  std::int64_t count() const;
  std::vector<std::string> settings() const;
  nlohmann::json sessions() const;  // provenance of each

  std::optional<nlohmann::json> known_fact(const std::string& key) const;
  // The stored fact, or else what `measure` gives, stored.
  nlohmann::json fact(const std::string& key, const std::function<nlohmann::json()>& measure);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lathe::experiments
