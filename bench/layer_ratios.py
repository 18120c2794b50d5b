"""Keep ratios of ResNet-56 on CIFAR-10 for a share of the MACs without training, from what each group costs alone.

    python3 bench/layer_ratios.py measure|allocate|choose BENCH MODEL.onnx CIFAR10_FOLDER INSPECT.json OUT [--processes N] [--macs-share 0.5]

BENCH is build/dev/bench/recovery_training, INSPECT.json what `lathe inspect MODEL.onnx --json` prints. `measure` compresses each prunable
group alone to each of RATIOS and takes the loss of the float network's mean probability for its own answers on the search rows; `allocate`
spends a MAC budget on the smallest sum of these losses to a power (a multiple-choice knapsack: greedy steps, as in
search/sensitivity_path.h), for several powers and criteria, and measures those policies on the search rows; `choose` prints the best and
measures it on the held-out images. Labels are not used before that.
"""

import argparse
import concurrent.futures
import json
import pathlib
import subprocess

RATIOS = [0.25, 0.4375, 0.625, 0.8125]
POWERS = [1.0, 1.5, 2.0]
CRITERIA = ["l1", "thinet", "lasso"]


def write_policy(path, ratios, criterion, channels):
    groups = [
        {"name": name, "keep_ratio": ratio, "channels": round(ratio * channels[name]), "criterion": criterion}
        for name, ratio in ratios.items()
        if ratio < 1
    ]
    path.write_text(json.dumps({"format": "lathe.policy", "version": 1, "groups": groups, "layers": []}))


def run_bench(arguments, policies, options):
    """One line of JSON a policy, of `--processes` runs of the bench at once."""
    shards = [policies[i :: arguments.processes] for i in range(arguments.processes)]
    command = [arguments.bench, arguments.model, arguments.data]

    def run(shard):
        if not shard:
            return []
        done = subprocess.run([*command, *map(str, shard), *options], capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    with concurrent.futures.ThreadPoolExecutor(arguments.processes) as pool:
        return [line for lines in pool.map(run, shards) for line in lines]


class Groups:
    """Groups that one layer makes and one layer reads: their MACs are linear in the channels kept."""

    def __init__(self, inspected):
        macs = {layer["name"]: layer["macs"] for layer in inspected["layers"]}
        inner = [g for g in inspected["groups"] if g["prunable"] and len(g["layers"]) == 2]
        self.channels = {g["name"]: g["channels"] for g in inner}
        self.macs = {g["name"]: sum(macs[layer] for layer in g["layers"]) for g in inner}
        self.total = inspected["macs"]

    def legal(self, name):
        return sorted({max(1, round(i / 16 * self.channels[name])) / self.channels[name] for i in range(2, 17)})

    def saved(self, ratios):
        return sum(self.macs[name] * (1 - ratio) for name, ratio in ratios.items())


def interpolated(points, ratio):
    """Linear, and below the lowest point along the line of the two lowest."""
    points = sorted(points)
    for (x0, y0), (x1, y1) in zip(points, points[1:]):
        if x0 <= ratio <= x1:
            break
    else:
        (x0, y0), (x1, y1) = points[:2]
    return max(0.0, y0 + (y1 - y0) * (ratio - x0) / (x1 - x0))


def monotone(losses):
    """(ratio, loss), losses that never fall as the ratio does, 0 at 1."""
    result, largest = [(1.0, 0.0)], 0.0
    for ratio, loss in sorted(losses, reverse=True):
        largest = max(largest, loss)
        result.append((ratio, largest))
    return result


def allocate(groups, losses, power, budget):
    """Greedy steps, each the one of least rise of the sum of losses ** power a MAC saved, until `budget` MACs are."""
    ratios = {name: 1.0 for name in groups.channels}

    def price(name):
        lower = [ratio for ratio in groups.legal(name) if ratio < ratios[name]]
        if not lower:
            return float("inf"), ratios[name]
        rise = interpolated(losses[name], lower[-1]) ** power - interpolated(losses[name], ratios[name]) ** power
        return rise / (groups.macs[name] * (ratios[name] - lower[-1])), lower[-1]

    while groups.saved(ratios) < budget:
        name = min(ratios, key=lambda group: price(group)[0])
        ratios[name] = price(name)[1]
    return ratios


def name_of(name):
    return name.replace("/", "_")


def measure(arguments, groups, out):
    policies = []
    for name in groups.channels:
        for ratio in RATIOS:
            path = out / f"alone_{name_of(name)}_{ratio}.json"
            write_policy(path, {name: ratio}, arguments.alone_criterion, groups.channels)
            policies.append(path)
    whole = out / "whole.json"
    write_policy(whole, {}, "l1", groups.channels)
    lines = run_bench(arguments, [whole, *policies], [*arguments.options, "--splits", "search"])
    (out / "alone.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def read_losses(groups, out):
    lines = {pathlib.Path(line["policy"]).name: line["search_probability"] for line in map(json.loads, open(out / "alone.jsonl"))}
    return {
        name: monotone([(ratio, lines["whole.json"] - lines[f"alone_{name_of(name)}_{ratio}.json"]) for ratio in RATIOS])
        for name in groups.channels
    }


def allocate_all(arguments, groups, out):
    losses = read_losses(groups, out)
    policies = []
    for power in POWERS:
        ratios = allocate(groups, losses, power, (1 - arguments.macs_share) * groups.total)
        for criterion in CRITERIA:
            path = out / f"searched_{criterion}_{power}.json"
            write_policy(path, ratios, criterion, groups.channels)
            policies.append(path)
    lines = run_bench(arguments, policies, [*arguments.options, "--splits", "search"])
    (out / "searched.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def choose(arguments, out):
    lines = [json.loads(line) for line in open(out / "searched.jsonl")]
    best = max(lines, key=lambda line: line["search_agreement"])
    print(json.dumps(best))
    for line in run_bench(arguments, [best["policy"]], [*arguments.options, "--splits", "test"]):
        print(json.dumps(line))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["measure", "allocate", "choose"])
    for name in ["bench", "model", "data", "inspected", "out"]:
        parser.add_argument(name)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--macs-share", type=float, default=0.5)
    parser.add_argument("--alone-criterion", default="l1")
    arguments, arguments.options = parser.parse_known_args()
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    groups = Groups(json.load(open(arguments.inspected)))
    if arguments.step == "measure":
        measure(arguments, groups, out)
    elif arguments.step == "allocate":
        allocate_all(arguments, groups, out)
    else:
        choose(arguments, out)


if __name__ == "__main__":
    main()
