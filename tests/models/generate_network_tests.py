"""Writes every network of LATHE_DATA with ONNX Runtime's outputs on fixed inputs as folders that onnx_cases_test runs.

    generate_network_tests.py DATA OUT        (a Python with onnx and onnxruntime)

DATA is where the environment variable LATHE_DATA does not say otherwise.

Inputs: standard normal images, token ids within the vocabulary, attention masks of random lengths; three samples each. A network is
right where max|a - b| <= 1e-4 max|b| (summation order is all that differs).
"""
import glob
import os
import shutil
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

ROWS = 3


def random_input(info, rng):
    shape = [ROWS if i == 0 else d.dim_value for i, d in enumerate(info.type.tensor_type.shape.dim)]
    if info.type.tensor_type.elem_type != onnx.TensorProto.INT64:
        return rng.standard_normal(shape).astype(np.float32)
    if "mask" in info.name:
        lengths = rng.integers(1, shape[1] + 1, shape[0])
        return (np.arange(shape[1])[None, :] < lengths[:, None]).astype(np.int64)
    return rng.integers(0, 9000, shape).astype(np.int64)  # below the smallest vocabulary (9,504)


def save(value, name, path):
    with open(path, "wb") as file:
        file.write(numpy_helper.from_array(value, name).SerializeToString())


def main():
    data, out = os.environ.get("LATHE_DATA", sys.argv[1]), sys.argv[2]
    shutil.rmtree(out, ignore_errors=True)
    if not os.path.isdir(os.path.join(data, "models")):
        os.makedirs(out)
        with open(os.path.join(out, "skipped.txt"), "w") as file:
            file.write(f"{data}/models is not there: set LATHE_DATA\n")
        return
    for path in sorted(glob.glob(os.path.join(data, "models", "*.onnx"))):
        folder = os.path.join(out, os.path.splitext(os.path.basename(path))[0])
        os.makedirs(folder)
        model = onnx.load(path)
        constants = {t.name for t in model.graph.initializer}
        rng = np.random.default_rng(1)
        inputs = {i.name: random_input(i, rng) for i in model.graph.input if i.name not in constants}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        outputs = session.run(None, inputs)
        os.symlink(os.path.abspath(path), os.path.join(folder, "model.onnx"))
        for i, (name, value) in enumerate(inputs.items()):
            save(value, name, os.path.join(folder, f"input_{i}.pb"))
        for i, value in enumerate(outputs):
            save(value, session.get_outputs()[i].name, os.path.join(folder, f"output_{i}.pb"))
        with open(os.path.join(folder, "tolerance.txt"), "w") as file:
            file.write("1e-4 0 of_largest\n")


main()
