"""Searches that share a study in PostgreSQL: no policy is measured by two of them, their trials make one archive, and neither a restart of
the database nor the death of a search loses what was reported."""
import json
import os
import sys
import tempfile
import time
import unittest

import cheap_world
import postgres_server
from cheap_world import trials

world = None
server = None
FAST = {**os.environ, "EVALUATION_SECONDS": "0"}

# The tables as the first version made them.
VERSION_1 = """
CREATE TABLE lathe_version(version INTEGER PRIMARY KEY);
INSERT INTO lathe_version VALUES(1);
CREATE TABLE lathe_studies(study BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name TEXT NOT NULL UNIQUE, settings TEXT NOT NULL,
  next_trial BIGINT NOT NULL DEFAULT 0);
CREATE SEQUENCE lathe_finished;
CREATE TABLE lathe_trials(study BIGINT NOT NULL REFERENCES lathe_studies, id BIGINT NOT NULL, search TEXT NOT NULL, holder TEXT NOT NULL,
  lease_until TIMESTAMPTZ NOT NULL, agent TEXT NOT NULL, choices TEXT NOT NULL, state TEXT NOT NULL, error TEXT NOT NULL DEFAULT '',
  metrics TEXT NOT NULL DEFAULT '[]', stddev DOUBLE PRECISION NOT NULL DEFAULT 0, seconds DOUBLE PRECISION NOT NULL DEFAULT 0,
  finished BIGINT, PRIMARY KEY(study, id), UNIQUE(study, choices));
"""


def study(name, **more):
    settings = {"study.url": server.url, "study.name": name, "search.asynchronous": "true", **more}
    return [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]


def search(name, run, seed, **more):
    return ("search", world.config, "--out", world.folder / run, "--seed", seed, *study(name, **more))


def stored(name):
    """(id, search, state, choices, metrics) of the study's trials."""
    return server.ask("SELECT t.id, t.search, t.state, t.choices, t.metrics FROM lathe_trials t JOIN lathe_studies s USING(study) "
                      f"WHERE s.name = '{name}' ORDER BY t.id")


def finished(name):
    try:
        return sum(row[2] != "leased" for row in stored(name))
    except AssertionError:   # the tables are not there yet
        return 0


