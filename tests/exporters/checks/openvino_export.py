import importlib.metadata

import openvino

from . import onnx_qdq_export

TOOL, VERSION = "openvino", importlib.metadata.version("openvino")
COMPARED = "accuracy on the test rows, run by OpenVINO on the CPU"
corrupt = onnx_qdq_export.corrupt


def check(case, path):
    model = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return case.accuracy_faults(model(case.images)[0])
