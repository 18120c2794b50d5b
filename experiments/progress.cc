#include "experiments/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "experiments/text_table.h"

namespace lathe::experiments {
namespace {

constexpr double kBarSeconds = 0.1, kLineSeconds = 10;  // between two drawings
constexpr int kBarWidth = 24;

std::size_t terminal_width() {
  constexpr std::size_t kUsual = 100;
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsual;
}

}  // namespace

Progress::Style Progress::fitting_style() {
  return isatty(STDERR_FILENO) ? Style::kBar : Style::kLines;
}

void Progress::say(const std::string& text) {
  const std::lock_guard lock(mutex_);
  if (style_ == Style::kSilent) return;
  if (is_bar_shown_) out_ << "\r\033[K";
  is_bar_shown_ = false;
  out_ << text << std::endl;
}

void Progress::start(const std::string& stage, int total) {
  const std::lock_guard lock(mutex_);
  stage_ = stage;
  note_.clear();
  total_ = total;
  done_ = recalled_ = 0;
  begin_ = last_draw_ = Clock::now();
}

void Progress::update(int done, const std::string& note, int recalled, int total) {
  const std::lock_guard lock(mutex_);
  if (total > 0) total_ = total;
  done_ = done;
  recalled_ = recalled;
  note_ = note;
  const double since = std::chrono::duration<double>(Clock::now() - last_draw_).count();
  if (since < (style_ == Style::kBar ? kBarSeconds : kLineSeconds)) return;
  draw(/*is_last=*/false);
}

void Progress::finish() {
  const std::lock_guard lock(mutex_);
  draw(/*is_last=*/true);
}

void Progress::draw(bool is_last) {
  if (style_ == Style::kSilent) return;
  last_draw_ = Clock::now();
  const std::string text = line(std::chrono::duration<double>(last_draw_ - begin_).count());
  if (style_ == Style::kLines) {
    out_ << text << std::endl;
    return;
  }
  out_ << "\r\033[K" << text.substr(0, std::max<std::size_t>(20, terminal_width() - 1)) << (is_last ? "\n" : "") << std::flush;
  is_bar_shown_ = !is_last;
}

std::string Progress::line(double seconds) const {
  std::string text = stage_ + " ";
  if (style_ == Style::kBar) {
    const int filled = total_ > 0 ? std::min(kBarWidth, kBarWidth * done_ / total_) : 0;
    text +=
        "[" + std::string(static_cast<std::size_t>(filled), '=') + std::string(static_cast<std::size_t>(kBarWidth - filled), ' ') + "] ";
  }
  text += std::to_string(done_) + "/" + std::to_string(total_);
  const int measured = done_ - recalled_;
  if (measured > 0 && seconds > 0) {
    const double speed = measured / seconds;
    text += ", " + format_significant(speed, 2) + "/s";
    if (done_ < total_)
      text += ", " + format_duration((total_ - done_) / speed) + " left";
    else
      text += ", " + format_duration(seconds);
  }
  if (recalled_ > 0) text += ", " + std::to_string(recalled_) + " from the earlier run";
  return text + (note_.empty() ? "" : ", " + note_);
}

}  // namespace lathe::experiments
