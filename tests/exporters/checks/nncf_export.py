import importlib.metadata
import json
import os

os.environ["NNCF_TORCH_LEGACY_TRACING"] = "1"   # read at import; NNCF then wraps PyTorch's operators, so this check comes last
os.environ["NNCF_EXTENSION_LOAD_TIMEOUT"] = "0"   # it compiles its quantizers at the first use

import torch
from nncf import NNCFConfig
from nncf.torch import create_compressed_model, register_default_init_args

import torch_twin

TOOL, VERSION = "nncf", importlib.metadata.version("nncf")
COMPARED = "bits of the quantizers of every module's weight and input (the widest, which NNCF gives all activations)"


def module_of(scope):
    """"Twin/Stem[stem]/NNCFConv2d[conv]/conv2d_0" -> "stem.conv"."""
    return ".".join(part[part.index("[") + 1:-1] for part in scope.split("/") if "[" in part)


def check(case, path):
    config = NNCFConfig.from_json(str(path))
    config["log_dir"] = str(case.folder)
    rows = torch.utils.data.TensorDataset(torch.from_numpy(case.images[:32]), torch.zeros(32))
    config = register_default_init_args(config, torch.utils.data.DataLoader(rows, batch_size=8))
    controller, _ = create_compressed_model(torch_twin.Twin(case.model), config)
    setup = controller.get_compression_state()["builder_state"]["quantization"]["quantizer_setup"]
    got = {name: [32, 32] for name in case.widths}
    for point in setup["quantization_points"].values():
        for scope in point["directly_quantized_operator_node_names"]:
            if module_of(scope) in got:
                is_input = point["target_point"]["target_type"]["name"] != "OPERATION_WITH_WEIGHTS"
                got[module_of(scope)][is_input] = point["qspec"]["num_bits"]
    widest = max(activation for _, activation in case.widths.values())
    return [f"{name}: {tuple(got[name])} bits, expected {(weight, widest)}" for name, (weight, _) in case.widths.items()
            if tuple(got[name]) != (weight, widest)]


def corrupt(path):
    document = json.loads(path.read_text())
    overrides = document["compression"]["scope_overrides"]["weights"]
    first = sorted(overrides)[0]
    overrides[first]["bits"] = overrides[first]["bits"] - 1
    path.write_text(json.dumps(document))
