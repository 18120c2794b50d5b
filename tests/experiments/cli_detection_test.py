"""A detector from nothing to an ONNX file, on canvases with shapes that are told apart at a glance: data set, train, search, compress."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import onnxruntime

import workbench

SIDE, TRAIN, TEST = 64, 320, 120
DATA = """data:
  kind: detection
  path: canvases
  inputs_train: train_images.npy
  inputs_test: test_images.npy
  labels_train: train_objects.npy
  labels_test: test_objects.npy
  mean: [0.2]
  stddev: [0.25]
  calibration_rows: 64
  search_rows: 60
"""
TRAIN_CONFIG = "model: net.onnx\n" + DATA + """train:
  {widths: [8, 16], stem_stride: 2, epochs: 12, batch_size: 16, learning_rate: 0.01, horizontal_flip: true, shards: 2}
seed: 1
"""
CONFIG = "model: net.onnx\n" + DATA + """devices: [raspberry-pi-4]
space: {keep_ratios: [0.5, 0.75, 1.0], weight_bits: [4, 8], activation_bits: [8]}
constraints: {accuracy_loss: 5}
search: {trials: 8, threads: 2, agents: [quasi_random, nsga2], sensitivity_rows: 30}
recover: {policies: 1, fine_tune_epochs: 1, fine_tune_learning_rate: 0.005, qat_epochs: 1, qat_method: lsq, batch_size: 16}
seed: 5
"""

program, folder = None, None


def shape(label, rng):
    """28 x 28, grey: a flat bar, an upright bar, a ring."""
    y, x = np.mgrid[:28, :28] - 13.5
    thick = rng.uniform(4, 6)
    ink = (abs(y) < thick, abs(x) < thick, abs(np.hypot(x, y) - 9) < 3)[label]
    return np.where(ink & (abs(x) < 13) & (abs(y) < 13), rng.integers(180, 255), 0).astype(np.uint8)


def write_items():
    for number, name in enumerate(("train", "t10k")):
        rng = np.random.default_rng(number)
        labels = np.arange(60, dtype=np.uint8) % 3
        workbench.write_idx(folder / f"items/{name}-images-idx3-ubyte.gz", np.stack([shape(label, rng) for label in labels]))
        workbench.write_idx(folder / f"items/{name}-labels-idx1-ubyte.gz", labels)


def run(*arguments):
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=300, cwd=folder)


def overlap(a, b):
    """IoU of boxes cx, cy, w, h."""
    low, high = np.maximum(a[:2] - a[2:] / 2, b[:2] - b[2:] / 2), np.minimum(a[:2] + a[2:] / 2, b[:2] + b[2:] / 2)
    both = np.prod(np.maximum(high - low, 0))
    return both / (np.prod(a[2:]) + np.prod(b[2:]) - both)


def detections(head):
    """[class, score, box] of one image's head [5 + classes, h, w], suppressed; thresholds are those of detection_head.h."""
    stride = SIDE / head.shape[1]
    sigmoid = 1 / (1 + np.exp(-head.astype(float)))
    found = []
    for row, column in np.ndindex(*head.shape[1:]):
        x, y, w, h, objectness = sigmoid[:5, row, column]
        box = stride * np.array([2 * x - 0.5 + column, 2 * y - 0.5 + row, 4 * (2 * w) ** 2, 4 * (2 * h) ** 2])
        found += [(c, objectness * p, box) for c, p in enumerate(sigmoid[5:, row, column]) if objectness * p >= 0.01]
    kept = []
    for candidate in sorted(found, key=lambda d: -d[1]):
        if not any(k[0] == candidate[0] and overlap(k[2], candidate[2]) > 0.6 for k in kept):
            kept.append(candidate)
    return kept[:100]


def map50(path, images, objects):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    heads = session.run(None, {session.get_inputs()[0].name: ((images / 255 - 0.2) / 0.25).astype(np.float32)})[0]
    precisions = []
    for cls in range(3):
        hits = []
        for head, truth in zip(heads, objects):
            free = [o[1:] for o in truth if o[0] == cls]
            for _, score, box in (d for d in detections(head) if d[0] == cls):
                best = max(range(len(free)), key=lambda i: overlap(free[i], box), default=None)
                is_hit = best is not None and overlap(free[best], box) >= 0.5
                if is_hit:
                    free.pop(best)
                hits.append((-score, is_hit))
        right = np.cumsum([hit for _, hit in sorted(hits, key=lambda h: h[0])])
        precision, recall = right / np.arange(1, len(right) + 1), right / (objects[:, :, 0] == cls).sum()
        precisions.append(np.mean([max(precision[recall >= r], default=0) for r in np.linspace(0, 1, 101)]))
    return np.mean(precisions)


