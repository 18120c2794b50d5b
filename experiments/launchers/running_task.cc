#include "experiments/launchers/running_task.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "models/base/error.h"

namespace lathe::experiments {
namespace {

std::vector<std::string> command_of(const SweepDirectory& sweep, int number, const std::vector<std::string>& prefix, int threads) {
  std::vector<std::string> command = prefix;
  command.push_back(std::filesystem::read_symlink("/proc/self/exe").string());
  for (const std::string& word : {std::string("search"), sweep.config(number), std::string("--out"), sweep.run(number),
                                  std::string("--resume"), std::string("--threads"), std::to_string(threads)})
    command.push_back(word);
  return command;
}

// In the child, between fork and exec: only calls that are safe there.
[[noreturn]] void become(char** arguments, const char* log, const TaskLock& lock, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(1);  // it died before we asked to be told
  const int words = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
  const int nothing = open("/dev/null", O_RDWR);
  if (words < 0 || nothing < 0) _exit(1);
  dup2(nothing, STDIN_FILENO);
  dup2(nothing, STDOUT_FILENO);
  dup2(words, STDERR_FILENO);
  lock.hand_down();
  execvp(arguments[0], arguments);
  constexpr char kMessage[] = "failed: the program could not be started\n";
  if (write(STDERR_FILENO, kMessage, sizeof kMessage - 1) < 0) _exit(1);
  _exit(1);
}

// What the program said last: the first fault of its last words, or the last line.
std::string last_words(const std::string& log) {
  std::ifstream file(log);
  std::string last, fault;
  for (std::string line; std::getline(file, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const bool is_fault = line.starts_with("error: ") || line.starts_with("failed: ");
    fault = is_fault ? line : "";
    last = line;
  }
  return fault.empty() ? last : fault;
}

}  // namespace

RunningTask::RunningTask(const SweepDirectory& sweep, int number, TaskLock lock, pid_t pid)
    : sweep_(&sweep), number_(number), lock_(std::move(lock)), pid_(pid), start_(Clock::now()) {}

std::optional<RunningTask> RunningTask::start(const SweepDirectory& sweep, int number, const std::vector<std::string>& prefix,
                                              int threads) {
  std::optional<TaskLock> lock = TaskLock::take(sweep.lock(number));
  if (!lock) return std::nullopt;
  const std::vector<std::string> command = command_of(sweep, number, prefix, threads);
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const std::string log = sweep.log(number);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) throw std::runtime_error(std::string("a search cannot be started: ") + std::strerror(errno));
  if (pid == 0) become(arguments.data(), log.c_str(), *lock, parent);
  return RunningTask(sweep, number, std::move(*lock), pid);
}

void RunningTask::stop() const {
  kill(pid_, SIGUSR1);  // which mpirun hands on to its ranks, where it would end them at a SIGTERM
}

std::optional<TaskOutcome> RunningTask::poll(int most_attempts) {
  lock_.renew();
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  TaskOutcome outcome = read_outcome(sweep_->outcome(number_));
  ++outcome.attempts;
  outcome.seconds += std::chrono::duration<double>(Clock::now() - start_).count();
  if (WIFEXITED(status)) {
    outcome.message = last_words(sweep_->log(number_));
    outcome.state = outcome.message.starts_with("stopped;") ? TaskState::kStopped : TaskState::kFailed;
    if (WEXITSTATUS(status) == 0) outcome.state = TaskState::kDone;
  } else {
    outcome.message = std::string("ended by signal ") + std::to_string(WTERMSIG(status)) + " (" + strsignal(WTERMSIG(status)) + ")";
    outcome.state = outcome.attempts < most_attempts ? TaskState::kStopped : TaskState::kFailed;
  }
  if (outcome.state == TaskState::kDone) outcome.message.clear();
  write_outcome(sweep_->outcome(number_), outcome);
  return outcome;
}

}  // namespace lathe::experiments
