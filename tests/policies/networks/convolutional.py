"""Patterns of convolutional networks. Each function returns the graph and its prunable groups {name: channels}, worked out by hand."""

import numpy as np

from graph import Graph


def plain():
    g = Graph("plain")
    x = g.conv_bn(g.input(3, 8, 8), "c1", 3, 8)
    x = g.relu(g.conv(x, "c2", 8, 12, stride=2))
    g.head(x, 12)
    return g, {"c1": 8, "c2": 12}


def concat_with_itself():
    g = Graph("concat_with_itself")
    x = g.conv_bn(g.input(3, 8, 8), "c1", 3, 6)
    x = g.concat(x, x)
    g.head(g.relu(g.conv(x, "c2", 12, 8)), 8)
    return g, {"c1": 6, "c2": 8}


def concat_with_itself_and_add():
    g = Graph("concat_with_itself_and_add")
    x = g.conv_bn(g.input(3, 8, 8), "c1", 3, 6)
    y = g.conv(x, "c2", 6, 12)
    g.head(g.relu(g.op("Add", g.concat(x, x), y)), 12)
    return g, {"c1": 6}


def gate_across_branches():
    g = Graph("gate_across_branches")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    gate = g.op("Sigmoid", g.conv(x, "gate", 8, 12))
    a = g.op("Mul", g.conv_bn(x, "a", 8, 12), gate)
    b = g.op("Mul", g.conv_bn(x, "b", 8, 12, kernel=1), gate)
    g.head(g.conv_bn(g.concat(a, b), "fuse", 24, 10), 10)
    return g, {"stem": 8, "gate": 12, "fuse": 10}


def convolution_used_twice():
    g = Graph("convolution_used_twice")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    w = g.weight(8, 8, 3, 3, fan_in=72)
    b = g.constant(g.normal(8, scale=0.3))
    for i in range(2):
        x = g.relu(g.op("Conv", x, w, b, name=f"shared{i}", pads=[1] * 4, kernel_shape=[3, 3]))
    g.head(g.relu(g.conv(x, "last", 8, 6)), 6)
    return g, {"stem": 8, "last": 6}


def convolution_shared_by_two_widths():
    """One convolution on two inputs that do not else meet; RetinaNet's heads."""
    g = Graph("convolution_shared_by_two_widths")
    x = g.input(3, 8, 8)
    w = g.weight(10, 8, 3, 3, fan_in=72)
    outs = []
    for i, branch in enumerate("ab"):
        y = g.conv_bn(x, branch, 3, 8, stride=i + 1)
        y = g.relu(g.op("Conv", y, w, name=f"tower_{branch}", pads=[1] * 4, kernel_shape=[3, 3]))
        outs.append(g.conv(y, f"out_{branch}", 10, 4))
    g.output(*outs)
    return g, {"a": 8, "tower_a": 10}


def shuffle_net_v2():
    """Channel split, shuffle by reshape and transpose, as torchvision's."""
    g = Graph("shuffle_net_v2")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 16)
    for i in range(3):
        a, b = g.split(x, [8, 8], axis=1)
        b = g.conv_bn(b, f"u{i}.pw1", 8, 8, kernel=1)
        b = g.conv_bn(b, f"u{i}.dw", 8, 8, group=8, act=None)
        b = g.conv_bn(b, f"u{i}.pw2", 8, 8, kernel=1)
        x = g.concat(a, b)
        x = g.reshape(x, -1, 2, 8, 8, 8)
        x = g.reshape(g.transpose(x, 0, 2, 1, 3, 4), -1, 16, 8, 8)
    g.head(g.conv_bn(x, "last", 16, 12, kernel=1), 12)
    # Half of 8 channels passes each unit unchanged; each shuffle cuts it in two again: 2, 2, 4 and 8 channels of the stem.
    return g, {"stem#0": 2, "stem#1": 2, "stem#2": 4, "stem#3": 8, "u0.pw1": 8, "u1.pw1": 8, "u2.pw1": 8, "last": 12}


def shuffle_net_v1():
    g = Graph("shuffle_net_v1")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 12)
    for i in range(2):
        y = g.conv_bn(x, f"u{i}.pw1", 12, 12, kernel=1, group=3)
        y = g.reshape(g.transpose(g.reshape(y, -1, 3, 4, 8, 8), 0, 2, 1, 3, 4), -1, 12, 8, 8)
        y = g.conv_bn(y, f"u{i}.dw", 12, 12, group=12, act=None)
        y = g.conv_bn(y, f"u{i}.pw2", 12, 12, kernel=1, group=3, act=None)
        x = g.relu(g.op("Add", x, y))
    g.head(x, 12)
    # The shuffle turns 3 groups of 4 into 4 groups of 3, which the second grouped convolution reads as 3 groups again: what is
    # between stays. Of the stream, the same place of each group can go.
    return g, {"stem": 4}


