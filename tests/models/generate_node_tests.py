"""Writes ONNX's official operator test cases as folders that onnx_cases_test runs.

    generate_node_tests.py ONNX_CASES_TEST OUT

ONNX_CASES_TEST: the test program, which is asked for the operators that Lathe claims. For every case of these operators OUT gets a
folder with model.onnx, input_I.pb, output_I.pb (TensorProto), tolerance.txt (relative, absolute). Needs Debian's python3-onnx 1.12.

Lathe wants the operands that decide shapes (target of a Reshape, axes, pads, ...) as constants; a case that feeds them as graph
inputs gets them as initializers instead, and still runs. Cases that are left out are listed below with the reason.
"""
import os
import re
import shutil
import subprocess
import sys

import numpy as np

# The generator of onnx 1.12 uses names that newer numpy dropped.
np.float, np.bool, np.int, np.object = float, bool, int, object  # noqa: E402
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

# Inputs that decide the shape of the output, by operator.
SHAPE_OPERANDS = {
    "Reshape": [1], "Expand": [1], "Tile": [1], "ConstantOfShape": [0], "Range": [0, 1, 2], "Resize": [1, 2, 3],
    "Slice": [1, 2, 3, 4], "Pad": [1], "TopK": [1], "OneHot": [1], "Squeeze": [1], "Unsqueeze": [1], "Split": [1],
    "ReduceSum": [1], "CumSum": [1], "Trilu": [1],
}

# Functions whose only input is a length: all of it becomes constant.
WHOLLY_CONSTANT = r".*window.*_expanded"

# Cases that Lathe does not claim: regular expression, reason.
EXCLUDED = [
    (r".*_(bfloat16|BFLOAT16).*|.*_to_BFLOAT16|.*BFLOAT16_to.*", "numpy has no bfloat16: the case stores it as other types"),
    (r"cast_.*STRING.*|.*_string.*|equal_string.*", "strings"),
    (r"castlike.*", "CastLike is not claimed"),
    (r"batchnorm_.*_training_mode", "training is the executor's own mode, not the file's (see RunOptions::batch_statistics)"),
    (r"(training_)?dropout.*mask.*|training_dropout(_default)?", "Dropout at inference drops nothing and has no mask"),
    (r"maxpool_with_argmax.*", "indices as second output"),
    (r"identity_(opt|sequence).*|.*sequence.*", "sequences and optionals"),
    (r"scatter(_elements|nd)_.*multiply|scatter.*_mul.*|scatter.*_(max|min).*", "reductions other than add"),
    (r"reshape_.*zero_dim|.*_empty_set.*|.*zero_batch.*|tri[lu].*_zero|split_zero_size_splits", "tensors without elements"),
    (r"resize_downsample_scales_(linear|cubic)_align_corners",
     "the reference uses the length before rounding down; ONNX Runtime and PyTorch use the output's, and so does Lathe"),
]


def excluded(name):
    for pattern, reason in EXCLUDED:
        if re.fullmatch(pattern, name):
            return reason
    return None


def with_constant_operands(model, inputs, all_of_them):
    """Moves inputs that are shape operands to initializers; returns the inputs that are left."""
    graph = model.graph
    moved = {i.name for i in graph.input} if all_of_them else set()
    for node in graph.node:
        for index in SHAPE_OPERANDS.get(node.op_type, []):
            if index < len(node.input) and node.input[index]:
                moved.add(node.input[index])
    left = []
    names = [i.name for i in graph.input]
    for name, value in zip(names, inputs):
        if name in moved:
            graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
        else:
            left.append((name, value))
    for name in moved:
        for i, info in enumerate(graph.input):
            if info.name == name:
                del graph.input[i]
                break
    return left


def save(value, name, path):
    with open(path, "wb") as file:
        file.write(numpy_helper.from_array(np.asarray(value), name).SerializeToString())


def main():
    claimed = set(subprocess.run([sys.argv[1], "--list-operators"], check=True, capture_output=True, text=True).stdout.split())
    out = sys.argv[2]
    shutil.rmtree(out, ignore_errors=True)
    written, left_out, covered = 0, 0, set()
    for case in collect_testcases(None):
        operators = {node.op_type for node in case.model.graph.node}
        if not operators <= claimed:
            continue
        opset = next(o.version for o in case.model.opset_import if o.domain == "")
        name = case.name.removeprefix("test_")
        if excluded(name) or opset > 17:
            left_out += 1
            continue
        # Each case is of the newest version of its operator, which is that of opset 11 too where it is older.
        for entry in case.model.opset_import:
            if entry.domain == "":
                entry.version = max(opset, 11)
        folder = os.path.join(out, name)
        while os.path.exists(folder):  # two cases of onnx 1.12 share a name
            folder += "_again"
        os.makedirs(folder)
        inputs, outputs = case.data_sets[0]
        left = with_constant_operands(case.model, inputs, re.fullmatch(WHOLLY_CONSTANT, name) is not None)
        case.model.ir_version = min(case.model.ir_version, 8)
        onnx.save(case.model, os.path.join(folder, "model.onnx"))
        for i, (input_name, value) in enumerate(left):
            save(value, input_name, os.path.join(folder, f"input_{i}.pb"))
        for i, value in enumerate(outputs):
            save(value, case.model.graph.output[i].name, os.path.join(folder, f"output_{i}.pb"))
        with open(os.path.join(folder, "tolerance.txt"), "w") as file:
            file.write(f"{case.rtol} {case.atol}\n")
        covered |= operators
        written += 1
    print(f"{written} cases of {len(covered)} operators, {left_out} left out")
    without = sorted(claimed - covered)
    if without:
        print("no case for", ", ".join(without))


main()
