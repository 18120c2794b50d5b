"""What decisions about the architecture are worth beside compression: the same search with and without them, at equal trials.

    architecture_ablation.py LATHE CONFIG OUT --seeds 1 2 3 --jobs 4 --set search.trials=300 ...

Three arms: channels and widths alone; with residual blocks that may go (space.depth); with ranks as well (space.rank_ratios). Each run is a folder
of OUT; those that are finished are kept and broken ones resumed, so that the same command goes on where it was cut. Prints, for each device, the
hypervolume at the end, the largest speed-up among trials that lose at most so many points of the search rows, and the test loss of the policy that the
run recommends; arms as differences to the first on the same seeds, with their mean's 95 % interval (Student's t).
"""
import argparse
import concurrent.futures
import json
import math
import pathlib
import statistics
import subprocess

ARMS = {"compression": [], "depth": ["space.depth=true"], "depth_rank": ["space.depth=true", "space.rank_ratios=[0.25, 0.5]"]}
LOSSES = (0.5, 1.0, 2.0)
STUDENT_T = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)  # 97.5 %, 1 to 9 degrees of freedom


def run(arguments, arm, seed):
    folder = pathlib.Path(arguments.out) / f"{arm}_{seed}"
    if (folder / "pareto.json").exists():
        return
    settings = ARMS[arm] + arguments.set
    command = [arguments.lathe, "search", arguments.config, "--out", str(folder), "--seed", str(seed), "--threads", str(arguments.threads)]
    command += [word for setting in settings for word in ("--set", setting)] + (["--resume"] if (folder / "run.db").exists() else [])
    with open(f"{folder}.log", "a") as log:
        try:
            subprocess.run(command, stdout=log, stderr=log, timeout=arguments.minutes * 60)
        except subprocess.TimeoutExpired:
            print(f"{folder.name}: cut after {arguments.minutes} minutes", flush=True)


def speed_up(results, device, loss):
    key, whole = "latency_ms@" + device["name"], results["float"]["accuracy"]["search"]["value"]
    kept = [t["metrics"][key] for t in results["trials"] if "error" not in t and whole - t["metrics"]["accuracy"] <= loss / 100 + 1e-9
            and t["metrics"][key] is not None]
    return device["float"]["latency_ms"] / min(kept) if kept else float("nan")


def figures(results):
    for device in results["devices"]:
        yield device["name"], "hypervolume", device["hypervolume"]["total"][-1]
        for loss in LOSSES:
            yield device["name"], f"speed-up at {loss} points", speed_up(results, device, loss)
        for policy in results["policies"]:
            if policy["recommended"] and policy["device"] == device["name"]:
                yield device["name"], "test loss of the recommended, points", 100 * policy["accuracy_loss"]["value"]
                yield device["name"], "speed-up of the recommended", policy["speed_up"][device["name"]]


def interval(values):
    if len(values) < 2:
        return ""
    half = STUDENT_T[len(values) - 2] * statistics.stdev(values) / math.sqrt(len(values))
    return f" [{statistics.mean(values) - half:+.3f}, {statistics.mean(values) + half:+.3f}]"


def table(arguments):
    values = {}
    for arm in ARMS:
        for seed in arguments.seeds:
            path = pathlib.Path(arguments.out) / f"{arm}_{seed}" / "pareto.json"
            if path.exists():
                for device, name, value in figures(json.loads(path.read_text())):
                    values.setdefault((device, name), {}).setdefault(arm, {})[seed] = value
    print("| device | figure | " + " | ".join(ARMS) + " | " + " | ".join(f"{arm} - compression" for arm in list(ARMS)[1:]) + " |")
    print("|---" * (2 * len(ARMS) + 1) + "|")
    for (device, name), of_arm in values.items():
        cells = [", ".join(f"{value:.3f}" for value in of_arm.get(arm, {}).values()) for arm in ARMS]
        for arm in list(ARMS)[1:]:
            both = [of_arm[arm][seed] - of_arm["compression"][seed] for seed in of_arm.get(arm, {}) if seed in of_arm.get("compression", {})]
            cells.append(f"{statistics.mean(both):+.3f}{interval(both)}" if both else "")
        print(f"| {device} | {name} | " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lathe")
    parser.add_argument("config")
    parser.add_argument("out")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--jobs", type=int, default=1, help="searches at once")
    parser.add_argument("--threads", type=int, default=1, help="of each search")
    parser.add_argument("--minutes", type=float, default=600, help="a search that takes longer is cut; the next call resumes it")
    parser.add_argument("--set", action="append", default=[], help="a setting of the config, for all arms")
    arguments = parser.parse_args()
    pathlib.Path(arguments.out).mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        runs = [pool.submit(run, arguments, arm, seed) for seed in arguments.seeds for arm in arguments.arms]
        for finished in concurrent.futures.as_completed(runs):
            finished.result()
    table(arguments)


if __name__ == "__main__":
    main()
