import importlib.metadata
import json

import hls4ml
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.channels_last import ConvertToChannelsLastAndClean
from qonnx.transformation.infer_shapes import InferShapes

TOOL, VERSION = "hls4ml", importlib.metadata.version("hls4ml")
COMPARED = "width of the fixed-point type of every weight, and of what every layer reads (the widest where several read it), as converted"


def convert(case, path):
    model = ModelWrapper(str(path.with_suffix(".onnx")))
    model.set_tensor_shape(model.graph.input[0].name, [1] + list(case.images.shape[1:]))
    model = model.transform(InferShapes()).transform(ConvertToChannelsLastAndClean(make_input_channels_last=True)).transform(InferShapes())
    for number, node in enumerate(model.graph.node):   # what the conversion added; GiveUniqueNodeNames would rename the layers too
        node.name = node.name or f"{node.op_type}_{number}"
    for name in [name for name in model.get_all_tensor_names() if name[0].isdigit()]:   # hls4ml 1.3.0 loses operands of such names
        model.rename_tensor(name, f"tensor_{name}")
    return hls4ml.converters.convert_from_onnx_model(model.model, output_dir=str(path.parent / "hls"), hls_config=json.loads(path.read_text()),
                                                     backend="Vitis", io_type="io_parallel")


def check(case, path):
    converted = convert(case, path)
    layers = {layer.name: layer for layer in converted.get_layers()}
    faults = []
    for name, (weight, _) in case.widths.items():
        # An Add between quantized layers reads 8 bits.
        activation = max(case.widths[reader][1] if reader in case.widths else 8 for reader in case.readers_beside(name))
        layer = next(layers[kind + name.replace(".", "_")] for kind in ("Conv2D_", "Dense_") if kind + name.replace(".", "_") in layers)
        got = (layer.get_weights("weight").type.precision.width, layer.get_input_variable().type.precision.width)
        if got != (weight, activation):
            faults.append(f"{name}: {got} bits, expected {(weight, activation)}")
    return faults


def corrupt(path):
    document = json.loads(path.read_text())
    name = next(name for name, layer in document["LayerName"].items() if "weight" in layer["Precision"])
    document["LayerName"][name]["Precision"]["weight"] = "fixed<9,1>"
    path.write_text(json.dumps(document))
