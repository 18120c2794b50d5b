"""`search.pretrained`: agents begin with what those of an earlier run learned, for another device; and accuracy alone under a limit."""
import sys
import tempfile
import unittest

import cheap_world
from cheap_world import trials

world = None
WALKING = ("--set", "search.agents=[{kind: ppo, initial: 4, episodes: 4}, {kind: td3, initial: 4}]")
LIMITED = ("--set", "objectives=[accuracy]", "--set", "constraints.macs=40000")


class Pretrained(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.earlier = world.folder / "earlier"
        done = world.run("search", world.config, *WALKING, "--out", cls.earlier)
        assert done.returncode == 0, done.stderr
        cls.arguments = ("search", world.config, *WALKING, *LIMITED, "--set", "devices=[raspberry-pi-3]")
        cls.taught = world.folder / "taught"
        cls.done = world.run(*cls.arguments, "--set", f"search.pretrained={cls.earlier}", "--out", cls.taught)

    def test_a_run_keeps_what_its_agents_learned(self):
        self.assertEqual(sorted(path.name for path in (self.earlier / "agents").iterdir()), ["ppo.pt", "td3.pt"])

    def test_a_search_for_another_device_begins_otherwise(self):
        self.assertEqual(self.done.returncode, 0, self.done.stderr)
        fresh = world.folder / "fresh"
        self.assertEqual(world.run(*self.arguments, "--out", fresh).returncode, 0)
        self.assertNotEqual([row[2] for row in trials(self.taught)], [row[2] for row in trials(fresh)])

    def test_resuming_ends_with_the_same_trials(self):
        before = trials(self.taught)
        done = world.run(*self.arguments, "--set", f"search.pretrained={self.earlier}", "--out", self.taught, "--resume")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(trials(self.taught), before)

    def test_a_run_without_such_agents_is_refused(self):
        run = world.folder / "quasi_random"
        self.assertEqual(world.run("search", world.config, "--set", "search.agents=[quasi_random]", "--out", run).returncode, 0)
        done = world.run(*self.arguments, "--set", f"search.pretrained={run}", "--out", world.folder / "refused")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("search.pretrained", done.stderr)

    def test_other_networks_are_refused(self):
        done = world.run(*self.arguments, "--set", "search.agents=[{kind: td3, hidden: 32}]", "--set", f"search.pretrained={self.earlier}",
                         "--out", world.folder / "hidden")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("hidden", done.stderr)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        world = cheap_world.CheapWorld(sys.argv.pop(1), folder)
        unittest.main()
