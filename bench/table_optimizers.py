"""Optimizers on the public table of measured policies: one run of one of them (search_peers.py table).

Everybody begins with the same uniform policies (the uncompressed network first), is told latency and size exactly, and is asked for
policies of the table; only policies that were not measured before count as evaluations.
"""

import dataclasses
import json
import os
import subprocess
import time

import numpy as np

import table_bayes_peers

MILESTONES = (25, 50, 100, 150, 200, 300, 400)  # evaluations at which the hypervolume is noted
ACCURACY_RANGE, BEYOND = 0.4, 1.1  # reference point, as search/problems/policy_table.h has it
ASKS = 10  # for one evaluation on average, before an optimizer that repeats itself is stopped


class Table:
    """bench/policy_table/*.table as arrays: `choices` [policies, decisions] and `objectives` [policies, 2 or 3], all to be minimized."""

    def __init__(self, path, metrics):
        with open(path, "rb") as file:
            header = json.loads(file.readline())
            self.sizes = [len(decision["values"]) for decision in header["space"]["decisions"]]
            count = int(np.prod(self.sizes))
            accuracy = np.fromfile(file, "<u2", count) / header["search_rows"]
            np.fromfile(file, "<u2", count)  # correct rows of the test split
            exact = {name: np.fromfile(file, "<f4", count).astype(float) for name in header["exact"]}
        self.strides = np.cumprod([1, *self.sizes[:-1]])
        self.choices = (np.arange(count)[:, None] // self.strides) % self.sizes
        self.objectives = np.column_stack([-accuracy, *(exact[name] for name in metrics)])
        self.reference = np.array([-(accuracy[-1] - ACCURACY_RANGE), *(BEYOND * exact[name][-1] for name in metrics)])

    def index(self, choices):
        return int(np.dot(choices, self.strides))

    def hypervolume(self, indices):
        from pymoo.indicators.hv import HV

        return float(HV(ref_point=self.reference)(self.objectives[indices]))


class Evaluations:
    """What was measured, in order. `full` once there are as many as wanted, or the optimizer only repeats itself. `file`, open for writing,
    gets each measured index at once: what `unfinished` reads."""

    def __init__(self, table, trials, file=None):
        self.table, self.trials, self.order, self.known, self.asks, self.file = table, trials, [], set(), 0, file

    def __call__(self, choices):
        index = self.table.index(choices)
        self.asks += 1
        if index not in self.known and len(self.order) < self.trials:
            self.known.add(index)
            self.order.append(index)
            if self.file:
                print(index, file=self.file, flush=True)
        return self.table.objectives[index]

    @property
    def repeats_itself(self):
        return self.asks >= ASKS * self.trials

    @property
    def full(self):
        return len(self.order) >= self.trials or self.repeats_itself

    def summary(self):
        """Who only repeats itself would have the same hypervolume for ever."""
        reached = self.trials if self.repeats_itself else len(self.order)
        at = {str(n): self.table.hypervolume(self.order[:n]) for n in MILESTONES if n <= reached}
        return {"evaluations": reached, "measured": len(self.order), "at": at}


def metrics_of(problem, dims):
    """What is minimized beside the error; `dims` counts the objectives."""
    return [problem, *(["packed_bytes"] if dims == 3 else [])]


def first_policies(task, settings):
    command = [str(settings.build / "search_problems"), "--table", str(settings.table), "--objectives-of-table", *metrics_of(task.problem, task.dims), "--design"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [[int(choice) for choice in line.split()] for line in lines]


def run_lathe(agents, options, task, settings):
    """bench/search_problems: a trace of seed, evaluations and hypervolume."""
    settings.points.mkdir(exist_ok=True)
    trace = settings.points / f"{os.getpid()}-{time.monotonic_ns()}.trace"
    subprocess.run([str(settings.build / "search_problems"), "--table", str(settings.table), "--objectives-of-table", *metrics_of(task.problem, task.dims),
                    "--agent", *agents, "--trials", str(task.trials), "--seed", str(task.seed), "--trace", str(trace), *options],
                   check=True, capture_output=True)
    reached = {line.split()[1]: float(line.split()[2]) for line in trace.read_text().splitlines()}
    trace.unlink()
    return {"evaluations": max(map(int, reached)), "at": {str(n): reached[str(n)] for n in MILESTONES if str(n) in reached}}


def run_random(task, settings, table, evaluations, first):
    for choices in [*first, *table.choices[np.random.default_rng(task.seed).permutation(len(table.choices))]]:
        if evaluations.full:
            return
        evaluations(choices)


def run_optuna(make_sampler, task, settings, table, evaluations, first):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=["minimize"] * len(table.reference), sampler=make_sampler(optuna, task.seed))
    for choices in first:
        study.enqueue_trial({f"x{d}": choice for d, choice in enumerate(choices)})
    while not evaluations.full:
        trial = study.ask()
        choices = [trial.suggest_int(f"x{d}", 0, size - 1) for d, size in enumerate(table.sizes)]
        study.tell(trial, evaluations(choices).tolist())


def optuna_tpe(optuna, seed):
    return optuna.samplers.TPESampler(seed=seed, multivariate=True)


def optuna_nsga2(optuna, seed):
    return optuna.samplers.NSGAIISampler(seed=seed, population_size=20)


def run_pymoo(task, settings, table, evaluations, first):
    """NSGA-II on integers as pymoo's documentation sets it up, 20 members: the first policies, then random ones."""
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.problem import ElementwiseProblem
    from pymoo.operators.crossover.sbx import SBX
    from pymoo.operators.mutation.pm import PM
    from pymoo.operators.repair.rounding import RoundingRepair

    class Lookup(ElementwiseProblem):
        def __init__(self):
            super().__init__(n_var=len(table.sizes), n_obj=len(table.reference), xl=0, xu=np.array(table.sizes) - 1, vtype=int)

        def _evaluate(self, x, out, *args, **kwargs):
            out["F"] = evaluations(x)

    population = 20
    rng = np.random.default_rng(task.seed)
    start = np.array([*first, *(rng.integers(0, table.sizes) for _ in range(population - len(first)))])
    crossover, mutation = (make(vtype=float, repair=RoundingRepair()) for make in (SBX, PM))
    algorithm = NSGA2(pop_size=population, sampling=start, crossover=crossover, mutation=mutation, eliminate_duplicates=True)
    algorithm.setup(Lookup(), seed=task.seed, termination=("n_gen", 100000), verbose=False)
    while not evaluations.full and algorithm.has_next():
        algorithm.next()


QUICK_PEERS = {
    "random": run_random,
    "optuna tpe": lambda *a: run_optuna(optuna_tpe, *a),
    "optuna nsga2": lambda *a: run_optuna(optuna_nsga2, *a),
    "pymoo nsga2": run_pymoo,
}
PEERS = {
    **QUICK_PEERS,
    "botorch qlog-nehvi": table_bayes_peers.run_botorch,
    "botorch trust region": table_bayes_peers.run_trust_region,
    "smac": table_bayes_peers.run_smac,
    "hebo": table_bayes_peers.run_hebo,
}
TOGETHER, TWO = ["bayes", "ddpg", "nsga2"], ["bayes", "ddpg"]
LATHE = {
    **{f"lathe {agent}": ([agent], []) for agent in ("bayes", "nsga2", "ddpg", "td3", "sac", "quasi_random")},
    "lathe bayes + sensitivities": (["bayes"], ["--sensitivity"]),
    "lathe ddpg + sensitivities": (["ddpg"], ["--sensitivity"]),
    "lathe bayes, ddpg": (TWO, ["--round", "8"]),
    "lathe bayes, ddpg, nsga2": (TOGETHER, ["--round", "12"]),
    "lathe bayes, ddpg, nsga2 + sensitivities": (TOGETHER, ["--round", "12", "--sensitivity"]),
}


def order_path(task, settings):
    name = f"{task.method}-{task.problem}-{task.dims}-{task.seed}".replace("/", "-").replace(" ", "-")
    return settings.points / f"{name}.order"


def run_peer(task, settings):
    """The file of the order of measurements is there until the run has ended."""
    table = Table(settings.table, metrics_of(task.problem, task.dims))
    settings.points.mkdir(exist_ok=True)
    with order_path(task, settings).open("w") as file:
        print(json.dumps(dataclasses.asdict(task)), file=file)
        evaluations = Evaluations(table, task.trials, file)
        start = time.perf_counter()
        PEERS[task.method](task, settings, table, evaluations, first_policies(task, settings))
        order_path(task, settings).unlink()
    return {**evaluations.summary(), "seconds": round(time.perf_counter() - start, 3)}


def unfinished(settings):
    """Rows, as `run` makes them but without a time, of the peers' runs that go on or were broken off."""
    rows = []
    for path in sorted(settings.points.glob("*.order")):
        lines = path.read_text().splitlines()
        if len(lines) < 1 + MILESTONES[0]:
            continue
        task = json.loads(lines[0])
        evaluations = Evaluations(Table(settings.table, metrics_of(task["problem"], task["dims"])), task["trials"])
        evaluations.order = list(map(int, lines[1:]))
        rows.append({**task, **evaluations.summary()})
    return rows


def run(task, settings):
    """In a process of its own. Nothing if there is no time left to begin."""
    if time.time() >= settings.deadline:
        return None
    if task.method not in LATHE:
        return run_peer(task, settings)
    start = time.perf_counter()
    return {**run_lathe(*LATHE[task.method], task, settings), "seconds": round(time.perf_counter() - start, 3)}
