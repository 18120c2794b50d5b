#include "evaluators/internal/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>

extern char** environ;

namespace lathe::evaluators::internal {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kLongestLine = 16 << 20;        // a program that writes more without a line end is not speaking our protocol
constexpr auto kTimeToEnd = std::chrono::seconds(2);  // after its input was closed
constexpr auto kPollInterval = std::chrono::milliseconds(5);

int milliseconds_left(ChildProcess::Deadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1 << 30));
}

struct SpawnSettings {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;

  SpawnSettings(int child_input, int child_output) {
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, child_input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, child_output, STDOUT_FILENO);
    posix_spawnattr_init(&attributes);
    // The child gets the usual reaction to SIGPIPE back, which we ignore.
    sigset_t usual;
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
};

}  // namespace

std::string find_program(const std::string& name) {
  const auto is_program = [](const std::string& path) { return std::filesystem::is_regular_file(path) && access(path.c_str(), X_OK) == 0; };
  if (name.find('/') != std::string::npos) return is_program(name) ? name : "";
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string candidate = (folder.empty() ? "." : folder) + "/" + name;
    if (is_program(candidate)) return candidate;
  }
  return "";
}

ChildProcess::ChildProcess(const std::vector<std::string>& command) {
  // Close-on-exec, so that no other child keeps these pipes open and hides the end of this one.
  int to_child[2], from_child[2];
  if (pipe2(to_child, O_CLOEXEC) != 0) throw ChildError{std::string("cannot be given a pipe: ") + std::strerror(errno)};
  if (pipe2(from_child, O_CLOEXEC) != 0) {
    const std::string reason = std::strerror(errno);
    close(to_child[0]);
    close(to_child[1]);
    throw ChildError{"cannot be given a pipe: " + reason};
  }
  std::vector<char*> arguments;
  for (const auto& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const SpawnSettings settings(to_child[0], from_child[1]);
  const int error = posix_spawnp(&pid_, arguments[0], &settings.actions, &settings.attributes, arguments.data(), environ);
  close(to_child[0]);
  close(from_child[1]);
  input_ = to_child[1];
  output_ = from_child[0];
  if (error != 0) {
    close(input_);
    close(output_);
    throw ChildError{std::string("cannot be started: ") + std::strerror(error)};
  }
  fcntl(input_, F_SETFL, O_NONBLOCK);
  fcntl(output_, F_SETFL, O_NONBLOCK);
}

ChildProcess::~ChildProcess() {
  close(input_);
  const auto deadline = steady_clock::now() + kTimeToEnd;
  while (!is_broken_ && !has_exited() && steady_clock::now() < deadline) {
    // Its output is read away, so that it cannot block on writing.
    char scratch[4096];
    if (read(output_, scratch, sizeof scratch) <= 0) poll(nullptr, 0, static_cast<int>(kPollInterval.count()));
  }
  // Also where the program itself has ended: what it started may still run. It is reaped last, because until then nobody else can be
  // given its process group's number.
  kill(-pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  close(output_);
}

bool ChildProcess::has_exited() const {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_;
}

std::string ChildProcess::death() const {
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
  if (info.si_code == CLD_EXITED) return "ended with exit status " + std::to_string(info.si_status);
  return "was ended by signal " + std::to_string(info.si_status) + " (" + strsignal(info.si_status) + ")";
}

void ChildProcess::wait_for(int file, short events, Deadline deadline) {
  pollfd wait{.fd = file, .events = events, .revents = 0};
  for (;;) {
    const int ready = poll(&wait, 1, milliseconds_left(deadline));
    if (ready > 0) return;
    if (ready == 0 && steady_clock::now() >= deadline) throw ChildError{"gave no answer in time"};
    if (ready < 0 && errno != EINTR) throw ChildError{std::string("cannot be waited for: ") + std::strerror(errno)};
  }
}

void ChildProcess::write_all(const std::string& text, Deadline deadline) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = write(input_, text.data() + done, text.size() - done);
    if (count > 0) {
      done += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN) {
      wait_for(input_, POLLOUT, deadline);
    } else if (errno == EPIPE) {
      return;  // it has ended or closed its input; what it wrote before, or how it ended, tells more
    } else if (errno != EINTR) {
      throw ChildError{std::string("cannot be written to: ") + std::strerror(errno)};
    }
  }
}

std::string ChildProcess::read_line(Deadline deadline) {
  for (;;) {
    if (const auto end = unread_.find('\n'); end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    if (unread_.size() > kLongestLine) throw ChildError{"wrote a line of more than 16 MiB"};
    char chunk[65536];
    const ssize_t count = read(output_, chunk, sizeof chunk);
    if (count > 0) {
      unread_.append(chunk, static_cast<std::size_t>(count));
    } else if (count == 0) {
      // The end of its output comes a moment before the end of the program.
      const auto patience = std::min(deadline, steady_clock::now() + kTimeToEnd);
      while (!has_exited() && steady_clock::now() < patience) poll(nullptr, 0, static_cast<int>(kPollInterval.count()));
      throw ChildError{has_exited() ? death() : "closed its output"};
    } else if (errno == EAGAIN) {
      wait_for(output_, POLLIN, deadline);
    } else if (errno != EINTR) {
      throw ChildError{std::string("cannot be read from: ") + std::strerror(errno)};
    }
  }
}

std::string ChildProcess::ask(const std::string& line, Deadline deadline) {
  is_broken_ = true;  // until the answer is there
  write_all(line + "\n", deadline);
  std::string answer = read_line(deadline);
  is_broken_ = false;
  return answer;
}

}  // namespace lathe::evaluators::internal
