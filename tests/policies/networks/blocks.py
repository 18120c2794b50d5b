"""Building blocks of published convolutional networks, beyond the patterns of convolutional.py.
Each function returns the graph and its prunable groups {name: channels}, worked out by hand.
"""

import numpy as np

from graph import Graph


def squeeze_excitation(g, x, name, channels, reduced):
    s = g.relu(g.conv(g.op("GlobalAveragePool", x), f"{name}.r", channels, reduced, kernel=1))
    return g.op("Mul", x, g.op("HardSigmoid", g.conv(s, f"{name}.e", reduced, channels, kernel=1)))


def mobilenet_v3():
    """Inverted residuals with squeeze-and-excitation, hard-swish as an operator and spelled out."""
    g = Graph("mobilenet_v3", opset=14)
    x = g.conv_bn(g.input(3, 16, 16), "stem", 3, 8, stride=2, act="hswish")
    for i in range(2):
        y = g.conv_bn(x, f"b{i}.exp", 8, 24, kernel=1, act="hswish")
        y = g.conv_bn(y, f"b{i}.dw", 24, 24, group=24, kernel=5, act=None)
        y = g.op("HardSwish", squeeze_excitation(g, y, f"b{i}.se", 24, 6))
        y = g.conv_bn(y, f"b{i}.proj", 24, 8, kernel=1, act=None)
        x = g.op("Add", x, y)
    z = g.op("Add", x, g.constant(np.float32(3)))
    z = g.op("Clip", z, g.constant(np.float32(0)), g.constant(np.float32(6)))
    x = g.op("Div", g.op("Mul", x, z), g.constant(np.float32(6)))
    g.head(g.conv_bn(x, "last", 8, 12, kernel=1), 12)
    return g, {"b0.exp": 24, "b0.se.r": 6, "b1.exp": 24, "b1.se.r": 6, "last": 12, "stem": 8}


def res2net():
    """Branches that add the one before, concatenated again."""
    g = Graph("res2net")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 16)
    y = g.conv_bn(x, "pw1", 16, 16, kernel=1)
    parts = g.split(y, [4, 4, 4, 4], axis=1)
    outs = [parts[0]]
    prev = None
    for i in range(1, 4):
        p = parts[i] if prev is None else g.op("Add", parts[i], prev)
        prev = g.conv_bn(p, f"k{i}", 4, 4)
        outs.append(prev)
    y = g.conv_bn(g.concat(*outs), "pw2", 16, 16, kernel=1, act=None)
    x = g.relu(g.op("Add", x, y))
    g.head(x, 16)
    return g, {"k3": 4, "pw1#0": 4, "pw1#1": 4, "pw1#2": 4, "pw1#3": 4, "stem": 16}


def csp_dense():
    """Half of the channels through a dense block, half around it."""
    g = Graph("csp_dense")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 16)
    a, b = g.split(x, [8, 8], axis=1)
    feats = [b]
    c = 8
    for i in range(3):
        y = g.concat(*feats)
        feats.append(g.conv_bn(y, f"d{i}", c, 4))
        c += 4
    y = g.conv_bn(g.concat(*feats), "t1", c, 8, kernel=1)
    x = g.conv_bn(g.concat(a, y), "t2", 16, 12, kernel=1)
    g.head(x, 12)
    return g, {"d0": 4, "d1": 4, "d2": 4, "stem#0": 8, "stem#1": 8, "t1": 8, "t2": 12}


