import importlib.metadata
import json

import torch
from nni.compression.pruning import L1NormPruner
from nni.compression.base.compressor import Quantizer

import torch_twin

TOOL, VERSION = "nni", importlib.metadata.version("nni")
COMPARED = "channels that a pruner's masks leave; bits of every weight and input in a quantizer"


def check(case, path):
    document = json.loads(path.read_text())
    faults = []
    _, masks = L1NormPruner(torch_twin.Twin(case.model), document["pruning"]).compress()
    for name, (before, after) in case.channels.items():
        left = int(masks[name]["weight"].flatten(1).any(1).sum()) if name in masks else before
        if left != after:
            faults.append(f"{name}: {left} channels, expected {after}")
    quantizer = Quantizer(torch_twin.Twin(case.model), document["quantization"])
    for name, (weight, activation) in case.widths.items():
        targets = quantizer._target_spaces.get(name, {})
        got = tuple(targets[target].quant_bits if target in targets else 32 for target in ("weight", "_input_0" if "_input_0" in targets else "_input_"))
        if got != (weight, activation):
            faults.append(f"{name}: {got} bits, expected {(weight, activation)}")
    return faults


def corrupt(path):
    document = json.loads(path.read_text())
    document["pruning"][0]["sparse_ratio"] = 0.25
    document["quantization"][2]["quant_dtype"] = "int2"
    path.write_text(json.dumps(document))
