#include "evaluators/evaluation_cache.h"

#include <fcntl.h>
#include <oneapi/tbb/task_arena.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <unordered_map>

#include "evaluators/evaluation_json.h"
#include "models/base/sha256.h"

namespace lathe::evaluators {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kKeyLength = 64, kSumLength = 16;
constexpr std::chrono::minutes kPatience(10);            // with another process that measures the same
constexpr std::chrono::milliseconds kLongestPause(200);  // between two tries to claim

std::string checksum(const std::string& key, const std::string& text) {
  return sha256(key + text).substr(0, kSumLength);
}

std::string own_file_name() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  return std::string(host.data()) + "-" + std::to_string(getpid()) + "-" + std::to_string(now) + ".lines";
}

// That this process measures what the key stands for: a byte of a file, locked while the claim lives and let go with the process, however
// that ends. A place where locks do not work, or an owner that hangs, costs a measurement that is made twice and nothing else.
class Claim {
 public:
  // Waits for an owner's claim to end, at most `patience`.
  Claim(const std::string& file, const std::string& key, std::chrono::milliseconds patience)
      : file_(open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
    constexpr std::size_t kDigits = 15;  // 60 bits, which a file offset takes
    struct flock byte {};
    byte.l_type = F_WRLCK;
    byte.l_whence = SEEK_SET;
    byte.l_start = static_cast<off_t>(std::stoull(key.substr(0, kDigits), nullptr, 16));
    byte.l_len = 1;
    const auto deadline = std::chrono::steady_clock::now() + patience;
    std::chrono::milliseconds pause(1);
    // Locks of an open file, not of the process: threads claim against each other too.
    while (file_ >= 0 && fcntl(file_, F_OFD_SETLK, &byte) != 0 && errno == EAGAIN && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(pause);
      pause = std::min(2 * pause, kLongestPause);
    }
  }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  ~Claim() {
    if (file_ >= 0) close(file_);
  }

 private:
  int file_;
};

std::string tensor_sha256(const at::Tensor& tensor) {
  if (!tensor.defined()) return sha256("");
  const at::Tensor whole = tensor.contiguous();
  return sha256(std::string_view(static_cast<const char*>(whole.data_ptr()), whole.nbytes()));
}

}  // namespace

struct EvaluationCache::State {
  explicit State(const std::string& path) : folder(path), own(own_file_name()) {}
  ~State() {
    if (file >= 0) close(file);
  }

  // "KEY SUM JSON"; false where the line is not whole.
  bool take(const std::string& line) {
    if (line.size() < kKeyLength + kSumLength + 2) return false;
    const std::string key = line.substr(0, kKeyLength), text = line.substr(kKeyLength + kSumLength + 2);
    if (line.substr(kKeyLength + 1, kSumLength) != checksum(key, text)) return false;
    known.emplace(key, text);
    return true;
  }

  // Reads what the file has gained since the last look, up to its last whole line.
  void read_on(const fs::path& path, std::uintmax_t& offset) {
    std::error_code error;
    const std::uintmax_t size = fs::file_size(path, error);
    if (error || size <= offset) return;
    std::ifstream in(path, std::ios::binary);
    in.seekg(static_cast<std::streamoff>(offset));
    for (std::string line; std::getline(in, line) && !in.eof();) {
      take(line);
      offset += line.size() + 1;
    }
  }

  void look_around() {
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
      const std::string name = entry.path().filename().string();
      if (name != own && entry.path().extension() == ".lines") read_on(entry.path(), offsets[name]);
    }
  }

  const std::string folder, own;
  std::mutex mutex;
  int file = -1;
  bool is_read_only = false;
  std::unordered_map<std::string, std::string> known;  // JSON of an evaluation
  std::map<std::string, std::uintmax_t> offsets;       // read so far of each file
};

EvaluationCache::EvaluationCache(const std::string& folder) : state_(std::make_unique<State>(folder)) {
  std::error_code error;
  fs::create_directories(folder, error);
}

EvaluationCache::~EvaluationCache() = default;

std::optional<Evaluation> EvaluationCache::find(const std::string& key) {
  const std::lock_guard lock(state_->mutex);
  auto found = state_->known.find(key);
  if (found == state_->known.end()) {
    state_->look_around();
    found = state_->known.find(key);
  }
  if (found == state_->known.end()) return std::nullopt;
  return evaluation_of(json::parse(found->second));
}

Evaluation EvaluationCache::find_or_measure(const std::string& key, const std::function<Evaluation()>& measure) {
  const Claim claim(state_->folder + "/claims", key, kPatience);
  if (std::optional<Evaluation> known = find(key)) return std::move(*known);
  Evaluation evaluation;
  // Isolated: a thread that waits inside for a part of its work must not take up another measurement meanwhile, and wait for a claim.
  oneapi::tbb::this_task_arena::isolate([&] { evaluation = measure(); });
  if (evaluation.is_ok) add(key, evaluation);
  return evaluation;
}

void EvaluationCache::add(const std::string& key, const Evaluation& evaluation) {
  const std::string text = evaluation_json(evaluation).dump();
  const std::string line = key + " " + checksum(key, text) + " " + text + "\n";
  const std::lock_guard lock(state_->mutex);
  state_->known.emplace(key, text);
  if (state_->is_read_only) return;
  if (state_->file < 0) state_->file = open((state_->folder + "/" + state_->own).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (state_->file < 0 || write(state_->file, line.data(), line.size()) != static_cast<ssize_t>(line.size())) state_->is_read_only = true;
}

CachedEvaluator::CachedEvaluator(std::unique_ptr<Evaluator> evaluator, const std::string& folder, std::string context)
    : evaluator_(std::move(evaluator)), cache_(std::make_unique<EvaluationCache>(folder)), context_(std::move(context)) {}

Evaluation CachedEvaluator::evaluate(const EvaluationRequest& request) const {
  const json policy = policies::to_json(request.policy);
  const std::string key =
      sha256(context_ + "\n" + (request.split == Split::kTest ? "test" : "search") + "\n" + std::to_string(request.rows) +
             (request.bar > 0 ? " " + json(request.bar).dump() : "") +
             (request.first_row > 0 ? " from " + std::to_string(request.first_row) : "") + "\n" + policy.at("groups").dump() + "\n" +
             policy.at("layers").dump() + (policy.contains("blocks") ? "\n" + policy.at("blocks").dump() : ""));
  return cache_->find_or_measure(key, [&] { return evaluator_->evaluate(request); });
}

std::string content_sha256(const Dataset& dataset) {
  std::string hashes;
  for (const Rows* rows : {&dataset.calibration, &dataset.search, &dataset.test}) {
    for (const at::Tensor& input : rows->inputs) hashes += tensor_sha256(input);
    hashes += tensor_sha256(rows->labels);
    hashes += json{{"mean", rows->mean}, {"stddev", rows->stddev}}.dump();
  }
  return sha256(hashes);
}

}  // namespace lathe::evaluators
