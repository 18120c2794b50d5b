#!/usr/bin/env python3
"""Lathe's agents against BoTorch, pymoo and Optuna as plain optimizers.

    python3 -m venv peers && peers/bin/pip install -r bench/search_peers_requirements.txt
    peers/bin/python bench/search_peers.py all --out peers.jsonl        # quality, evolution, step, archive, and the tables

Nothing is told to Lathe that the peers do not know: every objective and constraint is a black box, all start from 16 space-filling points,
all use one thread, hypervolume is that of every feasible point evaluated, for the reference point that bench/search_problems has. Each
finished run is one line of --out; a run that is there is not repeated, so the command may be stopped at any time.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
INITIAL = 16
QUALITY = [("zdt1", 6), ("zdt2", 6), ("zdt3", 6), ("dtlz2", 6), ("welded_beam", 4), ("truss2d", 3), ("carside", 7),
           ("zdt1", 30), ("zdt2", 30), ("zdt3", 30), ("dtlz2", 30)]
EVOLUTION_TRIALS = (100, 1000)
REFERENCE_POINTS = {"zdt1": (11, 11), "zdt2": (11, 11), "zdt3": (11, 11), "dtlz2": (1.1, 1.1, 1.1), "welded_beam": (40, 0.015),
                    "truss2d": (0.06, 1e5), "carside": (42.8, 4, 12.5)}


class Function:
    """A pymoo problem on the unit cube: rows of objectives and of constraints (at most 0)."""

    def __init__(self, name, dims):
        from pymoo.problems import get_problem

        arguments = {"n_var": dims} if name.startswith("zdt") else {"n_var": dims, "n_obj": 3} if name.startswith("dtlz") else {}
        self.problem = get_problem(name, **arguments)
        self.reference = np.array(REFERENCE_POINTS[name], dtype=float)
        self.dims, self.constraints = dims, self.problem.n_ieq_constr

    def __call__(self, unit):
        unit = np.atleast_2d(unit)
        with np.errstate(divide="ignore"):
            x = self.problem.xl + unit * (self.problem.xu - self.problem.xl)
            out = self.problem.evaluate(x, return_values_of=["F", "G"], return_as_dictionary=True)
        return out["F"], out["G"].reshape(len(unit), -1) if self.constraints else np.zeros((len(unit), 0))

    def hypervolume(self, objectives, constraints):
        from pymoo.indicators.hv import HV

        feasible = objectives[(constraints <= 0).all(axis=1)]
        return float(HV(ref_point=self.reference)(feasible)) if len(feasible) else 0.0


def run_lathe(agent, name, dims, trials, seed):
    command = [str(arguments.build / "search_problems"), "--agent", agent, "--problem", name, "--dims", str(dims), "--trials", str(trials),
               "--seed", str(seed)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def botorch_model(x, outcomes):
    """One SingleTaskGP with BoTorch's defaults for each column of outcomes."""
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import ModelListGP, SingleTaskGP
    from botorch.models.transforms import Standardize
    from gpytorch.mlls import SumMarginalLogLikelihood

    models = [SingleTaskGP(x, outcomes[:, m : m + 1], outcome_transform=Standardize(m=1)) for m in range(outcomes.shape[1])]
    model = ModelListGP(*models)
    fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
    return model


def botorch_step(x, f, g, reference):
    """The next point by log-NEHVI, set up as in BoTorch's tutorials on multi-objective optimization with constraints."""
    import torch
    from botorch.acquisition.multi_objective import qLogNoisyExpectedHypervolumeImprovement
    from botorch.acquisition.multi_objective.objective import IdentityMCMultiOutputObjective
    from botorch.optim import optimize_acqf
    from botorch.sampling.normal import SobolQMCNormalSampler

    x, outcomes = torch.tensor(x), torch.tensor(np.hstack([-f, g]))
    model = botorch_model(x, outcomes)
    objectives = f.shape[1]
    limits = [lambda z, m=m: z[..., m] for m in range(objectives, outcomes.shape[1])]
    acquisition = qLogNoisyExpectedHypervolumeImprovement(
        model=model, ref_point=(-reference).tolist(), X_baseline=x, prune_baseline=True, constraints=limits or None,
        sampler=SobolQMCNormalSampler(sample_shape=torch.Size([128])),
        objective=IdentityMCMultiOutputObjective(outcomes=list(range(objectives))))
    bounds = torch.tensor([[0.0] * x.shape[1], [1.0] * x.shape[1]], dtype=torch.double)
    candidate, _ = optimize_acqf(acquisition, bounds=bounds, q=1, num_restarts=10, raw_samples=512,
                                 options={"batch_limit": 5, "maxiter": 200}, sequential=True)
    return candidate.detach().numpy()[0]


