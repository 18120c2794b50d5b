"""Compares quantized networks in ONNX Runtime with their simulation: folders that qdq_cases wrote.

    check_qdq.py OUT [--ops]       (a Python with onnx and onnxruntime)
"""
import glob
import os
import sys
from collections import Counter

import numpy as np
import onnx
import onnxruntime as ort

TYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64}


def read(path, info, rows):
    shape = [rows if not isinstance(d, int) else d for d in info.shape]
    return np.fromfile(path, TYPES[info.type]).reshape(shape)


def session(path, optimized=None, level=ort.GraphOptimizationLevel.ORT_ENABLE_ALL):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = level
    options.log_severity_level = 3
    if optimized:
        options.optimized_model_filepath = optimized
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def main():
    failures = 0
    for folder in sorted(glob.glob(os.path.join(sys.argv[1], "*"))):
        rows = int(open(os.path.join(folder, "rows.txt")).read())
        path = os.path.join(folder, "model.onnx")
        onnx.checker.check_model(path)
        run = session(path, "/tmp/q/opt.onnx" if "--ops" in sys.argv else None)
        plain = session(path, level=ort.GraphOptimizationLevel.ORT_DISABLE_ALL)
        inputs = {info.name: read(os.path.join(folder, f"input_{i}.bin"), info, rows) for i, info in enumerate(run.get_inputs())}
        for i, info in enumerate(run.get_outputs()):
            simulated = read(os.path.join(folder, f"simulated_{i}.bin"), info, rows)
            lowered = read(os.path.join(folder, f"lowered_{i}.bin"), info, rows)
            got, unfused = run.run(None, inputs)[i], plain.run(None, inputs)[i]
            scale = np.abs(simulated).max()
            diffs = [np.abs(x - simulated).max() / scale for x in (got, unfused, lowered)]
            agree = (got.argmax(-1) == simulated.argmax(-1)).mean()
            print(f"{os.path.basename(folder):40s} fused {diffs[0]:.4f} unfused {diffs[1]:.4f} lathe {diffs[2]:.4f} agree {agree:.2f} "
                  f"bytes {os.path.getsize(os.path.join(folder, 'float.onnx'))} -> {os.path.getsize(path)}")
        if "--ops" in sys.argv:
            print("   ", dict(Counter(n.op_type for n in onnx.load("/tmp/q/opt.onnx").graph.node)))
    return failures


sys.exit(main())
