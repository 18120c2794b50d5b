"""A small builder of ONNX graphs with random weights, for networks that show one pattern each."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Graph:
    def __init__(self, name, opset=13):
        self.name, self.opset = name, opset
        self.rng = np.random.default_rng(sum(name.encode()))
        self.nodes, self.constants, self.inputs, self.outputs, self.count = [], [], [], [], 0

    # Values and constants

    def input(self, *shape, name="x", type=TensorProto.FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, type, ["N", *shape]))
        return name

    def output(self, *values, shape=None):
        """`shape` (without the batch) where ONNX's inference does not find it."""
        for value in values:
            self.outputs.append(helper.make_tensor_value_info(value, TensorProto.FLOAT, shape and ["N", *shape]))

    def constant(self, array, name=None):
        array = np.asarray(array)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        self.count += 1
        name = name or f"const_{self.count}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def normal(self, *shape, scale=1.0):
        return (self.rng.standard_normal(shape) * scale).astype(np.float32)

    def weight(self, *shape, fan_in):
        return self.constant(self.normal(*shape, scale=(1.5 / fan_in) ** 0.5))

    def op(self, op, *inputs, name=None, outputs=1, **attributes):
        self.count += 1
        name = name or f"{op.lower()}_{self.count}"
        made = [f"{name}.out{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), made, name=name, **attributes))
        return made[0] if outputs == 1 else made

    def ints(self, *values):
        return self.constant(np.array(values, np.int64))

    # Layers; `channels` of inputs are passed along by the caller, as a network's author would

    def conv(self, x, name, inputs, outputs, kernel=3, stride=1, group=1, bias=True, dilation=1, pad=None, weight=None):
        pad = dilation * (kernel // 2) if pad is None else pad
        weight = weight or self.weight(outputs, inputs // group, kernel, kernel, fan_in=inputs // group * kernel**2)
        operands = [x, weight] + ([self.constant(self.normal(outputs, scale=0.3))] if bias else [])
        return self.op("Conv", *operands, name=name, group=group, strides=[stride] * 2, kernel_shape=[kernel] * 2,
                       pads=[pad] * 4, dilations=[dilation] * 2)

    def bn(self, x, channels):
        parameters = [self.constant(a) for a in (self.rng.uniform(0.5, 1.5, channels), self.normal(channels, scale=0.3),
                                                  self.normal(channels, scale=0.3), self.rng.uniform(0.5, 1.5, channels))]
        return self.op("BatchNormalization", x, *parameters)

    def relu(self, x):
        return self.op("Relu", x)

    def silu(self, x):
        return self.op("Mul", x, self.op("Sigmoid", x))

    def conv_bn(self, x, name, inputs, outputs, act="relu", **options):
        x = self.bn(self.conv(x, name, inputs, outputs, bias=False, **options), outputs)
        return {"relu": self.relu, "silu": self.silu, None: lambda v: v, "hswish": lambda v: self.op("HardSwish", v),
                "relu6": lambda v: self.op("Clip", v, self.constant(np.float32(0)), self.constant(np.float32(6)))}[act](x)

    def linear(self, x, name, inputs, outputs, bias=True):
        """MatMul and Add, as exporters write linear layers on sequences."""
        x = self.op("MatMul", x, self.weight(inputs, outputs, fan_in=inputs), name=name)
        return self.op("Add", self.constant(self.normal(outputs, scale=0.3)), x) if bias else x

    def gemm(self, x, name, inputs, outputs):
        return self.op("Gemm", x, self.weight(outputs, inputs, fan_in=inputs), self.constant(self.normal(outputs, scale=0.3)), name=name, transB=1)

    def reshape(self, x, *shape, name=None):
        return self.op("Reshape", x, self.ints(*shape), name=name)

    def transpose(self, x, *perm):
        return self.op("Transpose", x, perm=list(perm))

    def slice(self, x, axis, begin, end, step=1):
        return self.op("Slice", x, self.ints(begin), self.ints(end), self.ints(axis), self.ints(step))

    def split(self, x, sizes, axis, name=None):
        return self.op("Split", x, self.ints(*sizes), axis=axis, outputs=len(sizes), name=name)

    def concat(self, *values, axis=1):
        return self.op("Concat", *values, axis=axis)

    def layer_norm(self, x, channels, name):
        """Spelled out, as PyTorch exports it before opset 17."""
        centered = self.op("Sub", x, self.op("ReduceMean", x, axes=[-1], name=name))
        variance = self.op("ReduceMean", self.op("Pow", centered, self.constant(np.float32(2))), axes=[-1])
        deviation = self.op("Sqrt", self.op("Add", variance, self.constant(np.float32(1e-5))))
        scaled = self.op("Mul", self.op("Div", centered, deviation), self.constant(self.rng.uniform(0.5, 1.5, channels)))
        return self.op("Add", scaled, self.constant(self.normal(channels, scale=0.3)))

    def gelu(self, x):
        erf = self.op("Erf", self.op("Div", x, self.constant(np.float32(2**0.5))))
        return self.op("Mul", self.op("Mul", x, self.op("Add", erf, self.constant(np.float32(1)))), self.constant(np.float32(0.5)))

    def head(self, x, channels, classes=10, name="head"):
        """Global average pooling and a classifier."""
        x = self.op("Flatten", self.op("GlobalAveragePool", x), axis=1)
        self.output(self.gemm(x, name, channels, classes), shape=[classes])

    def model(self):
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        model.ir_version = 8
        model = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        onnx.checker.check_model(model)
        return model
