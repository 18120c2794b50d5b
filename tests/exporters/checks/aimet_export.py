import importlib.metadata
import json

import numpy as np
import onnx
from aimet_onnx.quantsim import QuantizationSimModel, load_encodings_to_sim

TOOL, VERSION = "aimet-onnx", importlib.metadata.version("aimet-onnx")
COMPARED = "accuracy on the test rows, simulated by AIMET; bits of every weight and input"


def width_faults(case, sim, model):
    faults = []
    makers = {output: node for node in model.graph.node for output in node.output}
    for node in model.graph.node:
        if node.name not in case.widths:
            continue
        got = []
        for tensor in (node.input[1], node.input[0]):
            while tensor not in sim.qc_quantize_op_dict or not sim.qc_quantize_op_dict[tensor].enabled:
                tensor = makers[tensor].input[0] if tensor in makers else None
                if tensor is None:
                    break
            got.append(sim.qc_quantize_op_dict[tensor].bitwidth if tensor else 32)
        if tuple(got) != case.widths[node.name]:
            faults.append(f"{node.name}: {tuple(got)} bits, expected {case.widths[node.name]}")
    return faults


def check(case, path):
    model = onnx.load(path.with_suffix(".onnx"))
    sim = QuantizationSimModel(onnx.load(path.with_suffix(".onnx")), providers=["CPUExecutionProvider"])
    load_encodings_to_sim(sim, str(path), strict=False)
    logits = np.concatenate([sim.session.run(None, {model.graph.input[0].name: rows})[0] for rows in np.split(case.images, 4)])
    return width_faults(case, sim, model) + case.accuracy_faults(logits)


def corrupt(path):
    """One bit more for the second weight, at the same scale."""
    document = json.loads(path.read_text())
    document["param_encodings"][1]["bw"] += 1
    path.write_text(json.dumps(document))
