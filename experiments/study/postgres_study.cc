#include "experiments/study/postgres_study.h"

#include <unistd.h>

#include <array>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <thread>

#include "experiments/interruption.h"
#include "experiments/setting_differences.h"
#include "experiments/study/postgres_connection.h"
#include "experiments/study/study_schema.h"
#include "experiments/trial_text.h"
#include "models/base/error.h"

namespace lathe::experiments {
namespace {

using nlohmann::json;

// All digits.
std::string number_text(double number) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), number).ptr};
}

// {1,2,3}, as PostgreSQL reads arrays.
std::string array_text(const std::set<std::int64_t>& numbers) {
  std::string text;
  for (const std::int64_t number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
  return "{" + text + "}";
}

// One process among all: leases of an earlier process of the same search are free to be taken over.
std::string process_name() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return std::string(host.data()) + " " + std::to_string(getpid()) + " " +
         std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
}

class PostgresStudy final : public SharedStudy {
 public:
  explicit PostgresStudy(const StudySearch& search)
      : search_(search.search_id),
        holder_(process_name()),
        lease_(number_text(search.study.lease_seconds)),
        database_(search.study.url, std::chrono::duration<double>(search.study.patience_seconds)) {
    bring_study_up_to_date(database_);
    study_ = join(search.study.name, search.settings);
    record_missing(search.trials);
    // Leases must be renewed while all threads of the search measure, for hours perhaps: the one thread that is none of oneTBB's.
    const auto period = std::chrono::duration<double>(search.study.lease_seconds / kBeatsALease);
    heart_ = std::jthread([this, period](const std::stop_token& stop) { beat(stop, period); });
  }

  std::optional<std::int64_t> claim(const policies::Candidate& candidate, const std::string& agent) override {
    // A row that is there already is taken where its lease is over, or where it is ours: then the answer to an earlier try was lost.
    const PostgresRows rows = database_.execute(
        "WITH next AS (UPDATE lathe_studies SET next_trial = next_trial + 1 WHERE study = $1 RETURNING next_trial - 1 AS id) "
        "INSERT INTO lathe_trials AS t(study, id, search, holder, lease_until, agent, choices, state) "
        "SELECT $1, next.id, $2, $3, now() + make_interval(secs => $4::float8), $5, $6, 'leased' FROM next "
        "ON CONFLICT(study, choices) DO UPDATE SET search = excluded.search, holder = excluded.holder, lease_until = excluded.lease_until, "
        "agent = excluded.agent WHERE t.state = 'leased' AND (t.holder = excluded.holder OR t.lease_until < now()) RETURNING id",
        {study_, search_, holder_, lease_, agent, json(candidate.choices).dump()});
    if (rows.count() == 0) return std::nullopt;
    hold(rows.integer(0, 0));
    return rows.integer(0, 0);
  }

  std::vector<Claimed> take_over(int most) override {
    const PostgresRows rows = database_.execute(
        "UPDATE lathe_trials SET search = $2, holder = $3, lease_until = now() + make_interval(secs => $4::float8) WHERE study = $1 AND id "
        "IN (SELECT id FROM lathe_trials WHERE study = $1 AND state = 'leased' AND (lease_until < now() OR (search = $2 AND holder <> $3)) "
        "ORDER BY id LIMIT $5 FOR UPDATE SKIP LOCKED) RETURNING id, agent, choices",
        {study_, search_, holder_, lease_, std::to_string(most)});
    std::vector<Claimed> taken;
    for (int row = 0; row < rows.count(); ++row) {
      taken.push_back({.id = rows.integer(row, 0), .agent = rows.text(row, 1)});
      taken.back().candidate.choices = json::parse(rows.text(row, 2)).get<std::vector<int>>();
      hold(taken.back().id);
    }
    return taken;
  }

  std::vector<search::Trial> news() override {
    // Trials may become visible in another order than that in which they took their numbers, by as many as there are connections.
    constexpr std::int64_t kOverlap = 200;
    const PostgresRows rows = database_.execute(
        "SELECT id, agent, choices, state, error, metrics, stddev, seconds, finished FROM lathe_trials WHERE study = $1 AND search <> $2 "
        "AND finished > $3",
        {study_, search_, std::to_string(last_news_ - kOverlap)});
    std::vector<search::Trial> trials;
    for (int row = 0; row < rows.count(); ++row) {
      last_news_ = std::max(last_news_, rows.integer(row, 8));
      if (!told_.insert(rows.integer(row, 0)).second) continue;
      const TrialText text{.agent = rows.text(row, 1),
                           .choices = rows.text(row, 2),
                           .state = rows.text(row, 3),
                           .error = rows.text(row, 4),
                           .metrics = rows.text(row, 5)};
      trials.push_back(trial_of(rows.integer(row, 0), text, rows.number(row, 6), rows.number(row, 7)));
    }
    return trials;
  }

