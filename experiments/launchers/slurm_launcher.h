// A sweep as a Slurm job array: one array task a search. The scripts are written to slurm/ of the sweep and stay there to be read.
//
// A task that is told to stop (pre-emption, time limit near: SIGTERM or SIGUSR1) stops after the policies that it is measuring, keeps all
// trials, and puts itself into the queue again; so does one whose program was killed. A node that is lost is Slurm's to notice: it requeues
// the task, and the search goes on from its store.
#pragma once

#include <string>
#include <vector>

#include "experiments/sweep/sweep_directory.h"

namespace lathe::experiments {

// The array's script for these tasks of the sweep in file.output.
std::string slurm_script(const SweepFile& file, const std::vector<int>& tasks);
// That of the job that merges and reports once the array has ended.
std::string slurm_report_script(const SweepFile& file);

std::string slurm_script_path(const SweepDirectory& sweep);

// Writes the scripts and submits them with sbatch. Returns the array's job number. Throws UserError where there is no sbatch,
// std::runtime_error with sbatch's words where it refuses.
std::string submit_slurm_array(const SweepDirectory& sweep, const std::vector<int>& tasks);

// "0-3,7": numbers in rising order, as --array takes them.
std::string array_ranges(const std::vector<int>& numbers);

}  // namespace lathe::experiments
