import json

import torch
from torch.ao.quantization.observer import MinMaxObserver, PerChannelMinMaxObserver
from torch.ao.quantization.quantize_pt2e import prepare_pt2e
from torch.ao.quantization.quantizer import QuantizationSpec
from torch.ao.quantization.quantizer.xnnpack_quantizer import XNNPACKQuantizer
from torch.ao.quantization.quantizer.xnnpack_quantizer_utils import QuantizationConfig

import torch_twin

TOOL, VERSION = "torch pt2e", torch.__version__.split("+")[0]
COMPARED = "levels of the observers that prepare_pt2e puts on the weight and input of every module"


def spec_of(fields):
    observer = PerChannelMinMaxObserver if "ch_axis" in fields else MinMaxObserver
    return QuantizationSpec(dtype=getattr(torch, fields["dtype"]), quant_min=fields["quant_min"], quant_max=fields["quant_max"],
                            qscheme=getattr(torch, fields["qscheme"]), ch_axis=fields.get("ch_axis"), observer_or_fake_quant_ctr=observer)


def quantizer_of(path):
    quantizer = XNNPACKQuantizer()
    for name, module in json.loads(path.read_text())["modules"].items():
        specs = {key: spec_of(module[key]) if key in module else None for key in ("input_activation", "weight")}
        quantizer.set_module_name(name, QuantizationConfig(output_activation=None, bias=None, **specs))
    return quantizer


def module_of(node):
    return list(node.meta["nn_module_stack"].values())[-1][0].removeprefix("L['self'].")


def check(case, path):
    example = (torch.from_numpy(case.images[:2]),)
    exported = torch.export.export_for_training(torch_twin.Twin(case.model), example).module()
    prepared = prepare_pt2e(exported, quantizer_of(path))
    observers = dict(prepared.named_modules())
    got = {}
    for node in prepared.graph.nodes:
        if node.op != "call_function" or not any(kind in str(node.target) for kind in ("conv2d", "linear")):
            continue
        widths = []
        for source in (node.args[1], node.args[0]):
            observer = observers.get(source.target) if source.op == "call_module" else None
            widths.append(32 if observer is None else (observer.quant_max - observer.quant_min + 1).bit_length() - (observer.quant_min == 0))
        got[module_of(node)] = tuple(widths)
    return [f"{name}: {got.get(name)} bits, expected {widths}" for name, widths in case.widths.items() if got.get(name) != widths]


def corrupt(path):
    document = json.loads(path.read_text())
    second = sorted(document["modules"])[1]
    document["modules"][second]["weight"]["quant_max"] *= 2
    path.write_text(json.dumps(document))
