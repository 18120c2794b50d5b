"""Tables and learning curves of reinforcement learning in the papers' settings, from sweeps that `lathe sweep` ran.

    build/dev/experiments/lathe sweep configs/sweeps/rl_amc.yaml
    python3 bench/rl_papers.py runs/rl_amc --lathe build/dev/experiments/lathe --remeasure 4 --set evaluator.reconstruction=sequential

For each method (the name of the search's one agent): the best search accuracy of its first episodes, the loss of the policy that it chose on
images that the search never saw, means and 95 % intervals over seeds (Student's t), mean accuracy by window of episodes, and one-sided
Wilcoxon tests over the seeds against --baseline. --remeasure K measures the K best policies of each run again, on all search rows and with the
settings of --set, takes the best of them, and reports its loss; answers are kept in RUN/remeasured.jsonl. The tables need scipy, measuring
(--no-tables) does not.
"""

import argparse
import collections
import concurrent.futures
import json
import pathlib
import statistics
import subprocess

WIDTH, HEIGHT, MARGIN = 600, 320, 60
COLOURS = ["#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#8c564b", "#7f7f7f"]


class Run:
    def __init__(self, folder):
        self.folder = folder
        self.results = json.loads((folder / "pareto.json").read_text())
        self.method, self.seed = self.results["agents"][0]["name"], self.results["seed"]
        self.trials = sorted(self.results["trials"], key=lambda trial: trial["id"])
        self.accuracies = [trial["metrics"]["accuracy"] for trial in self.trials if "error" not in trial]

    def best_of(self, episodes):
        return max(self.accuracies[:episodes])

    def chosen_loss(self):
        """Points lost on the held-out rows by the policy that the run delivered."""
        return 100 * self.results["policies"][0]["accuracy_loss"]["value"]

    def policy(self, trial):
        """The trial's policy as `lathe evaluate --stdin` takes it."""
        groups, layers = [], collections.defaultdict(dict)
        for decision, choice in zip(self.results["decisions"], trial["choices"]):
            value = decision["values"][choice]
            if decision["kind"] == "channels":
                group = self.results["groups"][decision["subject"]]
                if value < group["channels"]:
                    groups.append({"name": group["name"], "keep_ratio": value / group["channels"], "channels": value})
            else:
                layers[self.results["layers"][decision["subject"]]["name"]][decision["kind"]] = value
        return {"id": trial["id"], "groups": groups, "layers": [{"name": name, **bits} for name, bits in layers.items()]}


def finished_runs(sweep):
    runs = [Run(path.parent) for path in sorted(sweep.glob("tasks/*/run/pareto.json"))]
    return sorted(runs, key=lambda run: (run.method, run.seed))


def evaluate(run, requests, arguments):
    settings = [word for setting in arguments.set for word in ("--set", setting)]
    command = [arguments.lathe, "evaluate", str(run.folder / "config.yaml"), "--stdin", *settings]
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    return {(answer["id"], answer["split"]): answer for answer in map(json.loads, done.stdout.splitlines())}


def kept_answer(path, key, measure):
    """The row of the file that has the key; measured and appended where there is none."""
    known = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    for row in known:
        if row["key"] == key:
            return row
    row = {"key": key, **measure()}
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")
    return row


def best_on_search_rows(run, policies, arguments, is_allowed=lambda answer: True):
    """What the best policy on all search rows answers on the held-out ones."""
    answers = evaluate(run, [{**policy, "split": "search"} for policy in policies], arguments)
    allowed = [policy for policy in policies if is_allowed(answers[policy["id"], "search"])]
    chosen = max(allowed, key=lambda policy: answers[policy["id"], "search"]["accuracy"])
    test = evaluate(run, [{**chosen, "split": "test"}], arguments)[chosen["id"], "test"]
    return {"chosen": chosen["id"], "search": answers[chosen["id"], "search"]["accuracy"], "test": test["accuracy"], "latency_ms": test["latency_ms"]}


def test_loss(run, row):
    return 100 * (run.results["float"]["accuracy"]["test"]["value"] - row["test"])


def remeasured_loss(run, arguments):
    def measure():
        complete = [trial for trial in run.trials if "error" not in trial]
        best = sorted(complete, key=lambda trial: -trial["metrics"]["accuracy"])[: arguments.remeasure]
        policies = [run.policy(trial) for trial in best]
        for policy in policies:
            for group in policy["groups"]:
                group["criterion"] = arguments.criterion
        return best_on_search_rows(run, policies, arguments)

    row = kept_answer(run.folder / "remeasured.jsonl", [arguments.remeasure, *arguments.set], measure)
    return test_loss(run, row)


def uniform_loss(run, latency_ms, arguments):
    """Of the best policy with one width for all weights and one for all activations that keeps the latency."""

    def measure():
        names = [layer["name"] for layer in run.results["layers"]]
        widths = {kind: set() for kind in ("weight_bits", "activation_bits")}
        for decision in run.results["decisions"]:
            widths[decision["kind"]] |= set(decision["values"])
        pairs = [(w, a) for w in sorted(widths["weight_bits"]) for a in sorted(widths["activation_bits"])]
        policies = [{"id": f"{w} bits, {a} bits", "groups": [], "layers": [{"name": n, "weight_bits": w, "activation_bits": a} for n in names]} for w, a in pairs]
        return best_on_search_rows(run, policies, arguments, lambda answer: max(answer["latency_ms"].values()) <= latency_ms)

    row = kept_answer(arguments.sweep / "uniform.jsonl", [latency_ms, *arguments.set], measure)
    return row["chosen"], test_loss(run, row), row["latency_ms"]


