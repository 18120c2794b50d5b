"""Operators with unusual operands: constants in odd places, orders, masks, paddings, other ranks.
Each function returns the graph and its prunable groups {name: channels}, worked out by hand.
"""

import numpy as np
from onnx import TensorProto, helper

from graph import Graph


def weight_standardized():
    """Weights standardized in the graph."""
    g = Graph("weight_standardized")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    w = g.weight(10, 8, 3, 3, fan_in=72)
    m = g.op("ReduceMean", w, axes=[1, 2, 3], keepdims=1)
    d = g.op("Sub", w, m)
    v = g.op("Sqrt", g.op("Add", g.op("ReduceMean", g.op("Mul", d, d), axes=[1, 2, 3], keepdims=1), g.constant(np.float32(1e-5))))
    w = g.op("Div", d, v)
    x = g.op("Conv", x, w, g.constant(g.normal(10)), name="ws", pads=[1] * 4, kernel_shape=[3, 3])
    g.head(g.relu(g.conv(g.relu(x), "last", 10, 6)), 6)
    return g, {"last": 6, "stem": 8, "ws": 10}


def weight_left_channels():
    """1x1 convolution as W @ x.reshape(N, C, HW)."""
    g = Graph("weight_left_channels")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    x = g.reshape(x, -1, 8, 64)
    x = g.relu(g.op("MatMul", g.weight(12, 8, fan_in=8), x, name="w1"))
    x = g.op("Add", x, g.constant(g.normal(12, 1)))
    x = g.op("MatMul", g.weight(6, 12, fan_in=12), x, name="w2")
    x = g.reshape(x, -1, 6, 8, 8)
    g.head(g.conv_bn(x, "last", 6, 5), 5)
    return g, {"last": 5, "stem": 8, "w1": 12, "w2": 6}


def gemm_variants():
    """Scale factors, transposed and plain weights, a bias of one element, an activation for the third operand."""
    g = Graph("gemm_variants")
    x = g.input(8)
    a = g.op("Gemm", x, g.weight(8, 10, fan_in=8), g.constant(g.normal(1, 10)), name="a", alpha=0.7, beta=1.3)
    b = g.op("Gemm", a, g.weight(12, 10, fan_in=10), g.constant(g.normal(1)), name="b", transB=1)
    c = g.op("Gemm", g.relu(b), g.weight(12, 6, fan_in=12), name="c")
    # C operand is another activation
    d = g.op("Gemm", x, g.weight(8, 6, fan_in=8), c, name="d", beta=0.5)
    g.output(g.op("Gemm", d, g.weight(3, 6, fan_in=6), g.constant(g.normal(3)), name="e", transB=1))
    return g, {"a": 10, "b": 12, "c": 6}


def broadcast_parameter():
    """[1, C, 1, 1] in two places, [C, H, W], and [1, 1, H, W] beside pooled features."""
    g = Graph("broadcast_parameter")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    p = g.constant(g.normal(1, 8, 1, 1))
    x = g.op("Mul", g.op("Add", x, p), p)   # shared by two uses
    q = g.constant(g.normal(8, 8, 8))       # [C, H, W]
    x = g.op("Max", x, q)
    y = g.op("Add", g.op("GlobalAveragePool", x), g.constant(g.normal(1, 1, 8, 8)))
    g.head(g.conv_bn(y, "last", 8, 6), 6)
    return g, {"last": 6, "stem": 8}


def gather_reorder():
    """Channels permuted and picked by Gather stay."""
    g = Graph("gather_reorder")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    x = g.op("Gather", x, g.ints(3, 1, 0, 2, 7, 6, 5, 4), axis=1)
    y = g.conv_bn(x, "m", 8, 10)
    y = g.op("Gather", y, g.ints(0, 2, 4), axis=1)
    g.head(g.conv_bn(y, "last", 3, 6), 6)
    return g, {"last": 6}


