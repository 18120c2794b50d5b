#include "experiments/sweep/task_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>

#include "models/base/error.h"

namespace lathe::experiments {
namespace {

using nlohmann::json;

// A lock file of another host that is older has no owner any more. Owners renew it many times within that time.
constexpr double kStaleSeconds = 120;

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

double seconds_since(std::time_t time) {
  return std::max(0.0, std::difftime(std::time(nullptr), time));
}

}  // namespace

std::optional<TaskLock> TaskLock::take(const std::string& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) throw UserError(Fault{.file = path, .expected = std::string("cannot be written: ") + std::strerror(errno)});
  if (flock(file, LOCK_EX | LOCK_NB) != 0) {
    close(file);
    return std::nullopt;
  }
  TaskLock lock(file);
  const std::string text = json{{"host", host_name()}, {"pid", getpid()}, {"taken", std::time(nullptr)}}.dump() + "\n";
  if (ftruncate(file, 0) != 0 || write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw UserError(Fault{.file = path, .expected = std::string("cannot be written: ") + std::strerror(errno)});
  return lock;
}

// A file of the year 1970 is nobody's, for other nodes too.
TaskLock::~TaskLock() {
  if (file_ < 0) return;
  constexpr timespec kLongAgo[2] = {{0, 0}, {0, 0}};
  futimens(file_, kLongAgo);
  close(file_);
}

void TaskLock::renew() const {
  futimens(file_, nullptr);
}

void TaskLock::hand_down() const {
  fcntl(file_, F_SETFD, 0);
}

std::optional<TaskLock::Holder> TaskLock::holder(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  const bool is_held = flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  std::array<char, 1024> text{};
  const ssize_t count = read(file, text.data(), text.size());
  struct stat about {};
  fstat(file, &about);
  close(file);
  const json document = json::parse(text.data(), text.data() + std::max<ssize_t>(0, count), nullptr, /*allow_exceptions=*/false);
  const Holder holder{.host = document.is_object() ? document.value("host", "") : "",
                      .seconds = seconds_since(document.is_object() ? document.value("taken", std::time(nullptr)) : std::time(nullptr))};
  if (is_held) return holder;
  const bool is_elsewhere = !holder.host.empty() && holder.host != host_name();
  if (is_elsewhere && seconds_since(about.st_mtime) < kStaleSeconds) return holder;
  return std::nullopt;
}

}  // namespace lathe::experiments
