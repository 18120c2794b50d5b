"""`lathe apply` with blocks left out and layers in two factors, against the same done to the ONNX file here: branches multiplied by zero,
and weights replaced by what numpy's truncated singular value decomposition leaves of them.

    check_architecture.py LATHE OUT MODELS      (a Python with onnx and onnxruntime; exit 77 = skipped, none there)

MODELS: LATHE_DATA's networks. max|a - b| <= 1e-3 max|b|: products of factors of float32 round differently by about 1e-7 of the largest sum
each time, and errors add up over 56 layers.
"""
import json
import os
import sys

try:
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import helper, numpy_helper
except ImportError as error:
    print("skipped:", error)
    sys.exit(77)

from check_apply import run

MODELS = ("resnet20_cifar10", "efficientnet_lite0", "minilm_sst2")
TOLERANCE = 1e-3
RATIO = 0.3


def zero_branch(model, name):
    """f -> 0 f at the Add of that name, f being the operand whose maker comes last."""
    graph = model.graph
    add = next(i for i, node in enumerate(graph.node) if node.name == name)
    order = {output: i for i, node in enumerate(graph.node) for output in node.output}
    branch = max((0, 1), key=lambda k: order[graph.node[add].input[k]])
    zeroed = name + "_zeroed"
    if not any(initializer.name == "zero_of_test" for initializer in graph.initializer):
        graph.initializer.append(numpy_helper.from_array(np.float32(0), "zero_of_test"))
    graph.node.insert(add, helper.make_node("Mul", [graph.node[add].input[branch], "zero_of_test"], [zeroed]))
    graph.node[add + 1].input[branch] = zeroed


def truncate(model, name):
    """The layer's weight becomes its best approximation of the rank that Lathe takes; whether there is one that saves anything."""
    node = next(node for node in model.graph.node if node.name == name)
    stored = next((i for i in model.graph.initializer if i.name == node.input[1]), None)
    if stored is None:
        return False
    weight = numpy_helper.to_array(stored)
    outputs_first = node.op_type == "Conv" or any(a.name == "transB" and a.i for a in node.attribute)
    matrix = weight.reshape(weight.shape[0], -1) if outputs_first else weight.T
    rank = max(1, round(RATIO * min(matrix.shape)))
    if rank * sum(matrix.shape) >= matrix.size:
        return False
    u, s, v = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
    low = ((u[:, :rank] * s[:rank]) @ v[:rank]).astype(np.float32)
    stored.CopyFrom(numpy_helper.from_array(low.reshape(weight.shape) if outputs_first else low.T.copy(), stored.name))
    return True


def random_inputs(session, rng):
    inputs = {}
    for info in session.get_inputs():
        shape = [extent if isinstance(extent, int) else 3 for extent in info.shape]
        if info.type == "tensor(float)":
            inputs[info.name] = rng.standard_normal(shape).astype(np.float32)
        elif "mask" in info.name:
            inputs[info.name] = (np.arange(shape[-1]) < 5 * np.ones((shape[0], 1))).astype(np.int64)
        else:
            inputs[info.name] = rng.integers(0, 20, shape)
    return inputs


def check(lathe, out, path):
    inspected = json.loads(run(lathe, "inspect", path, "--json"))
    blocks = [block for i, block in enumerate(inspected["blocks"]) if i % 3 == 0]
    gone = {layer for block in blocks for layer in block["layers"]}
    reference = onnx.load(path)
    for block in blocks:
        zero_branch(reference, block["name"])
    named = {node.name for node in reference.graph.node}
    wanted = [layer["name"] for layer in inspected["layers"] if layer["op"] in ("Conv", "Gemm", "MatMul") and layer["name"] in named - gone
              and layer["groups_of_convolution"] == 1]
    factored = [name for name in wanted[1::2] if truncate(reference, name)]
    policy = {"format": "lathe.policy", "version": 1, "blocks": [{"name": block["name"], "keep": False} for block in blocks],
              "layers": [{"name": name, "rank_ratio": RATIO} for name in factored]}
    assert blocks and factored, (len(blocks), len(factored))
    name = os.path.splitext(os.path.basename(path))[0]
    policy_path, applied = os.path.join(out, name + ".json"), os.path.join(out, name + ".onnx")
    with open(policy_path, "w") as file:
        json.dump(policy, file)
    run(lathe, "apply", path, "--policy", policy_path, "--out", applied)
    small = onnx.load(applied)
    assert sum(np.prod(i.dims) for i in small.graph.initializer) < sum(np.prod(i.dims) for i in reference.graph.initializer)
    sessions = [onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]) for model in (small, reference)]
    inputs = random_inputs(sessions[0], np.random.default_rng(1))
    for a, b in zip(*(session.run(None, inputs) for session in sessions)):
        error = np.abs(a - b).max() / np.abs(b).max()
        assert error <= TOLERANCE, f"{name}: {error}"
    print(f"{name}: {len(blocks)} blocks out, {len(factored)} layers in two factors")


def main():
    lathe, out, models = sys.argv[1:]
    os.makedirs(out, exist_ok=True)
    paths = [os.path.join(models, name + ".onnx") for name in MODELS]
    present = [path for path in paths if os.path.exists(path)]
    for path in present:
        check(lathe, out, path)
    if not present:
        print("skipped: no networks in", models)
        sys.exit(77)


main()