def grouped_after_concat():
    g = Graph("grouped_after_concat")
    x = g.input(3, 8, 8)
    x = g.concat(g.conv_bn(x, "a", 3, 8), g.conv_bn(x, "b", 3, 16))
    x = g.conv_bn(x, "grouped", 24, 12, group=6)
    g.head(x, 12)
    # Groups 0 and 1 read a, groups 2 to 5 read b; within groups one width for what is read and one for what is made.
    return g, {"a/groups": 2, "a/width": 4, "b/groups": 4, "grouped/width": 2}


def grouped_after_odd_concat():
    """A group that reads from both parts: only the places within groups can go."""
    g = Graph("grouped_after_odd_concat")
    x = g.input(3, 8, 8)
    x = g.concat(g.conv_bn(x, "a", 3, 6), g.conv_bn(x, "b", 3, 10))
    g.head(g.conv_bn(x, "grouped", 16, 12, group=4), 12)
    # All four groups keep the same of their 4 inputs; a holds one and a half of them.
    return g, {"a#0": 2, "a#1": 2, "grouped": 3}


def flatten_features():
    g = Graph("flatten_features")
    x = g.conv_bn(g.input(3, 8, 8), "c1", 3, 8, stride=2)
    x = g.relu(g.gemm(g.op("Flatten", x, axis=1), "fc1", 8 * 16, 20))
    g.output(g.gemm(x, "fc2", 20, 10))
    return g, {"c1": 8, "fc1": 20}


def flatten_channels_last():
    """TensorFlow's order: channels fastest."""
    g = Graph("flatten_channels_last")
    x = g.conv_bn(g.input(3, 8, 8), "c1", 3, 8, stride=2)
    x = g.reshape(g.transpose(x, 0, 2, 3, 1), -1, 128)
    g.output(g.gemm(g.relu(g.gemm(x, "fc1", 128, 20)), "fc2", 20, 10))
    return g, {"c1": 8, "fc1": 20}


def flatten_of_concat():
    g = Graph("flatten_of_concat")
    x = g.input(3, 8, 8)
    x = g.concat(g.conv_bn(x, "a", 3, 6, stride=4), g.conv_bn(x, "b", 3, 5, stride=4))
    g.output(g.gemm(g.reshape(g.transpose(x, 0, 2, 3, 1), -1, 44), "fc", 44, 10))
    return g, {"a": 6, "b": 5}


def u_net():
    g = Graph("u_net")
    e1 = g.conv_bn(g.input(3, 16, 16), "e1", 3, 8)
    e2 = g.conv_bn(g.op("MaxPool", e1, kernel_shape=[2, 2], strides=[2, 2]), "e2", 8, 12)
    e3 = g.conv_bn(g.op("MaxPool", e2, kernel_shape=[2, 2], strides=[2, 2]), "e3", 12, 16)
    u2 = g.op("ConvTranspose", e3, g.weight(16, 12, 2, 2, fan_in=16), g.constant(g.normal(12)), name="u2", strides=[2, 2], kernel_shape=[2, 2])
    d2 = g.conv_bn(g.concat(e2, u2), "d2", 24, 12)
    up = g.op("Resize", d2, "", g.constant(np.array([1, 1, 2, 2], np.float32)), mode="nearest", name="up")
    d1 = g.conv_bn(g.concat(up, e1), "d1", 20, 8)
    g.output(g.conv(d1, "mask", 8, 2, kernel=1))
    return g, {"e1": 8, "e2": 12, "e3": 16, "u2": 12, "d2": 12, "d1": 8}


def transposed_convolution():
    g = Graph("transposed_convolution")
    x = g.conv_bn(g.input(4, 4, 4), "c1", 4, 12)
    x = g.op("ConvTranspose", x, g.weight(12, 5, 4, 4, fan_in=48), g.constant(g.normal(10)), name="grouped", group=2, strides=[2, 2],
             pads=[1] * 4, kernel_shape=[4, 4])
    x = g.op("LeakyRelu", g.bn(x, 10), alpha=0.2)
    x = g.op("ConvTranspose", x, g.weight(10, 8, 4, 4, fan_in=40), name="full", strides=[2, 2], pads=[1] * 4, kernel_shape=[4, 4])
    g.output(g.op("Tanh", g.conv(g.relu(x), "rgb", 8, 3)))
    return g, {"c1/groups": 2, "c1/width": 6, "grouped/width": 5, "full": 8}


