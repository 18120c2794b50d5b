// A program that is spoken to line by line through pipes, with deadlines. Needs SIGPIPE to be ignored in this process.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace lathe::evaluators::internal {

// What went wrong is an exception of type ChildError, whose text completes "the program ...".
struct ChildError {
  std::string what;
};

// Not thread-safe. After a ChildError the object is only good for destruction.
class ChildProcess {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  // Starts the program in a process group of its own, so that it can be ended together with what it started.
  explicit ChildProcess(const std::vector<std::string>& command);
  // Closes its input, gives it two seconds to end (none if it broke the protocol), then kills the group.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Writes `line` and a line end, and reads one line.
  std::string ask(const std::string& line, Deadline deadline);

 private:
  void write_all(const std::string& text, Deadline deadline);
  std::string read_line(Deadline deadline);
  void wait_for(int file, short events, Deadline deadline);
  bool has_exited() const;
  std::string death() const;  // how it ended; only once has_exited()

  int pid_ = -1;
  int input_ = -1, output_ = -1;  // our ends of its standard input and output
  bool is_broken_ = false;        // a question was not answered
  std::string unread_;
};

// The file that would be run for a program's name, or "" where there is none.
std::string find_program(const std::string& name);

}  // namespace lathe::evaluators::internal
