import json

import torch
from torch.ao.quantization.observer import MinMaxObserver, PerChannelMinMaxObserver
from torch.ao.quantization.quantize_pt2e import prepare_pt2e
from torch.ao.quantization.quantizer import QuantizationAnnotation, QuantizationSpec, Quantizer

import torch_twin

TOOL, VERSION = "torch pt2e", torch.__version__.split("+")[0]
COMPARED = "levels of the observers that prepare_pt2e puts on the weight and input of every module"


def spec_of(fields):
    observer = PerChannelMinMaxObserver if "ch_axis" in fields else MinMaxObserver
    return QuantizationSpec(dtype=getattr(torch, fields["dtype"]), quant_min=fields["quant_min"], quant_max=fields["quant_max"],
                            qscheme=getattr(torch, fields["qscheme"]), ch_axis=fields.get("ch_axis"), observer_or_fake_quant_ctr=observer)


def module_of(node):
    stack = node.meta.get("nn_module_stack")
    return list(stack.values())[-1][0].removeprefix("L['self'].") if stack else ""


def is_layer(node):
    return node.op == "call_function" and any(kind in str(node.target) for kind in ("aten.conv2d", "aten.linear"))


class PolicyQuantizer(Quantizer):
    """Hands each module's specs to its weight and input. (XNNPACKQuantizer.set_module_name passes convolutions over, since their weights have no
    module in the exported graph.)"""

    def __init__(self, path):
        super().__init__()
        self.modules = json.loads(path.read_text())["modules"]

    def annotate(self, model):
        for node in filter(is_layer, model.graph.nodes):
            specs = self.modules.get(module_of(node), {})
            operands = {"input_activation": node.args[0], "weight": node.args[1]}
            node.meta["quantization_annotation"] = QuantizationAnnotation(
                input_qspec_map={operands[key]: spec_of(fields) for key, fields in specs.items()}, _annotated=True)
        return model

    def validate(self, model):
        pass


def check(case, path):
    example = (torch.from_numpy(case.images[:2]),)
    exported = torch.export.export_for_training(torch_twin.Twin(case.model), example).module()
    prepared = prepare_pt2e(exported, PolicyQuantizer(path))
    observers = dict(prepared.named_modules())
    got = {}
    for node in prepared.graph.nodes:
        if not is_layer(node):
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
