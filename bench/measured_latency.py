"""Latency of networks before and after compression in ONNX Runtime on this machine, next to the prediction.

    python3 bench/measured_latency.py LATHE DEVICE CASE... [--runs 300] [--cpu-time] [--batch 1]

LATHE is the program, DEVICE a description of this machine (x86-avx512, or a file of `lathe calibrate`), a CASE is BEFORE.onnx,AFTER.onnx,
POLICY.json: the network, the file that `lathe compress` wrote for the policy, and the policy that it wrote beside it. One thread.
Both files of a case take turns, and the least of all runs counts, which other programs on the machine disturb least; with --cpu-time the
time that the processor gave to the run, for a machine so busy that no run is left alone. Prints a Markdown
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


def inputs_of(network, batch):
    types = {"tensor(float)": np.float32, "tensor(int64)": np.int64}
    return {
        value.name: np.ones([extent if isinstance(extent, int) else batch for extent in value.shape], dtype=types[value.type])
        for value in network.get_inputs()
    }


def least_ms(networks, runs, clock, batch):
    """Of each network; in turns."""
    inputs = [inputs_of(network, batch) for network in networks]
    least = [float("inf")] * len(networks)
    for _ in range(runs):
        for i, network in enumerate(networks):
            begin = clock()
            network.run(None, inputs[i])
            least[i] = min(least[i], 1e3 * (clock() - begin))
    return least


def predicted_ms(lathe, device, batch, model, policy=None):
    command = [lathe, "latency", model, "--device", device, "--batch", str(batch), "--json", *(["--policy", policy] if policy else [])]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["latency_ms"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lathe")
    parser.add_argument("device")
    parser.add_argument("cases", nargs="+")
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--batch", type=int, default=1)
    arguments = parser.parse_args()
    clock = time.process_time if arguments.cpu_time else time.perf_counter
    print("| network | before, ms | after, ms | times faster | predicted before | predicted after | predicted times |")
    print("|---|---|---|---|---|---|---|")
    for case in arguments.cases:
        before, after, policy = case.split(",")
        measured = least_ms([session(before), session(after)], arguments.runs, clock, arguments.batch)
        predicted = [predicted_ms(arguments.lathe, arguments.device, arguments.batch, before, chosen) for chosen in (None, policy)]
        numbers = [*measured, measured[0] / measured[1], *predicted, predicted[0] / predicted[1]]
        print(f"| {pathlib.Path(policy).parent.name}/{pathlib.Path(policy).stem} | " + " | ".join(f"{number:.3g}" for number in numbers) + " |", flush=True)


if __name__ == "__main__":
    main()
