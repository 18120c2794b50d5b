import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

TOOL, VERSION = "onnxruntime", onnxruntime.__version__
COMPARED = "accuracy on the test rows, bits of every weight and input, channels"


def run(path, images):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: images})[0]


def bits_of(largest_level):
    """Of the narrowest symmetric width whose levels reach this."""
    return int(np.ceil(np.log2(largest_level + 1))) + 1


def width_faults(case, graph):
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}
    faults = []
    for node in graph.node:
        if node.name not in case.widths:
            continue
        weight_bits, activation_bits = case.widths[node.name]
        levels = constants[makers[node.input[1]].input[0]]
        if bits_of(np.abs(levels.astype(int)).max()) != weight_bits:
            faults.append(f"{node.name}: weight levels to {np.abs(levels.astype(int)).max()}, expected {weight_bits} bits")
        if levels.shape[0] != case.channels[node.name][1]:
            faults.append(f"{node.name}: {levels.shape[0]} channels, expected {case.channels[node.name][1]}")
        got = activation_bits_of(node.input[0], makers, constants)
        if got != activation_bits:
            faults.append(f"{node.name}: activations of {got} bits, expected {activation_bits}")
    return faults


def activation_bits_of(name, makers, constants):
    node = makers[name]
    if node.op_type != "DequantizeLinear":
        return 32
    while node.op_type not in ("QuantizeLinear", "Clip"):
        node = makers[node.input[0]]
    return 8 if node.op_type == "QuantizeLinear" else int(np.log2(int(constants[node.input[2]]) + 1))


def check(case, path):
    model = onnx.load(path)
    onnx.checker.check_model(model)
    return case.accuracy_faults(run(path, case.images)) + width_faults(case, model.graph)


def corrupt(path):
    """A tenth of the scale of the second layer's weight."""
    model = onnx.load(path)
    second = [node for node in model.graph.node if node.op_type == "Conv"][1]
    scale = next(node for node in model.graph.node if second.input[1] in node.output).input[1]
    for tensor in model.graph.initializer:
        if tensor.name == scale:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(0.1), scale))
    onnx.save(model, path)