  void record(const search::Trial& trial) override {
    const TrialText text = text_of(trial);
    const std::string id = std::to_string(trial.id);
    const PostgresRows updated = database_.execute(
        "UPDATE lathe_trials SET search = $3, state = $4, error = $5, metrics = $6, stddev = $7, seconds = $8, finished = "
        "nextval('lathe_finished') WHERE study = $1 AND id = $2 AND state = 'leased' RETURNING id",
        {study_, id, search_, text.state, text.error, text.metrics, number_text(trial.stddev), number_text(trial.seconds)});
    // None: an earlier try came through, or another search was faster. Unless the whole row is gone.
    if (updated.count() == 0 && database_.execute("SELECT FROM lathe_trials WHERE study = $1 AND id = $2", {study_, id}).count() == 0)
      throw std::runtime_error("study: trial " + id +
                               " is not in the database any more; was an older state of it restored? All trials are "
                               "kept in run.db");
    const std::lock_guard lock(mutex_);
    held_.erase(trial.id);
  }

 private:
  static constexpr double kBeatsALease = 3;

  // The study's number. Makes it where it is not there.
  std::string join(const std::string& name, const std::vector<std::string>& settings) {
    database_.execute("INSERT INTO lathe_studies(name, settings) VALUES($1, $2) ON CONFLICT(name) DO NOTHING",
                      {name, json(settings).dump()});
    const PostgresRows rows = database_.execute("SELECT study, settings FROM lathe_studies WHERE name = $1", {name});
    const std::string changed = setting_differences(json::parse(rows.text(0, 1)).get<std::vector<std::string>>(), settings);
    if (!changed.empty())
      throw UserError(Fault{.key = "study.name",
                            .expected = "the study was begun with another config (" + changed + "); take another name for a new study",
                            .got = name});
    return rows.text(0, 0);
  }

  // Trials that an earlier process of this search stored in its run, but did not come to tell.
  void record_missing(const std::vector<search::Trial>& trials) {
    const PostgresRows rows =
        database_.execute("SELECT id FROM lathe_trials WHERE study = $1 AND search = $2 AND state = 'leased'", {study_, search_});
    std::set<std::int64_t> missing;
    for (int row = 0; row < rows.count(); ++row) missing.insert(rows.integer(row, 0));
    for (const search::Trial& trial : trials)
      if (missing.contains(trial.id)) record(trial);
  }

  void hold(std::int64_t id) {
    const std::lock_guard lock(mutex_);
    held_.insert(id);
  }

  void beat(const std::stop_token& stop, std::chrono::duration<double> period) {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, stop, period, [&] { return stop.stop_requested(); })) {
      if (held_.empty()) continue;
      const std::string held = array_text(held_);
      lock.unlock();
      try {
        database_.execute(
            "UPDATE lathe_trials SET lease_until = now() + make_interval(secs => $4::float8) WHERE study = $1 AND id = ANY($2::bigint[]) "
            "AND "
            "holder = $3 AND state = 'leased'",
            {study_, held, holder_, lease_});
      } catch (const SearchStopped&) {
        return;
      } catch (const std::runtime_error&) {
        return;  // the search meets the same trouble, and reports it, when it next claims or records
      }
      lock.lock();
    }
  }

  const std::string search_, holder_, lease_;  // lease_: seconds
  PostgresConnection database_;
  std::string study_;            // its number
  std::int64_t last_news_ = 0;   // highest `finished` seen
  std::set<std::int64_t> told_;  // ids
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::set<std::int64_t> held_;  // ids whose leases are renewed
  std::jthread heart_;           // last: it uses all of the above
};

}  // namespace

std::unique_ptr<SharedStudy> open_study(const StudySearch& search) {
  return std::make_unique<PostgresStudy>(search);
}

}  // namespace lathe::experiments
