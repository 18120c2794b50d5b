import importlib.metadata

import numpy as np
import onnx
from onnx import numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

TOOL, VERSION = "qonnx", importlib.metadata.version("qonnx")
COMPARED = "accuracy on the test rows, executed by qonnx; bits of every weight and input"


def width_faults(case, model):
    faults = []
    for node in model.graph.node:
        if node.name not in case.widths:
            continue
        got = []
        for name in (node.input[1], node.input[0]):
            maker = model.find_producer(name)
            while maker is not None and maker.op_type not in ("Quant", "IntQuant"):
                maker = model.find_producer(maker.input[0])
            got.append(32 if maker is None else int(model.get_initializer(maker.input[3])))
        if tuple(got) != case.widths[node.name]:
            faults.append(f"{node.name}: {tuple(got)} bits, expected {case.widths[node.name]}")
    return faults


def check(case, path):
    model = ModelWrapper(str(path))
    model.set_tensor_shape(model.graph.input[0].name, list(case.images.shape))
    model = model.transform(InferShapes())
    outputs = execute_onnx(model, {model.graph.input[0].name: case.images})
    return width_faults(case, model) + case.accuracy_faults(outputs[model.graph.output[0].name])


def corrupt(path):
    """One bit more for the second weight."""
    model = onnx.load(path)
    second = [node for node in model.graph.node if node.op_type == "Conv"][1]
    bits = next(node for node in model.graph.node if second.input[1] in node.output).input[3]
    for tensor in model.graph.initializer:
        if tensor.name == bits:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) + np.float32(1), bits))
    onnx.save(model, path)
