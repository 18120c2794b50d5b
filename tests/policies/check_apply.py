"""`lathe apply` with random keep ratios: in ONNX Runtime the cut network computes what the masked one does.

    check_apply.py LATHE OUT NETWORKS MODELS      (a Python with onnx and onnxruntime; exit 77 = skipped, none there)

NETWORKS: the folder of make_networks.py, of which the patterns below are taken; MODELS: LATHE_DATA's networks, left out with a word where they
are not there. max|a - b| <= 1e-5 max|b|: the two sum the same products in another order, which float32 rounds differently by about 1e-7 of
the largest sum each time.
"""
import json
import os
import shutil
import subprocess
import sys

try:
    import numpy as np
    import onnx
    import onnxruntime
except ImportError as error:
    print("skipped:", error)
    sys.exit(77)

PATTERNS = ("bert", "concat_with_itself", "convolution_used_twice", "flatten_features", "gate_across_branches", "grouped_after_concat",
            "pixel_shuffle", "several_outputs", "shuffle_net_v1", "shuffle_net_v2", "squeeze_excitation", "transposed_convolution", "u_net",
            "vision_transformer", "yolo")
MODELS = ("resnet20_cifar10", "resnet56_cifar10", "efficientnet_lite0", "minilm_sst2")
TOLERANCE = 1e-5
ROWS, SEEDS = 3, (1, 2)


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def random_policy(groups, rng):
    """A random share of each prunable group; for every other group also which channels, since L1 norms alone would always keep the largest."""
    entries = []
    for i, group in enumerate(groups):
        channels = int(rng.integers(1, group["channels"] + 1))
        entry = {"name": group["name"], "keep_ratio": channels / group["channels"]}
        if i % 2:
            entry["kept"] = sorted(map(int, rng.choice(group["channels"], channels, replace=False)))
        entries.append(entry)
    return {"format": "lathe.policy", "version": 1, "groups": entries, "layers": []}


def random_inputs(session, rng):
    """Normal images; token ids below the smallest vocabulary, with masks that are cut off behind."""
    inputs = {}
    for info in session.get_inputs():
        shape = [extent if isinstance(extent, int) else ROWS for extent in info.shape]
        if info.type == "tensor(float)":
            inputs[info.name] = rng.standard_normal(shape).astype(np.float32)
        elif "mask" in info.name:
            inputs[info.name] = (np.arange(shape[-1]) < rng.integers(1, shape[-1] + 1, (shape[0], 1))).astype(np.int64)
        else:
            inputs[info.name] = rng.integers(0, 20, shape)
    return inputs