class Detection(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.trained = run("train", "train.yaml")
        assert cls.trained.returncode == 0, cls.trained.stderr
        cls.searched = run("search", "search.yaml", "--out", "run", "--json")
        assert cls.searched.returncode == 0, cls.searched.stderr
        cls.results = json.loads(cls.searched.stdout)
        cls.held_out = [np.load(folder / f"canvases/test_{name}.npy")[TEST // 2:] for name in ("images", "objects")]

    def test_the_data_set_depends_on_the_seed_alone(self):
        for name in ("again", "other"):
            make_canvases(name, seed=1 if name == "other" else 0)
        for file in ("train_images.npy", "test_objects.npy"):
            first = (folder / "canvases" / file).read_bytes()
            self.assertEqual((folder / "again" / file).read_bytes(), first)
            self.assertNotEqual((folder / "other" / file).read_bytes(), first)

    def test_boxes_are_in_the_canvas_and_overlap_little(self):
        objects = np.load(folder / "canvases/train_objects.npy")
        for truth in objects:
            boxes = truth[truth[:, 0] >= 0, 1:]
            self.assertTrue((boxes[:, :2] - boxes[:, 2:] / 2 >= 0).all() and (boxes[:, :2] + boxes[:, 2:] / 2 <= SIDE).all())
            self.assertTrue(all(overlap(a, b) < 0.1 for i, a in enumerate(boxes) for b in boxes[:i]))
        self.assertTrue((objects[:, 0, 0] >= 0).mean() > 0.95)

    def test_training_finds_the_shapes(self):
        self.assertIn("mAP at IoU 0.5", self.trained.stdout)
        self.assertGreater(map50(folder / "net.onnx", *self.held_out), 0.7)

    def test_search_is_measured_by_map(self):
        self.assertEqual(self.results["metric"], "map50")
        self.assertAlmostEqual(self.results["float"]["accuracy"]["test"]["value"], map50(folder / "net.onnx", *self.held_out), delta=2e-3)
        loss = self.results["policies"][0]["accuracy_loss"]
        self.assertTrue(loss["interval"][0] <= loss["value"] <= loss["interval"][1])

    def test_compressed_files_are_as_good_in_onnx_runtime(self):
        policy = folder / "run/policies/001.json"
        done = run("compress", "search.yaml", "--policy", policy, "--out", "small", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        metrics = json.loads(done.stdout)
        figures = metrics["detection"]
        self.assertAlmostEqual(figures["map50"]["value"], metrics["accuracy"]["value"], delta=1e-12)
        self.assertAlmostEqual(figures["map50"]["float"] - figures["map50"]["loss"], figures["map50"]["value"], delta=1e-12)
        self.assertLess(figures["map"]["value"], figures["map50"]["value"])
        self.assertEqual(len(figures["classes"]), 3)
        # ONNX Runtime's fused integers differ by a step here and there.
        self.assertAlmostEqual(map50(folder / "small/net.onnx", *self.held_out), metrics["accuracy"]["value"], delta=0.01)
        self.assertLess(metrics["size_bytes"], (folder / "net.onnx").stat().st_size)
        self.assertEqual(metrics["accuracy"], json.loads(policy.read_text())["metrics"]["accuracy"])   # the search delivered the same

    def test_wrong_metrics_are_one_clear_line(self):
        done = run("search", "search.yaml", "--out", "never", "--set", "evaluator.metric=agreement")
        self.assertEqual(done.returncode, 2)
        self.assertIn("evaluator.metric: expected auto, map50 or map", done.stderr)


def make_canvases(name, seed=0):
    script = pathlib.Path(__file__).parents[2] / "scripts/make_detection_dataset.py"
    subprocess.run([sys.executable, script, folder / name, "--source", folder / "items", "--train", str(TRAIN), "--test", str(TEST),
                    "--side", str(SIDE), "--most", "2", "--seed", str(seed)], check=True, capture_output=True)


if __name__ == "__main__":
    program = str(pathlib.Path(sys.argv.pop(1)).resolve())
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        (folder / "items").mkdir()
        write_items()
        make_canvases("canvases")
        (folder / "train.yaml").write_text(TRAIN_CONFIG)
        (folder / "search.yaml").write_text(CONFIG)
        unittest.main()
