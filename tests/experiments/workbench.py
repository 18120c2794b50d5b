"""A small world for tests of the lathe program: made-up images that a tiny network learns in seconds, a config, and ways to run."""
import gzip
import json
import os
import pathlib
import signal
import sqlite3
import struct
import subprocess
import time

import numpy as np

CLASSES, SIDE = 4, 12
TRAIN_ROWS, TEST_ROWS = 800, 400

CONFIG = """model: {model}
data:
  kind: idx
  path: {data}
  mean: [0.3]
  stddev: [0.3]
  calibration_rows: 64
  search_rows: 120
devices: [raspberry-pi-4, nvidia-t4]
space: {{keep_ratios: [0.5, 0.75, 1.0]}}
constraints: {{accuracy_loss: 3}}
search: {{trials: 20, threads: 2, agents: [quasi_random, nsga2], sensitivity_rows: 60}}
recover: {{policies: 1, recoverable_loss: 10, fine_tune_epochs: 1, qat_epochs: 1, batch_size: 64}}
output: {output}
seed: 5
"""

TRAIN_CONFIG = """model: net.onnx
data: {{kind: idx, path: {data}, mean: [0.3], stddev: [0.3], calibration_rows: 64, search_rows: 120}}
train: {{widths: [8, 16], epochs: 8, batch_size: 50, learning_rate: 0.1, warmup_epochs: 0.5}}
"""


def images(rows, seed):
    """A bright bar whose direction and place say the class, in noise: a linear model does not do, a small convolutional one does."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, rows)
    pixels = rng.integers(0, 110, (rows, SIDE, SIDE))
    for image, label in zip(pixels, labels):
        at = rng.integers(1, SIDE - 1)
        line = image[at, :] if label % 2 else image[:, at]
        half = slice(0, SIDE // 2) if label // 2 else slice(SIDE // 2, SIDE)
        line[half] += 130
    return pixels.astype(np.uint8), labels.astype(np.uint8)


def write_idx(path, array):
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes())


def write_data(folder, train=TRAIN_ROWS, test=TEST_ROWS):
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows, seed in (("train", train, 1), ("t10k", test, 2)):
        pixels, labels = images(rows, seed)
        write_idx(folder / f"{name}-images-idx3-ubyte.gz", pixels)
        write_idx(folder / f"{name}-labels-idx1-ubyte.gz", labels)


class Workbench:
    """Data, a trained network and a config in `folder`."""

    def __init__(self, program, folder):
        self.program, self.folder = pathlib.Path(program).resolve(), pathlib.Path(folder)
        write_data(self.folder / "data")
        train = self.folder / "train.yaml"
        train.write_text(TRAIN_CONFIG.format(data=self.folder / "data"))
        self.model = self.folder / "net.onnx"
        done = self.run("train", train, "--out", self.model)
        assert done.returncode == 0, done.stderr
        self.config = self.write_config("config.yaml")

    def write_config(self, name, replace=(), **values):
        values = {"model": self.model, "data": self.folder / "data", "output": self.folder / "run", **values}
        text = CONFIG.format(**values)
        for old, new in replace:
            assert old in text, old
            text = text.replace(old, new)
        path = self.folder / name
        path.write_text(text)
        return path

    def command(self, *arguments):
        return [str(self.program), *map(str, arguments)]

    def run(self, *arguments, stdin="", environment=None):
        return subprocess.run(self.command(*arguments), input=stdin, capture_output=True, text=True, timeout=300, cwd=self.folder,
                              env={**os.environ, **(environment or {})})

    def search(self, run, *arguments):
        return self.run("search", self.config, "--out", self.folder / run, *arguments)

    def search_until(self, run, is_reached, sent, *arguments):
        """Starts a search and sends the signal as soon as `is_reached(run)`; returns the ended process and its stderr."""
        process = subprocess.Popen(self.command("search", self.config, "--out", self.folder / run, *arguments), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True, cwd=self.folder)
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline and not is_reached(run):
            time.sleep(0.005)
        if process.poll() is None:
            process.send_signal(sent)
        _, errors = process.communicate(timeout=120)
        return process.returncode, errors

    def trials(self, run):
        """What is stored of each trial, but for the time it took."""
        return self.stored(run, "SELECT id, agent, choices, state, error, metrics, stddev FROM trials ORDER BY id")

    def deliveries(self, run):
        """The policies that are recovered and tested."""
        return self.stored(run, "SELECT key FROM facts WHERE key LIKE 'delivery/%' ORDER BY key")

    def stored(self, run, query):
        path = self.folder / run / "run.db"
        if not path.exists():
            return []
        try:
            with sqlite3.connect(path, timeout=5) as database:
                return database.execute(query).fetchall()
        except sqlite3.OperationalError:   # the table is not there yet
            return []

    def results(self, run):
        return json.loads((self.folder / run / "pareto.json").read_text())


KILL, INTERRUPT = signal.SIGKILL, signal.SIGINT