def session_of(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def reasons(inspection):
    """Why groups and layers cannot be pruned or quantized; "" where nothing is said."""
    yield from (group["reason"] for group in inspection["groups"] if not group["prunable"])
    yield from (layer["prunable_reason"] for layer in inspection["layers"] if not layer["prunable"])
    yield from (layer["reason"] for layer in inspection["layers"] if not layer["quantizable"])


def prunable_groups(lathe, model):
    """What inspect finds; its table must give the reasons for the rest too."""
    inspection = json.loads(run(lathe, "inspect", model, "--json"))
    table = run(lathe, "inspect", model)
    for reason in reasons(inspection):
        assert reason and "no: " + reason in table, f"{model}: inspect gives no reason, or its table leaves out '{reason}'"
    groups = [group for group in inspection["groups"] if group["prunable"] and not group["tokens"]]
    assert groups, f"{model}: no prunable group"
    return groups


def faults_of(lathe, model, groups, folder, seed):
    rng = np.random.default_rng(seed)
    chosen = random_policy(groups, rng)
    policy, cut, masked = (os.path.join(folder, name) for name in ("policy.json", "cut.onnx", "masked.onnx"))
    with open(policy, "w") as file:
        json.dump(chosen, file)
    run(lathe, "apply", model, "--policy", policy, "--out", cut)
    run(lathe, "apply", model, "--policy", policy, "--out", masked, "--masked")
    small, whole = session_of(cut), session_of(masked)
    inputs = random_inputs(whole, rng)
    faults = []
    for info, a, b in zip(whole.get_outputs(), small.run(None, inputs), whole.run(None, inputs), strict=True):
        if a.shape != b.shape:
            faults.append(f"{info.name}: shape {a.shape} cut, {b.shape} masked")
            continue
        difference = np.abs(a.astype(np.float64) - b).max() / max(np.abs(b).max(), 1e-30)
        if not difference <= TOLERANCE:
            faults.append(f"{info.name}: differs by {difference:.2g} of the largest value")
    removes = any(entry["keep_ratio"] < 1 for entry in chosen["groups"])
    if removes and os.path.getsize(cut) >= os.path.getsize(masked):
        faults.append("the cut file is no smaller")
    return faults


def with_output(model, name):
    model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    return model


def faults_of_tokens(lathe, path, folder):
    """bert's first block passes on 3 of 6 tokens: what stays is what it would be if nobody attended to what went (PoWER-BERT, in numpy)."""
    kept, tokens = 3, 6
    policy, cut = os.path.join(folder, "policy.json"), os.path.join(folder, "cut.onnx")
    with open(policy, "w") as file:
        json.dump({"format": "lathe.policy", "version": 1, "groups": [{"name": "l0.attention.out/tokens", "channels": kept}]}, file)
    run(lathe, "apply", path, "--policy", policy, "--out", cut)
    whole = onnx.load(path)
    softmaxes = [node for node in whole.graph.node if node.op_type == "Softmax"]
    hidden = [node for node in whole.graph.node if node.op_type == "ReduceMean"][-1].input[0]
    # The second block adds a mask of its own.
    next(node for node in whole.graph.node if node.output[0] == softmaxes[1].input[0]).input[1] = "second_mask"
    whole.graph.input.append(onnx.helper.make_tensor_value_info("second_mask", onnx.TensorProto.FLOAT, ["N", 1, 1, tokens]))
    masked = session_of(with_output(with_output(whole, softmaxes[0].output[0]), hidden).SerializeToString())
    rng = np.random.default_rng(3)
    inputs = {"ids": rng.integers(0, 20, (ROWS, tokens)), "mask": (np.arange(tokens) < np.array([[6], [4], [3]])).astype(np.int64)}
    probabilities = masked.run([softmaxes[0].output[0]], inputs | {"second_mask": np.zeros((ROWS, 1, 1, tokens), np.float32)})[0]
    significance = np.einsum("nhqk,nq->nk", probabilities.astype(np.float64), inputs["mask"])
    significance[:, 0] = np.inf
    stay = np.sort(np.argsort(-significance, axis=1, kind="stable")[:, :kept], axis=1)
    is_seen = np.zeros((ROWS, tokens), np.float32)
    np.put_along_axis(is_seen, stay, 1, axis=1)
    second_mask = ((1 - is_seen * inputs["mask"]) * -1e4).astype(np.float32)[:, None, None, :]
    wanted = np.take_along_axis(masked.run([hidden], inputs | {"second_mask": second_mask})[0], stay[:, :, None], axis=1)
    got = session_of(with_output(onnx.load(cut), hidden).SerializeToString()).run([hidden], inputs)[0]
    if got.shape != wanted.shape:
        return [f"shape {got.shape}, expected {wanted.shape}"]
    difference = np.abs(got - wanted).max() / np.abs(wanted).max()
    return [] if difference <= TOLERANCE else [f"differs by {difference:.2g} of the largest value"]


def main():
    lathe, out, networks, models = sys.argv[1:]
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    failed = 0
    for folder, names in ((networks, PATTERNS), (models, MODELS)):
        for name in names:
            model = os.path.join(folder, name + ".onnx")
            if folder == models and not os.path.exists(model):
                print(f"{name}: skipped, {models} does not hold it")
                continue
            groups = prunable_groups(lathe, model)
            for seed in SEEDS:
                faults = faults_of(lathe, model, groups, out, seed)
                failed += bool(faults)
                print(name, seed, *(faults or ["agrees"]), sep="  ")
    faults = faults_of_tokens(lathe, os.path.join(networks, "bert.onnx"), out)
    failed += bool(faults)
    print("bert, tokens", *(faults or ["agrees"]), sep="  ")
    shutil.rmtree(out)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
