"""Compares delivered (QDQ) networks in ONNX Runtime with the simulation that they stand for.

    check_qdq.py QDQ_CASES OUT MODEL.onnx|FOLDER...       (a Python with onnx and onnxruntime; exit 77 = skipped, none there)

QDQ_CASES writes the cases (see qdq_cases.cc). Outputs are compared by mean|a - b| / mean|b|: rounding differs in float arithmetic, so a value
on the edge between two levels may fall to either side, and one step of a narrow activation is far more than float precision. Weight-only
networks have no such edges and must agree to 1e-5. int8 networks of convolutions must run in integer kernels altogether.
"""
import glob
import os
import shutil
import subprocess
import sys

try:
    import numpy as np
    import onnx
    import onnxruntime as ort
except ImportError as error:
    print("skipped:", error)
    sys.exit(77)

TYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64}
# Largest mean difference by kind of policy. Weights alone leave only the order of sums; fused integer kernels differ from unfused ones by up to
# a level here and there.
BOUNDS = {"weights": 1e-5, "int8": 0.05, "dynamic": 0.05, "int4": 0.15, "packed4": 0.15, "mixed": 0.15}
FLOAT_KERNELS = {"Conv", "FusedConv", "Add", "Relu", "Clip", "Gemm", "AveragePool", "GlobalAveragePool"}
# Networks whose int8 policies must leave no float kernel.
ALL_INTEGER = ("resnet", "efficientnet")


def read(path, info, rows):
    shape = [d if isinstance(d, int) else rows for d in info.shape]
    return np.fromfile(path, TYPES[info.type]).reshape(shape)


def run(path, inputs, level, optimized=None):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = level
    if optimized:
        options.optimized_model_filepath = optimized
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def compare_with_bytes(packed, bytes_, inputs):
    """A file with 4-bit integers against the one that has the same weights in bytes: half their size, and the same outputs."""
    faults = []
    level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    for a, b in zip(run(packed, inputs, level), run(bytes_, inputs, level)):
        if not np.abs(a - b).max() <= 1e-5 * np.abs(b).max():
            faults.append(f"differs from the file with bytes by {np.abs(a - b).max():.2g}")
    weights = [i for i in onnx.load(packed).graph.initializer if i.data_type == onnx.TensorProto.INT4]
    elements = sum(int(np.prod(i.dims)) for i in weights)
    saved = os.path.getsize(bytes_) - os.path.getsize(packed)
    # Axes of reductions are further initializers, at most 100 bytes each.
    if not elements or saved < elements // 2 - len(weights) - 100 * len([n for n in onnx.load(packed).graph.node if n.op_type.startswith("Reduce")]):
        faults.append(f"{elements} elements of 4 bits save {saved} bytes")
    return faults


def check(folder):
    name = os.path.basename(folder)
    kind = name.rsplit("_", 1)[1]
    path, optimized = os.path.join(folder, "model.onnx"), os.path.join(folder, "optimized.onnx")
    onnx.checker.check_model(path)
    with open(os.path.join(folder, "rows.txt")) as file:
        rows = int(file.read())
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    inputs = {info.name: read(os.path.join(folder, f"input_{i}.bin"), info, rows) for i, info in enumerate(session.get_inputs())}
    faults = []
    levels = {"fused": ort.GraphOptimizationLevel.ORT_ENABLE_ALL, "unfused": ort.GraphOptimizationLevel.ORT_DISABLE_ALL}
    for label, level in levels.items():
        outputs = run(path, inputs, level, optimized if label == "fused" else None)
        for i, (info, got) in enumerate(zip(session.get_outputs(), outputs)):
            simulated = read(os.path.join(folder, f"simulated_{i}.bin"), info, rows)
            difference = np.abs(got - simulated).mean() / max(np.abs(simulated).mean(), 1e-6)
            if not difference <= BOUNDS[kind]:
                faults.append(f"{label} output {info.name}: mean difference {difference:.2g} of the mean value")
    kernels = {node.op_type for node in onnx.load(optimized).graph.node}
    if kind == "int8" and name.startswith(ALL_INTEGER) and kernels & FLOAT_KERNELS:
        faults.append(f"float kernels are left: {sorted(kernels & FLOAT_KERNELS)}")
    if kind == "packed4":
        faults += compare_with_bytes(path, os.path.join(folder[:-len("packed4")] + "int4", "model.onnx"), inputs)
    before, after = (os.path.getsize(os.path.join(folder, f)) for f in ("float.onnx", "model.onnx"))
    print(f"{name:44s} {before:9d} -> {after:9d} bytes", *faults, sep="\n    " if faults else " ")
    return len(faults)


def main():
    program, out, models = sys.argv[1], sys.argv[2], sys.argv[3:]
    models = [m for path in models for m in (sorted(glob.glob(os.path.join(path, "*.onnx"))) if os.path.isdir(path) else [path])]
    models = [m for m in models if os.path.exists(m)]
    if not models:
        print("skipped: no model is there")
        return 77
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    if subprocess.run([program, out, *models]).returncode:
        return 1
    faults = sum(check(folder) for folder in sorted(glob.glob(os.path.join(out, "*"))))
    shutil.rmtree(out)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
