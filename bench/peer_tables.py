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


def budget_table(rows, problems, ours, peers, budgets):
    """Ours after so many evaluations, (method, evaluations), against each peer after each of the budgets."""
    method, evaluations = ours
    print(f"\n{method} after {evaluations} evaluations; difference to the peer in per mille (wins/seeds, p better / worse)\n")
    cells = [(peer, budget) for peer in peers for budget in budgets]
    print(f"| problem | objectives | {method}, {evaluations} | " + " | ".join(f"{peer}, {budget}" for peer, budget in cells) + " |")
    print("| --- " * (3 + len(cells)) + "|")
    for problem, dims in problems:
        own = values(rows, evaluations, problem=problem, dims=dims, method=method)
        if own:
            compared = [paired(own, values(rows, budget, problem=problem, dims=dims, method=peer)) for peer, budget in cells]
            print(f"| {problem} | {dims} | {np.mean(list(own.values())):.6g} | " + " | ".join(compared) + " |")


def methods_table(rows, problems, evaluations, methods):
    """Means of all methods at one number of evaluations."""
    print(f"\nMean hypervolume after {evaluations} evaluations\n\n| method | " + " | ".join(f"{p}, {d}" for p, d in problems) + " |")
    print("| --- " * (1 + len(problems)) + "|")
    for method in methods:
        reached = [list(values(rows, evaluations, problem=p, dims=d, method=method).values()) for p, d in problems]
        if any(reached):
            print(f"| {method} | " + " | ".join(f"{np.mean(r):.5g} ({len(r)})" if r else "-" for r in reached) + " |")


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
