"""`mpirun lathe search`: the trials of a single process on any number of ranks, and what happens when a rank dies, hangs or cannot start."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import cheap_world
from cheap_world import trials

world = None
ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1"}


def command(ranks, *arguments):
    return ["mpirun", "-n", str(ranks), *world.command(*arguments)]


def run(ranks, *arguments):
    return subprocess.run(command(ranks, *arguments), capture_output=True, text=True, timeout=300, cwd=world.folder, env=ENVIRONMENT)


def start(ranks, *arguments):
    return subprocess.Popen(command(ranks, *arguments), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=world.folder,
                            env=ENVIRONMENT, start_new_session=True)


def process_of_rank(mpirun, rank):
    for entry in pathlib.Path("/proc").iterdir():
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if parent == mpirun.pid and f"OMPI_COMM_WORLD_RANK={rank}\0" in (entry / "environ").read_text() + "\0":
                return int(entry.name)
        except (OSError, ValueError):
            continue
    raise LookupError(rank)


class MpiSearch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        done = world.run("search", world.config, "--out", world.folder / "single")
        assert done.returncode == 0, done.stderr
        cls.single = trials(world.folder / "single")

    def test_four_ranks_give_the_trials_and_the_front_of_one_process(self):
        done = run(4, "search", world.config, "--out", world.folder / "four")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(trials(world.folder / "four"), self.single)
        for name in ("one", "other"):
            source = world.folder / ("single" if name == "one" else "four")
            self.assertEqual(world.run("merge", source, "--out", world.folder / f"merged-{name}").returncode, 0)
        fronts = [(world.folder / f"merged-{name}/fronts.json").read_text() for name in ("one", "other")]
        self.assertEqual(fronts[0].replace('"single"', '"four"'), fronts[1])

    def test_asynchronous_search_measures_each_policy_once_and_resumes(self):
        out = world.folder / "asynchronous"
        done = run(4, "search", world.config, "--out", out, "--set", "search.asynchronous=true")
        self.assertEqual(done.returncode, 0, done.stderr)
        stored = trials(out)
        self.assertEqual(len(stored), 20)
        self.assertEqual(len({trial[2] for trial in stored}), 20)

    def test_rank_that_dies_ends_the_job_and_the_store_goes_on(self):
        out = world.folder / "dead"
        process = start(4, "search", world.config, "--out", out)
        cheap_world.wait_until(lambda: len(trials(out)) >= 3)
        os.kill(process_of_rank(process, 2), signal.SIGKILL)
        process.communicate(timeout=60)
        self.assertNotEqual(process.returncode, 0)
        self.assertLess(len(trials(out)), 20)
        self.assertEqual(world.run("search", world.config, "--out", out, "--resume").returncode, 0)
        self.assertEqual(trials(out), self.single)

    def test_rank_that_hangs_loses_its_policy_to_another(self):
        out = world.folder / "hung"
        # Half of the time that a rank is waited for.
        process = start(4, "search", world.config, "--out", out, "--set", "evaluator.timeout_seconds=2")
        cheap_world.wait_until(lambda: len(trials(out)) >= 2)
        os.kill(process_of_rank(process, 3), signal.SIGSTOP)
        try:
            cheap_world.wait_until(lambda: (out / "pareto.json").exists() or process.poll() is not None)
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.communicate()
        self.assertEqual(trials(out), self.single)

    def test_wrong_input_is_one_line(self):
        done = run(3, "search", world.folder / "nowhere.yaml", "--out", world.folder / "none")
        self.assertEqual(done.stderr.count("expected a config file that can be read"), 1, done.stderr)


if __name__ == "__main__":
    program = sys.argv.pop(1)
    if shutil.which("mpirun") is None or "libmpi" not in subprocess.run(["ldd", program], capture_output=True, text=True).stdout:
        print("skipped: lathe was built without MPI, or there is no mpirun")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        world = cheap_world.CheapWorld(program, folder, trials=20, delay=0.05)
        sys.exit(unittest.main(verbosity=1))
