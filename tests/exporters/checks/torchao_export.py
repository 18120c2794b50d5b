import importlib.metadata
import json

import torch
from torchao.core.config import config_from_dict
from torchao.quantization import quantize_

import torch_twin

TOOL, VERSION = "torchao", importlib.metadata.version("torchao")
COMPARED = "bits of the weight of every linear module"


def check(case, path):
    model = torch_twin.Twin(case.model)
    before = {name: module.weight for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    config = config_from_dict(json.loads(path.read_text()))
    quantize_(model, config, filter_fn=None)
    faults = []
    for name, module in model.named_modules():
        if name not in before:
            continue
        weight, expected = module.weight, case.widths[name][0]
        got = (weight.quant_max - weight.quant_min).bit_length() if hasattr(weight, "quant_max") else 32
        if got != expected:
            faults.append(f"{name}: {got} bits, expected {expected}")
        elif torch.equal(weight.dequantize(), before[name]):
            faults.append(f"{name}: nothing was quantized")
    return faults


def corrupt(path):
    document = json.loads(path.read_text())
    for module in document["_data"]["module_fqn_to_config"].values():
        module["_data"]["weight_dtype"]["_data"] = "int2"
    path.write_text(json.dumps(document))