def interval(values):
    """mean [low, high] of the mean, by Student's t."""
    from scipy.stats import t as student

    mean = statistics.mean(values)
    if len(values) < 2:
        return f"{mean:.2f}"
    reach = student.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
    return f"{mean:.2f} [{mean - reach:.2f}, {mean + reach:.2f}]"


def test_against(runs, baseline, episodes):
    """Wins and the one-sided p-value of the best accuracy against the baseline's of the same seed."""
    from scipy.stats import wilcoxon

    theirs = {run.seed: run.best_of(episodes) for run in baseline}
    differences = [run.best_of(episodes) - theirs[run.seed] for run in runs if run.seed in theirs]
    if not any(differences):
        return "-"
    p = wilcoxon(differences, alternative="greater").pvalue
    return f"{sum(d > 0 for d in differences)}/{len(differences)}, p {p:.3f}"


def print_methods(methods, losses, arguments):
    budgets = arguments.episodes
    print("| method | seeds | " + " | ".join(f"best of {n}, % | against {arguments.baseline}" for n in budgets) + " | " + " | ".join(losses) + " |")
    print("| --- " * (2 + 2 * len(budgets) + len(losses)) + "|")
    for name, runs in methods.items():
        cells = [name, str(len(runs))]
        for episodes in budgets:
            cells.append(interval([100 * run.best_of(episodes) for run in runs]))
            cells.append("" if name == arguments.baseline else test_against(runs, methods.get(arguments.baseline, []), episodes))
        cells += [interval([values[run.folder] for run in runs]) for values in losses.values()]
        print("| " + " | ".join(cells) + " |")


def windows(run, size):
    return [statistics.mean(run.accuracies[i : i + size]) for i in range(0, len(run.accuracies) - size + 1, size)]


def print_curves(methods, size):
    count = max(len(windows(run, size)) for runs in methods.values() for run in runs)
    print("\n| mean accuracy, % | " + " | ".join(f"{i * size + 1} to {(i + 1) * size}" for i in range(count)) + " | last above first |")
    print("| --- " * (count + 2) + "|")
    for name, runs in methods.items():
        curves = [windows(run, size) for run in runs]
        means = [f"{100 * statistics.mean(values):.2f}" for values in zip(*curves)]
        rising = sum(curve[-1] > curve[0] for curve in curves)
        print(f"| {name} | " + " | ".join(means + [""] * (count - len(means))) + f" | {rising}/{len(curves)} seeds |")


def plot(methods, size, path):
    """Each seed's windows in a pale line, their mean in a full one."""
    curves = {name: [windows(run, size) for run in runs] for name, runs in methods.items()}
    values = [value for lines in curves.values() for line in lines for value in line]
    low, high, count = min(values), max(values), max(len(line) for lines in curves.values() for line in lines)
    x = lambda i: MARGIN + (i + 0.5) * (WIDTH - 2 * MARGIN) / count
    y = lambda v: HEIGHT - MARGIN - (v - low) / (high - low) * (HEIGHT - 2 * MARGIN)
    line = lambda points, style: f'<polyline fill="none" {style} points="' + " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in points) + '"/>'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for share in (0, 0.25, 0.5, 0.75, 1):
        value = low + share * (high - low)
        parts.append(f'<text x="4" y="{y(value) + 4:.1f}">{100 * value:.1f}</text>'
                     f'<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#ddd"/>')
    parts += [f'<text x="{x(i):.1f}" y="{HEIGHT - MARGIN + 18}" text-anchor="middle">{(i + 1) * size}</text>' for i in range(count)]
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 6}" text-anchor="middle">episodes</text><text x="4" y="16">mean accuracy on the search rows, %</text>')
    for colour, (name, lines) in zip(COLOURS, curves.items()):
        parts += [line(enumerate(one), f'stroke="{colour}" stroke-opacity="0.25"') for one in lines]
        means = [statistics.mean(at) for at in zip(*lines)]
        parts.append(line(enumerate(means), f'stroke="{colour}" stroke-width="2.5"'))
        parts.append(f'<text x="{WIDTH - MARGIN + 4}" y="{y(means[-1]) + 4:.1f}" fill="{colour}">{name}</text>')
    path.write_text("\n".join(parts + ["</svg>"]) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweep", type=pathlib.Path)
    parser.add_argument("--baseline", default="random")
    parser.add_argument("--episodes", type=int, nargs="+", default=[300])
    parser.add_argument("--window", type=int, default=50)
    parser.add_argument("--lathe", default="lathe")
    parser.add_argument("--remeasure", type=int, default=0)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--criterion", default="thinet", help="of the policies that are measured again: the config's space.criterion")
    parser.add_argument("--jobs", type=int, default=1, help="runs that are measured again at once")
    parser.add_argument("--uniform-within", type=float, metavar="LATENCY_MS", help="also the best single widths that keep this latency")
    parser.add_argument("--plot", type=pathlib.Path)
    parser.add_argument("--no-tables", action="store_true", help="only measure again")
    arguments = parser.parse_args()
    runs = finished_runs(arguments.sweep)
    methods = collections.defaultdict(list)
    for run in runs:
        methods[run.method].append(run)
    losses = {"loss of the best, points": {run.folder: run.chosen_loss() for run in runs}}
    if arguments.remeasure > 0:
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            again = pool.map(lambda run: remeasured_loss(run, arguments), runs)
            losses[f"of the best {arguments.remeasure} measured again"] = {run.folder: loss for run, loss in zip(runs, again)}
    if arguments.uniform_within:
        print("uniform widths: %s lose %.2f points; predicted latency %s ms" % uniform_loss(runs[0], arguments.uniform_within, arguments))
    if arguments.no_tables:
        return
    print_methods(methods, losses, arguments)
    print_curves(methods, arguments.window)
    if arguments.plot:
        plot(methods, arguments.window, arguments.plot)


if __name__ == "__main__":
    main()
