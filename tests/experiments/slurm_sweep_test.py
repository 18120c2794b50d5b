"""A job array of 12 searches on two slurmd nodes, one killed, one pre-empted, one whose node is lost: all end, and the merged result is that
of a sweep that nothing disturbed."""
import os
import pathlib
import signal
import sys
import tempfile
import time
import unittest

import cheap_world
import slurm_cluster
from cheap_world import trials

world = None
cluster = None
TRIALS = 20

SWEEP = """grid:
  seed: [0, 1, 2, 3, 4, 5]
  search.agents: [[nsga2], [quasi_random, nsga2]]
local: {jobs: 2, threads: 1}
"""


def processes_of(folder, task):
    """Everything that works on a task: its search, and what runs that."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        is_search = any(f"{folder}/tasks/{task:04d}/" in word for word in words)
        is_runner = "--task" in words and words[words.index("--task") + 1] == str(task) and str(folder) in words
        if is_search or is_runner:
            found.append(int(entry.name))
    return found


class SlurmSweep(unittest.TestCase):
    def wait_for_victim(self, folder, victims):
        """A running array task with some trials, and half of them left, that is not yet a victim, as (task, job, node)."""
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            running = [(int(task), job, node) for job, task, state, node in (j for j in cluster.jobs() if len(j) == 4) if state == "RUNNING" and task.isdigit()]
            for one in running:
                if one[0] not in victims and 3 <= len(trials(folder / f"tasks/{one[0]:04d}/run")) <= TRIALS // 2:
                    return one
            time.sleep(0.2)
        self.fail("no task came so far")

    def disturb(self, folder):
        victims = []
        for disturbance in ("kill", "preempt", "lose node"):
            task, job, node = self.wait_for_victim(folder, victims)
            victims.append(task)
            if disturbance == "kill":
                for process in processes_of(folder, task):
                    os.kill(process, signal.SIGKILL)
            elif disturbance == "preempt":
                cluster.signal_script(job, "USR1")
            else:
                cluster.lose(node)
                for other in (j for j in cluster.jobs() if len(j) == 4 and j[3] == node and j[1].isdigit()):
                    for process in processes_of(folder, int(other[1])):
                        os.kill(process, signal.SIGKILL)
                time.sleep(1)
                cluster.bring_back(node)
        return victims

    def test_disturbed_array_ends_as_an_undisturbed_sweep(self):
        file = world.write_sweep("sweep.yaml", SWEEP)
        quiet, folder = world.folder / "quiet", world.folder / "array"
        submitted = world.run("sweep", file, "--out", folder, "--launcher", "slurm", env=cluster.environment)
        self.assertEqual(submitted.returncode, 0, submitted.stderr)
        self.assertTrue(submitted.stdout.strip().isdigit())
        self.assertIn("#SBATCH --requeue", (folder / "slurm/array.sbatch").read_text())
        victims = self.disturb(folder)
        deadline = time.monotonic() + 400
        while cluster.jobs() and time.monotonic() < deadline:
            cluster.start_waiting_now()
            time.sleep(1)
        self.assertEqual(world.states(folder), ["done"] * 12, world.run("status", folder, "--all").stdout)
        attempts = [search["attempts"] for search in world.status(folder)["searches"]]
        self.assertGreaterEqual(attempts[victims[1]], 2)   # the pre-empted one noted that it was stopped
        self.assertTrue((folder / "report/report.html").is_file())   # by the job after the array

        fast = {**os.environ, "EVALUATION_SECONDS": "0"}
        self.assertEqual(world.run("sweep", file, "--out", quiet, env=fast).returncode, 0)
        for sweep, merged in ((quiet, "merged-quiet"), (folder, "merged-array")):
            self.assertEqual(world.run("merge", sweep, "--out", world.folder / merged).returncode, 0)
        for name in ("fronts.json", "trials.csv"):
            self.assertEqual((world.folder / "merged-quiet" / name).read_text(), (world.folder / "merged-array" / name).read_text())


if __name__ == "__main__":
    program = sys.argv.pop(1)
    reason = slurm_cluster.reason_to_skip()
    if reason:
        print("skipped:", reason)
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        world = cheap_world.CheapWorld(program, pathlib.Path(folder) / "world", trials=TRIALS, delay=0.3)
        cluster = slurm_cluster.Cluster(pathlib.Path(folder) / "cluster")
        try:
            status = unittest.main(verbosity=1, exit=False).result.wasSuccessful()
        finally:
            cluster.stop()
        sys.exit(0 if status else 1)