def dense_net():
    """BatchNormalization before convolution, on growing concatenations."""
    g = Graph("dense_net")
    x = g.conv(g.input(3, 8, 8), "stem", 3, 8)
    c = 8
    for i in range(3):
        y = g.relu(g.bn(x, c))
        y = g.conv(y, f"l{i}.1", c, 12, kernel=1, bias=False)
        y = g.conv(g.relu(g.bn(y, 12)), f"l{i}.2", 12, 4, bias=False)
        x = g.concat(x, y)
        c += 4
    x = g.conv(g.relu(g.bn(x, c)), "trans", c, 10, kernel=1)
    x = g.op("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = g.relu(g.bn(x, 10))
    g.head(x, 10)
    return g, {"l0.1": 12, "l0.2": 4, "l1.1": 12, "l1.2": 4, "l2.1": 12, "l2.2": 4, "stem": 8, "trans": 10}


def inception():
    """Four branches, and a convolution factorized into 1x3 and 3x1."""
    g = Graph("inception")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    a = g.conv_bn(x, "a", 8, 6, kernel=1)
    b = g.conv_bn(g.conv_bn(x, "b1", 8, 4, kernel=1), "b2", 4, 8)
    c = g.conv_bn(g.conv_bn(g.conv_bn(x, "c1", 8, 4, kernel=1), "c2", 4, 6), "c3", 6, 6)
    d = g.conv_bn(g.op("AveragePool", x, kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1), "d", 8, 4, kernel=1)
    x = g.concat(a, b, c, d)
    w = g.weight(10, 24, 1, 3, fan_in=72)
    x = g.op("Conv", x, w, name="f1", pads=[0, 1, 0, 1], kernel_shape=[1, 3])
    w = g.weight(8, 10, 3, 1, fan_in=30)
    x = g.relu(g.op("Conv", x, w, name="f2", pads=[1, 0, 1, 0], kernel_shape=[3, 1]))
    g.head(x, 8)
    return g, {"a": 6, "b1": 4, "b2": 8, "c1": 4, "c2": 6, "c3": 6, "d": 4, "f1": 10, "f2": 8, "stem": 8}


def hrnet():
    """Two resolutions that exchange features by stride and by Resize, twice."""
    g = Graph("hrnet")
    x = g.conv_bn(g.input(3, 16, 16), "stem", 3, 8)
    h = g.conv_bn(x, "h0", 8, 8)
    l = g.conv_bn(x, "l0", 8, 12, stride=2)
    for i in range(2):
        h1 = g.op("Add", h, g.conv_bn(h, f"h{i}.c", 8, 8, act=None))
        l1 = g.op("Add", l, g.conv_bn(l, f"l{i}.c", 12, 12, act=None))
        up = g.op("Resize", g.conv_bn(l1, f"up{i}", 12, 8, kernel=1, act=None), "", g.constant(np.array([1, 1, 2, 2], np.float32)), mode="nearest", name=f"rs{i}")
        dn = g.conv_bn(h1, f"dn{i}", 8, 12, stride=2, act=None)
        h = g.relu(g.op("Sum", h1, up))
        l = g.relu(g.op("Add", l1, dn))
    up = g.op("Resize", l, "", g.constant(np.array([1, 1, 2, 2], np.float32)), mode="linear", name="rsl", coordinate_transformation_mode="align_corners")
    x = g.concat(h, up)
    g.output(g.conv(x, "out", 20, 3, kernel=1))
    return g, {"h0": 8, "l0": 12, "stem": 8}


def cbam():
    """Gates from pooled mean and maximum through one shared perceptron, then a gate over space."""
    g = Graph("cbam")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 12)
    x = g.conv_bn(x, "c", 12, 16)
    w1 = g.weight(4, 16, 1, 1, fan_in=16)
    w2 = g.weight(16, 4, 1, 1, fan_in=4)
    def mlp(v, n):
        v = g.relu(g.op("Conv", v, w1, name=f"mlp1{n}", kernel_shape=[1, 1]))
        return g.op("Conv", v, w2, name=f"mlp2{n}", kernel_shape=[1, 1])
    s = g.op("Sigmoid", g.op("Add", mlp(g.op("GlobalAveragePool", x), "a"), mlp(g.op("GlobalMaxPool", x), "m")))
    x = g.op("Mul", x, s)
    m = g.concat(g.op("ReduceMax", x, axes=[1], keepdims=1), g.op("ReduceMean", x, axes=[1], keepdims=1))
    x = g.op("Mul", x, g.op("Sigmoid", g.conv(m, "sp", 2, 1, kernel=7)))
    g.head(g.conv_bn(x, "last", 16, 6), 6)
    return g, {"last": 6, "mlp1a": 4, "stem": 12}


