#!/usr/bin/env python3
"""Lathe's agents against BoTorch, pymoo and Optuna as plain optimizers.

    python3 -m venv peers && peers/bin/pip install -r bench/search_peers_requirements.txt
    peers/bin/python bench/search_peers.py all --out peers.jsonl --jobs 16      # step, archive, evolution, quality, and the tables

    peers/bin/python bench/search_peers.py table --out table.jsonl --jobs 16       # searches on the public table of measured policies
    peers/bin/python bench/search_peers.py table-report --out table.jsonl          # its tables and plots again, from what is there

In all but the table nothing is told to Lathe that the peers do not know: every objective and constraint is a black box, all start from 16 space-filling points,
all use one thread, hypervolume is that of every feasible point evaluated, for the reference point that bench/search_problems has. Each
finished run is one line of --out; a run that is there is not repeated, so the command may be stopped at any time. --jobs runs (problem,
seed, method) side by side; times (step, archive) are always taken with nothing else of this command running.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import math
import multiprocessing
import os
import pathlib
import subprocess
import sys
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before anything loads a linear algebra library

import numpy as np

import peer_optimizers
import peer_tables
import table_optimizers

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROBLEMS = [("zdt1", 6), ("zdt2", 6), ("zdt3", 6), ("carside", 7), ("dtlz2", 6), ("truss2d", 3), ("welded_beam", 4),
            ("zdt1", 30), ("zdt2", 30), ("zdt3", 30), ("dtlz2", 30)]
QUALITY_METHODS = ("botorch log-nehvi", "lathe bayes", "optuna tpe")
EVOLUTION_METHODS = ("lathe nsga2", "pymoo nsga2, 20", "pymoo nsga2, 100")
QUALITY_TRIALS, EVOLUTION_TRIALS = 100, 1000
TABLE_TRIALS, TABLE_PEER_TRIALS = 100, 400  # evaluations of Lathe and of the peers
# Exact metric beside accuracy, and number of objectives; 3: with the packed size. The first three are what the comparison is about.
TABLE_PROBLEMS = [("latency_ms@raspberry-pi-4", 2), ("latency_ms@bismo-pynq-z1", 2), ("latency_ms@raspberry-pi-4", 3),
                  ("latency_ms@bismo-pynq-z1", 3), ("latency_ms@jetson-orin/64", 2), ("latency_ms@jetson-orin/64", 3)]
TABLE_MAIN = TABLE_PROBLEMS[:3]
TABLE_OURS = "lathe bayes"


@dataclasses.dataclass(frozen=True)
class Task:
    problem: str
    dims: int
    method: str
    trials: int
    seed: int


@dataclasses.dataclass(frozen=True)
class Settings:
    build: pathlib.Path   # folder of Lathe's bench programs
    points: pathlib.Path  # folder of the points of unfinished runs
    table: pathlib.Path   # of measured policies
    deadline: float       # time.time() at which nothing new is begun


class Results:
    """Finished runs, one JSON object a line."""

    def __init__(self, path):
        self.path = path
        self.rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def has(self, **key):
        return any(all(row.get(k) == v for k, v in key.items()) for row in self.rows)

    def add(self, row):
        self.rows.append(row)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), file=sys.stderr, flush=True)


def run_tasks(tasks, results, settings, run=peer_optimizers.run):
    """All that are not done, on arguments.jobs processes, in the order given."""
    open_tasks = [task for task in tasks if not results.has(**dataclasses.asdict(task), evaluations=task.trials)]
    context = multiprocessing.get_context("spawn")  # PyTorch does not survive a fork
    with concurrent.futures.ProcessPoolExecutor(arguments.jobs, mp_context=context) as pool:
        futures = {pool.submit(run, task, settings): task for task in open_tasks}
        for future in concurrent.futures.as_completed(futures):
            task = futures[future]
            if future.exception():
                print(f"{task} failed: {future.exception()!r}", file=sys.stderr, flush=True)
                continue
            reached = future.result()
            if reached:  # with fewer evaluations than wanted where the deadline cut it short: it goes on the next time
                results.add({**dataclasses.asdict(task), **reached})


def tasks_of(methods, trials, problems=PROBLEMS):
    """Five seeds of everything, the fewest that a paired test can tell anything from, before the next five."""
    chosen = [problem for problem in problems if not arguments.problems or "{}-{}".format(*problem) in arguments.problems]
    tasks = [Task(*problem, method, trials, seed)
             for problem in chosen for method in methods if method not in arguments.skip for seed in range(arguments.seeds)]
    return sorted(tasks, key=lambda task: task.seed // 5)


def quality(results, settings):
    run_tasks(tasks_of(QUALITY_METHODS, QUALITY_TRIALS), results, settings)


def evolution(results, settings):
    run_tasks(tasks_of(EVOLUTION_METHODS, EVOLUTION_TRIALS), results, settings)


def by_seed(tasks):
    """Whole seeds of all methods, one after the other. HEBO takes as long as the other peers with a model together, and comes two seeds
    late, so that more seeds of those end where time is short."""
    return sorted(tasks, key=lambda task: task.seed + (2 if task.method == "hebo" else 0))


def table(results, settings):
    """Bayesian optimization alone, then the peers with a model on the problems of two objectives and the quick peers, then the main one of
    three; then everything else."""
    ours, quick, peers = table_optimizers.LATHE, table_optimizers.QUICK_PEERS, table_optimizers.PEERS
    slow = [method for method in peers if method not in quick]
    two, three = ([problem for problem in TABLE_MAIN if problem[1] == n] for n in (2, 3))
    queue = [*by_seed(tasks_of([TABLE_OURS], TABLE_TRIALS, TABLE_MAIN)), *by_seed(tasks_of(slow, TABLE_PEER_TRIALS, two)),
             *by_seed(tasks_of(quick, TABLE_PEER_TRIALS, TABLE_MAIN)), *by_seed(tasks_of(slow, TABLE_PEER_TRIALS, three)),
             *by_seed(tasks_of(ours, TABLE_TRIALS, TABLE_PROBLEMS)), *by_seed(tasks_of(peers, TABLE_PEER_TRIALS, TABLE_PROBLEMS))]
    run_tasks(list(dict.fromkeys(queue)), results, settings, table_optimizers.run)
    table_report(results, settings)


def table_report(results, settings):
    """The tables and, beside --out, a plot for each problem. Nothing is run; runs that have not ended count as far as they got."""
    peers = list(table_optimizers.PEERS)
    all_rows = [*table_optimizers.unfinished(settings), *results.rows]
    for problem in TABLE_PROBLEMS:
        rows = [row for row in all_rows if (row.get("problem"), row.get("dims")) == problem]
        peer_tables.table_of_budgets(rows, problem, [*table_optimizers.LATHE, *peers], (25, 50, 100, TABLE_PEER_TRIALS))
        peer_tables.table_of_pairs(rows, (TABLE_OURS, TABLE_TRIALS), peers, (TABLE_TRIALS, TABLE_PEER_TRIALS))
        others = [method for method in table_optimizers.LATHE if method != TABLE_OURS]
        peer_tables.table_of_pairs(rows, (TABLE_OURS, TABLE_TRIALS), others, (TABLE_TRIALS,))
        path = results.path.with_suffix(".{}-{}.png".format(*problem).replace("/", "-"))
        peer_tables.plot(rows, problem, [TABLE_OURS, *peers], path)


def benchmark_ms(settings, name):
    command = [str(settings.build / "search_benchmark"), f"--benchmark_filter=^{name}$", "--benchmark_format=json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["benchmarks"][0]["real_time"]


def timed(results, what, method, repeat, measure):
    key = {"what": what, "method": method, "repeat": repeat}
    if not results.has(**key):
        results.add({**key, "ms": measure()})


def step(results, settings):
    """One step, fit and proposal, at 300 observations of DTLZ2 with two objectives in 40 variables."""

    def botorch():
        import torch
        from pymoo.problems import get_problem

        peer_optimizers.use_botorch()
        torch.manual_seed(0)
        x = torch.quasirandom.SobolEngine(40, scramble=True, seed=0).draw(300).double().numpy()
        f = get_problem("dtlz2", n_var=40, n_obj=2).evaluate(x)
        start = time.perf_counter()
        peer_optimizers.botorch_step(x, f, np.zeros((300, 0)), np.array([1.1, 1.1]))
        return 1e3 * (time.perf_counter() - start)

    for repeat in range(arguments.repeats):  # in turn, so that both see the same machine
        what = "one step, 300 observations, 40 variables"
        timed(results, what, "lathe bayes", repeat, lambda: benchmark_ms(settings, "BayesStep/300/40"))
        timed(results, what, "botorch log-nehvi", repeat, botorch)


def sphere_points(count, objectives):
    points = np.abs(np.random.default_rng(1).normal(size=(count, objectives)))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def archive(results, settings):
    """10,000 mutually non-dominated points in one call, then one more and the hypervolume."""
    from pymoo.core.population import Population
    from pymoo.indicators.hv import HV
    from pymoo.util.archive import MultiObjectiveArchive

    def population(points):
        made = Population.new(F=points, X=points)
        made.set("G", np.zeros((len(points), 0)), "H", np.zeros((len(points), 0)))
        return made

    for repeat in range(arguments.repeats):
        for objectives in (2, 3):
            building, inserting = f"archive of 10,000, {objectives} objectives", f"one more and hypervolume, {objectives} objectives"
            timed(results, building, "lathe", repeat, lambda: benchmark_ms(settings, f"ArchiveBuild/10000/{objectives}"))
            timed(results, inserting, "lathe", repeat, lambda: benchmark_ms(settings, f"ArchiveInsertAndHypervolume/10000/{objectives}"))
            if results.has(what=inserting, method="pymoo", repeat=repeat):
                continue
            points = sphere_points(10001, objectives)
            start = time.perf_counter()
            full = MultiObjectiveArchive(max_size=None, truncate_size=None).add(population(points[:-1]))
            built = time.perf_counter()
            full = full.add(population(points[-1:]))
            HV(ref_point=np.full(objectives, 1.1))(full.get("F"))
            inserted = time.perf_counter()
            assert len(full) == 10001, len(full)
            timed(results, building, "pymoo", repeat, lambda: 1e3 * (built - start))
            timed(results, inserting, "pymoo", repeat, lambda: 1e3 * (inserted - built))


def tables(results, settings):
    rows = [row for row in results.rows if "at" in row]
    at_most = [row for row in rows if row["trials"] == QUALITY_TRIALS]
    for evaluations in (n for n in peer_optimizers.MILESTONES if n <= QUALITY_TRIALS):
        peer_tables.quality_table(at_most, PROBLEMS, evaluations, "lathe bayes", ["botorch log-nehvi", "optuna tpe"])
    longer = [row for row in rows if row["trials"] == EVOLUTION_TRIALS]
    for evaluations in (100, 1000):
        peer_tables.quality_table(longer, PROBLEMS, evaluations, "lathe nsga2", ["pymoo nsga2, 100", "pymoo nsga2, 20"])
    peer_tables.time_table(results.rows)


PARTS = {"step": step, "archive": archive, "evolution": evolution, "quality": quality, "tables": tables}
TABLE_PARTS = {"table": table, "table-report": table_report}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=[*PARTS, *TABLE_PARTS, "all"])
    parser.add_argument("--out", type=pathlib.Path, required=True, help="JSON lines, one a finished run; points lie beside it")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/dev/bench", help="folder of the bench programs")
    parser.add_argument("--table", type=pathlib.Path, default=ROOT / "bench/policy_table/resnet20.table")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3, help="of the times")
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side, each on one thread")
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no run, and no step of BoTorch, after so long")
    parser.add_argument("--skip", nargs="*", default=[], help="methods to leave out")
    parser.add_argument("--problems", nargs="*", help="as zdt1-6; all if not given")
    arguments = parser.parse_args()
    finished = Results(arguments.out)
    limits = Settings(arguments.build, arguments.out.with_suffix(".points"), arguments.table, time.time() + arguments.seconds)
    for part in PARTS if "all" in arguments.parts else arguments.parts:
        {**PARTS, **TABLE_PARTS}[part](finished, limits)
