"""lathe calibrate: a board that differs from its data sheet is found from a few networks; wrong inputs end in one line and status 2."""
import csv
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cheap_world import CheapWorld, trials

PROGRAM = pathlib.Path(sys.argv.pop()).resolve()
# A made-up board whose matrix kernels reach half of what the data sheet's estimate says.
SLOWER = {"gemm_efficiency": 0.5, "winograd_efficiency": 0.5}


def write_network(path, channels, depth, size):
    rng = np.random.default_rng(0)
    nodes, weights, value, width = [], [], "input", 3
    for layer in range(depth):
        weights.append(numpy_helper.from_array(rng.normal(size=(channels, width, 3, 3)).astype(np.float32), f"w{layer}"))
        nodes.append(helper.make_node("Conv", [value, f"w{layer}"], [f"c{layer}"], name=f"conv{layer}", pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{layer}"], [f"r{layer}"], name=f"relu{layer}"))
        value, width = f"r{layer}", channels
    graph = helper.make_graph(nodes, "net", [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, size, size])],
                              [helper.make_tensor_value_info(value, TensorProto.FLOAT, ["N", channels, size, size])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, path)


class Calibrate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.scratch.name)
        cls.networks = []
        for channels, depth, size in [(8, 2, 32), (16, 4, 32), (32, 3, 16), (64, 2, 16), (32, 6, 32), (64, 5, 8), (96, 3, 32), (16, 8, 8)]:
            cls.networks.append(f"c{channels}d{depth}s{size}.onnx")
            write_network(cls.folder / cls.networks[-1], channels, depth, size)
        cls.board = cls.write_board()
        cls.latencies = {name: cls.json_of("latency", name, "--device", cls.board, "--json")["latency_ms"] for name in cls.networks}

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    @classmethod
    def run_lathe(cls, *arguments):
        return subprocess.run([str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, timeout=120, cwd=cls.folder)

    @classmethod
    def json_of(cls, *arguments):
        done = cls.run_lathe(*arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @classmethod
    def write_board(cls):
        sheet = cls.json_of("devices", "raspberry-pi-4", "--json")
        lines = pathlib.Path(sheet["file"]).read_text().splitlines()
        for i, line in enumerate(lines):
            for key, factor in SLOWER.items():
                if line.startswith(f"  {key}:"):
                    value = sheet["parameters"][key]["value"] * factor
                    lines[i] = f'  {key}: {{value: {value}, source: "made up"}}'
        path = cls.folder / "board.yaml"
        path.write_text("\n".join(lines) + "\n")
        return path

    def write_measurements(self, name, rows, columns=("model", "median_ms")):
        with open(self.folder / name, "w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
        return name

    def calibrate(self, measurements, *arguments, out="out.yaml"):
        return self.run_lathe("calibrate", "--device", "raspberry-pi-4", "--measurements", measurements, "--out", out, *arguments)

    def fault_of(self, measurements):
        done = self.calibrate(measurements)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        return done.stderr

    def test_board_is_found_and_predictions_carry_their_error_bar(self):
        rows = [{"model": name, "median_ms": ms} for name, ms in list(self.latencies.items())[:-1]]
        report = json.loads(self.calibrate(self.write_measurements("m.csv", rows), "--json").stdout)
        self.assertLess(report["cross_validated_error"], 0.08)
        self.assertEqual(report["measurements"], len(rows))
        self.assertLess(report["parameters"]["winograd_efficiency"]["after"], 0.8 * report["parameters"]["winograd_efficiency"]["before"])
        unseen = self.networks[-1]
        before = self.json_of("latency", unseen, "--device", "raspberry-pi-4", "--json")["latency_ms"]
        after = self.json_of("latency", unseen, "--device", self.folder / "out.yaml", "--json")
        truth = self.latencies[unseen]
        self.assertLess(abs(after["latency_ms"] / truth - 1), abs(before / truth - 1))
        self.assertTrue(after["calibrated"])
        low, high = after["latency_interval_ms"]
        self.assertLess(low, after["latency_ms"])
        self.assertGreater(high, after["latency_ms"])
        self.assertIn("90 % interval", self.run_lathe("latency", unseen, "--device", self.folder / "out.yaml").stdout)
        self.assertIn("7 measurements of m.csv", self.run_lathe("devices", self.folder / "out.yaml").stdout)

    def test_outlier_is_named_with_its_line(self):
        rows = [{"model": name, "median_ms": ms * (4 if i == 2 else 1)} for i, (name, ms) in enumerate(self.latencies.items())]
        done = self.calibrate(self.write_measurements("outlier.csv", rows))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("outlier, line 4: ", done.stdout)
        self.assertIn("cross-validated", done.stdout)

    def test_rows_without_latency_are_proposed(self):
        rows = [{"model": name, "median_ms": ms if i < 4 else ""} for i, (name, ms) in enumerate(self.latencies.items())]
        report = json.loads(self.calibrate(self.write_measurements("p.csv", rows), "--propose", "2", "--json").stdout)
        self.assertEqual(len(report["proposals"]), 2)
        self.assertGreaterEqual(report["proposals"][0]["information_nats"], report["proposals"][1]["information_nats"])
        self.assertTrue(all(proposal["line"] > 5 for proposal in report["proposals"]))

    def latencies_of_a_search(self, board, limit_ms, quantile):
        """Predicted latencies of all trials of a search that keeps this quantile of the latency below the limit."""
        world, out = CheapWorld(PROGRAM, self.folder / "world"), self.folder / f"quantile{quantile}"
        done = world.run("search", world.config, "--set", f"devices=[{board}]", "--set", f"constraints.latency_ms={limit_ms}",
                         "--set", f"constraints.latency_quantile={quantile}", "--out", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(metrics)[1] for _, _, _, _, _, metrics, _ in trials(out)]

    def test_search_keeps_a_quantile_of_the_latency(self):
        # A board whose latency is work, not starts of operators, and uncertain by a factor of e^0.2.
        text = self.board.read_text().replace("value: 1e-05", "value: 1e-07").replace("value: 1.5e-05", "value: 1e-07")
        board = self.folder / "uncertain.yaml"
        board.write_text(text.replace("calibrated: false", "calibrated: true\ncalibration: {source: made up, latency_log_deviation: 0.2}"))
        world = CheapWorld(PROGRAM, self.folder / "world")
        limit = 0.9 * json.loads(world.run("latency", "net.onnx", "--device", board, "--json").stdout)["latency_ms"]
        above = math.exp(0.2 * 1.2815515655)  # the normal distribution's 90 % quantile is at 1.2816 deviations
        medians, quantiles = self.latencies_of_a_search(board, limit, 0.5), self.latencies_of_a_search(board, limit, 0.9)
        self.assertLessEqual(max(medians), limit)
        self.assertGreater(above * max(medians), limit)
        self.assertLessEqual(above * max(quantiles), limit)

    def test_wrong_files_are_the_users_fault(self):
        first = self.networks[0]
        self.assertIn("median_ms: missing column", self.fault_of(self.write_measurements("a.csv", [{"model": first}], ["model"])))
        self.assertIn("b.csv:2: median_ms: expected a number above 0, got 'fast'",
                      self.fault_of(self.write_measurements("b.csv", [{"model": first, "median_ms": "fast"}])))
        self.assertIn("expected at least one measured network", self.fault_of(self.write_measurements("c.csv", [{"model": first}])))
        self.assertIn("missing.onnx", self.fault_of(self.write_measurements("d.csv", [{"model": "missing.onnx", "median_ms": 1}])))
        mixed = [{"model": first, "median_ms": 1, "threads": t} for t in (1, 4)]
        self.assertIn("e.csv:3: threads: expected the same in all rows",
                      self.fault_of(self.write_measurements("e.csv", mixed, ["model", "median_ms", "threads"])))
        self.assertIn("nowhere.csv", self.fault_of("nowhere.csv"))
        good = self.write_measurements("f.csv", [{"model": first, "median_ms": 1}])
        done = self.run_lathe("calibrate", "--device", "finn-zcu104", "--measurements", good, "--out", "out.yaml")
        self.assertEqual(done.returncode, 2)
        self.assertIn("class", done.stderr)


if __name__ == "__main__":
    unittest.main()