def flip_channels():
    """Channels in reverse order stay; a flip in space does not matter."""
    g = Graph("flip_channels")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    y = g.op("Slice", x, g.ints(-1), g.ints(-(1 << 62)), g.ints(1), g.ints(-1))
    x = g.op("Add", x, g.conv_bn(y, "m", 8, 8))
    x = g.op("Slice", x, g.ints(-1), g.ints(-(1 << 62)), g.ints(3), g.ints(-1))
    g.head(g.conv_bn(x, "last", 8, 6), 6)
    return g, {"last": 6}


def rolled_channels():
    """Channels rolled by Slice and Concat."""
    g = Graph("rolled_channels")
    x = g.conv_bn(g.input(3, 8, 8), "p", 3, 8)
    y = g.concat(g.slice(x, 1, 3, 8), g.slice(x, 1, 0, 3))
    x = g.op("Add", x, g.conv_bn(y, "m", 8, 8))
    y = g.op("Mul", x, g.concat(g.slice(x, 1, 5, 8), g.slice(x, 1, 0, 5)))
    g.head(g.conv_bn(y, "c", 8, 6), 6)
    return g, {"c": 6}


def argmax_topk():
    """Integer outputs of comparisons over channels."""
    g = Graph("argmax_topk")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    y = g.conv(x, "seg", 8, 5, kernel=1)
    a = g.op("ArgMax", y, axis=1, keepdims=0)
    g.outputs.append(helper.make_tensor_value_info(a, TensorProto.INT64, ["N", 8, 8]))
    v = g.op("Flatten", g.op("GlobalAveragePool", g.conv_bn(x, "t", 8, 12)))
    top, idx = g.op("TopK", v, g.ints(3), outputs=2, axis=1)
    g.output(top)
    g.outputs.append(helper.make_tensor_value_info(idx, TensorProto.INT64, ["N", 3]))
    return g, {"stem": 8}


def where_masks():
    """Selection by comparison, by a constant mask over channels, and by a mask cast to numbers."""
    g = Graph("where_masks")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    y = g.conv(x, "b", 8, 8)
    c = g.op("Greater", x, g.constant(np.float32(0.1)))
    x = g.op("Where", c, x, y)
    cm = g.constant(g.rng.random((1, 8, 1, 1)) > 0.5)
    x = g.op("Where", cm, x, g.constant(np.float32(0.7)))
    m = g.op("Cast", g.op("Less", x, y), to=1)
    x = g.op("Mul", x, m)
    g.head(g.conv_bn(x, "last", 8, 6), 6)
    return g, {"last": 6, "stem": 8}


def pad_channels_nonzero():
    """Channels padded with a number, space with another, and channels cut off by negative padding."""
    g = Graph("pad_channels_nonzero")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    x = g.op("Pad", x, g.ints(0, 2, 0, 0, 0, 2, 0, 0), g.constant(np.float32(0.5)))
    x = g.conv_bn(x, "m", 12, 10)
    x = g.op("Pad", x, g.ints(0, 0, 1, 1, 0, 0, 1, 1), g.constant(np.float32(0.3)))
    x = g.conv_bn(x, "n", 10, 7, pad=0)
    x = g.op("Pad", x, g.ints(0, -2, 0, 0, 0, -1, 0, 0))
    g.head(g.conv_bn(x, "last", 4, 6), 6)
    return g, {"last": 6, "m": 10}


def concat_space():
    """Two features beside each other in space share their channels."""
    g = Graph("concat_space")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    a, b = g.conv_bn(x, "a", 8, 6), g.conv_bn(x, "b", 8, 6)
    x = g.op("Concat", a, b, axis=2)
    x = g.op("Concat", x, x, axis=-1)
    g.head(g.conv_bn(x, "last", 6, 6), 6)
    return g, {"a": 6, "last": 6, "stem": 8}


def depth_space_modes():
    """Both orders of DepthToSpace on one tensor agree on nothing but whole blocks."""
    g = Graph("depth_space_modes")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 16)
    a = g.op("DepthToSpace", x, blocksize=2, mode="DCR")
    b = g.op("DepthToSpace", x, blocksize=2, mode="CRD")
    y = g.concat(a, b)
    y = g.conv_bn(y, "m", 8, 8)
    y = g.op("SpaceToDepth", y, blocksize=2)
    y = g.op("Add", y, g.conv(x, "s", 16, 32, kernel=1))
    g.head(g.conv_bn(y, "last", 32, 6), 6)
    return g, {"last": 6, "m": 8}


