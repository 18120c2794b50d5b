"""Latency of networks before and after compression in ONNX Runtime on this machine, next to the prediction.

    python3 bench/measured_latency.py LATHE DEVICE CASE... [--runs 300]

LATHE is the program, DEVICE a description of this machine (x86-avx512, or a file of `lathe calibrate`), a CASE is BEFORE.onnx,AFTER.onnx,
POLICY.json: the network, the file that `lathe compress` wrote for the policy, and the policy that it wrote beside it. One thread, batch 1.
Both files of a case take turns, and the least of all runs counts, which other programs on the machine disturb least. Prints a Markdown
table; predictions are of the policy on the network, so that a policy's pruned channels and widths are what the model sees.
"""

import argparse
import json
import pathlib
import subprocess
import time

import numpy as np
import onnxruntime


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def inputs_of(network):
    types = {"tensor(float)": np.float32, "tensor(int64)": np.int64}
    return {
        value.name: np.ones([extent if isinstance(extent, int) else 1 for extent in value.shape], dtype=types[value.type])
        for value in network.get_inputs()
    }


def least_ms(networks, runs):
    """Of each network; in turns."""
    inputs = [inputs_of(network) for network in networks]
    least = [float("inf")] * len(networks)
    for _ in range(runs):
        for i, network in enumerate(networks):
            begin = time.perf_counter()
            network.run(None, inputs[i])
            least[i] = min(least[i], 1e3 * (time.perf_counter() - begin))
    return least


def predicted_ms(lathe, device, model, policy=None):
    command = [lathe, "latency", model, "--device", device, "--json", *(["--policy", policy] if policy else [])]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["latency_ms"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lathe")
    parser.add_argument("device")
    parser.add_argument("cases", nargs="+")
    parser.add_argument("--runs", type=int, default=300)
    arguments = parser.parse_args()
    print("| network | before, ms | after, ms | times faster | predicted before | predicted after | predicted times |")
    print("|---|---|---|---|---|---|---|")
    for case in arguments.cases:
        before, after, policy = case.split(",")
        measured = least_ms([session(before), session(after)], arguments.runs)
        predicted = [predicted_ms(arguments.lathe, arguments.device, before), predicted_ms(arguments.lathe, arguments.device, before, policy)]
        numbers = [*measured, measured[0] / measured[1], *predicted, predicted[0] / predicted[1]]
        print(f"| {pathlib.Path(policy).parent.name} | " + " | ".join(f"{number:.3g}" for number in numbers) + " |", flush=True)


if __name__ == "__main__":
    main()
