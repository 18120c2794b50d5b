// Who works on a task. The kernel drops the lock with the last process that has it, however that ends. Where locks do not reach from node
// to node (some network file systems), the time of the file, renewed while the work goes on, says that somebody is alive.
#pragma once

#include <optional>
#include <string>

namespace lathe::experiments {

class TaskLock {
 public:
  // nullopt where another process has it. Throws UserError where the file cannot be written.
  static std::optional<TaskLock> take(const std::string& path);
  TaskLock(TaskLock&& other) noexcept : file_(other.file_) { other.file_ = -1; }
  TaskLock& operator=(TaskLock&&) = delete;
  TaskLock(const TaskLock&) = delete;
  TaskLock& operator=(const TaskLock&) = delete;
  ~TaskLock();

  void renew() const;
  // In a forked child before exec: the program keeps the lock until it ends, even if the launcher is killed before.
  void hand_down() const;

  struct Holder {
    std::string host;
    double seconds;  // since it was taken; never below 0, whatever the clock does
  };
  // nullopt where nobody works on it.
  static std::optional<Holder> holder(const std::string& path);

 private:
  explicit TaskLock(int file) : file_(file) {}
  int file_;
};

}  // namespace lathe::experiments
