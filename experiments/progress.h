// Progress for people: one bar that is drawn over and over on a terminal, a plain line now and then elsewhere.
#pragma once

#include <chrono>
#include <mutex>
#include <ostream>
#include <string>

namespace lathe::experiments {

class Progress {
 public:
  enum class Style { kBar, kLines, kSilent };
  // The style that fits standard error.
  static Style fitting_style();

  Progress(std::ostream& out, Style style) : out_(out), style_(style) {}

  // A line of its own.
  void say(const std::string& text);
  // Starts a stage of `total` steps. Trials that a stage finds done already do not count for its speed.
  void start(const std::string& stage, int total);
  // `done` steps; `note`: best so far and the like. Calls may come from several threads.
  // recalled: of `done`, known from an earlier run. total: where it was not known at the start.
  void update(int done, const std::string& note, int recalled = 0, int total = 0);
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  void draw(bool is_last);
  std::string line(double seconds) const;

  std::mutex mutex_;
  std::ostream& out_;
  Style style_;
  std::string stage_, note_;
  int total_ = 0, done_ = 0, recalled_ = 0;
  bool is_bar_shown_ = false;
  Clock::time_point begin_, last_draw_;
};

}  // namespace lathe::experiments
