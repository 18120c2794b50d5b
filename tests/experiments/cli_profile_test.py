"""`lathe profile` and `lathe-profile` as a user calls them: what the CSV file holds, and wrong input."""
import csv
import glob
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import onnxruntime

ROOT = pathlib.Path(__file__).parents[2]
MODEL = ROOT / "configs/models/fashion_resnet.onnx"
COLUMNS = ["model", "policy", "device", "runtime", "precision", "batch", "threads", "median_ms", "p10_ms", "p90_ms", "p99_ms", "runs", "notes",
           "power_w", "energy_mj", "layer"]
lathe = lathe_profile = folder = None


def run(program, *arguments):
    library = glob.glob(str(pathlib.Path(onnxruntime.__file__).parent / "capi/libonnxruntime.so*"))[0]
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=300,
                          env={**os.environ, "LATHE_ONNXRUNTIME": library})


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


class Profile(unittest.TestCase):
    def half_int8(self):
        network = json.loads(run(lathe, "inspect", MODEL, "--json").stdout)
        path = folder / "half.json"
        path.write_text(json.dumps({
            "format": "lathe.policy", "version": 1,
            "groups": [{"name": g["name"], "keep_ratio": 0.5} for g in network["groups"] if g["prunable"]],
            "layers": [{"name": l["name"], "weight_bits": 8, "activation_bits": 8} for l in network["layers"] if l["quantizable"]]}))
        return path

    def test_measures_the_network_and_a_policy(self):
        policy = self.half_int8()
        out = folder / "measured.csv"
        done = run(lathe, "profile", MODEL, "--device", "host", "--policy", policy, "--batch", 4, "--seconds", 0.2, "--out", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = rows_of(out.read_text())
        self.assertEqual(list(rows[0]), COLUMNS)
        self.assertEqual([(r["policy"], r["precision"], r["batch"]) for r in rows], [("", "fp32", "4"), (str(policy), "int8", "4")])
        for row in rows:
            self.assertTrue(0 < float(row["p10_ms"]) <= float(row["median_ms"]) <= float(row["p90_ms"]) <= float(row["p99_ms"]))
            self.assertIn("onnxruntime", row["runtime"])
            self.assertIn("pinned to", row["notes"])
        # A quarter of the arithmetic, in int8: far faster however busy the machine is.
        self.assertLess(float(rows[1]["p10_ms"]), float(rows[0]["p10_ms"]))

    def test_measures_each_layer_shape_in_both_types(self):
        done = run(lathe, "profile", MODEL, "--device", "host", "--layers", "--seconds", 0.02)
        self.assertEqual(done.returncode, 0, done.stderr)
        layers = [r for r in rows_of(done.stdout) if r["layer"]]
        self.assertGreater(len(layers), 8)
        self.assertEqual({r["precision"] for r in layers}, {"fp32", "int8"})

    def test_libtorch_measures_floats(self):
        done = run(lathe, "profile", MODEL, "--device", "host", "--runtime", "libtorch", "--seconds", 0.05)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([r["runtime"] for r in rows_of(done.stdout)], ["libtorch"])

    def test_a_board_measures_the_list_of_layers(self):
        shapes = folder / "layers.csv"
        self.assertEqual(run(lathe, "profile", MODEL, "--device", "host", "--list", shapes).returncode, 0)
        done = run(lathe_profile, "--layers", shapes, MODEL, "--seconds", 0.02)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = rows_of(done.stdout)
        self.assertEqual(list(rows[0]), COLUMNS)
        self.assertEqual(len(rows), 1 + 2 * len(rows_of(shapes.read_text())))
        self.assertIn("onnxruntime", rows[0]["runtime"])
        self.assertEqual({r["runtime"] for r in rows[1:]}, {"built-in"})

    def refuse(self, program, arguments, *words):
        done = run(program, *arguments)
        self.assertEqual(done.returncode, 2, done.stderr)
        message = done.stderr.strip().splitlines()
        self.assertEqual(len(message), 1, done.stderr)
        for word in words:
            self.assertIn(word, message[0])

    def test_wrong_input_is_one_line(self):
        self.refuse(lathe, ["profile", "nowhere.onnx", "--device", "host"], "nowhere.onnx")
        self.refuse(lathe, ["profile", MODEL, "--device", "cuda"], "--runtime libtorch")
        self.refuse(lathe, ["profile", MODEL, "--device", "board"], "--device")
        self.refuse(lathe, ["profile", MODEL, "--device", "host", "--fp16"], "--fp16", "libtorch")
        self.refuse(lathe, ["profile", MODEL, "--device", "host", "--runtime", "libtorch", "--cuda-graph"], "--cuda-graph", "--device cuda")
        self.refuse(lathe_profile, [], "--layers")
        self.refuse(lathe_profile, ["--threads", "none", MODEL], "--threads", "none")
        self.refuse(lathe_profile, ["nowhere.onnx"], "nowhere.onnx")


if __name__ == "__main__":
    lathe, lathe_profile = sys.argv.pop(1), sys.argv.pop(1)
    with tempfile.TemporaryDirectory() as path:
        folder = pathlib.Path(path)
        sys.exit(unittest.main(verbosity=1))