def sk_net():
    """Selective kernel: softmax between branches (axis of branches), not over channels."""
    g = Graph("sk_net")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    a, b = g.conv_bn(x, "a", 8, 10), g.conv_bn(x, "b", 8, 10, kernel=5)
    u = g.op("GlobalAveragePool", g.op("Add", a, b))
    z = g.relu(g.conv(u, "z", 10, 5, kernel=1))
    s = g.conv(z, "s", 5, 20, kernel=1)
    s = g.op("Softmax", g.reshape(s, -1, 2, 10, 1, 1), axis=1)
    sa, sb = g.split(s, [1, 1], axis=1)
    y = g.op("Add", g.op("Mul", a, g.op("Squeeze", sa, g.ints(1))), g.op("Mul", b, g.op("Squeeze", sb, g.ints(1))))
    g.head(g.conv_bn(y, "last", 10, 6), 6)
    return g, {"a": 10, "last": 6, "stem": 8, "z": 5}


def split_attention():
    """ResNeSt, radix 2, stacked and multiplied, summed over the radix."""
    g = Graph("split_attention")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    y = g.conv_bn(x, "r", 8, 16, group=2)
    p = g.reshape(y, -1, 2, 8, 8, 8)
    gap = g.op("GlobalAveragePool", g.op("ReduceSum", p, g.ints(1), keepdims=0))
    a = g.conv(g.relu(g.conv(gap, "f1", 8, 4, kernel=1)), "f2", 4, 16, kernel=1)
    a = g.op("Softmax", g.transpose(g.reshape(a, -1, 1, 2, 8), 0, 2, 1, 3), axis=1)
    a = g.reshape(a, -1, 2, 8, 1, 1)
    y = g.op("ReduceSum", g.op("Mul", p, a), g.ints(1), keepdims=0)
    g.head(g.conv_bn(y, "last", 8, 6), 6)
    return g, {"f1": 4, "last": 6, "r": 8, "stem": 4}


def eca():
    """Efficient channel attention: 1-D convolution along channels."""
    g = Graph("eca")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    p = g.op("Squeeze", g.op("GlobalAveragePool", x), g.ints(-1))
    p = g.transpose(p, 0, 2, 1)
    p = g.op("Conv", p, g.weight(1, 1, 3, fan_in=3), name="k", kernel_shape=[3], pads=[1, 1])
    p = g.op("Sigmoid", g.op("Unsqueeze", g.transpose(p, 0, 2, 1), g.ints(-1)))
    x = g.op("Mul", x, p)
    g.head(g.conv_bn(x, "last", 8, 6), 6)
    return g, {"last": 6}


def coordinate_attention():
    """Pooled rows and columns side by side through one convolution, split again."""
    g = Graph("coordinate_attention")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    h = g.op("ReduceMean", x, axes=[3], keepdims=1)
    w = g.transpose(g.op("ReduceMean", x, axes=[2], keepdims=1), 0, 1, 3, 2)
    y = g.conv_bn(g.concat(h, w, axis=2), "mix", 8, 6, kernel=1)
    h, w = g.split(y, [8, 8], axis=2)
    w = g.transpose(w, 0, 1, 3, 2)
    h, w = g.op("Sigmoid", g.conv(h, "h", 6, 8, kernel=1)), g.op("Sigmoid", g.conv(w, "w", 6, 8, kernel=1))
    x = g.op("Mul", g.op("Mul", x, h), w)
    g.head(g.conv_bn(x, "last", 8, 6), 6)
    return g, {"last": 6, "mix": 6, "stem": 8}


