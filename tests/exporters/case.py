"""The case that every exporter is checked on: a small residual network that Lathe trained on made-up images, compressed by a policy with a
different width in almost every layer, and what Lathe itself says of it."""
import dataclasses
import json
import pathlib
import subprocess
import sys

import numpy as np
import onnx

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "experiments"))
import workbench  # noqa: E402

FORMATS = {"json": "json", "csv": "csv", "onnx_qdq": "onnx", "packed": "packed", "qonnx": "onnx", "aimet": "encodings", "nncf": "json", "torch_pruning": "json",
           "torchao": "json", "pt2e": "json", "hls4ml": "json", "nni": "json"}
WEIGHT_BITS, ACTIVATION_BITS = (8, 4, 6, 5, 3, 7), (8, 6, 4, 8, 5, 7)
ROWS_OF_ROUNDING = 2

CONFIG = """model: {model}
data:
  kind: npy
  path: {data}
  inputs_train: [train_x.npy]
  labels_train: train_y.npy
  inputs_test: [test_x.npy]
  labels_test: test_y.npy
  calibration_rows: 128
  search_rows: 120
devices: [raspberry-pi-4]
recover: {{policies: 1, fine_tune_epochs: 0, qat_epochs: 0}}
seed: 5
"""


@dataclasses.dataclass
class Case:
    folder: pathlib.Path
    model: pathlib.Path        # the float network
    compressed: pathlib.Path   # what `lathe compress` delivered
    policy: dict               # with metrics
    inspection: dict           # `lathe inspect --json` of the float network
    images: np.ndarray         # the test rows that Lathe measured, as the network takes them
    labels: np.ndarray
    channels: dict             # (before, after) of each layer's outputs: of the network itself and of the one that `lathe apply` cuts

    def export(self, name):
        return self.folder / f"{name}.{FORMATS[name]}"

    @property
    def widths(self):
        """(weight bits, activation bits) of each layer."""
        return {layer["name"]: (layer["weight_bits"], layer["activation_bits"]) for layer in self.policy["layers"]}

    @property
    def accuracy(self):
        return self.policy["metrics"]["accuracy"]["value"]

    def readers_beside(self, name):
        """The nodes that read what layer `name` reads, itself among them."""
        graph = onnx.load(self.model).graph
        source = next(node.input[0] for node in graph.node if node.name == name)
        return [node.name for node in graph.node if source in node.input]

    def accuracy_faults(self, logits):
        """Accuracy as Lathe measured it; values on the edge between two levels may turn a row or two."""
        accuracy = float((logits.argmax(1) == self.labels).mean())
        is_close = abs(accuracy - self.accuracy) * len(self.labels) <= ROWS_OF_ROUNDING + 1e-6
        return [] if is_close else [f"accuracy {accuracy:.4f}, Lathe measured {self.accuracy:.4f}"]


def run(program, *arguments, cwd):
    done = subprocess.run([str(program), *map(str, arguments)], capture_output=True, text=True, cwd=cwd, timeout=300)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


def save_images(folder, name, rows, seed):
    pixels, labels = workbench.images(rows, seed)
    images = ((pixels[:, None].astype(np.float32) / 255 - 0.3) / 0.3).astype(np.float32)
    np.save(folder / f"{name}_x.npy", images)
    np.save(folder / f"{name}_y.npy", labels.astype(np.int64))
    return images, labels


def mixed_policy(inspection):
    groups = [{"name": g["name"], "keep_ratio": (0.5, 0.75)[i % 2]} for i, g in enumerate(g for g in inspection["groups"] if g["prunable"])]
    layers = [{"name": layer["name"], "weight_bits": WEIGHT_BITS[i % 6], "activation_bits": ACTIVATION_BITS[i % 6]}
              for i, layer in enumerate(inspection["layers"])]
    return {"format": "lathe.policy", "version": 1, "model": {k: inspection["model"][k] for k in ("name", "sha256")}, "groups": groups,
            "layers": layers}


def channels_of(program, model, folder):
    return {layer["name"]: layer["out_channels"] for layer in json.loads(run(program, "inspect", model, "--json", cwd=folder))["layers"]}


def make_case(program, folder):
    folder = pathlib.Path(folder)
    bench = workbench.Workbench(program, folder)
    save_images(folder / "data", "train", 400, 1)
    images, labels = save_images(folder / "data", "test", workbench.TEST_ROWS, 2)
    config = folder / "export.yaml"
    config.write_text(CONFIG.format(model=bench.model, data=folder / "data"))
    inspection = json.loads(run(bench.program, "inspect", bench.model, "--json", cwd=folder))
    wanted = folder / "wanted.json"
    wanted.write_text(json.dumps(mixed_policy(inspection)))
    run(bench.program, "compress", config, "--policy", wanted, "--out", folder / "small", cwd=folder)
    run(bench.program, "apply", bench.model, "--policy", wanted, "--out", folder / "cut.onnx", cwd=folder)
    before, after = channels_of(bench.program, bench.model, folder), channels_of(bench.program, folder / "cut.onnx", folder)
    case = Case(folder, bench.model, folder / "small" / "net.onnx", json.loads((folder / "small" / "policy.json").read_text()), inspection,
                images, labels, {name: (before[name], after[name]) for name in before})
    for name in FORMATS:
        run(bench.program, "export", folder / "small", "--model", bench.model, "--format", name, "--out", case.export(name), cwd=folder)
    return case
