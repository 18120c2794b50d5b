"""What the world does to a store: disk full, folder read-only, file locked, clock set back. Each ends in one clear line, and resuming
afterwards ends with the trials of an undisturbed run."""
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import unittest

import cheap_world
from cheap_world import check_store, trials

world = None


def limit_file_size(bytes_):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, bytes_))
    return limit


class StoreTrouble(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        done = world.run("search", world.config, "--out", world.folder / "quiet")
        assert done.returncode == 0, done.stderr
        cls.quiet = trials(world.folder / "quiet")

    def assert_one_clear_line(self, done, status, *words):
        self.assertEqual(done.returncode, status, done.stderr)
        complaints = [line for line in done.stderr.splitlines() if line.startswith(("error: ", "failed: "))]
        self.assertEqual(len(complaints), 1, done.stderr)
        for word in words:
            self.assertIn(word, complaints[0])

    def assert_resume_completes(self, run):
        done = world.run("search", world.config, "--out", run, "--resume")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(trials(run), self.quiet)
        self.assertEqual(check_store(run / "run.db"), "ok")

    def test_file_that_may_not_grow(self):
        run = world.folder / "full"
        done = world.run("search", world.config, "--out", run, preexec_fn=limit_file_size(55000))
        self.assert_one_clear_line(done, 1, "run.db", "File too large", "what was stored before is safe")
        # How many fit depends on how many came in together, which share a transaction.
        self.assertLessEqual(set(trials(run)), set(self.quiet))
        self.assert_resume_completes(run)

    def test_merge_into_a_file_that_may_not_grow(self):
        done = world.run("merge", world.folder / "quiet", "--out", world.folder / "merged", preexec_fn=limit_file_size(9000))
        self.assert_one_clear_line(done, 1, "merged.db", "File too large")
        self.assertEqual(world.run("merge", world.folder / "quiet", "--out", world.folder / "merged").returncode, 0)

    def mount(self, name, options):
        folder = world.folder / name
        folder.mkdir()
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], capture_output=True).returncode != 0:
            self.skipTest("a small file system cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", folder], check=False)
        return folder

    def test_disk_that_is_full(self):
        folder = self.mount("small", "size=128k")
        done = world.run("search", world.config, "--out", folder / "run")
        self.assert_one_clear_line(done, 1, "run.db", "full")
        subprocess.run(["mount", "-o", "remount,size=16m", folder], check=True)
        self.assert_resume_completes(folder / "run")

    def test_read_only_folder(self):
        folder = self.mount("still", "size=16m")
        shutil.copytree(world.folder / "quiet", folder / "quiet")
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        self.assert_one_clear_line(world.run("search", world.config, "--out", folder / "run"), 2, "cannot be written: Read-only file system")
        self.assert_one_clear_line(world.run("search", world.config, "--out", folder / "quiet", "--resume"), 2, "Read-only file system")
        self.assertEqual(world.status(folder / "quiet")["searches"][0]["trials"], 20)   # reading goes on
        done = world.run("merge", folder / "quiet", "--out", world.folder / "from-still")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_store_locked_by_another_program(self):
        run = world.folder / "locked"
        slow = cheap_world.CheapWorld(world.program, world.folder / "slow", trials=20, delay=0.5)
        process = slow.start("search", slow.config, "--out", run)
        cheap_world.wait_until(lambda: len(trials(run)) >= 3)
        with sqlite3.connect(run / "run.db", timeout=30, isolation_level=None) as database:
            database.execute("BEGIN IMMEDIATE")
            _, errors = process.communicate(timeout=60)
            database.execute("ROLLBACK")
        self.assertEqual(process.returncode, 1)
        self.assertIn("another process has kept it locked", errors)
        done = slow.run("search", slow.config, "--out", run, "--resume", env={**os.environ, "EVALUATION_SECONDS": "0"})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(trials(run)), 20)

    def test_two_searches_in_one_folder(self):
        run = world.folder / "twice"
        slow = cheap_world.CheapWorld(world.program, world.folder / "slow2", trials=20, delay=1)
        process = slow.start("search", slow.config, "--out", run)
        cheap_world.wait_until(lambda: len(trials(run)) >= 1)
        self.assert_one_clear_line(slow.run("search", slow.config, "--out", run, "--resume"), 2, "another process is working on this run")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    @unittest.skipUnless(shutil.which("faketime"), "faketime is not installed")
    def test_clock_that_is_set_back(self):
        sweep = world.folder / "clock"
        file = world.write_sweep("clock.yaml", "grid: {seed: [0, 1]}\nlocal: {jobs: 1, threads: 1}\n")
        self.assertEqual(world.run("sweep", file, "--out", sweep, "--task", 1).returncode, 0)
        command = ["faketime", "-f", "-3d", *world.command("sweep", sweep)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=world.folder, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(trials(sweep / "tasks/0000/run"), self.quiet)
        status = world.status(sweep)
        self.assertEqual(status["counts"]["done"], 2)
        self.assertTrue(all(search["seconds"] >= 0 for search in status["searches"]))

    def test_repeating_a_run_says_whether_it_came_out_the_same(self):
        done = world.run("search", "--from", world.folder / "quiet", "--out", world.folder / "again")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("all 20 trials are those of", done.stderr)
        other = world.run("search", "--from", world.folder / "quiet", "--out", world.folder / "other", "--seed", 9)
        self.assertIn("the trials are not those of", other.stderr)
        self.assertIn("seed: 0 then, 9 now", other.stderr)


if __name__ == "__main__":
    program = sys.argv.pop(1)
    with tempfile.TemporaryDirectory() as folder:
        world = cheap_world.CheapWorld(program, folder)
        sys.exit(unittest.main(verbosity=1))
