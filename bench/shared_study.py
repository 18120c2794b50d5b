"""Do two searches that share a study reach the front of one search with twice the trials?

    .venv/bin/python bench/shared_study.py build/dev/experiments/lathe --trials 60 --seeds 10

For each seed, on a network of five layers and accuracies made up from the policy: one search of N trials, one of 2 N, and two of N that run at
the same time on a study in a private PostgreSQL server, and the same two without it. Prints the mean hypervolume (accuracy up, latency down, of
all trials together) as a share of the best of all runs, its standard error, and paired differences to the one of 2 N.
"""
import argparse
import json
import os
import pathlib
import sqlite3
import statistics
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/experiments"))
import cheap_world       # noqa: E402
import postgres_server   # noqa: E402

ACCURACY, LATENCY = 0, 1


def points(run):
    with sqlite3.connect(run / "run.db") as database:
        problem = json.loads(database.execute("SELECT value FROM facts WHERE key = 'problem'").fetchone()[0])
        rows = [json.loads(row[0]) for row in database.execute("SELECT metrics FROM trials WHERE state = 'complete'")]
    worst_accuracy, worst_latency = problem["fronts"][0]["reference_point"]
    return [(row[ACCURACY] - worst_accuracy, worst_latency - row[LATENCY]) for row in rows]


def hypervolume(pairs):
    """Of points whose both coordinates are gains over the reference point."""
    volume, reached = 0.0, 0.0
    for x, y in sorted((p for p in pairs if p[0] > 0 and p[1] > 0), reverse=True):
        if y > reached:
            volume += x * (y - reached)
            reached = y
    return volume


def run_all(world, searches):
    """searches: lists of words after `lathe search CONFIG`; they run at the same time."""
    running = [world.start("search", world.config, "--set", "search.asynchronous=true", "--set", "recover.policies=0", *words) for words in searches]
    for process in running:
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors


def volumes_of_seed(world, server, seed, trials):
    def words(name, count, seed):
        return ["--out", world.folder / name, "--seed", seed, "--set", f"search.trials={count}", "--set", "search.threads=1"]

    def volume(*names):
        return hypervolume([point for name in names for point in points(world.folder / name)])

    names = {kind: f"{kind}-{seed}" for kind in ("half", "whole", "a", "b", "c", "d")}
    study = ["--set", f"study.url={server.url}", "--set", f"study.name=seed{seed}"]
    run_all(world, [words(names["half"], trials, 2 * seed), words(names["whole"], 2 * trials, 2 * seed)])
    run_all(world, [words(names["a"], trials, 2 * seed) + study, words(names["b"], trials, 2 * seed + 1) + study])
    run_all(world, [words(names["c"], trials, 2 * seed), words(names["d"], trials, 2 * seed + 1)])
    return {"one search, N trials": volume(names["half"]), "one search, 2 N trials": volume(names["whole"]),
            "two searches of N that share a study": volume(names["a"], names["b"]),
            "two searches of N, merged afterwards": volume(names["c"], names["d"])}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("lathe")
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--delay", type=float, default=0.02, help="seconds of an evaluation")
    parser.add_argument("--agents", default="[nsga2]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)   # the server's user must find its way in
        world = cheap_world.CheapWorld(options.lathe, os.path.join(folder, "world"), delay=options.delay)
        world.config.write_text(world.config.read_text().replace("[quasi_random, nsga2]", options.agents))
        server = postgres_server.Server(os.path.join(folder, "server"))
        try:
            volumes = [volumes_of_seed(world, server, seed, options.trials) for seed in range(options.seeds)]
        finally:
            server.stop()
    best = max(value for by_kind in volumes for value in by_kind.values())
    for kind in volumes[0]:
        shares = [by_kind[kind] / best for by_kind in volumes]
        differences = [(by_kind[kind] - by_kind["one search, 2 N trials"]) / best for by_kind in volumes]
        error = statistics.stdev(shares) / len(shares) ** 0.5
        difference_error = statistics.stdev(differences) / len(differences) ** 0.5
        print(f"{kind:38s} {statistics.mean(shares):.4f} +- {error:.4f}   to 2 N: {statistics.mean(differences):+.4f} +- {difference_error:.4f}")


if __name__ == "__main__":
    main()
