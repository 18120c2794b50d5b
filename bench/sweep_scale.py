"""Time of `lathe status`, `merge` and `report` on many runs and trials, which are made up here:

    bench/sweep_scale.py build/dev/experiments/lathe --runs 1000 --trials 10
    bench/sweep_scale.py build/dev/experiments/lathe --runs 20 --trials 10000

The stores are written by this script in the form of experiments/run_store_schema.cc, which takes seconds instead of hours.
"""
import argparse
import json
import pathlib
import random
import sqlite3
import subprocess
import tempfile
import time

TABLES = """PRAGMA journal_mode = WAL;
CREATE TABLE settings(line INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE facts(key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE trials(id INTEGER PRIMARY KEY, agent TEXT NOT NULL, choices TEXT NOT NULL, state TEXT NOT NULL, error TEXT NOT NULL,
  metrics TEXT NOT NULL, stddev REAL NOT NULL, seconds REAL NOT NULL, session INTEGER NOT NULL DEFAULT 0);
CREATE TABLE sessions(number INTEGER PRIMARY KEY, provenance TEXT NOT NULL);
PRAGMA application_id = 1281455208;
PRAGMA user_version = 2"""
METRICS = ["accuracy", "latency_ms@raspberry-pi-4", "energy_mj@raspberry-pi-4", "packed_bytes"]
PROBLEM = {"metrics": [{"name": m, "direction": "maximize" if m == "accuracy" else "minimize", "measured": m == "accuracy", "limit": None} for m in METRICS],
           "fronts": [{"name": "raspberry-pi-4", "metrics": [0, 1], "reference_point": [0.5, 10.0], "limited": []}]}
DECISIONS = 40


def write_run(folder, agents, seed, trials):
    folder.mkdir(parents=True)
    rng = random.Random(f"{agents} {seed}")
    with sqlite3.connect(folder / "run.db") as database:
        database.executescript(TABLES)
        settings = ["model: sha256 abc", f"search.agents: {agents}", f"search.trials: {trials}", f"seed: {seed}"]
        database.executemany("INSERT INTO settings VALUES(?, ?)", enumerate(settings))
        database.executemany("INSERT INTO facts VALUES(?, ?)", [("problem", json.dumps(PROBLEM)), ("run_id", json.dumps(f"{agents}-{seed}"))])
        rows = []
        for number in range(trials):
            latency = rng.uniform(1, 10)
            accuracy = min(1.0, 0.5 + 0.04 * latency + rng.gauss(0, 0.03))
            rows.append((number, "nsga2", json.dumps([rng.randrange(5) for _ in range(DECISIONS)]), "complete", "",
                         json.dumps([accuracy, latency, 3 * latency, rng.randrange(10 ** 5, 10 ** 6)]), 0.01, 1.0, 0))
        database.executemany("INSERT INTO trials VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    (folder / "pareto.json").write_text("{}")


def write_sweep(folder, runs, trials):
    agents = ["[nsga2]", "[bayes]"]
    seeds = [str(seed) for seed in range(runs // 2)]
    for number in range(runs):
        task = folder / "tasks" / f"{number:04d}"
        write_run(task / "run", agents[number // (runs // 2)], seeds[number % (runs // 2)], trials)
        (task / "outcome.json").write_text(json.dumps({"state": "done", "message": "", "attempts": 1, "seconds": trials}))
    options = {"jobs": 0, "threads": 0, "memory_mb": 0}
    slurm = {key: "" for key in ("partition", "account", "qos", "constraint", "gres", "time", "memory", "dependency")}
    slurm.update(cpus=1, max_running=0, requeue=True, signal_seconds=90, report=True, setup=[], options=[])
    sweep = {"file": "made up", "config": "", "settings": [], "compare": "", "output": str(folder), "attempts": 3, "share_accuracies": True,
             "axes": [{"keys": ["search.agents"], "points": [[a] for a in agents]}, {"keys": ["seed"], "points": [[s] for s in seeds]}],
             "local": options, "mpi": {"ranks": 2, "command": ["mpirun"]}, "slurm": slurm}
    (folder / "sweep.json").write_text(json.dumps({"format": "lathe.sweep", "version": 1, "sweep": sweep, "trials": [trials] * runs}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("lathe", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--most-seconds", type=float, help="fail where a command takes longer")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        sweep = pathlib.Path(place) / "sweep"
        write_sweep(sweep, options.runs, options.trials)
        for name, arguments in (("status", [sweep]), ("merge", [sweep, "--out", pathlib.Path(place) / "merged"]), ("report", [sweep])):
            begin = time.monotonic()
            subprocess.run([options.lathe, name, *arguments], check=True, capture_output=True)
            seconds = time.monotonic() - begin
            print(f"{name:7s} {options.runs} runs x {options.trials} trials: {seconds:.2f} s")
            if options.most_seconds and seconds > options.most_seconds:
                raise SystemExit(f"{name} took longer than {options.most_seconds} s")


if __name__ == "__main__":
    main()
