"""kill -9 at random moments over searches, sweeps and merges: nothing that was reported is lost, no store is damaged, no trial is counted
twice, and what is resumed ends as if nothing had happened.

    kill_nine_test.py LATHE [ROUNDS]      20 rounds unless told; docs/results/sweeps.md has the figures of 200
"""
import random
import sqlite3
import sys
import tempfile
import time
import unittest

import cheap_world
from cheap_world import check_store, kill_session, trials

ROUNDS = 20
world = None


class Killed:
    """Work that is killed again and again until it has come to its end, and is then compared with the undisturbed one."""

    def __init__(self, name, rng, seconds):
        self.name, self.rng, self.seconds = name, rng, seconds   # that it takes undisturbed
        self.number = self.kills = self.completed = 0

    def one_round(self, test):
        process = world.start(*self.command())
        # Over the whole life of the program, its start included, and a little beyond.
        time.sleep(self.rng.uniform(0, 1.2 * self.seconds))
        before = self.stored()
        is_over = process.poll() is not None
        kill_session(process)
        if is_over:
            test.assertEqual(process.returncode, 0, self.name)
            self.compare(test)
            self.completed += 1
            self.number += 1
            return
        self.kills += 1
        after = self.stored()
        for key, rows in before.items():
            test.assertLessEqual(rows, after[key], self.name + ": a reported trial is gone")
        for path in self.stores():
            if path.exists():
                test.assertEqual(check_store(path), "ok", path)

    def finish(self, test):
        done = world.run(*self.command())
        test.assertEqual(done.returncode, 0, done.stderr)
        self.compare(test)
        self.completed += 1


class KilledSearch(Killed):
    def folder(self):
        return world.folder / f"search{self.number}"

    def command(self):
        return ("search", world.config, "--out", self.folder(), "--resume", "--seed", 1)

    def stores(self):
        return [self.folder() / "run.db"]

    def stored(self):
        return {"run": set(trials(self.folder()))}

    def compare(self, test):
        test.assertEqual(trials(self.folder()), trials(world.folder / "quiet/tasks/0001/run"))


class KilledSweep(Killed):
    def folder(self):
        return world.folder / f"sweep{self.number}"

    def command(self):
        return ("sweep", world.folder / "sweep.yaml", "--out", self.folder(), "--resume")

    def runs(self):
        return [self.folder() / f"tasks/{n:04d}/run" for n in range(3)]

    def stores(self):
        return [run / "run.db" for run in self.runs()]

    def stored(self):
        return {run: set(trials(run)) for run in self.runs()}

    def compare(self, test):
        for n, run in enumerate(self.runs()):
            test.assertEqual(trials(run), trials(world.folder / f"quiet/tasks/{n:04d}/run"))


class KilledMerge(Killed):
    def folder(self):
        return world.folder / f"merged{self.number}"

    def command(self):
        return ("merge", world.folder / "quiet", "--out", self.folder())

    def stores(self):
        return [self.folder() / "merged.db"]

    def rows(self):
        path = self.folder() / "merged.db"
        if not path.exists():
            return []
        try:
            with sqlite3.connect(path, timeout=5) as database:
                return database.execute("SELECT run_id, id, choices, metrics FROM trials").fetchall()
        except sqlite3.OperationalError:
            return []

    def stored(self):
        return {"merge": set(self.rows())}

    def compare(self, test):
        test.assertEqual(len(self.rows()), 60)   # 3 runs of 20, none twice
        test.assertEqual((self.folder() / "fronts.json").read_text(), (world.folder / "merged/fronts.json").read_text())


class KillNine(unittest.TestCase):
    def seconds_of(self, *arguments):
        begin = time.monotonic()
        done = world.run(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return time.monotonic() - begin

    def test_nothing_reported_is_lost(self):
        world.write_sweep("sweep.yaml", "grid: {seed: [0, 1, 2]}\nlocal: {jobs: 2, threads: 1}\n")
        sweep = self.seconds_of("sweep", world.folder / "sweep.yaml", "--out", world.folder / "quiet")
        merge = self.seconds_of("merge", world.folder / "quiet", "--out", world.folder / "merged")
        search = self.seconds_of("search", world.config, "--out", world.folder / "alone")
        rng = random.Random(11)
        work = [KilledSearch("search", rng, search), KilledSweep("sweep", rng, sweep), KilledMerge("merge", rng, merge)]
        rounds = 0
        while sum(w.kills for w in work) < ROUNDS:
            work[rounds % 3].one_round(self)
            rounds += 1
            self.assertLess(rounds, 20 * ROUNDS, "too few of the kills came in time")
        for one in work:
            one.finish(self)
            print(f"{one.name}: {one.kills} kills, {one.completed} times to the end as undisturbed", file=sys.stderr)


if __name__ == "__main__":
    program = sys.argv.pop(1)
    if len(sys.argv) > 1 and sys.argv[1].isdigit():
        ROUNDS = int(sys.argv.pop(1))
    with tempfile.TemporaryDirectory() as folder:
        world = cheap_world.CheapWorld(program, folder, trials=20, delay=0.03)
        sys.exit(unittest.main(verbosity=1))