class SharedStudy(unittest.TestCase):
    def assert_holds_both_runs(self, name, runs):
        rows = stored(name)
        self.assertEqual({row[2] for row in rows}, {"complete"})
        own = {run: trials(world.folder / run) for run in runs}
        # Each trial of a run lies in the study under its number, with its policy and its figures.
        known = {int(row[0]): row for row in rows}
        for run in runs:
            self.assertEqual(len(own[run]), 20)
            for trial in own[run]:
                self.assertEqual((trial[2], trial[5]), tuple(known[trial[0]][3:5]))
        self.assertEqual(len(rows), 20 * len(runs))
        self.assertEqual(len({row[3] for row in rows}), len(rows))

    def test_two_searches_feed_one_archive(self):
        running = [world.start(*search("both", f"both{seed}", seed), env=FAST) for seed in (0, 1)]
        for process in running:
            _, words = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, words)
        self.assert_holds_both_runs("both", ["both0", "both1"])
        merged = world.run("merge", world.folder / "both0", world.folder / "both1", "--out", world.folder / "both", "--json")
        self.assertIn('"trials": 40', merged.stdout)

    def test_later_search_learns_what_the_first_one_measured(self):
        for seed in (0, 1):
            done = world.run(*search("turns", f"turns{seed}", seed), env=FAST)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_holds_both_runs("turns", ["turns0", "turns1"])
        self.assertEqual(len(json.loads((world.folder / "turns1/pareto.json").read_text())["trials"]), 40)

    def test_restart_of_the_database_loses_nothing(self):
        slow = {**os.environ, "EVALUATION_SECONDS": "0.8"}
        running = [world.start(*search("restart", f"restart{seed}", seed), env=slow) for seed in (0, 1)]
        cheap_world.wait_until(lambda: finished("restart") and len({row[1] for row in stored("restart")}) == 2)
        for mode in ("fast", "immediate"):
            before = finished("restart")
            cheap_world.wait_until(lambda: finished("restart") >= before + 2)
            server.stop(mode)
            time.sleep(1.5)
            server.start()
        for process in running:
            _, words = process.communicate(timeout=180)
            self.assertEqual(process.returncode, 0, words)
        self.assert_holds_both_runs("restart", ["restart0", "restart1"])

    def test_trials_of_a_search_that_died_are_taken_over(self):
        lease = {"study.lease_seconds": 2}
        victim = world.start(*search("dead", "dead0", 0, **lease))
        cheap_world.wait_until(lambda: finished("dead") >= 3)
        cheap_world.kill_session(victim)
        leased = {row[3] for row in stored("dead") if row[2] == "leased"}
        self.assertTrue(leased)
        time.sleep(2.5)
        done = world.run(*search("dead", "dead1", 1, **lease), env=FAST)
        self.assertEqual(done.returncode, 0, done.stderr)
        taken = {row[3] for row in stored("dead") if row[2] == "complete"}
        self.assertLessEqual(leased, taken)
        kept = trials(world.folder / "dead0")
        resumed = world.run(*search("dead", "dead0", 0, **lease), "--resume", env=FAST)
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        self.assertLessEqual(set(kept), set(trials(world.folder / "dead0")))
        self.assert_holds_both_runs("dead", ["dead0", "dead1"])

    def test_database_that_stays_away_ends_the_search_and_resuming_goes_on(self):
        process = world.start(*search("away", "away0", 0, **{"study.patience_seconds": 2}))
        cheap_world.wait_until(lambda: finished("away") >= 3)
        server.stop()
        try:
            _, words = process.communicate(timeout=120)
        finally:
            server.start()
        self.assertEqual(process.returncode, 1)
        self.assertIn("the database has been away for 2 s", words)
        kept = trials(world.folder / "away0")
        done = world.run(*search("away", "away0", 0), "--resume", env=FAST)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertLessEqual(set(kept), set(trials(world.folder / "away0")))
        self.assert_holds_both_runs("away", ["away0"])

    def refuse(self, arguments, *words):
        done = world.run(*arguments, env=FAST)
        self.assertEqual(done.returncode, 2, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_wrong_input_is_named(self):
        self.refuse(search("wrong", "wrong", 0, **{"study.url": "postgresql://lathe@127.0.0.1:1/postgres"}), "study.url", "refused")
        self.refuse(search("wrong", "wrong", 0, **{"search.asynchronous": "false"}), "study.url", "search.asynchronous")
        self.refuse(search("", "wrong", 0), "study.name")
        self.assertEqual(world.run(*search("other", "other0", 0), env=FAST).returncode, 0)
        self.refuse(search("other", "other1", 1, **{"space.keep_ratios": "[0.5,1]"}), "study.name", "space.keep_ratios")

    def test_older_tables_are_brought_up_to_date_and_newer_ones_refused(self):
        server.ask("CREATE DATABASE older")
        old = postgres_server.Server.__new__(postgres_server.Server)
        old.bin, old.url = server.bin, server.url.rsplit("/", 1)[0] + "/older"
        old.ask(VERSION_1)
        older = {"study.url": old.url}
        self.assertEqual(world.run(*search("old", "old0", 0, **older), env=FAST).returncode, 0)
        self.assertEqual(old.ask("SELECT max(version) FROM lathe_version"), [["2"]])
        self.assertEqual(old.ask("SELECT count(*) FROM lathe_trials WHERE state = 'complete'"), [["20"]])
        old.ask("INSERT INTO lathe_version VALUES(99)")
        self.refuse(search("old", "old1", 1, **older), "study.url", "newer Lathe", "99")


if __name__ == "__main__":
    program = sys.argv.pop(1)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)   # the server's user must find its way in
        world = cheap_world.CheapWorld(program, os.path.join(folder, "world"), trials=20, delay=0.3)
        nowhere = world.run("search", world.config, "--set", "study={url: 'host=/nowhere', name: x}", "--set", "search.asynchronous=true", env=FAST)
        reason = "lathe was built without libpq" if "built without PostgreSQL" in nowhere.stderr else postgres_server.reason_to_skip()
        if reason:
            print("skipped:", reason)
            sys.exit(77)
        server = postgres_server.Server(os.path.join(folder, "server"))
        try:
            status = unittest.main(verbosity=1, exit=False).result.wasSuccessful()
        finally:
            server.stop()
        sys.exit(0 if status else 1)
