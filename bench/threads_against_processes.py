#!/usr/bin/env python3
"""Trials a second of one search on two threads against those of two searches of one thread, side by side on the same machine.

    LATHE_DATA=... python3 bench/threads_against_processes.py --lathe build/dev/experiments/lathe

Pairs of both, in turn which comes first, so that a machine that warms up or is busy for a while favours neither. Policies differ in the widths of
weights alone, whose zeros and roundings cost the same at any width: every trial is the same work. A search's time runs from its first
round to its last trial; start-up and what follows a search are left out, and a program is ended once its search has. Prints the ratio of
each pair and their mean with a 95 % interval by Student's t. Nothing else should run meanwhile.
"""

import argparse
import concurrent.futures
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
STARTS, LAST = "float accuracy on the search split", "search {0}/{0},"
STUDENT = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31, 10: 2.26, 12: 2.20}  # 0.975 quantile by number of pairs


def start(threads, trials, seed, folder):
    settings = [f"search.trials={trials}", f"evaluator.rows={arguments.rows}", f"data.search_rows={arguments.rows}", "data.test_rows=100",
                "devices=[raspberry-pi-4]", "space.prune=false", "space.activation_bits=[8]", "search.agents=[bayes]", "search.sensitivity=false"]
    command = [str(arguments.lathe), "search", str(ROOT / "configs/cifar10_resnet20.yaml"), "--out", f"{folder}/{threads}-{seed}", "--threads",
               str(threads), "--seed", str(seed)]
    for setting in settings:
        command += ["--set", setting]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"})


def trials_a_second(process, trials):
    """Reads what the program reports until its search has ended, and ends it."""
    begun, said = None, []
    for line in process.stderr:
        said.append(line)
        if line.startswith(STARTS):
            begun = time.perf_counter()
        if line.startswith(LAST.format(trials)):
            rate = trials / (time.perf_counter() - begun)
            process.kill()
            process.wait()
            return rate
    sys.exit("a search ended early:\n" + "".join(said[-20:]))


def one_search(seed):
    with tempfile.TemporaryDirectory() as folder:
        return trials_a_second(start(2, 2 * arguments.trials, seed, folder), 2 * arguments.trials)


def two_searches(seed):
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(2) as readers:
        started = [start(1, arguments.trials, seed + offset, folder) for offset in (0, 1000)]
        return sum(readers.map(lambda process: trials_a_second(process, arguments.trials), started))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lathe", type=pathlib.Path, default=ROOT / "build/dev/experiments/lathe")
    parser.add_argument("--pairs", type=int, default=5, choices=sorted(STUDENT))
    parser.add_argument("--trials", type=int, default=25, help="of each of the two searches; one search makes twice as many")
    parser.add_argument("--rows", type=int, default=500, help="of CIFAR-10, each trial")
    arguments = parser.parse_args()
    ratios = []
    for pair in range(arguments.pairs):
        order = (one_search, two_searches) if pair % 2 == 0 else (two_searches, one_search)
        rate = {measure: measure(pair + 1) for measure in order}
        ratios.append(rate[one_search] / rate[two_searches])
        print(f"pair {pair + 1}: two threads {rate[one_search]:.3f}, two processes {rate[two_searches]:.3f} trials a second, ratio {ratios[-1]:.3f}",
              flush=True)
    half = STUDENT[len(ratios)] * statistics.stdev(ratios) / len(ratios) ** 0.5
    print(f"mean ratio {statistics.mean(ratios):.3f} [{statistics.mean(ratios) - half:.3f}, {statistics.mean(ratios) + half:.3f}]")
