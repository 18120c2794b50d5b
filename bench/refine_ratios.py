"""Betters the keep ratios of a policy at equal MACs by local search, the network compressed and measured anew for each candidate.

    python3 bench/refine_ratios.py LATHE CONFIG.yaml INSPECT.json START.json OUT --macs-share 0.5 [--processes N] [--minutes M] [--set KEY=VALUE]

INSPECT is what `lathe inspect MODEL.onnx --json` prints, CONFIG says how candidates are compressed and measured (`lathe evaluate CONFIG
--stdin`, N processes). A candidate moves channels between groups so that the MACs stay within the share; its score is the mean of accuracy
and mean probability of the labels on all search rows: the probability tells candidates apart that differ by few images. Half of a round's
moves are drawn at random, half by a linear model of the scores so far. OUT/measured.jsonl holds all that was measured, a second start with
the same seed goes the same way; OUT/best.json is the best policy. Held-out rows are measured at the end, of the first and the best policy.
"""

import argparse
import concurrent.futures
import json
import pathlib
import queue
import random
import subprocess
import time

import numpy as np
from layer_ratios import Groups

MOST_PAIRS = 4  # moves of a guided candidate
TOURNAMENT = 8  # pairs of which the model takes one
RIDGE = 1e-2


class Evaluators:
    """Processes that answer one policy a line, asked from as many threads."""

    def __init__(self, arguments):
        settings = [word for setting in ["search.threads=1", *arguments.set] for word in ("--set", setting)]
        command = [arguments.lathe, "evaluate", arguments.config, "--stdin", *settings]
        start = lambda: subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.processes = [start() for _ in range(arguments.processes)]
        self.idle = queue.Queue()
        for process in self.processes:
            self.idle.put(process)
        self.pool = concurrent.futures.ThreadPoolExecutor(arguments.processes)

    def ask(self, policy, split):
        process = self.idle.get()
        try:
            process.stdin.write(json.dumps({**policy, "split": split}) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
        finally:
            self.idle.put(process)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def ask_all(self, policies, split="search"):
        return list(self.pool.map(lambda policy: self.ask(policy, split), policies))

    def close(self):
        for process in self.processes:
            process.stdin.close()
        for process in self.processes:
            process.wait()


class Search:
    def __init__(self, arguments, groups, evaluators):
        self.groups, self.evaluators, self.arguments = groups, evaluators, arguments
        self.names = sorted(groups.channels)
        self.budget = (1 - arguments.macs_share) * groups.total
        self.random = random.Random(arguments.seed)
        self.file = pathlib.Path(arguments.out) / "measured.jsonl"
        self.measured = {}  # score by channels, in the order of names
        if self.file.exists():
            for line in self.file.read_text().splitlines():
                row = json.loads(line)
                self.measured[tuple(row["channels"])] = row["score"]
        self.seen = []  # what this run asked for, in order: a resumed run sees the same
        self.sixteenths = np.array([groups.channels[name] / 16 for name in self.names])
        self.slopes = np.zeros(len(self.names))

    def policy(self, channels):
        whole = self.groups.channels
        return {
            "groups": [
                {"name": name, "keep_ratio": count / whole[name], "channels": count, "criterion": self.arguments.criterion}
                for name, count in zip(self.names, channels)
                if count < whole[name]
            ],
            "layers": [],
        }

    def is_within(self, channels):
        return self.groups.saved({name: count / self.groups.channels[name] for name, count in zip(self.names, channels)}) >= self.budget

    def scores(self, candidates):
        new = [channels for channels in candidates if channels not in self.measured]
        answers = self.evaluators.ask_all([self.policy(channels) for channels in new])
        with self.file.open("a") as file:
            for channels, answer in zip(new, answers):
                self.measured[channels] = (answer["accuracy"] + answer["expected_probability"]) / 2
                row = {"channels": channels, "accuracy": answer["accuracy"], "probability": answer["expected_probability"]}
                file.write(json.dumps({**row, "score": self.measured[channels]}) + "\n")
        self.seen += candidates
        return [self.measured[channels] for channels in candidates]

    def pair(self, channels):
        """One group up by a sixteenth or two, another down by as many as the MACs need; None where that cannot be."""
        up, down = self.random.sample(range(len(channels)), 2)
        whole = [self.groups.channels[name] for name in self.names]
        moved = list(channels)
        moved[up] = min(whole[up], moved[up] + self.random.choice([1, 2]) * max(1, whole[up] // 16))
        while moved[down] > 1 and not self.is_within(moved):
            moved[down] -= 1
        return tuple(moved) if moved[up] > channels[up] and self.is_within(moved) else None

    def predicted(self, before, after):
        return self.slopes @ ((np.array(after) - np.array(before)) / self.sixteenths)

    def guided(self, channels):
        for _ in range(self.random.randint(1, MOST_PAIRS)):
            pairs = [pair for pair in (self.pair(channels) for _ in range(TOURNAMENT)) if pair]
            if pairs:
                channels = max(pairs, key=lambda pair: self.predicted(channels, pair))
        return channels

    def fit(self, centre):
        """Slopes of the score by sixteenths of a group's channels, from the latest candidates: ridge regression."""
        latest = self.seen[-300:]
        moves = (np.array(latest) - np.array(centre)) / self.sixteenths
        gains = np.array([self.measured[channels] - self.measured[centre] for channels in latest])
        self.slopes = np.linalg.solve(moves.T @ moves + RIDGE * len(latest) * np.eye(len(centre)), moves.T @ gains)

    def candidates(self, centre):
        found, known = set(), set(self.seen)
        for attempt in range(50 * self.arguments.batch):
            candidate = self.pair(centre) if attempt % 2 == 0 else self.guided(centre)
            if candidate and candidate != centre and candidate not in known:
                found.add(candidate)
            if len(found) == self.arguments.batch:
                break
        return sorted(found)

    def run(self, start, deadline):
        best, best_score, rounds = start, self.scores([start])[0], 0
        while time.time() < deadline and rounds < self.arguments.rounds:
            candidates = self.candidates(best)
            if not candidates:
                break
            scored = list(zip(self.scores(candidates), candidates))
            self.fit(best)
            if max(scored)[0] > best_score:
                best_score, best = max(scored)
                (self.file.parent / "best.json").write_text(json.dumps({"format": "lathe.policy", "version": 1, **self.policy(best)}))
            rounds += 1
            print(json.dumps({"round": rounds, "measured": len(self.seen), "score": best_score}), flush=True)
        return best


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ["lathe", "config", "inspected", "start", "out"]:
        parser.add_argument(name)
    parser.add_argument("--macs-share", type=float, required=True)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--batch", type=int, default=48, help="candidates a round")
    parser.add_argument("--rounds", type=int, default=10**6)
    parser.add_argument("--minutes", type=float, default=1e6)
    parser.add_argument("--criterion", default="thinet")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], help="setting of the config, KEY=VALUE")
    arguments = parser.parse_args()
    deadline = time.time() + 60 * arguments.minutes
    pathlib.Path(arguments.out).mkdir(parents=True, exist_ok=True)
    groups = Groups(json.loads(pathlib.Path(arguments.inspected).read_text()))
    evaluators = Evaluators(arguments)
    search = Search(arguments, groups, evaluators)
    given = {group["name"]: group["channels"] for group in json.loads(pathlib.Path(arguments.start).read_text())["groups"]}
    start = tuple(given.get(name, groups.channels[name]) for name in search.names)
    best = search.run(start, deadline)
    for name, channels in [("start", start), ("best", best)]:
        answers = {split: evaluators.ask(search.policy(channels), split)["accuracy"] for split in ("search", "test")}
        print(json.dumps({"policy": name, "channels": channels, **answers}), flush=True)
    whole = {split: evaluators.ask({"groups": [], "layers": []}, split)["accuracy"] for split in ("search", "test")}
    print(json.dumps({"policy": "whole network", **whole}), flush=True)
    evaluators.close()


if __name__ == "__main__":
    main()