def run_botorch(name, dims, trials, seed):
    import torch

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.double)
    torch.manual_seed(seed)
    function = Function(name, dims)
    x = torch.quasirandom.SobolEngine(dims, scramble=True, seed=seed).draw(INITIAL).double().numpy()
    f, g = function(x)
    while len(x) < trials:
        # Stress without end (an area of 0) is no number for a model.
        new = botorch_step(x, np.clip(f, -1e9, 1e9), np.clip(g, -1e9, 1e9), function.reference)
        x = np.vstack([x, new])
        new_f, new_g = function(new)
        f, g = np.vstack([f, new_f]), np.vstack([g, new_g])
    return function.hypervolume(f, g)


def run_optuna(name, dims, trials, seed):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    function = Function(name, dims)
    seen_f, seen_g = [], []

    def objective(trial):
        f, g = function(np.array([trial.suggest_float(f"x{d}", 0, 1) for d in range(dims)]))
        seen_f.append(f[0])
        seen_g.append(g[0])
        trial.set_user_attr("g", tuple(g[0].tolist()))
        return tuple(np.clip(f[0], -1e9, 1e9).tolist())

    limits = (lambda trial: trial.user_attrs["g"]) if function.constraints else None
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=INITIAL, constraints_func=limits)
    study = optuna.create_study(directions=["minimize"] * len(function.reference), sampler=sampler)
    study.optimize(objective, n_trials=trials)
    return function.hypervolume(np.array(seen_f), np.array(seen_g))


def run_pymoo(name, dims, trials, seed, population):
    """NSGA-II with pymoo's defaults but for the population; every point that it evaluates counts."""
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.callback import Callback
    from pymoo.optimize import minimize

    function = Function(name, dims)
    seen = []

    class Keep(Callback):
        def notify(self, algorithm):
            seen.extend((individual.F.copy(), individual.G.copy()) for individual in algorithm.off)

    with np.errstate(all="ignore"):
        minimize(function.problem, NSGA2(pop_size=population), ("n_eval", trials), seed=seed, callback=Keep())
    seen = seen[:trials]
    return function.hypervolume(np.array([f for f, _ in seen]), np.array([g for _, g in seen]).reshape(len(seen), -1))


class Results:
    """Finished runs, one JSON object a line."""

    def __init__(self, path):
        self.path = path
        self.rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def run(self, key, work):
        if any(all(row.get(k) == v for k, v in key.items()) for row in self.rows):
            return
        start = time.perf_counter()
        row = {**key, **work(), "seconds": round(time.perf_counter() - start, 3)}
        self.rows.append(row)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), file=sys.stderr, flush=True)

    def values(self, **key):
        return {row["seed"]: row["hypervolume"] for row in self.rows if all(row.get(k) == v for k, v in key.items())}


def quality(results):
    methods = {"lathe bayes": lambda *a: run_lathe("bayes", *a), "botorch log-nehvi": run_botorch, "optuna tpe": run_optuna}
    for seed in range(arguments.seeds):
        for name, dims in QUALITY:
            for method, run in methods.items():
                if method in arguments.skip or (arguments.problems and f"{name}-{dims}" not in arguments.problems):
                    continue
                key = {"part": "quality", "problem": name, "dims": dims, "trials": 100, "method": method, "seed": seed}
                results.run(key, lambda: {"hypervolume": run(name, dims, 100, seed)})


def evolution(results):
    methods = {"lathe nsga2": lambda *a: run_lathe("nsga2", *a), "pymoo nsga2, 100": lambda *a: run_pymoo(*a, 100),
               "pymoo nsga2, 20": lambda *a: run_pymoo(*a, 20)}
    for trials in EVOLUTION_TRIALS:
        for seed in range(arguments.seeds):
            for name, dims in QUALITY:
                for method, run in methods.items():
                    key = {"part": "evolution", "problem": name, "dims": dims, "trials": trials, "method": method, "seed": seed}
                    results.run(key, lambda: {"hypervolume": run(name, dims, trials, seed)})


