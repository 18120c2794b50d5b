import pathlib
import subprocess
import sys

import numpy as np
import onnx
from onnx import numpy_helper

from checks.onnx_qdq_export import run

TOOL, VERSION = "scripts/unpack.py", f"numpy {np.__version__}"
COMPARED = "every byte of the delivered ONNX file, sizes, accuracy on the test rows"
SCRIPT = pathlib.Path(__file__).resolve().parents[3] / "scripts" / "unpack.py"


def unpack(path, out):
    done = subprocess.run([sys.executable, str(SCRIPT), str(path), str(out)], capture_output=True, text=True)
    if done.returncode:
        raise ValueError(done.stderr.strip().splitlines()[-1])
    return done.stdout


def check(case, path):
    whole, arrays = path.with_suffix(".unpacked.onnx"), path.with_suffix(".npz")
    unpack(path, whole)
    unpack(path, arrays)
    faults = [] if whole.read_bytes() == case.compressed.read_bytes() else ["the unpacked file is not the delivered one"]
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(case.compressed).graph.initializer}
    for name, array in np.load(arrays).items():
        if not np.array_equal(array, tensors[name]):
            faults.append(f"{name} differs")
    payload, rest = (int(word) for word in unpack(path, "--list").splitlines()[-1].split() if word.isdigit())
    if payload != case.policy["metrics"]["packed_bytes"] or payload + rest != path.stat().st_size:
        faults.append(f"{payload} bytes of weights, reported {case.policy['metrics']['packed_bytes']}")
    return faults + case.accuracy_faults(run(whole, case.images))


def corrupt(path):
    """One bit of the last weight."""
    bytes_ = bytearray(path.read_bytes())
    bytes_[-1] ^= 1
    path.write_bytes(bytes_)
