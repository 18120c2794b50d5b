"""Peers that fit a model, on the public table of measured policies: BoTorch, a trust region on it, HEBO and SMAC.

All propose in batches of 10 (SMAC: one at a time), end at the deadline with what they have, and get a policy that nobody measured in the
place of one that they repeat. Latency and size: BoTorch is told them exactly, as Lathe is; HEBO and SMAC have no way to be told and
model them (HEBO) or observe them (SMAC's ParEGO).
"""

import os
import tempfile
import time
import warnings

import numpy as np

import peer_optimizers

BATCH = 10
POOL = 1024  # policies among which BoTorch's acquisition is maximized, beside the neighbours of the front
SAMPLES = {2: 64, 3: 16}  # quasi-random ones of BoTorch's posterior, by the number of objectives: with 64 and three a batch takes minutes


def front_of(objectives):
    """Positions of the rows that no other row dominates."""
    no_worse = (objectives[:, None] <= objectives[None]).all(axis=2)
    better = (objectives[:, None] < objectives[None]).any(axis=2)
    return np.flatnonzero(~(no_worse & better).any(axis=0))


def is_running(evaluations, settings):
    return not evaluations.full and time.time() < settings.deadline


def unmeasured(table, evaluations, rng, count):
    """Random indices of policies that were not measured."""
    return np.array([i for i in rng.permutation(len(table.choices)) if i not in evaluations.known][:count], dtype=int)


def measure_new(table, evaluations, rng, choices):
    """Measures the policy, or another where it is known. Its choices and its objectives."""
    choices = np.asarray(choices, dtype=int)
    if table.index(choices) in evaluations.known:
        choices = table.choices[unmeasured(table, evaluations, rng, 1)[0]]
    return choices, evaluations(choices)


class ExactBesideAccuracy:
    """Builds the objectives of BoTorch's posterior samples: accuracy as sampled, everything else as the table has it.

    Samples: sample shape x batch x q x 1; X: batch x q x decisions on the unit cube. Result: ... x q x objectives, all maximized."""

    def __init__(self, table, scale):
        import torch

        self.steps = torch.tensor(np.array(table.sizes) - 1, dtype=torch.double)
        self.strides = torch.tensor(table.strides)
        self.exact = torch.tensor(-(table.objectives / scale)[:, 1:])

    def __call__(self, samples, X):
        import torch

        index = ((X * self.steps).round().long() * self.strides).sum(-1)
        exact = self.exact[index]
        exact = exact.expand(*samples.shape[:-2], *exact.shape[-2:])
        return torch.cat([samples, exact], dim=-1)


def botorch_objective(table, scale):
    from botorch.acquisition.multi_objective.objective import MCMultiOutputObjective

    class Objective(MCMultiOutputObjective):
        def __init__(self):
            super().__init__()
            self.build = ExactBesideAccuracy(table, scale)

        def forward(self, samples, X=None):
            return self.build(samples, X)

    return Objective()


def botorch_batch(table, measured, pool, scale, seed):
    """The batch of the pool's policies (indices) that maximizes qLogNEHVI greedily; `measured` are indices too."""
    import torch
    from botorch.acquisition.multi_objective import qLogNoisyExpectedHypervolumeImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.models.transforms import Standardize
    from botorch.optim import optimize_acqf_discrete
    from botorch.sampling.normal import SobolQMCNormalSampler
    from gpytorch.mlls import ExactMarginalLogLikelihood

    torch.manual_seed(seed)
    steps = np.array(table.sizes) - 1
    x = torch.tensor(table.choices[measured] / steps)
    y = torch.tensor(-(table.objectives / scale)[measured, :1])
    model = SingleTaskGP(x, y, outcome_transform=Standardize(m=1))
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    acquisition = qLogNoisyExpectedHypervolumeImprovement(
        model=model, ref_point=(-table.reference / scale).tolist(), X_baseline=x, prune_baseline=True, cache_root=True,
        sampler=SobolQMCNormalSampler(sample_shape=torch.Size([SAMPLES[len(scale)]]), seed=seed), objective=botorch_objective(table, scale))
    choices = torch.tensor(table.choices[pool] / steps)
    with torch.no_grad():
        best, _ = optimize_acqf_discrete(acquisition, q=min(BATCH, len(pool)), choices=choices, max_batch_size=512)
    return np.rint(best.numpy() * steps).astype(int)


def neighbours(table, choices):
    """Indices of the policies that differ in one decision."""
    found = set()
    for one in choices:
        for d, size in enumerate(table.sizes):
            found |= {table.index([*one[:d], value, *one[d + 1 :]]) for value in range(size) if value != one[d]}
    return found


def measure_design(table, evaluations, rng, first):
    """The shared first policies, then random ones up to two a decision."""
    for choices in first:
        evaluations(choices)
    for choices in table.choices[unmeasured(table, evaluations, rng, 2 * len(table.sizes) - len(first))]:
        evaluations(choices)


def run_botorch(task, settings, table, evaluations, first):
    """qLogNEHVI on BoTorch's default GP of accuracy, over a random part of the table and the front's neighbours."""
    peer_optimizers.use_botorch()
    rng = np.random.default_rng(task.seed)
    scale = table.reference - table.objectives.min(axis=0)
    measure_design(table, evaluations, rng, first)
    while is_running(evaluations, settings):
        measured = np.array(evaluations.order)
        near = neighbours(table, table.choices[measured[front_of(table.objectives[measured])]].tolist())
        pool = np.array(sorted((near | set(unmeasured(table, evaluations, rng, POOL).tolist())) - evaluations.known))
        for choices in botorch_batch(table, measured, pool, scale, 1000 * task.seed + len(measured)):
            measure_new(table, evaluations, rng, choices)