def benchmark_ms(name):
    command = [str(arguments.build / "search_benchmark"), f"--benchmark_filter=^{name}$", "--benchmark_format=json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["benchmarks"][0]["real_time"]


def step(results):
    """One step, fit and proposal, at 300 observations of DTLZ2 with two objectives in 40 variables."""

    def botorch():
        import torch
        from pymoo.problems import get_problem

        torch.set_num_threads(1)
        torch.set_default_dtype(torch.double)
        torch.manual_seed(0)
        x = torch.quasirandom.SobolEngine(40, scramble=True, seed=0).draw(300).double().numpy()
        f = get_problem("dtlz2", n_var=40, n_obj=2).evaluate(x)
        start = time.perf_counter()
        botorch_step(x, f, np.zeros((300, 0)), np.array([1.1, 1.1]))
        return {"ms": 1e3 * (time.perf_counter() - start)}

    for repeat in range(3):  # in turn, so that both see the same machine
        results.run({"part": "step", "method": "lathe bayes", "repeat": repeat}, lambda: {"ms": benchmark_ms("BayesStep/300/40")})
        results.run({"part": "step", "method": "botorch log-nehvi", "repeat": repeat}, botorch)


def sphere_points(count, objectives):
    points = np.abs(np.random.default_rng(1).normal(size=(count, objectives)))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def archive(results):
    from pymoo.core.population import Population
    from pymoo.indicators.hv import HV
    from pymoo.util.archive import MultiObjectiveArchive

    def population(points):
        made = Population.new(F=points, X=points)
        made.set("G", np.zeros((len(points), 0)), "H", np.zeros((len(points), 0)))
        return made

    def pymoo(objectives, is_built):
        points = sphere_points(10001, objectives)
        start = time.perf_counter()
        full = MultiObjectiveArchive(max_size=None, truncate_size=None).add(population(points[:-1]))
        if not is_built:
            start = time.perf_counter()
            full = full.add(population(points[-1:]))
            HV(ref_point=np.full(objectives, 1.1))(full.get("F"))
        assert len(full) == 10000 + (not is_built), len(full)
        return {"ms": 1e3 * (time.perf_counter() - start)}

    for repeat in range(3):
        for objectives in (2, 3):
            for task, name in (("all 10,000 in one call", "ArchiveBuild"), ("one more and hypervolume", "ArchiveInsertAndHypervolume")):
                key = {"part": "archive", "objectives": objectives, "task": task, "repeat": repeat}
                results.run({**key, "method": "lathe"}, lambda: {"ms": benchmark_ms(f"{name}/10000/{objectives}")})
                results.run({**key, "method": "pymoo"}, lambda: pymoo(objectives, name == "ArchiveBuild"))


def paired(ours, theirs):
    """Mean difference in per mille of the peer's mean, and the p-value of the one-sided Wilcoxon test that ours is worse."""
    from scipy.stats import wilcoxon

    seeds = sorted(set(ours) & set(theirs))
    if not seeds:
        return "-"
    differences = np.array([ours[s] - theirs[s] for s in seeds])
    mean = 1e3 * differences.mean() / max(np.mean([theirs[s] for s in seeds]), 1e-300)
    p = wilcoxon(differences, alternative="less").pvalue if len(seeds) > 4 and np.any(differences) else float("nan")
    return f"{mean:+.2f} ({sum(differences >= 0)}/{len(seeds)}, p {p:.3f})"


def quality_table(results, part, ours, peers, trials):
    print(f"\n| problem | dims | seeds | {ours} | " + " | ".join(f"{p} | difference, per mille (wins, p worse)" for p in peers) + " |")
    print("|---" * (4 + 2 * len(peers)) + "|")
    for name, dims in QUALITY:
        key = {"part": part, "problem": name, "dims": dims, "trials": trials}
        own = results.values(**key, method=ours)
        if not own:
            continue
        cells = []
        for peer in peers:
            other = results.values(**key, method=peer)
            cells += [f"{np.mean(list(other.values())):.6g}" if other else "-", paired(own, other)]
        print(f"| {name} | {dims} | {len(own)} | {np.mean(list(own.values())):.6g} | " + " | ".join(cells) + " |")


def time_table(results, part, peer):
    rows = [row for row in results.rows if row["part"] == part]
    for task in sorted({(row.get("task", "one step"), row.get("objectives", 2)) for row in rows}):
        of = {}
        for row in rows:
            if (row.get("task", "one step"), row.get("objectives", 2)) == task:
                of.setdefault(row["method"].split()[0], []).append(row["ms"])
        if len(of) == 2:
            ours, theirs = np.median(of["lathe"]), np.median(of[peer])
            print(f"| {part}: {task[0]}, {task[1]} objectives | {ours:.2f} | {theirs:.2f} | {theirs / ours:.0f} |")


def tables(results):
    quality_table(results, "quality", "lathe bayes", ["botorch log-nehvi", "optuna tpe"], 100)
    for trials in EVOLUTION_TRIALS:
        print(f"\n{trials} evaluations")
        quality_table(results, "evolution", "lathe nsga2", ["pymoo nsga2, 100", "pymoo nsga2, 20"], trials)
    print("\n| | lathe, ms | peer, ms | times faster |\n|---|---|---|---|")
    time_table(results, "step", "botorch")
    time_table(results, "archive", "pymoo")


PARTS = {"quality": quality, "evolution": evolution, "step": step, "archive": archive, "tables": tables}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=[*PARTS, "all"])
    parser.add_argument("--out", type=pathlib.Path, required=True, help="JSON lines, one a finished run")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/dev/bench", help="folder of the bench programs")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--skip", nargs="*", default=[], help="methods of the quality part to leave out")
    parser.add_argument("--problems", nargs="*", help="of the quality part, as zdt1-6; all if not given")
    arguments = parser.parse_args()
    finished = Results(arguments.out)
    for part in PARTS if "all" in arguments.parts else arguments.parts:
        PARTS[part](finished)
