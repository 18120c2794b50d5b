"""`search.warm_start`: a run for another device begins with what an earlier one measured."""
import json
import sys
import tempfile
import unittest

import cheap_world
from cheap_world import trials

world = None
OTHER_DEVICE = ("--set", "devices=[raspberry-pi-3]")


def choices_and_metrics(run, agent_is_warm):
    rows = [row for row in trials(run) if (row[1] == "warm_start") == agent_is_warm]
    return {row[2]: json.loads(row[5]) for row in rows}


class WarmStart(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.earlier = world.folder / "earlier"
        done = world.run("search", world.config, "--out", cls.earlier)
        assert done.returncode == 0, done.stderr
        cls.warm = world.folder / "warm"
        cls.arguments = ("search", world.config, *OTHER_DEVICE, "--set", f"search.warm_start={cls.earlier}")
        asked = len(world.asked())
        cls.done = world.run(*cls.arguments, "--out", cls.warm)
        assert cls.done.returncode == 0, cls.done.stderr
        cls.asked = len(world.asked()) - asked

    def test_accuracies_are_taken_over_and_latencies_are_the_new_device_s(self):
        earlier, warm = choices_and_metrics(self.earlier, False), choices_and_metrics(self.warm, True)
        self.assertEqual(len(warm), 20)
        for choices, metrics in warm.items():
            self.assertEqual(metrics[0], earlier[choices][0])
            self.assertNotEqual(metrics[1], earlier[choices][1])

    def test_they_do_not_count_as_trials_and_are_not_measured_again(self):
        own = choices_and_metrics(self.warm, False)
        self.assertEqual(len(own), 20)
        self.assertFalse(set(own) & set(choices_and_metrics(self.earlier, False)))
        self.assertEqual([row[0] for row in trials(self.warm)], list(range(40)))

    def test_resuming_ends_with_the_same_trials(self):
        before = trials(self.warm)
        done = world.run(*self.arguments, "--out", self.warm, "--resume")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(trials(self.warm), before)

    def test_asynchronous_searches_begin_with_them_too(self):
        run = world.folder / "asynchronous"
        done = world.run(*self.arguments, "--set", "search.asynchronous=true", "--out", run)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(choices_and_metrics(run, True)), 20)
        self.assertEqual(len(choices_and_metrics(run, False)), 20)

    def test_accuracies_that_were_measured_otherwise_are_refused(self):
        done = world.run(*self.arguments, "--set", "space.criterion=l2", "--out", world.folder / "refused")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("search.warm_start", done.stderr)
        self.assertIn("space.criterion: l1 then, l2 now", done.stderr)

    def test_a_folder_without_a_run_is_refused(self):
        done = world.run("search", world.config, "--set", f"search.warm_start={world.folder}", "--out", world.folder / "nothing")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("run.db", done.stderr)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        world = cheap_world.CheapWorld(sys.argv.pop(1), folder)
        unittest.main()