def run_trust_region(task, settings, table, evaluations, first):
    """The same within a trust region about the member of the front that adds most hypervolume: as many decisions may differ from it as the
    region allows (X. Wan et al., Think Global and Act Local, ICML 2021, section 3), which doubles after two batches that gained
    hypervolume, is halved after two that did not, and starts anew below one (D. Eriksson et al., TuRBO, NeurIPS 2019; S. Daulton et al.,
    MORBO, UAI 2022, has several such regions)."""
    peer_optimizers.use_botorch()
    rng = np.random.default_rng(task.seed)
    scale = table.reference - table.objectives.min(axis=0)
    largest = len(table.sizes)
    radius, gains, losses, center = largest // 2, 0, 0, None
    measure_design(table, evaluations, rng, first)
    while is_running(evaluations, settings):
        measured = np.array(evaluations.order)
        before = table.hypervolume(measured)
        front = measured[front_of(table.objectives[measured])]
        shares = [before - table.hypervolume(measured[measured != one]) for one in front]
        center = table.choices[front[int(np.argmax(shares))]] if center is None else center
        distance = (table.choices != center).sum(axis=1)
        inside = np.array([i for i in np.flatnonzero(distance <= radius) if i not in evaluations.known], dtype=int)
        if len(inside) < BATCH:
            radius, center = min(largest, radius + 1), None
            continue
        pool = rng.permutation(inside)[:POOL]
        for choices in botorch_batch(table, measured, pool, scale, 1000 * task.seed + len(measured)):
            measure_new(table, evaluations, rng, choices)
        if table.hypervolume(evaluations.order) > before * (1 + 1e-4):
            gains, losses, center = gains + 1, 0, None
        else:
            gains, losses = 0, losses + 1
        if gains == 2:
            radius, gains = min(largest, 2 * radius), 0
        elif losses == 2:
            radius, losses = radius // 2, 0
        if radius < 1:
            radius, center = largest // 2, table.choices[rng.choice(front)]


def run_hebo(task, settings, table, evaluations, first):
    """HEBO's multi-objective optimizer (GeneralBO) with the reference point and its defaults, but for 100 generations of its
    NSGA-II instead of 200 and for Adam in the place of pSGLD, which made
    every hyperparameter NaN with GPyTorch 1.15."""
    import hebo.models.model_factory
    import pandas as pd
    import torch
    from hebo.design_space.design_space import DesignSpace
    from hebo.models.gp.gp import GP
    from hebo.optimizers.general import GeneralBO

    class SinglePrecision(GP):
        """HEBO 0.3.6 gives its single precision GP doubles, at which GPyTorch 1.15 fails and HEBO goes on with random predictions."""

        def xtrans(self, Xc, Xe, y=None):
            return super().xtrans(Xc.float(), Xe, y)

    hebo.models.model_factory.model_dict["gp"] = SinglePrecision
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(task.seed)
    np.random.seed(task.seed)
    rng = np.random.default_rng(task.seed)
    names = [f"x{d}" for d in range(len(table.sizes))]
    space = DesignSpace().parse([{"name": n, "type": "int", "lb": 0, "ub": size - 1} for n, size in zip(names, table.sizes)])
    optimizer = GeneralBO(space, num_obj=len(table.reference), ref_point=table.reference / np.abs(table.reference),
                          model_config={"optimizer": "adam"}, evo_iters=100)
    batch = [list(choices) for choices in first]
    while is_running(evaluations, settings):
        made = [measure_new(table, evaluations, rng, choices) for choices in batch]
        frame = pd.DataFrame(np.array([choices for choices, _ in made]), columns=names)
        optimizer.observe(frame, np.array([objectives for _, objectives in made]) / np.abs(table.reference))
        batch = optimizer.suggest(n_suggestions=BATCH)[names].to_numpy().astype(float).round().astype(int)


def run_smac(task, settings, table, evaluations, first):
    """SMAC's facade for discrete spaces (random forest) with ParEGO, as its multi-objective example has it, without hyperparameter seeds."""
    import sklearn.tree._tree

    if not hasattr(sklearn.tree._tree, "DTYPE"):  # SMAC 2.4 wants this name of scikit-learn before 1.9
        sklearn.tree._tree.DTYPE = np.float32
    from ConfigSpace import Configuration, ConfigurationSpace, Integer
    from smac import HyperparameterOptimizationFacade, Scenario
    from smac.multi_objective.parego import ParEGO
    from smac.runhistory.dataclasses import TrialValue

    warnings.filterwarnings("ignore")
    rng = np.random.default_rng(task.seed)
    names = [f"x{d}" for d in range(len(table.sizes))]
    space = ConfigurationSpace(seed=task.seed)
    space.add([Integer(name, (0, size - 1)) for name, size in zip(names, table.sizes)])
    with tempfile.TemporaryDirectory() as folder:
        scenario = Scenario(space, objectives=[f"f{k}" for k in range(len(table.reference))], n_trials=len(table.choices), seed=task.seed,
                            deterministic=True, output_directory=folder)
        start = [Configuration(space, dict(zip(names, map(int, choices)))) for choices in first]
        design = HyperparameterOptimizationFacade.get_initial_design(scenario, n_configs=2 * len(names) - len(first), additional_configs=start)
        optimizer = HyperparameterOptimizationFacade(scenario, lambda config, seed=0: 0.0, initial_design=design, overwrite=True,
                                                     multi_objective_algorithm=ParEGO(scenario), logging_level=50)
        while is_running(evaluations, settings):
            asked = optimizer.ask()
            objectives = evaluations([asked.config[name] for name in names])
            optimizer.tell(asked, TrialValue(cost=objectives.tolist()))
