// What a SWEEP.yaml says: a base config, the keys that all its searches share, and the axes that they are spread over.
//
//   config: quickstart.yaml                 # of one search
//   set: {search.trials: 60}                # for all of them, as `lathe search --set`
//   grid:                                   # every combination
//     search.agents: [[nsga2], [bayes]]
//     seed: [0, 1, 2]
//   zip:                                    # in step: first with first, second with second (one map, or a list of them)
//     model: [a.onnx, b.onnx]
//     data.path: [a, b]
//   random: {count: 8, keys: {recover.fine_tune_learning_rate: {log_uniform: [0.001, 0.1]}}}
//
// docs/sweeps.md describes all keys.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lathe::experiments {

// Keys of the config that change together, and the points that they take. Values are YAML on one line.
struct Axis {
  std::vector<std::string> keys;
  std::vector<std::vector<std::string>> points;  // each has one value a key
  bool operator==(const Axis&) const = default;
};

struct LocalOptions {
  int jobs = 0;       // searches at once; 0 = as many as the processors (and memory_mb, where given) allow
  int threads = 0;    // of each; 0 = the processors divided among them
  int memory_mb = 0;  // that one search needs; 0 = not looked at
};

struct MpiOptions {
  int ranks = 2;                               // of each search, one of which only hands out work
  std::vector<std::string> command{"mpirun"};  // "-n RANKS" and the program follow
};

struct SlurmOptions {
  std::string partition, account, qos, constraint, gres;  // as sbatch takes them; empty = not given
  std::string time, memory, dependency;
  int cpus = 1;                      // a search, which runs as many threads
  int max_running = 0;               // tasks of the array at once; 0 = no limit
  bool requeue = true;               // after a pre-emption, a lost node, or when the time limit comes near
  int signal_seconds = 90;           // before the time limit that a search is told to stop
  bool report = true;                // a last job merges and reports
  std::vector<std::string> setup;    // lines of shell before the program starts ("module load ...")
  std::vector<std::string> options;  // further "#SBATCH" options ("--exclude=n7")
};

struct SweepFile {
  std::string file;                   // where it was read from
  std::string config;                 // path of the base config
  std::vector<std::string> settings;  // "path=value" for every search
  std::vector<Axis> axes;
  std::string compare;           // the axis whose values the report compares; "" = chosen by sweep_axes
  std::string output;            // directory; runs/NAME of the file if left out
  int attempts = 3;              // of a search that was killed or whose node was lost
  bool share_accuracies = true;  // one cache for all
  LocalOptions local;
  MpiOptions mpi;
  SlurmOptions slurm;
};

// Throws UserError with all faults of the file. Random axes are drawn here, from the file's own `random.seed`.
SweepFile read_sweep_file(const std::string& path);

}  // namespace lathe::experiments
