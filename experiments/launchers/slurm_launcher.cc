#include "experiments/launchers/slurm_launcher.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>

#include "experiments/run_directory.h"
#include "models/base/error.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;

std::string program() {
  return fs::read_symlink("/proc/self/exe").string();
}

// For a shell: in single quotes, those inside written as '\''.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'')
      result += "'\\''";
    else
      result += c;
  }
  return result + "'";
}

std::string absolute_output(const SweepFile& file) {
  return fs::absolute(file.output).lexically_normal().string();
}

class Header {
 public:
  void add(const std::string& option, const std::string& value) {
    if (!value.empty()) text_ += "#SBATCH --" + option + "=" + value + "\n";
  }
  void add(const std::string& line) { text_ += "#SBATCH " + line + "\n"; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// What the array and the job after it have in common.
void add_place(const SlurmOptions& slurm, Header& header) {
  header.add("partition", slurm.partition);
  header.add("account", slurm.account);
  header.add("qos", slurm.qos);
  header.add("constraint", slurm.constraint);
}

std::string setup_lines(const SlurmOptions& slurm) {
  std::string text;
  for (const std::string& line : slurm.setup) text += line + "\n";
  return text;
}

// sbatch --parsable: prints the job's number alone (or "number;cluster").
std::string sbatch(const std::string& arguments) {
  const std::string command = "sbatch --parsable " + arguments + " 2>&1";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  if (!pipe) throw std::runtime_error("sbatch cannot be started");
  std::string words;
  std::array<char, 256> chunk{};
  while (std::fgets(chunk.data(), chunk.size(), pipe.get()) != nullptr) words += chunk.data();
  while (!words.empty() && words.back() == '\n') words.pop_back();
  const std::string job = words.substr(0, words.find(';'));
  if (job.empty() || job.find_first_not_of("0123456789") != std::string::npos)
    throw std::runtime_error("sbatch refused the job (" + command + "): " + words);
  return job;
}

}  // namespace

std::string array_ranges(const std::vector<int>& numbers) {
  std::string text;
  for (std::size_t begin = 0; begin < numbers.size();) {
    std::size_t end = begin;
    while (end + 1 < numbers.size() && numbers[end + 1] == numbers[end] + 1) ++end;
    text += (text.empty() ? "" : ",") + std::to_string(numbers[begin]);
    if (end > begin) text += "-" + std::to_string(numbers[end]);
    begin = end + 1;
  }
  return text;
}

std::string slurm_script(const SweepFile& file, const std::vector<int>& tasks) {
  const SlurmOptions& slurm = file.slurm;
  const std::string output = absolute_output(file);
  Header header;
  header.add("job-name", "lathe-" + fs::path(output).filename().string());
  header.add("array", array_ranges(tasks) + (slurm.max_running > 0 ? "%" + std::to_string(slurm.max_running) : ""));
  add_place(slurm, header);
  header.add("gres", slurm.gres);
  header.add("time", slurm.time);
  header.add("cpus-per-task", std::to_string(slurm.cpus));
  header.add("mem", slurm.memory);
  header.add("dependency", slurm.dependency);
  header.add(slurm.requeue ? "--requeue" : "--no-requeue");
  if (slurm.signal_seconds > 0) header.add("signal", "B:USR1@" + std::to_string(slurm.signal_seconds));
  header.add("output", output + "/slurm/%A_%a.txt");
  header.add("--open-mode=append");
  for (const std::string& option : slurm.options) header.add(option);

  const std::string requeue =
      "# 75: told to stop, all finished trials are kept. 128 and more: ended by a signal (out of memory, for one), tried " +
      std::to_string(file.attempts) +
      " times.\n"
      "if [ \"$status\" -eq 75 ] || { [ \"$status\" -ge 128 ] && [ \"${SLURM_RESTART_COUNT:-0}\" -lt " +
      std::to_string(file.attempts) +
      " ]; }; then\n"
      "  scontrol requeue \"${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}\"\n"
      "fi\n";
  return "#!/bin/bash\n" + header.text() + "\n" + setup_lines(slurm) + quoted(program()) + " sweep " + quoted(output) +
         " --task \"$SLURM_ARRAY_TASK_ID\" --threads " + std::to_string(slurm.cpus) +
         " &\n"
         "search=$!\n"
         "# Slurm signals this script; the search stops after the policies that it is measuring.\n"
         "trap 'kill -TERM \"$search\"' TERM USR1\n"
         "wait \"$search\"\n"
         "status=$?\n"
         "# A trapped signal ends `wait` early.\n"
         "while kill -0 \"$search\" 2>/dev/null; do\n"
         "  wait \"$search\"\n"
         "  status=$?\n"
         "done\n" +
         (slurm.requeue ? requeue : "") + "exit \"$status\"\n";
}

std::string slurm_report_script(const SweepFile& file) {
  const std::string output = absolute_output(file);
  Header header;
  header.add("job-name", "lathe-" + fs::path(output).filename().string() + "-report");
  add_place(file.slurm, header);
  header.add("output", output + "/slurm/report.txt");
  const std::string lathe = quoted(program());
  return "#!/bin/bash\n" + header.text() + "\n" + setup_lines(file.slurm) + lathe + " merge " + quoted(output) + " --out " +
         quoted(output + "/merged") + " && " + lathe + " report " + quoted(output) + "\n";
}

std::string slurm_script_path(const SweepDirectory& sweep) {
  return sweep.path() + "/slurm/array.sbatch";
}

std::string submit_slurm_array(const SweepDirectory& sweep, const std::vector<int>& tasks) {
  if (std::system("command -v sbatch >/dev/null 2>&1") != 0)
    throw UserError("--launcher slurm: there is no sbatch here; --dry-run shows the script, to be submitted elsewhere");
  SweepFile file = sweep.file();
  file.output = sweep.path();
  make_writable_folder(sweep.path() + "/slurm");
  write_atomically(slurm_script_path(sweep), slurm_script(file, tasks));
  const std::string job = sbatch(quoted(slurm_script_path(sweep)));
  if (file.slurm.report) {
    const std::string report = sweep.path() + "/slurm/report.sbatch";
    write_atomically(report, slurm_report_script(file));
    sbatch("--dependency=afterany:" + job + " " + quoted(report));
  }
  return job;
}

}  // namespace lathe::experiments