def context_softmax():
    """GCNet: softmax over space of a one-channel map, weighted sum by MatMul."""
    g = Graph("context_softmax")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    m = g.op("Softmax", g.reshape(g.conv(x, "key", 8, 1, kernel=1), -1, 64, 1), axis=1)
    c = g.op("MatMul", g.reshape(x, -1, 8, 64), m)   # [N,8,1]
    c = g.op("Unsqueeze", c, g.ints(3))
    t = g.conv(c, "t1", 8, 4, kernel=1)
    x = g.op("Add", x, g.conv(g.relu(t), "t2", 4, 8, kernel=1))
    g.head(g.conv_bn(x, "last", 8, 6), 6)
    return g, {"last": 6, "stem": 8, "t1": 4}


def repvgg():
    """3x3, 1x1 and identity BatchNorm branches."""
    g = Graph("repvgg")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    for i in range(2):
        x = g.relu(g.op("Sum", g.conv_bn(x, f"b{i}.3", 8, 8, act=None), g.conv_bn(x, f"b{i}.1", 8, 8, kernel=1, act=None), g.bn(x, 8)))
    g.head(x, 8)
    return g, {"stem": 8}


def fpn_pan():
    """A pyramid top-down and bottom-up, and one head for all levels."""
    g = Graph("fpn_pan")
    c3 = g.conv_bn(g.input(3, 16, 16), "c3", 3, 8)
    c4 = g.conv_bn(c3, "c4", 8, 12, stride=2)
    c5 = g.conv_bn(c4, "c5", 12, 16, stride=2)
    sc = lambda: g.constant(np.array([1, 1, 2, 2], np.float32))
    p5 = g.conv(c5, "l5", 16, 8, kernel=1)
    p4 = g.op("Add", g.conv(c4, "l4", 12, 8, kernel=1), g.op("Resize", p5, "", sc(), mode="nearest"))
    p3 = g.op("Add", g.conv(c3, "l3", 8, 8, kernel=1), g.op("Resize", p4, "", sc(), mode="nearest"))
    n3 = g.conv(p3, "s3", 8, 8)
    n4 = g.op("Add", g.conv(n3, "dn3", 8, 8, stride=2), p4)
    n5 = g.op("Add", g.conv(n4, "dn4", 8, 8, stride=2), p5)
    w = g.weight(8, 8, 3, 3, fan_in=72)
    b = g.constant(g.normal(8))
    wc = g.weight(4, 8, 3, 3, fan_in=72)
    for i, n in enumerate((n3, n4, n5)):
        t = g.relu(g.op("Conv", n, w, b, name=f"tower{i}", pads=[1] * 4, kernel_shape=[3, 3]))
        y = g.op("Conv", t, wc, name=f"cls{i}", pads=[1] * 4, kernel_shape=[3, 3])
        s = (16, 8, 4)[i]
        g.output(g.reshape(g.transpose(y, 0, 2, 3, 1), -1, s * s * 2, 2))
    return g, {"c3": 8, "c4": 12, "c5": 16, "l5": 8, "tower0": 8}


def unet_crop():
    """Skip connections cropped in space, convolutions without padding."""
    g = Graph("unet_crop")
    e1 = g.conv_bn(g.input(3, 16, 16), "e1", 3, 6, pad=0)  # 14
    e2 = g.conv_bn(g.op("MaxPool", e1, kernel_shape=[2, 2], strides=[2, 2]), "e2", 6, 10, pad=0)  # 5
    u = g.op("ConvTranspose", e2, g.weight(10, 6, 2, 2, fan_in=10), name="u", strides=[2, 2], kernel_shape=[2, 2])  # 10
    c = g.op("Slice", e1, g.ints(2, 2), g.ints(12, 12), g.ints(2, 3))
    d = g.conv_bn(g.concat(c, u), "d", 12, 6)
    g.output(g.conv(d, "o", 6, 2, kernel=1))
    return g, {"d": 6, "e1": 6, "e2": 10, "u": 6}


