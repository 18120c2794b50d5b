"""One run of each optimizer of search_peers.py on one problem. Nothing here measures time."""

import json
import os
import subprocess
import tempfile
import time

import numpy as np

INITIAL = 16  # space-filling points that everybody begins with
MILESTONES = (20, 40, 60, 80, 100, 1000)  # evaluations at which the hypervolume is noted
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

    def summary(self, objectives, constraints):
        """What a run reached: evaluations made, and the hypervolume after the milestones among them."""
        at = {str(n): self.hypervolume(objectives[:n], constraints[:n]) for n in MILESTONES if n <= len(objectives)}
        return {"evaluations": len(objectives), "at": at}


def run_lathe(agent, task, settings):
    """bench/search_problems with a trace: one line a trial, whose last field is the hypervolume so far."""
    with tempfile.TemporaryDirectory() as folder:
        trace = f"{folder}/trace"
        subprocess.run([str(settings.build / "search_problems"), "--agent", agent, "--problem", task.problem, "--dims", str(task.dims),
                        "--trials", str(task.trials), "--seed", str(task.seed), "--trace", trace], check=True, capture_output=True)
        with open(trace) as file:
            reached = [float(line.split()[-1]) for line in file]
    return {"evaluations": len(reached), "at": {str(n): reached[n - 1] for n in MILESTONES if n <= len(reached)}}


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


def botorch_step(x, f, g, reference, count=1):
    """The next point, or `count` of them, by log-NEHVI, set up as in BoTorch's tutorials on multi-objective optimization with constraints."""
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
    candidate, _ = optimize_acqf(acquisition, bounds=bounds, q=count, num_restarts=10, raw_samples=512,
                                 options={"batch_limit": 5, "maxiter": 200}, sequential=True)
    return candidate.detach().numpy()[0] if count == 1 else candidate.detach().numpy()


def use_botorch():
    import torch

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.double)


def run_botorch(task, settings):
    """Steps take seconds, so each point is kept in a file and a run that was stopped goes on from there: every step has its own seed."""
    import torch

    use_botorch()
    function = Function(task.problem, task.dims)
    settings.points.mkdir(exist_ok=True)
    path = settings.points / f"botorch-{task.problem}-{task.dims}-{task.seed}.txt"
    if path.exists():
        x = np.array([json.loads(line) for line in path.read_text().splitlines()])
    else:
        x = torch.quasirandom.SobolEngine(task.dims, scramble=True, seed=task.seed).draw(INITIAL).double().numpy()
        path.write_text("".join(json.dumps(point.tolist()) + "\n" for point in x))
    f, g = function(x)
    while len(x) < task.trials and time.time() < settings.deadline:
        torch.manual_seed(1000 * task.seed + len(x))
        # Stress without end (an area of 0) is no number for a model.
        new = botorch_step(x, np.clip(f, -1e9, 1e9), np.clip(g, -1e9, 1e9), function.reference)
        with path.open("a") as file:
            file.write(json.dumps(new.tolist()) + "\n")
        x = np.vstack([x, new])
        new_f, new_g = function(new)
        f, g = np.vstack([f, new_f]), np.vstack([g, new_g])
    return function.summary(f, g)


def run_optuna(task, settings):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    function = Function(task.problem, task.dims)
    seen_f, seen_g = [], []

    def objective(trial):
        f, g = function(np.array([trial.suggest_float(f"x{d}", 0, 1) for d in range(task.dims)]))
        seen_f.append(f[0])
        seen_g.append(g[0])
        trial.set_user_attr("g", tuple(g[0].tolist()))
        return tuple(np.clip(f[0], -1e9, 1e9).tolist())

    limits = (lambda trial: trial.user_attrs["g"]) if function.constraints else None
    sampler = optuna.samplers.TPESampler(seed=task.seed, n_startup_trials=INITIAL, constraints_func=limits)
    study = optuna.create_study(directions=["minimize"] * len(function.reference), sampler=sampler)
    study.optimize(objective, n_trials=task.trials)
    return function.summary(np.array(seen_f), np.array(seen_g))


def run_pymoo(population, task, settings):
    """NSGA-II with pymoo's defaults but for the population; every point that it evaluates counts."""
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.callback import Callback
    from pymoo.optimize import minimize

    function = Function(task.problem, task.dims)
    seen = []

    class Keep(Callback):
        def notify(self, algorithm):
            seen.extend((individual.F.copy(), individual.G.copy()) for individual in algorithm.off)

    with np.errstate(all="ignore"):
        minimize(function.problem, NSGA2(pop_size=population), ("n_eval", task.trials), seed=task.seed, callback=Keep())
    seen = seen[: task.trials]
    return function.summary(np.array([f for f, _ in seen]), np.array([g for _, g in seen]).reshape(len(seen), -1))


RUNS = {
    "lathe bayes": lambda *a: run_lathe("bayes", *a),
    "lathe nsga2": lambda *a: run_lathe("nsga2", *a),
    "botorch log-nehvi": run_botorch,
    "optuna tpe": run_optuna,
    "pymoo nsga2, 20": lambda *a: run_pymoo(20, *a),
    "pymoo nsga2, 100": lambda *a: run_pymoo(100, *a),
}


def run(task, settings):
    """In a process of its own. Nothing if there is no time left to begin."""
    if time.time() >= settings.deadline:
        return None
    os.environ["OMP_NUM_THREADS"] = "1"
    start = time.perf_counter()
    return {**RUNS[task.method](task, settings), "seconds": round(time.perf_counter() - start, 3)}