def pixel_unshuffle():
    """Space into channels by reshape and transpose."""
    g = Graph("pixel_unshuffle")
    x = g.input(3, 8, 8)
    x = g.reshape(g.transpose(g.reshape(x, -1, 3, 4, 2, 4, 2), 0, 1, 3, 5, 2, 4), -1, 12, 4, 4)
    x = g.conv_bn(x, "c1", 12, 8)
    x = g.reshape(g.transpose(g.reshape(x, -1, 8, 2, 2, 2, 2), 0, 1, 3, 5, 2, 4), -1, 32, 2, 2)
    x = g.conv_bn(x, "c2", 32, 10)
    g.head(x, 10)
    return g, {"c1": 8, "c2": 10}


def tile_repeat_interleave():
    """Repeat_interleave on channels: unsqueeze, expand, reshape; then Add with depthwise multiplier."""
    g = Graph("tile_repeat_interleave")
    x = g.conv_bn(g.input(3, 8, 8), "p", 3, 6)
    y = g.reshape(g.op("Expand", g.op("Unsqueeze", x, g.ints(2)), g.ints(1, 6, 3, 8, 8)), -1, 18, 8, 8)
    z = g.conv_bn(x, "dm", 6, 18, group=6)
    y = g.op("Add", y, z)
    g.head(g.conv_bn(y, "c", 18, 6), 6)
    return g, {"c": 6, "dm/width": 3, "p": 6}


def flatten_split_heads():
    """Flattened features, split in unequal Gemm inputs."""
    g = Graph("flatten_split_heads")
    x = g.conv_bn(g.input(3, 4, 4), "p", 3, 6, stride=2)     # [6,2,2] = 24
    f = g.op("Flatten", x)
    a, b = g.split(f, [8, 16], axis=1)
    g.output(g.gemm(a, "ga", 8, 3))
    g.output(g.gemm(b, "gb", 16, 2))
    c, d = g.split(g.op("Flatten", g.conv_bn(x, "q", 6, 5)), [7, 13], axis=1)
    g.output(g.gemm(c, "gc", 7, 3))
    g.output(g.gemm(d, "gd", 13, 2))
    return g, {"p#0": 2, "p#1": 4}


def maxout_channels():
    """The maximum over halves of the channels, and over three parts of a split."""
    g = Graph("maxout_channels")
    x = g.conv_bn(g.input(3, 8, 8), "c1", 3, 12)
    x = g.op("ReduceMax", g.reshape(x, -1, 2, 6, 8, 8), axes=[1], keepdims=0)
    x = g.conv_bn(x, "c2", 6, 9)
    a, b, c = g.split(x, [3, 3, 3], axis=1)
    x = g.op("Max", a, b, c)
    g.head(g.conv(x, "c3", 3, 5), 5)
    return g, {"c1": 6, "c2": 3, "c3": 5}


def gap_by_reshape():
    """Pooling by reshape; the maximum over pairs of features."""
    g = Graph("gap_by_reshape")
    x = g.conv_bn(g.input(3, 8, 8), "c1", 3, 8)
    x = g.op("ReduceMean", g.reshape(x, 0, 8, -1), axes=[2], keepdims=0)
    x = g.gemm(g.relu(x), "fc", 8, 12)
    x = g.op("ReduceMax", g.reshape(x, -1, 6, 2), axes=[2], keepdims=0)
    g.output(g.gemm(x, "o", 6, 3))
    return g, {"c1": 8, "fc": 6}


def bilinear_pooling():
    """Outer product of two features, signed square root."""
    g = Graph("bilinear_pooling")
    x = g.conv_bn(g.input(3, 4, 4), "stem", 3, 8)
    a, b = g.conv_bn(x, "a", 8, 6), g.conv_bn(x, "b", 8, 5)
    a, b = g.reshape(a, -1, 6, 16), g.reshape(b, -1, 5, 16)
    y = g.op("MatMul", a, g.transpose(b, 0, 2, 1))
    y = g.reshape(y, -1, 30)
    y = g.op("Mul", g.op("Sign", y), g.op("Sqrt", g.op("Add", g.op("Abs", y), g.constant(np.float32(1e-5)))))
    g.output(g.gemm(y, "fc", 30, 4))
    return g, {"a": 6, "b": 5, "stem": 8}


