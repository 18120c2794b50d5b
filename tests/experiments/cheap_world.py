"""A world for tests of sweeps and clusters in which a policy costs milliseconds: a tiny network, and a program that makes accuracies up from
the policy alone, deterministic to the last bit. Its log counts what it was asked."""
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

EVALUATOR = '''
import hashlib, json, os, sys, time
delay, log = float(os.environ.get("EVALUATION_SECONDS", sys.argv[1])), sys.argv[2]
for line in sys.stdin:
    request = json.loads(line)
    asked = json.dumps([request["groups"], request["layers"]], sort_keys=True)
    with open(log, "a") as file:
        file.write(hashlib.sha256(asked.encode()).hexdigest() + request.get("split", "") + "\\n")
    time.sleep(delay)
    loss = sum(0.4 * (1 - g["keep_ratio"]) ** 2 for g in request["groups"]) + sum(0.5 * 2.0 ** -l["weight_bits"] for l in request["layers"])
    noise = int(hashlib.sha256(asked.encode()).hexdigest()[:6], 16) / 16 ** 6
    print(json.dumps({"id": request["id"], "accuracy": max(0.0, 0.95 - loss / 4 - 0.01 * noise), "samples": 1000}), flush=True)
'''

CONFIG = """model: {model}
devices: [raspberry-pi-4]
space: {{keep_ratios: [0.25, 0.5, 0.75, 1.0], weight_bits: [4, 6, 8]}}
search: {{trials: {trials}, threads: 2, agents: [quasi_random, nsga2], sensitivity: false}}
evaluator: {{kind: command, command: '"{python}" "{evaluator}" {delay} "{log}"'}}
recover: {{policies: 1}}
output: unused
seed: 0
"""


def write_network(path):
    """Four convolutions, a pool and a classifier, with random weights."""
    rng = np.random.default_rng(0)
    nodes, weights, name, width = [], [], "x", 3
    for i, out in enumerate((8, 8, 16, 16)):
        weights += [numpy_helper.from_array(rng.normal(size=(out, width, 3, 3)).astype(np.float32), f"w{i}"),
                    numpy_helper.from_array(np.zeros(out, np.float32), f"b{i}")]
        nodes += [helper.make_node("Conv", [name, f"w{i}", f"b{i}"], [f"c{i}"], f"conv{i}", kernel_shape=[3, 3], pads=[1] * 4),
                  helper.make_node("Relu", [f"c{i}"], [f"r{i}"], f"relu{i}")]
        name, width = f"r{i}", out
    weights.append(numpy_helper.from_array(rng.normal(size=(4, width)).astype(np.float32), "fc"))
    nodes += [helper.make_node("GlobalAveragePool", [name], ["p"], "pool"), helper.make_node("Flatten", ["p"], ["f"], "flatten"),
              helper.make_node("Gemm", ["f", "fc"], ["y"], "classify", transB=1)]
    graph = helper.make_graph(nodes, "tiny", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


class CheapWorld:
    """delay: seconds of an evaluation; the environment's EVALUATION_SECONDS overrides it, which changes no config."""

    def __init__(self, program, folder, trials=20, delay=0.0):
        self.program, self.folder = pathlib.Path(program).resolve(), pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "asked.log"
        write_network(self.folder / "net.onnx")
        (self.folder / "evaluator.py").write_text(EVALUATOR)
        self.config = self.folder / "config.yaml"
        self.config.write_text(CONFIG.format(model=self.folder / "net.onnx", python=sys.executable, evaluator=self.folder / "evaluator.py",
                                             delay=delay, log=self.log, trials=trials))

    def command(self, *arguments):
        return [str(self.program), *map(str, arguments)]

    def run(self, *arguments, timeout=300, **options):
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=timeout, cwd=self.folder, **options)

    def start(self, *arguments, **options):
        """In a session of its own, so that a test can end all of its processes."""
        return subprocess.Popen(self.command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=self.folder,
                                start_new_session=True, **options)

    def write_sweep(self, name, text):
        path = self.folder / name
        path.write_text(f"config: {self.config}\n{text}")
        return path

    def status(self, sweep):
        return json.loads(self.run("status", sweep, "--json").stdout)

    def states(self, sweep):
        return [search["state"] for search in self.status(sweep)["searches"]]

    def asked(self):
        return self.log.read_text().split() if self.log.exists() else []


def trials(run):
    """What is stored of each trial of a run directory, but for time and session."""
    path = pathlib.Path(run) / "run.db"
    if not path.exists():
        return []
    try:
        with sqlite3.connect(path, timeout=5) as database:
            return database.execute("SELECT id, agent, choices, state, error, metrics, stddev FROM trials ORDER BY id").fetchall()
    except sqlite3.OperationalError:   # the table is not there yet
        return []


def check_store(path):
    with sqlite3.connect(path, timeout=5) as database:
        return database.execute("PRAGMA integrity_check").fetchone()[0]


def kill_session(process):
    """kill -9 to everything that the process started, and to itself."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.communicate()


def wait_until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("waited too long")
        time.sleep(0.02)
