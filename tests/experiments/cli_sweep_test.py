"""`lathe sweep`, `status`, `merge` and `report` as a user calls them, on searches that cost nothing."""
import json
import os
import pathlib
import signal
import sys
import tempfile
import unittest

import cheap_world
from cheap_world import trials

world = None
FAST = {**os.environ, "EVALUATION_SECONDS": "0"}

SWEEP = """grid:
  search.agents: [[nsga2], [quasi_random]]
  seed: [0, 1, 2]
local: {jobs: 2, threads: 1}
"""


class FinishedSweep(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.file = world.write_sweep("agents.yaml", SWEEP)
        cls.folder = world.folder / "agents"
        cls.done = world.run("sweep", cls.file, "--out", cls.folder)
        assert cls.done.returncode == 0, cls.done.stderr

    def test_every_combination_has_its_folder_with_resolved_config_and_run(self):
        for number in range(6):
            task = self.folder / "tasks" / f"{number:04d}"
            config = (task / "config.yaml").read_text()
            self.assertIn(f"seed: {number % 3}", config)
            self.assertIn("kind: nsga2" if number < 3 else "kind: quasi_random", config.replace("- nsga2", "kind: nsga2").replace("- quasi_random", "kind: quasi_random"))
            self.assertEqual(len(trials(task / "run")), 20)
            self.assertTrue((task / "run/pareto.json").is_file())
        self.assertIn("6 done, 0 failed", self.done.stderr)

    def test_a_search_of_a_sweep_is_the_search_alone(self):
        alone = world.folder / "alone"
        done = world.run("search", world.config, "--out", alone, "--seed", 2, "--set", "search.agents=[nsga2]")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(trials(alone), trials(self.folder / "tasks/0002/run"))

    def test_status_counts(self):
        status = world.status(self.folder)
        self.assertEqual(status["counts"], {"done": 6, "failed": 0, "left": 0, "running": 0, "stopped": 0})
        self.assertEqual(status["seconds_left"], 0)
        self.assertEqual(status["searches"][4]["label"], "search.agents=[quasi_random], seed=1")
        text = world.run("status", self.folder, "--all").stdout
        self.assertIn("6 searches, 6 done", text)
        self.assertIn("20/20", text)

    def test_status_of_a_single_run(self):
        status = world.status(self.folder / "tasks/0000/run")
        self.assertEqual(status["counts"]["done"], 1)
        self.assertEqual(status["searches"][0]["trials"], 20)

    def test_second_start_needs_resume_and_then_has_nothing_to_do(self):
        refused = world.run("sweep", self.file, "--out", self.folder)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("use --resume", refused.stderr)
        self.assertIn("nothing is left to do", world.run("sweep", self.file, "--out", self.folder, "--resume").stderr)

    def test_other_sweep_file_is_refused_there(self):
        other = world.write_sweep("other.yaml", SWEEP.replace("0, 1, 2", "0, 1, 5"))
        refused = world.run("sweep", other, "--out", self.folder, "--resume")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("holds the sweep of another file", refused.stderr)

    def test_report_compares_the_agents(self):
        done = world.run("report", self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        pairs = (self.folder / "report/pairs.csv").read_text()
        self.assertIn("[nsga2],[quasi_random],3,", pairs)
        self.assertIn("<svg", (self.folder / "report/report.html").read_text())

    def test_merge_holds_every_trial_once(self):
        done = world.run("merge", self.folder, self.folder / "tasks/0001/run", "--out", world.folder / "merged", "--json")
        self.assertEqual(json.loads(done.stdout), {"added": 120, "runs": 7, "trials": 140})

    def test_dry_run_shows_searches_and_script_and_does_nothing(self):
        done = world.run("sweep", self.file, "--out", world.folder / "nowhere", "--launcher", "slurm", "--dry-run")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("0005  search.agents=[quasi_random], seed=2", done.stdout)
        self.assertIn("#SBATCH --array=0-5", done.stdout)
        self.assertFalse((world.folder / "nowhere").exists())

    def test_no_policy_is_measured_twice(self):
        world.log.unlink()
        folder = world.folder / "shared"
        file = world.write_sweep("shared.yaml", SWEEP.replace("[quasi_random]", "[nsga2, quasi_random]"))
        self.assertEqual(world.run("sweep", file, "--out", folder).returncode, 0)
        asked = world.asked()
        self.assertEqual(len(asked), len(set(asked)))
        measured = {trial[2] for number in range(6) for trial in trials(folder / f"tasks/{number:04d}/run")}
        self.assertLess(len(measured), 120)   # the searches did propose some policies in common


class TroubledSweep(unittest.TestCase):
    def test_failed_search_is_shown_and_retried_alone(self):
        gone = world.folder / "net2.onnx"
        gone.write_bytes((world.folder / "net.onnx").read_bytes())
        file = world.write_sweep("failing.yaml", f"zip: {{model: [{world.folder / 'net.onnx'}, {gone}]}}\n")
        folder = world.folder / "failing"
        self.assertEqual(world.run("sweep", file, "--out", folder, "--dry-run").returncode, 0)
        process = world.run("sweep", file, "--out", folder, "--task", 0)
        self.assertEqual(process.returncode, 0, process.stderr)
        content = gone.read_bytes()
        gone.unlink()
        done = world.run("sweep", folder)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(world.states(folder), ["done", "failed"])
        message = world.status(folder)["searches"][1]["message"]
        self.assertIn("no such file", message)
        self.assertIn(message, world.run("status", folder).stdout)
        gone.write_bytes(content)
        self.assertIn("nothing is left", world.run("sweep", folder).stderr)
        self.assertEqual(world.run("sweep", folder, "--retry", 0).returncode, 2)
        self.assertEqual(world.run("sweep", folder, "--retry", 1).returncode, 0)
        self.assertEqual(world.states(folder), ["done", "done"])

    def test_wrong_key_is_a_users_fault_that_names_the_search(self):
        file = world.write_sweep("wrong.yaml", "grid: {search.trails: [3]}\n")
        done = world.run("sweep", file, "--out", world.folder / "wrong")
        self.assertEqual(done.returncode, 2)
        self.assertIn("search 0", done.stderr)
        self.assertIn("did you mean 'trials'?", done.stderr)
        self.assertFalse((world.folder / "wrong/sweep.json").exists())

    def slow_sweep(self, name):
        slow = cheap_world.CheapWorld(world.program, world.folder / name, trials=12, delay=0.4)
        return slow, slow.write_sweep("sweep.yaml", "grid: {seed: [0, 1, 2]}\nlocal: {jobs: 3, threads: 1}\n"), slow.folder / "sweep"

    def test_interrupt_stops_all_and_resume_goes_on(self):
        slow, file, folder = self.slow_sweep("interrupted")
        process = slow.start("sweep", file, "--out", folder)
        cheap_world.wait_until(lambda: sum(len(trials(folder / f"tasks/{n:04d}/run")) for n in range(3)) >= 4)
        self.assertIn("running", slow.states(folder))
        process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 75)
        self.assertIn("all finished trials are kept", words)
        self.assertNotIn("running", slow.states(folder))
        self.assertEqual(slow.run("sweep", folder, env=FAST).returncode, 0)
        self.assertEqual(slow.states(folder), ["done"] * 3)

    def test_killed_search_is_started_again(self):
        slow, file, folder = self.slow_sweep("killed")
        process = slow.start("sweep", file, "--out", folder)
        cheap_world.wait_until(lambda: len(trials(folder / "tasks/0001/run")) >= 3)
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        victim = next(c for c in children if "tasks/0001/" in pathlib.Path(f"/proc/{c}/cmdline").read_text())
        os.kill(int(victim), signal.SIGKILL)
        _, words = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, words)
        self.assertIn("ended by signal 9", words)
        self.assertEqual(slow.status(folder)["searches"][1]["attempts"], 2)
        undisturbed = slow.folder / "alone"
        self.assertEqual(slow.run("search", slow.config, "--out", undisturbed, "--seed", 1, env=FAST).returncode, 0)
        self.assertEqual(trials(folder / "tasks/0001/run"), trials(undisturbed))


if __name__ == "__main__":
    program = sys.argv.pop(1)
    with tempfile.TemporaryDirectory() as folder:
        world = cheap_world.CheapWorld(program, folder)
        sys.exit(unittest.main(verbosity=1))