def gram_self():
    """Gram matrix of one feature with itself."""
    g = Graph("gram_self")
    x = g.conv_bn(g.input(3, 4, 4), "stem", 3, 6)
    a = g.reshape(x, -1, 6, 16)
    y = g.reshape(g.op("MatMul", a, g.transpose(a, 0, 2, 1)), -1, 36)
    g.output(g.gemm(y, "fc", 36, 4))
    return g, {"stem": 6}


def two_inputs():
    """An image scaled and shifted by what is made of a second input (FiLM), then concatenated with that."""
    g = Graph("two_inputs")
    a, b = g.input(3, 8, 8, name="image"), g.input(5, name="meta")
    x = g.conv_bn(a, "c1", 3, 8)
    m = g.relu(g.gemm(b, "m1", 5, 12))
    film = g.gemm(m, "film", 12, 16)
    ga, be = g.split(film, [8, 8], axis=1)
    x = g.op("Add", g.op("Mul", x, g.reshape(ga, -1, 8, 1, 1)), g.op("Unsqueeze", be, g.ints(2, 3)))
    x = g.op("Flatten", g.op("GlobalAveragePool", g.relu(x)))
    x = g.concat(x, m, b)
    g.output(g.gemm(x, "out", 25, 4))
    return g, {"c1": 8, "m1": 12}


def siamese():
    """One tower on two inputs, compared by difference and by cosine."""
    g = Graph("siamese")
    a, b = g.input(3, 8, 8, name="left"), g.input(3, 8, 8, name="right")
    w1, w2 = g.weight(8, 3, 3, 3, fan_in=27), g.weight(10, 8, 3, 3, fan_in=72)
    e = []
    for i, v in enumerate((a, b)):
        v = g.relu(g.op("Conv", v, w1, name=f"s1{i}", pads=[1] * 4, kernel_shape=[3, 3]))
        v = g.relu(g.op("Conv", v, w2, name=f"s2{i}", pads=[1] * 4, kernel_shape=[3, 3]))
        e.append(g.op("Flatten", g.op("GlobalAveragePool", v)))
    d = g.op("Abs", g.op("Sub", *e))
    g.output(g.gemm(d, "cmp", 10, 1))
    dot = g.op("ReduceSum", g.op("Mul", *e), g.ints(1), keepdims=1)
    n = g.op("Mul", g.op("ReduceL2", e[0], axes=[1], keepdims=1), g.op("ReduceL2", e[1], axes=[1], keepdims=1))
    g.output(g.op("Div", dot, g.op("Max", n, g.constant(np.float32(1e-6)))))
    return g, {"s10": 8, "s20": 10}


def conv3d():
    """Volumes: a full convolution, one factorized into space and time, a depthwise one."""
    g = Graph("conv3d")
    x = g.op("Conv", g.input(2, 4, 8, 8), g.weight(8, 2, 3, 3, 3, fan_in=54), name="c1", kernel_shape=[3] * 3, pads=[1] * 6)
    x = g.relu(g.bn(x, 8))
    x = g.op("MaxPool", x, kernel_shape=[1, 2, 2], strides=[1, 2, 2])
    y = g.op("Conv", x, g.weight(12, 8, 1, 3, 3, fan_in=72), name="s", kernel_shape=[1, 3, 3], pads=[0, 1, 1, 0, 1, 1])
    y = g.op("Conv", g.relu(y), g.weight(8, 12, 3, 1, 1, fan_in=36), name="t", kernel_shape=[3, 1, 1], pads=[1, 0, 0, 1, 0, 0])
    x = g.op("Add", x, y)
    x = g.op("Conv", x, g.weight(8, 1, 3, 3, 3, fan_in=27), name="dw", kernel_shape=[3] * 3, pads=[1] * 6, group=8)
    x = g.op("Flatten", g.op("GlobalAveragePool", x))
    g.output(g.gemm(x, "fc", 8, 4))
    return g, {"c1": 8, "s": 12}


