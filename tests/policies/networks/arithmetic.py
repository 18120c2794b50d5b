"""Reductions, roots and quotients over or beside channels. Each function returns the graph and its prunable groups, worked out by hand."""

import numpy as np

from graph import Graph


def multiply_by_spatial_attention():
    """A gate [N, 1, H, W] from the maximum and mean over channels (CBAM): reductions over channels freeze them."""
    g = Graph("multiply_by_spatial_attention")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    x = g.conv_bn(x, "features", 8, 12)
    s = g.concat(g.op("ReduceMean", x, axes=[1], name="channel_mean"), g.op("ReduceMax", x, axes=[1]))
    x = g.op("Mul", x, g.op("Sigmoid", g.conv(s, "gate", 2, 1)))
    g.head(g.conv_bn(x, "last", 12, 8), 8)
    return g, {"stem": 8, "last": 8}


def frozen_by_unknown_constant_shift():
    """A scalar added makes masked channels non-zero, which a layer after it does not mind and a sum over channels does."""
    g = Graph("frozen_by_unknown_constant_shift")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    x = g.op("Add", x, g.constant(np.float32(0.5)))
    x = g.op("Sub", g.conv(x, "mid", 8, 12), g.constant(g.normal(1, 12, 1, 1)))
    y = g.op("Add", x, g.constant(np.float32(0.25)))
    g.output(g.op("ReduceSum", y, g.ints(1), keepdims=0))
    z = g.conv(x, "z", 12, 6)
    g.output(g.op("ReduceSum", z, g.ints(1), keepdims=0))
    return g, {"stem": 8, "z": 6}


def tiled_and_expanded():
    g = Graph("tiled_and_expanded")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 6)
    p = g.op("GlobalAveragePool", x)
    p = g.op("Expand", g.conv(p, "context", 6, 5, kernel=1), g.ints(1, 5, 8, 8))
    x = g.concat(x, p, g.op("Tile", x, g.ints(1, 2, 1, 1)))
    g.head(g.conv_bn(x, "last", 23, 8), 8)
    return g, {"stem": 6, "context": 5, "last": 8}


def normalized_embedding():
    """x / ||x|| over channels: a sum of squares, which zeros do not change."""
    g = Graph("normalized_embedding")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    x = g.op("Flatten", g.op("GlobalAveragePool", x), axis=1)
    x = g.gemm(x, "embed", 8, 12)
    n = g.op("ReduceL2", x, axes=[1], keepdims=1)
    n = g.op("Expand", g.op("Clip", n, g.constant(np.float32(1e-6))), g.ints(1, 12))
    g.output(g.gemm(g.op("Div", x, n), "classes", 12, 5))
    return g, {"stem": 8, "embed": 12}


def standardized_channels():
    """(x - mean) / sqrt(var + eps) of each channel, spelled out."""
    g = Graph("standardized_channels")
    x = g.conv_bn(g.input(3, 8, 8), "stem", 3, 8)
    x = g.conv(x, "c", 8, 10)
    d = g.op("Sub", x, g.op("ReduceMean", x, axes=[2, 3]))
    v = g.op("ReduceMean", g.op("Mul", d, d), axes=[2, 3])
    x = g.op("Div", d, g.op("Sqrt", g.op("Add", v, g.constant(np.float32(1e-5)))))
    g.head(g.conv(x, "last", 10, 6), 6)
    return g, {"stem": 8, "c": 10, "last": 6}


def tensor_flow_same_padding():
    g = Graph("tensor_flow_same_padding")
    x = g.op("Pad", g.input(3, 9, 9), g.ints(0, 0, 0, 0, 0, 0, 1, 1))
    x = g.conv_bn(x, "c1", 3, 8, stride=2, pad=0)
    x = g.op("Pad", x, g.ints(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect")
    g.head(g.conv_bn(x, "c2", 8, 6, pad=0), 6)
    return g, {"c1": 8, "c2": 6}