def pixel_shuffle():
    g = Graph("pixel_shuffle")
    x = g.conv_bn(g.input(3, 8, 8), "c1", 3, 8)
    x = g.op("DepthToSpace", g.conv(x, "up1", 8, 24), blocksize=2, mode="CRD")
    x = g.relu(g.op("DepthToSpace", g.conv(x, "up2", 6, 32), blocksize=2, mode="DCR"))
    y = g.conv_bn(g.op("SpaceToDepth", x, blocksize=2), "down", 32, 8)
    # PyTorch's pixel_shuffle before opset 13: reshape, transpose, reshape
    y = g.conv(y, "up3", 8, 20)
    y = g.reshape(g.transpose(g.reshape(y, -1, 5, 2, 2, 16, 16), 0, 1, 4, 2, 5, 3), -1, 5, 32, 32)
    g.output(g.conv(y, "rgb", 5, 3))
    return g, {"c1": 8, "up1": 6, "up2": 8, "down": 8, "up3": 5}


def several_outputs():
    g = Graph("several_outputs")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    y = g.conv_bn(x, "mid", 8, 12)
    g.output(y)  # an output in the middle freezes what it shows
    z = g.conv_bn(y, "deep", 12, 10)
    g.output(g.conv(z, "dense", 10, 4, kernel=1))
    g.head(z, 10)
    return g, {"stem": 8, "deep": 10}


def squeeze_excitation():
    g = Graph("squeeze_excitation", opset=14)
    x = g.conv_bn(g.input(3, 8, 8), "c1", 3, 16, act="hswish")
    s = g.relu(g.conv(g.op("GlobalAveragePool", x), "reduce", 16, 4, kernel=1))
    s = g.op("HardSigmoid", g.conv(s, "expand", 4, 16, kernel=1), alpha=1 / 6, beta=0.5)
    x = g.op("Mul", s, x)
    # The same spelled with Gemm, reshape to [N, C, 1, 1]
    s = g.op("Flatten", g.op("ReduceMean", x, axes=[2, 3], keepdims=1), axis=1)
    s = g.op("Sigmoid", g.gemm(g.relu(g.gemm(s, "fc1", 16, 6)), "fc2", 6, 16))
    x = g.op("Mul", x, g.reshape(s, -1, 16, 1, 1))
    g.head(g.conv_bn(x, "last", 16, 8), 8)
    return g, {"c1": 16, "reduce": 4, "fc1": 6, "last": 8}


def residual_option_a():
    """Shortcuts that slice space with stride 2 and pad channels (ResNet for CIFAR)."""
    g = Graph("residual_option_a")
    x = g.conv_bn(g.input(3, 8, 8), "c1", 3, 8)
    y = g.conv_bn(g.conv_bn(x, "b1.conv1", 8, 16, stride=2), "b1.conv2", 16, 16, act=None)
    s = g.slice(g.slice(x, 2, 0, 1000, 2), 3, 0, 1000, 2)
    s = g.op("Pad", s, g.ints(0, 4, 0, 0, 0, 4, 0, 0), mode="constant")
    x = g.relu(g.op("Add", y, s))
    g.head(x, 16)
    return g, {"c1": 8, "b1.conv1": 16, "b1.conv2#0": 4, "b1.conv2#2": 4}


def dense_net():
    g = Graph("dense_net")
    x = g.conv_bn(g.input(3, 8, 8), "c0", 3, 8)
    expected, width = {"c0": 8}, 8
    for i in range(4):
        y = g.conv(g.relu(g.bn(x, width)), f"d{i}.a", width, 12, kernel=1, bias=False)
        y = g.conv(g.relu(g.bn(y, 12)), f"d{i}.b", 12, 4, bias=False)
        x, width = g.concat(x, y), width + 4
        expected |= {f"d{i}.a": 12, f"d{i}.b": 4}
    x = g.op("AveragePool", g.conv(g.relu(g.bn(x, width)), "transition", width, 10, kernel=1), kernel_shape=[2, 2], strides=[2, 2])
    g.head(g.relu(g.bn(x, 10)), 10)
    return g, expected | {"transition": 10}


def inception():
    g = Graph("inception")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    a = g.conv_bn(x, "b1", 8, 6, kernel=1)
    b = g.conv_bn(g.conv_bn(x, "b2a", 8, 5, kernel=1), "b2b", 5, 7)
    c = g.conv_bn(g.op("MaxPool", x, kernel_shape=[3, 3], pads=[1] * 4), "b3", 8, 3, kernel=1)
    x = g.conv_bn(g.concat(a, b, c), "last", 16, 9)
    g.head(x, 9)
    return g, {"stem": 8, "b1": 6, "b2a": 5, "b2b": 7, "b3": 3, "last": 9}