def strided_merge():
    """Focus: four strided slices of a prunable feature concatenated on channels, convolution."""
    g = Graph("strided_merge")
    x = g.conv_bn(g.input(3, 8, 8), "p", 3, 6)
    s = [g.op("Slice", x, g.ints(i, j), g.ints(1 << 62, 1 << 62), g.ints(2, 3), g.ints(2, 2)) for j in (0, 1) for i in (0, 1)]
    g.head(g.conv_bn(g.concat(*s), "c", 24, 8), 8)
    return g, {"c": 8, "p": 6}


def multiplier_then_residual():
    """A depthwise convolution that doubles channels, with a residual around what follows and a concatenation with what it read."""
    g = Graph("multiplier_then_residual")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 6)
    y = g.conv_bn(x, "dm", 6, 12, group=6)
    z = g.conv_bn(y, "pw", 12, 12, kernel=1)
    y = g.op("Add", y, z)
    y = g.concat(y, x)
    g.head(g.conv_bn(y, "last", 18, 8), 8)
    return g, {"dm/width": 2, "last": 8, "stem": 6}


def residual_and_concat():
    """Residuals within a concatenation and around one: everything becomes one group."""
    g = Graph("residual_and_concat")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    y = g.conv_bn(x, "a", 8, 8)
    r = g.op("Add", x, y)
    c = g.concat(r, y, x)
    z = g.conv_bn(c, "b", 24, 24)
    z = g.op("Add", z, c)
    z = g.concat(z, r)
    g.head(g.conv_bn(z, "last", 32, 6), 6)
    return g, {"last": 6, "stem": 8}


def residual_chain_partial():
    """Residual on a slice of the channels (RevNet-like coupling)."""
    g = Graph("residual_chain_partial")
    x = g.conv_bn(g.input(3, 8, 8), "p", 3, 12)
    for i in range(2):
        a, b = g.split(x, [6, 6], axis=1)
        a = g.op("Add", a, g.conv_bn(b, f"f{i}", 6, 6))
        b = g.op("Add", b, g.conv_bn(a, f"g{i}", 6, 6))
        x = g.concat(b, a)
    g.head(g.conv(x, "o", 12, 4), 4)
    return g, {"o": 4, "p#0": 6, "p#1": 6}


def tsm():
    """Temporal shift: channels sliced, shifted in time by Pad and Slice, concatenated; batch times frames."""
    g = Graph("tsm")
    x = g.conv_bn(g.input(4, 8, 8), "c1", 4, 8)
    y = g.reshape(x, -1, 8, 8, 8)
    t = g.reshape(y, -1, 8, 64)
    a = g.op("Pad", g.slice(g.slice(t, 1, 0, 2), 2, 1, 64), g.ints(0, 0, 0, 0, 0, 1))
    b = g.op("Pad", g.slice(g.slice(t, 1, 2, 4), 2, 0, 63), g.ints(0, 0, 1, 0, 0, 0))
    c = g.slice(t, 1, 4, 8)
    z = g.reshape(g.concat(a, b, c), -1, 8, 8, 8)
    g.head(g.relu(g.op("Add", x, g.conv(z, "c2", 8, 8))), 8)
    return g, {"c1#0": 2, "c1#1": 2, "c1#2": 4}


def shuffle_after_group():
    """Conv groups=2, shuffle, conv groups=4."""
    g = Graph("shuffle_after_group")
    x = g.conv_bn(g.input(3, 8, 8), "p", 3, 16)
    y = g.conv_bn(x, "g2", 16, 16, group=2)
    y = g.reshape(g.transpose(g.reshape(y, -1, 2, 8, 8, 8), 0, 2, 1, 3, 4), -1, 16, 8, 8)
    y = g.conv_bn(y, "g4", 16, 16, group=4)
    y = g.op("Add", y, x)
    g.head(g.conv(y, "o", 16, 4), 4)
    return g, {"g2/width": 2, "o": 4, "p#1": 2, "p/groups": 2, "p/width": 4}
