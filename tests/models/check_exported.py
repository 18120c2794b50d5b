"""Runs the networks that onnx_cases_test wrote in ONNX Runtime and compares with the outputs of the originals.

    check_exported.py ONNX_CASES_TEST CASES OUT        (a Python with onnx and onnxruntime)

CASES: a folder of generate_small_networks.py or generate_network_tests.py. OUT gets what Lathe writes after reading each model.
"""
import os
import shutil
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

SKIPPED = 77


def tensors(folder, prefix):
    found = []
    while os.path.exists(path := os.path.join(folder, f"{prefix}_{len(found)}.pb")):
        tensor = onnx.TensorProto()
        with open(path, "rb") as file:
            tensor.ParseFromString(file.read())
        found.append(numpy_helper.to_array(tensor))
    return found


def largest_error(model, folder):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    inputs = dict(zip([i.name for i in session.get_inputs()], tensors(folder, "input")))
    worst = 0.0
    for a, b in zip(session.run(None, inputs), tensors(folder, "output"), strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype, (a.shape, b.shape, a.dtype, b.dtype)
        worst = max(worst, np.max(np.abs(a.astype(np.float64) - b)) / max(1e-30, np.max(np.abs(b))))
    return worst


def main():
    program, cases, out = sys.argv[1:]
    if os.path.exists(os.path.join(cases, "skipped.txt")):
        sys.exit(SKIPPED)
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    subprocess.run([program, "--export", cases, out], check=True)
    failures, count = [], 0
    for name in sorted(os.listdir(cases)):
        error = largest_error(os.path.join(out, name + ".onnx"), os.path.join(cases, name))
        count += 1
        if error > 1e-4:
            failures.append(f"{name}: {error:.3g}")
    print(f"{count} networks, {len(failures)} differ", *failures, sep="\n")
    sys.exit(1 if failures or count == 0 else 0)


main()
