"""`search.measured_feedback`: policies are timed while the search runs, and resuming ends with the trials that there were."""
import glob
import json
import os
import pathlib
import sqlite3
import sys
import tempfile
import unittest

import onnxruntime

import cheap_world
from cheap_world import trials

world = None
FEEDBACK = ("--set", "devices=[x86-avx512]", "--set", "space.weight_bits=[]", "--set", "search.measured_feedback={every: 8, policies: 3}")


def search(run, *more):
    library = glob.glob(str(pathlib.Path(onnxruntime.__file__).parent / "capi/libonnxruntime.so*"))[0]
    return world.run("search", world.config, *FEEDBACK, "--out", run, *more, env={**os.environ, "LATHE_ONNXRUNTIME": library})


def results(run):
    return json.loads((run / "pareto.json").read_text())


class MeasuredFeedback(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.run_folder = world.folder / "feedback"
        cls.done = search(cls.run_folder)
        assert cls.done.returncode == 0, cls.done.stderr

    def test_policies_are_timed_after_every_part(self):
        feedback = results(self.run_folder)["measured_feedback"]
        self.assertEqual(feedback["device"], "x86-avx512")
        self.assertIn("onnxruntime", feedback["runtime"])
        timed = [policy["trial"] for policy in feedback["timed"]]
        self.assertEqual(len(timed), len(set(timed)))
        self.assertTrue(3 < len(timed) <= 9, timed)  # 20 trials in parts of 8
        self.assertTrue(all(policy["measured_ms"] > 0 for policy in feedback["timed"]))
        self.assertTrue(0 <= feedback["kept_by_prediction"] <= feedback["measured_front"] <= len(timed))
        self.assertIn("on the measured front prediction alone would have kept", self.done.stdout)

    def test_latencies_follow_the_calibration(self):
        document = results(self.run_folder)
        after = {policy["trial"]: policy["predicted_after_ms"] for policy in document["measured_feedback"]["timed"]}
        found = {trial["id"]: trial["metrics"]["latency_ms@x86-avx512"] for trial in document["trials"]}
        stored = {row[0]: json.loads(row[5])[1] for row in trials(self.run_folder)}
        self.assertEqual(len(found), 20)
        for trial, latency in after.items():
            self.assertAlmostEqual(found[trial], latency, delta=1e-6 * latency)
        self.assertNotEqual(found[0], stored[0])  # the first part knew only the device file
        with sqlite3.connect(self.run_folder / "run.db") as store:
            kept = json.loads(store.execute("SELECT value FROM facts WHERE key = 'recalibrated'").fetchone()[0])
        self.assertEqual({int(trial): metrics[1] for trial, metrics in kept["metrics"].items()}, found)

    def test_resuming_takes_the_times_from_the_store(self):
        before, feedback = trials(self.run_folder), results(self.run_folder)["measured_feedback"]
        done = search(self.run_folder, "--resume")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(trials(self.run_folder), before)
        self.assertEqual(results(self.run_folder)["measured_feedback"], feedback)

    def test_a_run_that_was_stopped_in_its_second_part_goes_on_from_the_first_one_s_times(self):
        run = world.folder / "stopped"
        done = search(run)
        self.assertEqual(done.returncode, 0, done.stderr)
        before = trials(run)
        with sqlite3.connect(run / "run.db") as store:
            first = store.execute("SELECT value FROM facts WHERE key = 'measured_feedback/0'").fetchone()
            store.execute("DELETE FROM trials WHERE id >= 12")
            store.execute("DELETE FROM facts WHERE key IN ('measured_feedback/1', 'measured_feedback/2')")
        done = search(run, "--resume")
        self.assertEqual(done.returncode, 0, done.stderr)
        # Timed anew after 16 trials; until there nothing depends on those times.
        self.assertEqual([row[:3] for row in trials(run)[:16]], [row[:3] for row in before[:16]])
        with sqlite3.connect(run / "run.db") as store:
            self.assertEqual(store.execute("SELECT value FROM facts WHERE key = 'measured_feedback/0'").fetchone(), first)

    def test_without_a_device_that_this_machine_can_be_it_is_refused(self):
        done = search(world.folder / "refused", "--set", "devices=[raspberry-pi-4]")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("search.measured_feedback.every", done.stderr)
        self.assertIn("x86_cpu", done.stderr)

    def test_parts_need_rounds(self):
        done = search(world.folder / "refused", "--set", "search.asynchronous=true")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("search.measured_feedback.every", done.stderr)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        world = cheap_world.CheapWorld(sys.argv.pop(1), folder)
        unittest.main()
