// The folder of a run and the names in it. Files appear whole or not at all: each is written beside its name and renamed.
#pragma once

#include <string>

namespace lathe::experiments {

// Writes and flushes to disk. Throws UserError where the place cannot be written.
void write_atomically(const std::string& path, const std::string& bytes);

// What the file holds; "" where there is none or it cannot be read.
std::string bytes_of(const std::string& path);

// Makes the folder and its parents. Throws UserError where that cannot be, or nothing can be written to it.
void make_writable_folder(const std::string& path);
// Throws UserError where no file can be written at `path`.
void check_writable_file(const std::string& path);

class RunDirectory {
 public:
  // Throws UserError where the folder cannot be made or written, or holds something already and is not to be resumed. Changes nothing, so
  // that it can come before all slow work.
  static void check(const std::string& path, bool is_resumed);
  // Makes the folder and its parents, after the same checks.
  RunDirectory(std::string path, bool is_resumed);

  const std::string& path() const { return path_; }
  std::string config() const { return path_ + "/config.yaml"; }
  std::string store() const { return path_ + "/run.db"; }
  std::string results() const { return path_ + "/pareto.json"; }
  std::string report() const { return path_ + "/report.html"; }
  // "policies/001.json", "models/001.onnx", relative to the folder.
  static std::string policy_name(int number);
  static std::string model_name(int number);
  std::string at(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace lathe::experiments
