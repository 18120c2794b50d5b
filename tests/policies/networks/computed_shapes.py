"""Exporters compute targets from the shapes of values while the network runs: Shape, Gather, Unsqueeze, Concat, arithmetic. After import they are
constants, and must follow what is pruned."""

import numpy as np

from graph import Graph


def extent(g, x, axis):
    """x.size(axis) as a vector of one."""
    return g.op("Unsqueeze", g.op("Gather", g.op("Shape", x), g.constant(np.int64(axis)), axis=0), g.ints(0))


def view(g, x, *extents):
    return g.op("Reshape", x, g.op("Concat", *[g.ints(e) if isinstance(e, int) else e for e in extents], axis=0))


def computed_flatten():
    """x.view(x.size(0), -1)"""
    g = Graph("computed_flatten")
    x = g.conv_bn(g.input(3, 8, 8), "c1", 3, 8, stride=4)
    x = view(g, x, extent(g, x, 0), -1)
    g.output(g.gemm(g.relu(g.gemm(x, "fc1", 32, 12)), "fc2", 12, 5), shape=[5])
    return g, {"c1": 8, "fc1": 12}


def computed_shuffle():
    """x.view(n, groups, c // groups, h, w).transpose(1, 2).view(n, -1, h, w), the quotient computed in the graph."""
    g = Graph("computed_shuffle")
    a = g.conv_bn(g.input(3, 8, 8), "c1", 3, 8)
    x = g.concat(a, g.conv_bn(a, "dw", 8, 8, group=8))
    n, c, h, w = (extent(g, x, axis) for axis in range(4))
    x = view(g, x, n, 2, g.op("Div", c, g.ints(2)), h, w)
    x = view(g, g.transpose(x, 0, 2, 1, 3, 4), n, -1, h, w)
    g.head(g.conv_bn(x, "last", 16, 6), 6)
    return g, {"c1": 8, "last": 6}


def computed_resize():
    """F.interpolate(x, size=y.shape[2:]) with sizes put together from the channels of x and the height and width of y (FPN)."""
    g = Graph("computed_resize")
    y = g.conv_bn(g.input(3, 8, 8), "fine", 3, 6)
    x = g.conv_bn(y, "coarse", 6, 6, stride=2)
    sizes = g.op("Concat", g.op("Slice", g.op("Shape", x), g.ints(0), g.ints(2), g.ints(0)), extent(g, y, 2), extent(g, y, 3), axis=0)
    x = g.op("Resize", x, "", "", sizes, mode="nearest")
    g.head(g.conv_bn(g.op("Add", g.conv(x, "lateral", 6, 8), g.conv(y, "top", 6, 8)), "last", 8, 4), 4)
    return g, {"fine": 6, "coarse": 6, "lateral": 8, "last": 4}


def computed_attention():
    """x.view(n, t, heads, width) with n and t from the input's shape; the width computed as c // heads."""
    g = Graph("computed_attention")
    x = g.input(6, 8)
    parts = []
    for name in ("query", "key", "value"):
        y = g.linear(x, name, 8, 12)
        n, t, c = (extent(g, y, axis) for axis in range(3))
        parts.append(g.transpose(view(g, y, n, t, 3, g.op("Div", c, g.ints(3))), 0, 2, 1, 3))
    q, k, v = parts
    scale = g.op("Sqrt", g.op("Cast", extent(g, q, 3), to=1))
    scores = g.op("Softmax", g.op("Div", g.op("MatMul", q, g.transpose(k, 0, 1, 3, 2)), scale), axis=-1)
    y = g.transpose(g.op("MatMul", scores, v), 0, 2, 1, 3)
    y = view(g, y, extent(g, y, 0), extent(g, y, 1), 12)
    g.output(g.linear(y, "out", 12, 5), shape=[6, 5])
    return g, {"query/heads": 3, "query/width": 4, "value/width": 4}


def computed_expand():
    """A gate expanded as the features (expand_as), and positions of the batch's length."""
    g = Graph("computed_expand")
    x = g.conv_bn(g.input(3, 8, 8), "c1", 3, 8)
    gate = g.op("Sigmoid", g.conv(g.op("GlobalAveragePool", x), "gate", 8, 8, kernel=1))
    x = g.op("Mul", x, g.op("Expand", gate, g.op("Shape", x)))
    g.head(g.conv_bn(x, "last", 8, 6), 6)
    return g, {"c1": 8, "last": 6}


def computed_slice():
    """torch.chunk on channels, whose bounds are computed from the shape."""
    g = Graph("computed_slice")
    x = g.conv_bn(g.input(3, 8, 8), "c1", 3, 12)
    half = g.op("Div", extent(g, x, 1), g.ints(2))
    a = g.op("Slice", x, g.ints(0), half, g.ints(1))
    b = g.op("Slice", x, half, g.op("Mul", half, g.ints(2)), g.ints(1))
    g.head(g.conv_bn(g.op("Add", a, g.conv_bn(b, "b", 6, 6)), "last", 6, 4), 4)
    return g, {"c1#0": 6, "c1#1": 6, "last": 4}