def mobile_net():
    """Inverted residuals with depthwise convolutions and squeeze-and-excitation (MobileNetV3)."""
    g = Graph("mobile_net", opset=14)
    x = g.conv_bn(g.input(3, 16, 16), "stem", 3, 8, stride=2, act="relu6")
    for i in range(2):
        y = g.conv_bn(x, f"m{i}.expand", 8, 24, kernel=1, act="hswish")
        y = g.conv_bn(y, f"m{i}.dw", 24, 24, group=24, kernel=5, act="hswish")
        s = g.relu(g.conv(g.op("GlobalAveragePool", y), f"m{i}.se1", 24, 6, kernel=1))
        y = g.op("Mul", y, g.op("HardSigmoid", g.conv(s, f"m{i}.se2", 6, 24, kernel=1)))
        x = g.op("Add", x, g.conv_bn(y, f"m{i}.project", 24, 8, kernel=1, act=None))
    g.head(x, 8)
    return g, {"stem": 8, "m0.expand": 24, "m0.se1": 6, "m1.expand": 24, "m1.se1": 6}


def depthwise_multiplier():
    g = Graph("depthwise_multiplier")
    x = g.conv_bn(g.input(3, 8, 8), "c1", 3, 6)
    x = g.conv_bn(x, "dw", 6, 12, group=6)
    g.head(g.conv_bn(x, "last", 12, 8, kernel=1), 8)
    return g, {"c1": 6, "dw/width": 2, "last": 8}


def res_next():
    g = Graph("res_next")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 16)
    for i in range(2):
        y = g.conv_bn(x, f"b{i}.1", 16, 12, kernel=1)
        y = g.conv_bn(y, f"b{i}.2", 12, 12, group=3)
        x = g.relu(g.op("Add", g.conv_bn(y, f"b{i}.3", 12, 16, kernel=1, act=None), x))
    g.head(x, 16)
    return g, {"stem": 16, "b0.1/groups": 3, "b0.1/width": 4, "b0.2/width": 4, "b1.1/groups": 3, "b1.1/width": 4, "b1.2/width": 4}


def ghost_module():
    """Half of the channels from a convolution, the other half from cheap depthwise ones on it, cut to an odd width."""
    g = Graph("ghost_module")
    x = g.conv_bn(g.input(3, 8, 8), "primary", 3, 8)
    y = g.slice(g.concat(x, g.conv_bn(x, "cheap", 8, 8, group=8)), 1, 0, 14)
    g.head(g.conv_bn(y, "last", 14, 8), 8)
    return g, {"primary#0": 6, "primary#1": 2, "last": 8}


def group_norm():
    """Reshape to groups, InstanceNormalization, reshape back, affine."""
    g = Graph("group_norm")
    x = g.conv(g.input(3, 8, 8), "c1", 3, 12, bias=False)
    y = g.reshape(x, 0, 4, -1)
    y = g.op("InstanceNormalization", y, g.constant(np.ones(4)), g.constant(np.zeros(4)))
    y = g.reshape(y, -1, 12, 8, 8)
    y = g.op("Add", g.op("Mul", y, g.constant(g.rng.uniform(0.5, 1.5, (12, 1, 1)))), g.constant(g.normal(12, 1, 1)))
    g.head(g.conv(g.relu(y), "c2", 12, 8), 8)
    # Statistics run over the 3 channels of a group, which stay; whole groups may go.
    return g, {"c1": 4, "c2": 8}


def instance_norm():
    g = Graph("instance_norm")
    x = g.conv(g.input(3, 8, 8), "c1", 3, 12)
    x = g.op("InstanceNormalization", x, g.constant(g.rng.uniform(0.5, 1.5, 12)), g.constant(g.normal(12)))
    x = g.op("PRelu", x, g.constant(g.rng.uniform(0.1, 0.4, (12, 1, 1))))
    g.head(g.conv(x, "c2", 12, 8), 8)
    return g, {"c1": 12, "c2": 8}


def split_gate():
    """Gated linear unit on channels."""
    g = Graph("split_gate")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    a, b = g.split(g.conv(x, "both", 8, 24), [12, 12], axis=1)
    x = g.op("Mul", a, g.op("Sigmoid", b))
    g.head(g.conv_bn(x, "last", 12, 8), 8)
    return g, {"stem": 8, "both": 12, "last": 8}


def uneven_split():
    g = Graph("uneven_split")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 16)
    a, b, c = g.split(x, [3, 5, 8], axis=1)
    x = g.concat(c, g.conv_bn(a, "a", 3, 3), g.op("MaxPool", b, kernel_shape=[3, 3], pads=[1] * 4))
    g.head(g.conv_bn(x, "last", 16, 8), 8)
    return g, {"stem#0": 3, "stem#1": 5, "stem#2": 8, "a": 3, "last": 8}


def strided_channels():
    """Every second channel, as a Slice with step 2."""
    g = Graph("strided_channels")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 16)
    a, b = g.slice(x, 1, 0, 16, 2), g.slice(x, 1, 1, 1000, 2)
    x = g.op("Add", g.conv_bn(a, "a", 8, 6), g.conv_bn(b, "b", 8, 6))
    g.head(x, 6)
    return g, {"stem": 8, "a": 6}
