"""The tables of search_peers.py: means over seeds, paired tests, times."""

import numpy as np


def values(rows, evaluations, **key):
    """Hypervolume by seed of the runs that got as far as that many evaluations, the latest of each."""
    chosen = [row for row in rows if all(row.get(k) == v for k, v in key.items()) and str(evaluations) in row["at"]]
    return {row["seed"]: row["at"][str(evaluations)] for row in chosen}


def paired(ours, theirs):
    """Mean difference in per mille of the peer's mean; wins; p-values of the one-sided Wilcoxon tests that ours is better and worse."""
    from scipy.stats import wilcoxon

    seeds = sorted(set(ours) & set(theirs))
    if not seeds:
        return "-"
    differences = np.array([ours[s] - theirs[s] for s in seeds])
    theirs_mean = np.mean([theirs[s] for s in seeds])
    text = f"{1e3 * differences.mean() / theirs_mean:+.2f}" if theirs_mean > 0 else f"{differences.mean():+.4f} in all"
    text += f" ({sum(differences > 0)}/{len(seeds)}"
    if len(seeds) > 4 and np.any(differences):
        better, worse = (wilcoxon(differences, alternative=side).pvalue for side in ("greater", "less"))
        text += f", p {better:.3f} / {worse:.3f}"
    return text + ")"


def quality_table(rows, problems, evaluations, ours, peers):
    print(f"\n{evaluations} evaluations; difference to the peer in per mille (wins/seeds, p that ours is better / worse)\n")
    print(f"| problem | dims | {ours} | " + " | ".join(f"{peer} | difference" for peer in peers) + " |")
    print("| --- " * (3 + 2 * len(peers)) + "|")
    for problem, dims in problems:
        own = values(rows, evaluations, problem=problem, dims=dims, method=ours)
        if not own:
            continue
        cells = []
        for peer in peers:
            other = values(rows, evaluations, problem=problem, dims=dims, method=peer)
            cells += [f"{np.mean(list(other.values())):.6g}" if other else "-", paired(own, other)]
        print(f"| {problem} | {dims} | {np.mean(list(own.values())):.6g} | " + " | ".join(cells) + " |")


def table_of_budgets(rows, problem, methods, budgets):
    """Hypervolume of all methods on one problem: mean and median over the seeds that got so far, and the median time of a run."""
    if rows:
        print("\n### {}, {} objectives\n".format(*problem))
        print("| method | " + " | ".join(f"{n} evaluations: mean, median (seeds)" for n in budgets) + " | seconds a run |")
        print("| --- " * (2 + len(budgets)) + "|")
    for method in methods:
        cells = []
        for evaluations in budgets:
            reached = list(values(rows, evaluations, method=method).values())
            cells.append(f"{np.mean(reached):.6g}, {np.median(reached):.6g} ({len(reached)})" if reached else "")
        if any(cells):
            seconds = [row["seconds"] for row in rows if row["method"] == method and row["evaluations"] == row["trials"]]
            print(f"| {method} | " + " | ".join(cells) + (f" | {np.median(seconds):.0f} |" if seconds else " | |"))


def table_of_pairs(rows, ours, others, budgets):
    """Ours after so many evaluations, (method, evaluations), against each other method after each of the budgets, on the same seeds."""
    method, evaluations = ours
    own = values(rows, evaluations, method=method)
    compared = [(other, n, values(rows, n, method=other)) for n in budgets for other in others]
    compared = [(other, n, reached) for other, n, reached in compared if set(reached) & set(own)]
    if not compared:
        return
    best = {n: max((np.mean(list(reached.values())), other) for other, m, reached in compared if m == n)[1] for _, n, _ in compared}
    print(f"\n{method} after {evaluations} evaluations against others, paired by seed; p: one-sided Wilcoxon tests that it is better / worse\n")
    print("| other | its evaluations | difference in per mille (wins/seeds, p better / worse) | |\n| --- | --- | --- | --- |")
    for other, n, reached in compared:
        print(f"| {other} | {n} | {paired(own, reached)} | {'best of these' if best[n] == other else ''} |")


def plot(rows, problem, methods, path):
    """Median hypervolume against evaluations, with the quartiles, at the milestones."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.5))
    for method in methods:
        budgets = sorted({int(n) for row in rows if row["method"] == method for n in row["at"]})
        reached = [list(values(rows, n, method=method).values()) for n in budgets]
        if reached:
            lines = axes.plot(budgets, [np.median(r) for r in reached], marker="o", markersize=3, label=method)
            low, high = ([np.quantile(r, q) for r in reached] for q in (0.25, 0.75))
            axes.fill_between(budgets, low, high, color=lines[0].get_color(), alpha=0.15)
    if axes.lines:
        axes.set(xlabel="evaluations", ylabel="hypervolume", xscale="log", title="{}, {} objectives".format(*problem))
        axes.legend(fontsize=7)
        figure.savefig(path, dpi=120, bbox_inches="tight")
    plt.close(figure)


def time_table(rows):
    print("\n| | Lathe, ms | peer | peer, ms | times |\n| --- | --- | --- | --- | --- |")
    for what in sorted({row["what"] for row in rows if "ms" in row}):
        times = {}
        for row in rows:
            if row.get("what") == what:
                times.setdefault(row["method"], []).append(row["ms"])
        medians = {method: float(np.median(ms)) for method, ms in times.items()}
        ours = next((ms for method, ms in medians.items() if method.startswith("lathe")), None)
        for peer, ms in medians.items():
            if ours is not None and not peer.startswith("lathe"):
                print(f"| {what} | {ours:.2f} | {peer} | {ms:.1f} | {ms / ours:.0f} |")
