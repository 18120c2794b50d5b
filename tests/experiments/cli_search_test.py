"""`lathe search` from config to report on a tiny network: what it leaves behind, the same trials on any number of threads, after kill -9
and after Ctrl-C."""
import contextlib
import json
import random
import shutil
import sys
import tempfile
import unittest

import numpy as np
import onnxruntime

import workbench

bench = None


def measured_accuracy(model):
    """Accuracy of an ONNX file on the held-out rows by ONNX Runtime; the split is Lathe's own, so all test rows are taken."""
    pixels, labels = workbench.images(workbench.TEST_ROWS, 2)
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    inputs = ((pixels[:, None].astype(np.float32) / 255 - 0.3) / 0.3).astype(np.float32)
    logits = session.run(None, {session.get_inputs()[0].name: inputs})[0]
    return float((logits.argmax(1) == labels).mean())


class FinishedRun(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.done = bench.search("whole")
        assert cls.done.returncode == 0, cls.done.stderr
        cls.results = bench.results("whole")

    def test_leaves_every_file_of_a_run(self):
        run = bench.folder / "whole"
        for name in ("config.yaml", "run.db", "pareto.json", "report.html", "policies/001.json", "models/001.onnx"):
            self.assertTrue((run / name).is_file(), name)
        self.assertEqual(list(run.rglob("*.tmp")), [])

    def test_base_network_was_learnt(self):
        self.assertGreater(self.results["float"]["accuracy"]["test"]["value"], 0.8)

    def test_each_device_has_a_recommended_policy_within_the_loss(self):
        for device in self.results["devices"]:
            chosen = [p for p in self.results["policies"] if p["device"] == device["name"] and p["recommended"]]
            self.assertEqual(len(chosen), 1, device["name"])
            trial = self.results["trials"][chosen[0]["trial"]]
            self.assertIn(chosen[0]["trial"], device["front"])
            self.assertLessEqual(self.results["float"]["accuracy"]["search"]["value"] - trial["metrics"]["accuracy"], 0.03 + 1e-9)
            self.assertGreater(chosen[0]["speed_up"][device["name"]], 1.0)

    def test_recommended_is_the_fastest_within_the_loss(self):
        for device in self.results["devices"]:
            key = "latency_ms@" + device["name"]
            least = self.results["float"]["accuracy"]["search"]["value"] - 0.03 - 1e-9
            fastest = min(t["metrics"][key] for t in self.results["trials"] if "error" not in t and t["metrics"]["accuracy"] >= least)
            chosen = next(p for p in self.results["policies"] if p["device"] == device["name"])
            self.assertEqual(self.results["trials"][chosen["trial"]]["metrics"][key], fastest)

    def test_front_is_what_no_trial_dominates(self):
        for device in self.results["devices"]:
            points = {t["id"]: (-t["metrics"]["accuracy"], t["metrics"]["latency_ms@" + device["name"]]) for t in self.results["trials"]}
            front = set()
            for id_, point in sorted(points.items()):
                beaten = any((q[0] <= point[0] and q[1] <= point[1]) and (q != point or other < id_) for other, q in points.items() if other != id_)
                if not beaten:
                    front.add(id_)
            self.assertEqual(set(device["front"]), front)

    def test_delivered_files_run_in_onnx_runtime_as_accurately_as_stated(self):
        for policy in self.results["policies"]:
            accuracy = measured_accuracy(bench.folder / "whole" / policy["model"])
            samples = policy["accuracy"]["samples"]
            # ONNX Runtime is asked all 400 test rows, the figure is of the held-out ones among them: both within three standard errors.
            self.assertAlmostEqual(accuracy, policy["accuracy"]["value"], delta=3 * (0.25 / samples) ** 0.5)
            self.assertEqual((bench.folder / "whole" / policy["model"]).stat().st_size, policy["size_bytes"])

    def test_policy_file_states_its_metrics(self):
        policy = json.loads((bench.folder / "whole/policies/001.json").read_text())
        self.assertEqual(policy["metrics"]["accuracy"]["kind"], "measured")
        self.assertEqual(policy["metrics"]["accuracy"]["split"], "test")
        self.assertEqual(policy["metrics"]["latency_ms"]["raspberry-pi-4"]["kind"], "predicted")
        self.assertTrue(all(group["kept"] for group in policy["groups"] if group["keep_ratio"] < 1))

    def test_table_names_devices_and_says_uncalibrated(self):
        self.assertIn("Raspberry Pi 4", self.done.stdout)
        self.assertIn("float", self.done.stdout)
        uncalibrated = [d for d in self.results["devices"] if not d["calibrated"]]
        self.assertEqual(self.done.stdout.count("uncalibrated"), len(uncalibrated))

    def test_report_is_self_contained(self):
        page = (bench.folder / "whole/report.html").read_text()
        self.assertNotRegex(page, r'(src|href)\s*=\s*"?https?:')
        self.assertNotIn("/*DATA*/", page)
        self.assertIn("Chart.js", page)

    def test_report_command_writes_the_same_page(self):
        other = bench.folder / "again.html"
        self.assertEqual(bench.run("report", bench.folder / "whole", "--out", other).returncode, 0)
        self.assertEqual(other.read_text(), (bench.folder / "whole/report.html").read_text())

    def test_hypervolume_never_falls(self):
        for device in self.results["devices"]:
            series = device["hypervolume"]["total"]
            self.assertEqual(len(series), len(self.results["trials"]))
            self.assertTrue(all(a <= b + 1e-12 for a, b in zip(series, series[1:])))
            self.assertGreater(series[-1], 0)
            for own in device["hypervolume"]["agents"].values():
                self.assertLessEqual(own[-1], series[-1] + 1e-12)

    def test_same_trials_on_one_thread(self):
        self.assertEqual(bench.search("one_thread", "--threads", 1).returncode, 0)
        self.assertEqual(bench.trials("one_thread"), bench.trials("whole"))
        self.assertEqual(len(bench.trials("whole")), 20)

    def test_other_seed_gives_other_trials(self):
        self.assertEqual(bench.search("other_seed", "--seed", 6, "--set", "recover.policies=0").returncode, 0)
        self.assertNotEqual(bench.trials("other_seed"), bench.trials("whole"))

    def test_json_stands_alone_on_standard_output(self):
        done = bench.search("as_json", "--json", "--set", "search.trials=4", "--set", "recover.policies=0")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(json.loads(done.stdout)["trials"]), 4)

    def test_killed_at_any_moment_and_resumed_equals_undisturbed(self):
        rng = random.Random(7)
        shutil.rmtree(bench.folder / "killed", ignore_errors=True)
        for attempt in range(3):
            wanted = rng.randrange(1 + 5 * attempt, 6 + 5 * attempt)
            resume = ["--resume"] if attempt else []
            status, _ = bench.search_until("killed", lambda run: len(bench.trials(run)) >= wanted, workbench.KILL, *resume)
            self.assertEqual(status, -workbench.KILL)
        self.assertLess(len(bench.trials("killed")), 20)
        done = bench.search("killed", "--resume")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(bench.trials("killed"), bench.trials("whole"))
        for name in ("policies/001.json", "models/001.onnx"):
            self.assertEqual((bench.folder / "killed" / name).read_bytes(), (bench.folder / "whole" / name).read_bytes(), name)

    def test_killed_while_policies_are_recovered_and_resumed_recovers_the_rest(self):
        more = ["--set", "recover.policies=2", "--threads", 1]
        self.assertEqual(bench.search("undisturbed", *more).returncode, 0)
        status, _ = bench.search_until("recovering", bench.deliveries, workbench.KILL, *more)
        self.assertEqual(status, -workbench.KILL)
        before = bench.deliveries("recovering")
        self.assertLess(len(before), len(bench.deliveries("undisturbed")))
        self.assertTrue((bench.folder / "recovering/deliveries").is_dir())
        self.assertEqual(bench.search("recovering", "--resume", *more).returncode, 0)
        self.assertEqual(bench.deliveries("recovering"), bench.deliveries("undisturbed"))
        self.assertFalse((bench.folder / "recovering/deliveries").exists())
        self.assertEqual(bench.results("recovering")["policies"], bench.results("undisturbed")["policies"])
        for name in ("models/001.onnx", "models/002.onnx", "policies/001.json"):
            self.assertEqual((bench.folder / "recovering" / name).read_bytes(), (bench.folder / "undisturbed" / name).read_bytes(), name)

    def test_killed_in_the_middle_of_an_epoch_and_resumed_equals_undisturbed(self):
        more = ["--threads", 1, "--set", "recover.checkpoint_seconds=0", "--set", "recover.qat_method=lsq+", "--set", "recover.qat_epochs=6"]
        self.assertEqual(bench.search("quietly_trained", *more).returncode, 0)

        def states(run):
            """Of the trainings under way, by file."""
            found = {}
            for path in (bench.folder / run / "deliveries").glob("*.state"):
                with contextlib.suppress(FileNotFoundError):   # the training has ended meanwhile
                    found[path] = path.read_bytes()
            return found

        for attempt in range(3):
            resume = ["--resume"] if attempt else []
            before = states("training")
            status, _ = bench.search_until("training", lambda run: not states(run).items() <= before.items(), workbench.KILL, *resume, *more)
            self.assertEqual(status, -workbench.KILL)
            self.assertEqual(bench.deliveries("training"), [])
        self.assertTrue(states("training"))
        self.assertEqual(bench.search("training", "--resume", *more).returncode, 0)
        for name in ("policies/001.json", "models/001.onnx"):
            self.assertEqual((bench.folder / "training" / name).read_bytes(), (bench.folder / "quietly_trained" / name).read_bytes(), name)

    def test_interrupt_stops_cleanly_and_says_how_to_go_on(self):
        status, errors = bench.search_until("interrupted", lambda run: len(bench.trials(run)) >= 3, workbench.INTERRUPT)
        self.assertEqual(status, 1)
        self.assertIn("--resume", errors)
        self.assertIn("all finished trials are kept", errors)
        kept = len(bench.trials("interrupted"))
        self.assertLess(kept, 20)
        self.assertEqual(bench.search("interrupted", "--resume").returncode, 0)
        self.assertEqual(bench.trials("interrupted"), bench.trials("whole"))

    def test_resuming_a_finished_run_gives_the_same_results(self):
        shutil.copytree(bench.folder / "whole", bench.folder / "finished", dirs_exist_ok=True)
        (bench.folder / "finished/pareto.json").unlink()
        self.assertEqual(bench.search("finished", "--resume").returncode, 0)
        self.assertEqual(bench.results("finished"), self.results)

    def test_zeros_in_weights_are_searched(self):
        done = bench.search("sparse", "--set", "space.sparsity=[0.75]", "--set", "search.trials=24", "--set", "recover.policies=0")
        self.assertEqual(done.returncode, 0, done.stderr)
        results = bench.results("sparse")
        sparsity = [d for d, decision in enumerate(results["decisions"]) if decision["kind"] == "kept_weights"]
        self.assertEqual(len(sparsity), 7)
        self.assertTrue(any(trial["choices"][d] == 0 for trial in results["trials"] for d in sparsity))

    def test_blocks_and_ranks_are_searched(self):
        done = bench.search("thin", "--set", "space.depth=true", "--set", "space.rank_ratios=[0.25, 0.5]", "--set", "search.trials=24",
                            "--set", "recover.policies=0")
        self.assertEqual(done.returncode, 0, done.stderr)
        results = bench.results("thin")
        kinds = [decision["kind"] for decision in results["decisions"]]
        for kind, count in (("kept_block", 1), ("rank", 5)):
            self.assertGreaterEqual(kinds.count(kind), count)
            self.assertTrue(any(trial["choices"][d] == 0 for trial in results["trials"] for d in range(len(kinds)) if kinds[d] == kind))
        # Nothing that goes with a block is decided.
        block = kinds.index("kept_block")
        inside = [d for d, decision in enumerate(results["decisions"])
                  if decision["kind"] not in ("channels", "kept_block") and decision["subject"] in results["blocks"][0]["layers"]]
        for trial in results["trials"]:
            if trial["choices"][block] == 0:
                for d in inside:
                    self.assertEqual(trial["choices"][d], len(results["decisions"][d]["values"]) - 1)

    def test_turning_an_agent_off_is_one_line(self):
        done = bench.search("single", "--set", "search.agents=[nsga2]", "--set", "search.trials=6", "--set", "recover.policies=0")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual({trial[1] for trial in bench.trials("single")}, {"nsga2"})


if __name__ == "__main__":
    program = sys.argv.pop(1)
    with tempfile.TemporaryDirectory() as folder:
        bench = workbench.Workbench(program, folder)
        sys.exit(unittest.main(verbosity=1))
