"""Writes small networks that exercise import, with ONNX Runtime's outputs, as folders that onnx_cases_test runs.

    generate_small_networks.py OUT        (a Python with onnx and onnxruntime)

Each network is what an exporter writes for a pattern: the shape arithmetic of a view with an open batch, the older forms of opsets 11
and 12, uneven padding, resizing to sizes that are computed, ... Each is run for three samples although its batch is open.
"""
import os
import shutil
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

ROWS = 3
RNG = np.random.default_rng(7)
CASES = {}


def case(opset=13, **shapes):
    """Registers a function that adds nodes to a Graph and returns the names of the outputs. shapes: inputs, without the batch."""
    def register(function):
        CASES[function.__name__] = (function, opset, shapes)
        return function
    return register


class Graph:
    def __init__(self):
        self.nodes, self.constants, self.count = [], [], 0

    def fresh(self, hint):
        self.count += 1
        return f"{hint}_{self.count}"

    def const(self, value, dtype=np.int64):
        name = self.fresh("c")
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def weight(self, *shape):
        return self.const(RNG.standard_normal(shape) / np.sqrt(max(1, np.prod(shape[1:]))), np.float32)

    def op(self, op, *inputs, outputs=1, **attributes):
        names = [self.fresh(op.lower()) for _ in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def dim(self, x, axis):
        """x.shape[axis] as PyTorch writes it."""
        return self.op("Gather", self.op("Shape", x), self.const(axis), axis=0)

    def vector(self, *parts):
        """A shape vector of scalars (names) and numbers, as PyTorch writes it."""
        pieces = [self.op("Unsqueeze", p, self.const([0])) if isinstance(p, str) else self.const([p]) for p in parts]
        return self.op("Concat", *pieces, axis=0)


@case(x=(8, 4, 4))
def view_with_batch_from_shape(g):
    y = g.op("Reshape", "x", g.vector(g.dim("x", 0), -1))
    return [g.op("Gemm", y, g.weight(128, 5), g.weight(5))]


@case(x=(8, 4, 4))
def view_with_every_extent_computed(g):
    n, c, h, w = (g.dim("x", i) for i in range(4))
    y = g.op("Reshape", "x", g.vector(n, c, g.op("Mul", h, w)))
    return [g.op("Transpose", y, perm=[0, 2, 1])]


@case(x=(12, 6, 6))
def channel_shuffle(g):
    n, c, h, w = (g.dim("x", i) for i in range(4))
    y = g.op("Reshape", "x", g.vector(n, 3, g.op("Div", c, g.const(3)), h, w))
    y = g.op("Transpose", y, perm=[0, 2, 1, 3, 4])
    return [g.op("Reshape", y, g.vector(n, -1, h, w))]


@case(x=(10, 16))
def attention_folds_heads_into_batch(g):
    n = g.dim("x", 0)
    heads = []
    for _ in range(3):
        y = g.op("Add", g.op("MatMul", "x", g.weight(16, 16)), g.weight(16))
        y = g.op("Transpose", g.op("Reshape", y, g.vector(n, 10, 4, 4)), perm=[0, 2, 1, 3])
        heads.append(g.op("Reshape", y, g.vector(g.op("Mul", n, g.const(4)), 10, 4)))
    scores = g.op("Softmax", g.op("MatMul", heads[0], g.op("Transpose", heads[1], perm=[0, 2, 1])), axis=-1)
    y = g.op("Reshape", g.op("MatMul", scores, heads[2]), g.vector(n, 4, 10, 4))
    return [g.op("Reshape", g.op("Transpose", y, perm=[0, 2, 1, 3]), g.vector(n, 10, -1))]


@case(x=(9, 8))
def class_token_expanded_over_the_batch(g):
    shape = g.vector(g.dim("x", 0), -1, -1)
    # PyTorch writes expand(n, -1, -1) as a Where over the target.
    ones = g.op("ConstantOfShape", g.op("Shape", shape), value=helper.make_tensor("v", TensorProto.INT64, [1], [1]))
    minus = g.op("Mul", ones, g.const(-1))
    target = g.op("Where", g.op("Equal", shape, minus), ones, shape)
    token = g.op("Expand", g.weight(1, 1, 8), target)
    return [g.op("Add", g.op("Concat", token, "x", axis=1), g.weight(1, 10, 8))]


@case(x=(6,))
def positions_from_range(g):
    ids = g.op("Range", g.const(0), g.dim("x", 1), g.const(1))
    table = g.op("Gather", g.weight(20, 6), ids, axis=0)
    return [g.op("MatMul", "x", table)]


@case(x=(4, 8, 8))
def slice_to_half_of_computed_extent(g):
    half = g.op("Div", g.dim("x", 1), g.const(2))
    a = g.op("Slice", "x", g.const([0]), g.op("Unsqueeze", half, g.const([0])), g.const([1]))
    b = g.op("Slice", "x", g.op("Unsqueeze", half, g.const([0])), g.const([2**63 - 1]), g.const([1]))
    return [g.op("Mul", a, g.op("Sigmoid", b))]


@case(x=(4, 5, 7))
def slice_whole_batch_by_its_size(g):
    n = g.op("Unsqueeze", g.dim("x", 0), g.const([0]))
    y = g.op("Slice", "x", g.const([0]), n, g.const([0]))
    return [g.op("Relu", g.op("Slice", y, g.const([-1]), g.const([-100]), g.const([3]), g.const([-2])))]


@case(x=(3, 5, 5), skip=(3, 11, 9))
def resize_to_the_size_of_another(g):
    size = g.op("Slice", g.op("Shape", "skip"), g.const([2]), g.const([4]), g.const([0]))
    head = g.op("Slice", g.op("Shape", "x"), g.const([0]), g.const([2]), g.const([0]))
    sizes = g.op("Concat", head, size, axis=0)
    y = g.op("Resize", "x", "", "", sizes, mode="linear", coordinate_transformation_mode="pytorch_half_pixel")
    z = g.op("Resize", "x", "", "", sizes, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    w = g.op("Resize", "x", "", "", sizes, mode="cubic", coordinate_transformation_mode="align_corners", cubic_coeff_a=-0.5)
    return [g.op("Add", y, "skip"), z, w]


@case(x=(3, 5, 5))
def resize_by_scales(g):
    scales = g.const([1, 1, 2, 2], np.float32)
    return [g.op("Resize", "x", "", scales, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
            g.op("Resize", "x", "", scales, mode="linear", coordinate_transformation_mode="half_pixel")]


@case(opset=11, x=(4, 6, 1))
def opset_11_forms(g):
    y = g.op("Squeeze", "x", axes=[3])
    y = g.op("Unsqueeze", y, axes=[1])
    a, b = g.op("Split", y, outputs=2, axis=3, split=[4, 2])
    s = g.op("ReduceSum", a, axes=[3], keepdims=1)
    return [g.op("Mul", b, s), g.op("Softmax", "x", axis=1), g.op("LogSoftmax", y, axis=3), g.op("Softmax", "x")]


@case(opset=12, x=(4, 6))
def opset_12_softmax_flattens(g):
    return [g.op("Softmax", "x", axis=1), g.op("Softmax", "x", axis=2)]


@case(opset=11, x=(6, 5))
def opset_11_split_in_equal_parts(g):
    return g.op("Split", "x", outputs=3, axis=1)


@case(x=(4, 7, 9))
def uneven_padding(g):
    a = g.op("Conv", "x", g.weight(6, 4, 3, 3), g.weight(6), auto_pad="SAME_UPPER", strides=[2, 2])
    b = g.op("Conv", "x", g.weight(4, 1, 3, 4), auto_pad="SAME_LOWER", group=4)
    c = g.op("Conv", "x", g.weight(4, 2, 2, 2), pads=[0, 1, 1, 0], dilations=[2, 2], group=2)
    return [a, b, c]


@case(x=(4, 5, 6))
def transposed_convolutions(g):
    a = g.op("ConvTranspose", "x", g.weight(4, 3, 3, 3), g.weight(3), strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])
    b = g.op("ConvTranspose", "x", g.weight(4, 2, 2, 3), strides=[2, 3], pads=[1, 0, 0, 2], group=2)
    c = g.op("ConvTranspose", "x", g.weight(4, 3, 3, 3), g.weight(3), strides=[2, 2], auto_pad="SAME_UPPER")
    return [a, b, c]


@case(x=(4, 9))
def one_spatial_axis(g):
    y = g.op("Conv", "x", g.weight(6, 4, 3), g.weight(6), pads=[1, 1])
    y = g.op("BatchNormalization", y, *[g.const(np.abs(RNG.standard_normal(6)) + 0.5, np.float32) for _ in range(4)])
    a = g.op("MaxPool", y, kernel_shape=[3], strides=[2], pads=[1, 0])
    b = g.op("AveragePool", y, kernel_shape=[3], strides=[2], pads=[1, 1])
    return [a, b, g.op("GlobalMaxPool", y), g.op("ConvTranspose", y, g.weight(6, 2, 3), strides=[2])]


@case(x=(2, 5, 6, 7))
def three_spatial_axes(g):
    y = g.op("Conv", "x", g.weight(4, 2, 3, 3, 3), g.weight(4), pads=[1, 1, 1, 1, 1, 1])
    a = g.op("MaxPool", y, kernel_shape=[2, 2, 2], strides=[2, 2, 2])
    b = g.op("AveragePool", y, kernel_shape=[2, 3, 3], pads=[0, 1, 1, 0, 1, 1], count_include_pad=1)
    return [a, b, g.op("GlobalAveragePool", y)]


@case(x=(3, 7, 8))
def pooling_rounds_up(g):
    a = g.op("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    b = g.op("AveragePool", "x", kernel_shape=[3, 2], strides=[2, 3], ceil_mode=1)
    c = g.op("AveragePool", "x", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1)
    d = g.op("MaxPool", "x", kernel_shape=[2, 2], strides=[1, 1], dilations=[2, 3])
    e = g.op("AveragePool", "x", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")
    return [a, b, c, d, e]


@case(x=(3, 6, 6))
def lp_operators(g):
    return [g.op("LpPool", "x", kernel_shape=[2, 3], strides=[2, 2], p=3), g.op("LpNormalization", "x", axis=1, p=2),
            g.op("LpNormalization", "x", axis=-1, p=1)]


@case(x=(8, 5, 5))
def group_norm_decomposition(g):
    y = g.op("Reshape", "x", g.const([0, 2, -1]))
    y = g.op("InstanceNormalization", y, g.const([1, 1], np.float32), g.const([0, 0], np.float32))
    y = g.op("Reshape", y, g.op("Shape", "x"))
    return [g.op("Add", g.op("Mul", y, g.weight(8, 1, 1)), g.weight(8, 1, 1))]


@case(opset=17, x=(6, 8))
def layer_norm_and_gelu(g):
    y = g.op("LayerNormalization", "x", g.weight(8), g.weight(8), axis=-1)
    erf = g.op("Erf", g.op("Div", y, g.const(np.sqrt(2), np.float32)))
    return [g.op("Mul", g.op("Mul", y, g.op("Add", erf, g.const(1, np.float32))), g.const(0.5, np.float32))]


@case(x=(8, 6, 6))
def squeeze_and_excitation(g):
    y = g.op("ReduceMean", "x", axes=[-1, -2], keepdims=1)
    y = g.op("Relu", g.op("Conv", y, g.weight(2, 8, 1, 1), g.weight(2)))
    return [g.op("Mul", "x", g.op("HardSigmoid", g.op("Conv", y, g.weight(8, 2, 1, 1)), alpha=1 / 6, beta=0.5))]


@case(x=(4, 6))
def weights_computed_from_constants(g):
    w = g.op("Transpose", g.op("Mul", g.weight(5, 6), g.op("Exp", g.weight(5, 1))), perm=[1, 0])
    return [g.op("MatMul", g.op("Identity", "x"), g.op("Identity", w))]


@case(x=(4, 6, 6))
def quantized_convolution(g):
    x = g.op("QuantizeLinear", "x", g.const(0.02, np.float32), g.const(128, np.uint8))
    x = g.op("DequantizeLinear", x, g.const(0.02, np.float32), g.const(128, np.uint8))
    q = g.const(RNG.integers(-127, 128, (5, 4, 3, 3)), np.int8)
    scale = g.const(np.abs(RNG.standard_normal(5)) * 0.01 + 0.001, np.float32)
    w = g.op("DequantizeLinear", q, scale, g.const(np.zeros(5), np.int8), axis=0)
    return [g.op("Conv", x, w, pads=[1, 1, 1, 1])]


@case(x=(5,))
def outputs_that_are_inputs_and_constants(g):
    y = g.op("Relu", "x")
    return [g.op("Identity", "x"), y, g.op("Identity", y), g.op("Identity", g.const([1, 2], np.float32))]


@case(x=(16, 3, 4))
def pixel_shuffle_and_reduce(g):
    y = g.op("DepthToSpace", "x", blocksize=2, mode="CRD")
    return [y, g.op("SpaceToDepth", y, blocksize=2), g.op("ReduceL2", y, axes=[1], keepdims=0), g.op("ArgMax", y, axis=-1)]


@case(x=(4, 5), y=(4, 5))
def einsum_and_logic(g):
    e = g.op("Einsum", "x", "y", equation="bij,bkj->bik")
    mask = g.op("Or", g.op("Less", "x", "y"), g.op("GreaterOrEqual", "x", g.const(0.5, np.float32)))
    return [e, g.op("Where", mask, "x", g.const(-1e9, np.float32)), g.op("Cast", g.op("Not", mask), to=TensorProto.FLOAT)]


@case(x=(4, 6, 6))
def padding_modes(g):
    pads = g.const([0, 0, 1, 2, 0, 0, 2, 1])
    return [g.op("Pad", "x", pads, mode="reflect"), g.op("Pad", "x", pads, mode="edge"), g.op("Pad", "x", pads, g.const(1.5, np.float32)),
            g.op("Pad", "x", g.const([0, 0, -1, 0, 0, 1, 0, -2]))]


@case(x=(7,))
def zeros_made_for_each_sample(g):
    shape = g.vector(g.dim("x", 0), 7)
    zeros = g.op("ConstantOfShape", shape, value=helper.make_tensor("v", TensorProto.FLOAT, [1], [0.25]))
    return [g.op("Add", "x", zeros)]


def build(function, opset, shapes):
    g = Graph()
    outputs = function(g)
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", *s]) for n, s in shapes.items()]
    infos = [helper.make_empty_tensor_value_info(o) for o in outputs]
    graph = helper.make_graph(g.nodes, function.__name__, inputs, infos, g.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)
    types = {v.name: v for v in onnx.shape_inference.infer_shapes(model).graph.output}
    for output in model.graph.output:
        kind = types[output.name].type.tensor_type.elem_type or TensorProto.FLOAT
        output.CopyFrom(helper.make_tensor_value_info(output.name, kind, None))
    return model


def save(value, name, path):
    with open(path, "wb") as file:
        file.write(numpy_helper.from_array(value, name).SerializeToString())


def main():
    out = sys.argv[1]
    shutil.rmtree(out, ignore_errors=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    for name, (function, opset, shapes) in CASES.items():
        model = build(function, opset, shapes)
        inputs = {n: RNG.standard_normal((ROWS, *s)).astype(np.float32) for n, s in shapes.items()}
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        outputs = session.run(None, inputs)
        folder = os.path.join(out, name)
        os.makedirs(folder)
        onnx.save(model, os.path.join(folder, "model.onnx"))
        for i, (input_name, value) in enumerate(inputs.items()):
            save(value, input_name, os.path.join(folder, f"input_{i}.pb"))
        for i, value in enumerate(outputs):
            save(value, session.get_outputs()[i].name, os.path.join(folder, f"output_{i}.pb"))
        with open(os.path.join(folder, "tolerance.txt"), "w") as file:
            file.write("1e-5 0 of_largest\n")


main()