def grouped_deconv_dw():
    """Depthwise transposed convolutions, the second one doubling channels."""
    g = Graph("grouped_deconv_dw")
    x = g.conv_bn(g.input(3, 4, 4), "p", 3, 8)
    y = g.op("ConvTranspose", x, g.weight(8, 1, 4, 4, fan_in=4), name="dwup", group=8, strides=[2, 2], pads=[1] * 4, kernel_shape=[4, 4])
    y = g.op("ConvTranspose", y, g.weight(8, 2, 2, 2, fan_in=4), g.constant(g.normal(16)), name="mulup", group=8, strides=[2, 2], kernel_shape=[2, 2])
    g.output(g.conv(y, "o", 16, 3))
    return g, {"mulup/width": 2, "p": 8}


def same_tensor_twice():
    """X * x, x - x, x / (1 + |x|), concat(x, x, y, x)."""
    g = Graph("same_tensor_twice")
    x = g.conv_bn(g.input(3, 8, 8), "p", 3, 6)
    y = g.conv_bn(x, "q", 6, 6)
    z = g.op("Div", g.op("Mul", x, x), g.op("Add", g.op("Abs", x), g.constant(np.float32(1))))
    z = g.concat(x, z, y, x)
    z = g.conv_bn(z, "r", 24, 24, group=6)
    g.head(g.conv(z, "s", 24, 4), 4)
    return g, {"p": 2, "r": 4, "s": 4}


def depthwise_after_concat_split():
    """A depthwise convolution over the seam of a concatenation, split elsewhere."""
    g = Graph("depthwise_after_concat_split")
    x = g.input(3, 8, 8)
    x = g.concat(g.conv_bn(x, "a", 3, 5), g.conv_bn(x, "b", 3, 7))
    x = g.conv_bn(x, "dw", 12, 12, group=12)
    a, b = g.split(x, [8, 4], axis=1)
    g.head(g.conv(g.concat(g.conv(a, "c", 8, 6), b), "d", 10, 5), 5)
    return g, {"a": 5, "b#0": 3, "b#1": 4, "c": 6, "d": 5}


def elementwise_zoo():
    """Functions that are not zero at zero, before layers and before sums."""
    g = Graph("elementwise_zoo")
    x = g.conv_bn(g.input(3, 8, 8), "p", 3, 8)
    x = g.op("Softplus", x)
    x = g.op("Mul", x, g.op("Tanh", g.op("Softplus", x)))   # mish
    x = g.op("Exp", g.op("Neg", x))
    x = g.op("Log", g.op("Add", x, g.constant(np.float32(1))))
    x = g.conv(x, "q", 8, 9)
    x = g.op("Cos", x)
    s = g.op("ReduceSum", x, g.ints(1), keepdims=1)
    x = g.op("Sub", g.conv(x, "r", 9, 7), s)
    x = g.op("Min", x, g.constant(np.float32(-0.2)))
    x = g.op("ReduceSum", g.conv(x, "s", 7, 6), g.ints(2, 3), keepdims=0)
    x = g.op("Pow", g.op("Abs", x), g.constant(np.float32(0.5)))
    g.output(g.gemm(x, "o", 6, 3))
    return g, {"p": 8, "r": 7, "s": 6}


def min_then_sum():
    """Min(x, -0.2) is not zero where masked; a sum over channels sees it."""
    g = Graph("min_then_sum")
    x = g.conv_bn(g.input(3, 8, 8), "p", 3, 8)
    x = g.op("Min", x, g.constant(np.float32(-0.2)))
    g.output(g.op("ReduceSum", x, g.ints(1), keepdims=1))
    return g, {}


def batch_norm_1d():
    """BatchNormalization of rows, and of a concatenation."""
    g = Graph("batch_norm_1d")
    x = g.gemm(g.input(6), "a", 6, 10)
    x = g.relu(g.bn(x, 10))
    y = g.bn(g.gemm(x, "b", 10, 12), 12)
    x = g.concat(x, y)
    x = g.bn(x, 22)
    g.output(g.gemm(x, "o", 22, 3))
    return g, {"a": 10, "b": 12}
