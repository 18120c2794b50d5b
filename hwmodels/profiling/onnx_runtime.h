// ONNX Runtime, loaded while the program runs: it need not be there when Lathe is built, and profiling a board needs nothing but its
// library.
#pragma once

#include <functional>
#include <memory>
#include <string>

namespace lathe::hwmodels {

class OnnxRuntime {
 public:
  // library: the file libonnxruntime.so*; "" looks in $LATHE_ONNXRUNTIME, where the system's loader looks, and in the Python packages of
  // $VIRTUAL_ENV and ./.venv. Throws UserError where none is found or it is older than 1.11.
  explicit OnnxRuntime(const std::string& library = "");

  std::string version() const;  // "1.20.1"

  struct SessionOptions {
    std::string label;  // stands for the model in messages
    int threads = 1, batch = 1;
  };
  // Reads the model's bytes and returns a job that runs it once on inputs filled with small numbers; open extents are `batch` on the first
  // axis and 1 elsewhere. The job keeps what it needs alive; one thread at a time. Throws UserError where the model cannot be run.
  std::function<void()> make_job(const std::string& model, const SessionOptions& options) const;

 private:
  struct Library;
  std::shared_ptr<const Library> library_;
};

}  // namespace lathe::hwmodels
