"""Two ONNX files of one network, for instance with weights as int8 and as int4: bytes, ONNX Runtime's latency and whether they answer alike.

    python3 bench/integer_types.py FILE.onnx OTHER.onnx [--runs 200] [--cifar10 FOLDER] [--fold]

One thread, batch 1; both take turns, and the least of all runs counts. Answers are compared on the 10,000 test images of the folder, or on
1,000 made-up inputs. --fold: ONNX Runtime turns weights into floats once, when it loads the file, and has no integer kernels
(session.disable_quant_qdq); without it, weights that no integer kernel takes are dequantized in every run.
"""

import argparse
import os

import numpy as np
import onnxruntime
from measured_latency import inputs_of, least_ms

MEAN, STDDEV = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def session(path, folds):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.disable_quant_qdq", "1" if folds else "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def cifar10_images(folder):
    records = np.fromfile(os.path.join(folder, "test_batch.bin"), np.uint8).reshape(-1, 3073)
    images = records[:, 1:].reshape(-1, 3, 32, 32) / 255
    return ((images - MEAN[:, None, None]) / STDDEV[:, None, None]).astype(np.float32)


def made_up(network, rows=1000):
    """Normal numbers; tokens of a small vocabulary, none of them padding."""
    rng = np.random.default_rng(0)
    inputs = {}
    for name, one in inputs_of(network).items():
        shape = (rows, *one.shape[1:])
        is_mask = "mask" in name
        inputs[name] = rng.normal(size=shape).astype(np.float32) if one.dtype == np.float32 else (
            np.ones(shape, np.int64) if is_mask else rng.integers(5, 9000, shape))
    return inputs


def answers(network, inputs, batch=100):
    rows = len(next(iter(inputs.values())))
    parts = [network.run(None, {name: array[i:i + batch] for name, array in inputs.items()})[0] for i in range(0, rows, batch)]
    return np.concatenate(parts).argmax(-1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs=2)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--cifar10")
    parser.add_argument("--fold", action="store_true")
    arguments = parser.parse_args()
    networks = [session(path, arguments.fold) for path in arguments.files]
    times = least_ms(networks, arguments.runs)
    for path, time in zip(arguments.files, times):
        print(f"{path}: {os.path.getsize(path)} bytes, {time:.3f} ms")
    inputs = {networks[0].get_inputs()[0].name: cifar10_images(arguments.cifar10)} if arguments.cifar10 else made_up(networks[0])
    first, second = (answers(network, inputs) for network in networks)
    print(f"{(first == second).sum()} of {len(first)} answers are the same")


if __name__ == "__main__":
    main()
