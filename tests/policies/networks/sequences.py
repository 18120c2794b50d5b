"""Attention, recurrence and gating as decoders, speech and hybrid networks write them.
Each function returns the graph and its prunable groups {name: channels}, worked out by hand.
"""

import numpy as np
from onnx import TensorProto

from graph import Graph


def bottleneck_attention():
    """Attention over pixels with a table of relative positions, in a residual bottleneck (BoTNet)."""
    g = Graph("bottleneck_attention")
    x = g.conv_bn(g.input(3, 4, 4), "stem", 3, 16)
    y = g.conv_bn(x, "in", 16, 8, kernel=1)
    qkv = g.conv(y, "qkv", 8, 24, kernel=1, bias=False)
    qkv = g.reshape(qkv, -1, 3, 2, 4, 16)
    q, k, v = [g.op("Squeeze", p, g.ints(1)) for p in g.split(qkv, [1, 1, 1], axis=1)]
    qt = g.transpose(q, 0, 1, 3, 2)
    s = g.op("MatMul", qt, k)
    rel = g.constant(g.normal(1, 2, 4, 16))
    s = g.op("Add", s, g.op("MatMul", qt, rel))
    a = g.op("Softmax", s, axis=-1)
    o = g.op("MatMul", a, g.transpose(v, 0, 1, 3, 2))
    o = g.reshape(g.transpose(o, 0, 1, 3, 2), -1, 8, 4, 4)
    o = g.conv_bn(g.relu(g.bn(o, 8)), "out", 8, 16, kernel=1, act=None)
    x = g.relu(g.op("Add", x, o))
    g.head(x, 16)
    return g, {"in": 8, "qkv/heads": 2, "qkv/width": 4, "stem": 16}


def gqa():
    """Grouped-query attention: 4 query heads share 2 key/value heads by Expand."""
    g = Graph("gqa")
    x = g.input(6, 8)
    q = g.linear(x, "q", 8, 16, bias=False)
    k = g.linear(x, "k", 8, 8, bias=False)
    v = g.linear(x, "v", 8, 8, bias=False)
    q = g.transpose(g.reshape(q, -1, 6, 4, 4), 0, 2, 1, 3)
    def rep(t):
        t = g.transpose(g.reshape(t, -1, 6, 2, 4), 0, 2, 1, 3)
        t = g.op("Unsqueeze", t, g.ints(2))
        t = g.op("Expand", t, g.ints(1, 2, 2, 6, 4))
        return g.reshape(t, -1, 4, 6, 4)
    k, v = rep(k), rep(v)
    s = g.op("Softmax", g.op("Mul", g.op("MatMul", q, g.transpose(k, 0, 1, 3, 2)), g.constant(np.float32(0.5))), axis=-1)
    y = g.reshape(g.transpose(g.op("MatMul", s, v), 0, 2, 1, 3), -1, 6, 16)
    g.output(g.linear(y, "o", 16, 8, bias=False))
    return g, {"q#0": 2, "q#1": 2, "q/width": 4, "v/width": 4}


def mqa():
    """One head of keys and values for all queries, broadcast by MatMul."""
    g = Graph("mqa")
    x = g.input(6, 8)
    q = g.transpose(g.reshape(g.linear(x, "q", 8, 12), -1, 6, 3, 4), 0, 2, 1, 3)
    k = g.op("Unsqueeze", g.linear(x, "k", 8, 4), g.ints(1))
    v = g.op("Unsqueeze", g.linear(x, "v", 8, 5), g.ints(1))
    s = g.op("Softmax", g.op("MatMul", q, g.transpose(k, 0, 1, 3, 2)), axis=-1)
    y = g.reshape(g.transpose(g.op("MatMul", s, v), 0, 2, 1, 3), -1, 6, 15)
    g.output(g.linear(y, "o", 15, 8))
    return g, {"q/heads": 3, "q/width": 4, "v": 5}


def rotary_interleaved():
    """GPT-J: even and odd places, Slice with step 2, then stacked and reshaped."""
    g = Graph("rotary_interleaved")
    x = g.input(6, 8)
    cos, sin = g.constant(g.normal(1, 1, 6, 2)), g.constant(g.normal(1, 1, 6, 2))
    def rot(n):
        y = g.transpose(g.reshape(g.linear(x, n, 8, 12, bias=False), -1, 6, 3, 4), 0, 2, 1, 3)
        e, o = g.slice(y, 3, 0, 1 << 62, 2), g.slice(y, 3, 1, 1 << 62, 2)
        a = g.op("Sub", g.op("Mul", e, cos), g.op("Mul", o, sin))
        b = g.op("Add", g.op("Mul", e, sin), g.op("Mul", o, cos))
        s = g.concat(g.op("Unsqueeze", a, g.ints(-1)), g.op("Unsqueeze", b, g.ints(-1)), axis=-1)
        return g.reshape(s, -1, 3, 6, 4)
    q, k = rot("q"), rot("k")
    v = g.transpose(g.reshape(g.linear(x, "v", 8, 12, bias=False), -1, 6, 3, 4), 0, 2, 1, 3)
    s = g.op("Softmax", g.op("MatMul", q, g.transpose(k, 0, 1, 3, 2)), axis=-1)
    y = g.reshape(g.transpose(g.op("MatMul", s, v), 0, 2, 1, 3), -1, 6, 12)
    g.output(g.linear(y, "o", 12, 5))
    return g, {"q/heads": 3, "q/width": 2, "v/width": 4}


def rms_norm_swiglu():
    """Root-mean-square normalization spelled out, a gated feed-forward block."""
    g = Graph("rms_norm_swiglu")
    x = g.input(6, 8)
    x = g.linear(x, "in", 8, 12)
    def rms(v, c):
        m = g.op("ReduceMean", g.op("Pow", v, g.constant(np.float32(2))), axes=[-1], keepdims=1)
        r = g.op("Reciprocal", g.op("Sqrt", g.op("Add", m, g.constant(np.float32(1e-6)))))
        return g.op("Mul", g.op("Mul", v, r), g.constant(g.rng.uniform(0.5, 1.5, c)))
    y = rms(x, 12)
    y = g.linear(g.op("Mul", g.silu(g.linear(y, "gate", 12, 20, bias=False)), g.linear(y, "up", 12, 20, bias=False)), "down", 20, 12, bias=False)
    x = g.op("Add", x, y)
    g.output(g.linear(rms(x, 12), "out", 12, 4))
    return g, {"gate": 20}


def linear_attention():
    """Attention by the kernel elu + 1 with its normalizer."""
    g = Graph("linear_attention")
    x = g.input(6, 8)
    heads = lambda n: g.transpose(g.reshape(g.linear(x, n, 8, 12), -1, 6, 3, 4), 0, 2, 1, 3)
    q, k, v = heads("q"), heads("k"), heads("v")
    one = lambda t: g.op("Add", g.op("Elu", t), g.constant(np.float32(1)))
    q, k = one(q), one(k)
    kv = g.op("MatMul", g.transpose(k, 0, 1, 3, 2), v)
    z = g.op("MatMul", q, g.op("Unsqueeze", g.op("ReduceSum", k, g.ints(2), keepdims=0), g.ints(-1)))
    y = g.op("Div", g.op("MatMul", q, kv), z)
    g.output(g.linear(g.reshape(g.transpose(y, 0, 2, 1, 3), -1, 6, 12), "o", 12, 5))
    return g, {"v": 4}


def relu_linear_attention():
    """Linear attention whose denominator comes from a column of ones padded to the values."""
    g = Graph("relu_linear_attention")
    x = g.input(6, 8)
    heads = lambda n: g.transpose(g.reshape(g.linear(x, n, 8, 12), -1, 6, 3, 4), 0, 2, 1, 3)
    q, k, v = g.relu(heads("q")), g.relu(heads("k")), heads("v")
    v = g.op("Pad", v, g.ints(0, 0, 0, 0, 0, 0, 0, 1), g.constant(np.float32(1)))
    y = g.op("MatMul", q, g.op("MatMul", g.transpose(k, 0, 1, 3, 2), v))
    num, den = g.slice(y, 3, 0, 4), g.slice(y, 3, 4, 5)
    y = g.op("Div", num, g.op("Add", den, g.constant(np.float32(1e-6))))
    g.output(g.linear(g.reshape(g.transpose(y, 0, 2, 1, 3), -1, 6, 12), "o", 12, 5))
    return g, {"q/heads": 3, "q/width": 4}


def cross_attention():
    """Keys and values from a second input."""
    g = Graph("cross_attention")
    x, c = g.input(6, 8, name="x"), g.input(4, 5, name="context")
    q = g.transpose(g.reshape(g.linear(x, "q", 8, 12), -1, 6, 3, 4), 0, 2, 1, 3)
    k = g.transpose(g.reshape(g.linear(c, "k", 5, 12), -1, 4, 3, 4), 0, 2, 3, 1)
    v = g.transpose(g.reshape(g.linear(c, "v", 5, 18), -1, 4, 3, 6), 0, 2, 1, 3)
    s = g.op("Softmax", g.op("MatMul", q, k), axis=-1)
    g.output(g.linear(g.reshape(g.transpose(g.op("MatMul", s, v), 0, 2, 1, 3), -1, 6, 18), "o", 18, 5))
    return g, {"q/heads": 3, "q/width": 4, "v/width": 6}


def batched_weight_heads():
    """Per-head projections [H, C, D] instead of one matrix."""
    g = Graph("batched_weight_heads")
    x = g.op("Unsqueeze", g.input(6, 8), g.ints(1))
    q, k, v = (g.op("MatMul", x, g.weight(3, 8, 4, fan_in=8), name=n) for n in "qkv")
    s = g.op("Softmax", g.op("MatMul", q, g.transpose(k, 0, 1, 3, 2)), axis=-1)
    y = g.op("MatMul", s, v)
    y = g.op("ReduceSum", g.op("MatMul", y, g.weight(3, 4, 5, fan_in=12), name="o"), g.ints(1), keepdims=0)
    g.output(y)
    return g, {"q": 4, "v": 4}


def moe():
    """Soft mixture of experts: experts stacked in one weight [E, C, H], MatMul with batch axes; gate softmax over experts."""
    g = Graph("moe")
    x = g.linear(g.input(6, 8), "in", 8, 10)
    gate = g.op("Softmax", g.linear(x, "gate", 10, 3), axis=-1)
    y = g.op("Unsqueeze", x, g.ints(1))           # [N,1,6,10]
    y = g.relu(g.op("MatMul", y, g.weight(3, 10, 12, fan_in=10), name="up"))   # [N,3,6,12]
    y = g.op("MatMul", y, g.weight(3, 12, 7, fan_in=12), name="down")          # [N,3,6,7]
    w = g.op("Unsqueeze", g.transpose(gate, 0, 2, 1), g.ints(3))
    y = g.op("ReduceSum", g.op("Mul", y, w), g.ints(1), keepdims=0)
    g.output(g.linear(y, "out", 7, 4))
    return g, {"down": 7, "in": 10, "up": 12}


def recurrent_unrolled():
    """A cell applied four times with the same weights, hidden state starting from zeros."""
    g = Graph("recurrent_unrolled")
    x = g.input(4, 6)
    wx, wh, b = g.weight(6, 9, fan_in=6), g.weight(9, 9, fan_in=9), g.constant(g.normal(9))
    h = None
    for t in range(4):
        xt = g.op("Squeeze", g.slice(x, 1, t, t + 1), g.ints(1))
        z = g.op("Add", g.op("MatMul", xt, wx, name=f"x{t}"), b)
        if h:
            z = g.op("Add", z, g.op("MatMul", h, wh, name=f"h{t}"))
        h = g.op("Tanh", z)
    g.output(g.gemm(h, "o", 9, 3))
    return g, {"x0": 9}


def gru_cell():
    """GRU gates from one matrix, split in three, twice."""
    g = Graph("gru_cell")
    x, h = g.input(6, name="x"), g.input(5, name="h")
    h = g.linear(h, "h_in", 5, 8)
    gi, gh = g.gemm(x, "ih", 6, 24), g.gemm(h, "hh", 8, 24)
    ri, zi, ni = g.split(gi, [8, 8, 8], axis=1)
    rh, zh, nh = g.split(gh, [8, 8, 8], axis=1)
    r, z = g.op("Sigmoid", g.op("Add", ri, rh)), g.op("Sigmoid", g.op("Add", zi, zh))
    n = g.op("Tanh", g.op("Add", ni, g.op("Mul", r, nh)))
    h = g.op("Add", g.op("Mul", g.op("Sub", g.constant(np.float32(1)), z), n), g.op("Mul", z, h))
    g.output(g.gemm(h, "o", 8, 3))
    return g, {"h_in": 8}


def tied_autoencoder():
    """Decoder uses the encoder's matrix transposed."""
    g = Graph("tied_autoencoder")
    x = g.input(8)
    w = g.constant(g.normal(8, 5))
    h = g.op("Sigmoid", g.op("MatMul", x, w, name="enc"))
    h = g.op("MatMul", h, g.transpose(w, 1, 0), name="dec")
    g.output(g.op("Add", h, g.constant(g.normal(8))))
    return g, {"enc": 5}


def tied_gemm():
    """The same with Gemm and transB, no Transpose."""
    g = Graph("tied_gemm")
    x = g.input(8)
    w = g.constant(g.normal(5, 8))
    h = g.relu(g.op("Gemm", x, w, g.constant(g.normal(5)), name="enc", transB=1))
    g.output(g.op("Gemm", h, w, name="dec"))
    return g, {"enc": 5}


def factorized_embedding():
    """ALBERT: table [V, E], projected to hidden; layers share all weights."""
    g = Graph("factorized_embedding", opset=17)
    ids = g.input(6, name="ids", type=TensorProto.INT64)
    x = g.linear(g.op("Gather", g.constant(g.normal(30, 7)), ids), "proj", 7, 10)
    u, d = g.weight(10, 14, fan_in=10), g.weight(14, 10, fan_in=14)
    for i in range(2):
        h = g.gelu(g.op("MatMul", x, u, name=f"u{i}"))
        x = g.op("Add", x, g.op("MatMul", h, d, name=f"d{i}"))
        x = g.op("LayerNormalization", x, g.constant(np.ones(10)), g.constant(np.zeros(10)))
    g.output(g.linear(x, "o", 10, 3))
    return g, {"u0": 14}


def token_merge():
    """Swin patch merging: four strided slices concatenated on channels, LayerNorm, linear."""
    g = Graph("token_merge", opset=17)
    x = g.conv(g.input(3, 8, 8), "p", 3, 6)
    x = g.transpose(x, 0, 2, 3, 1)
    x = g.linear(g.gelu(g.linear(x, "u", 6, 10)), "d", 10, 6)
    s = [g.slice(g.slice(x, 1, i, 1 << 62, 2), 2, j, 1 << 62, 2) for j in (0, 1) for i in (0, 1)]
    y = g.concat(*s, axis=-1)
    z = g.op("MatMul", y, g.weight(24, 8, fan_in=24), name="nonorm")
    y = g.op("LayerNormalization", y, g.constant(np.ones(24)), g.constant(np.zeros(24)))
    y = g.op("MatMul", y, g.weight(24, 8, fan_in=24), name="red")
    g.output(g.linear(g.op("Add", y, z), "o", 8, 3))
    return g, {"nonorm": 8, "p": 6, "u": 10}


def conv1d():
    """Gated dilated convolutions with sums of skips (WaveNet), and a transposed one."""
    g = Graph("conv1d")
    x = g.op("Conv", g.input(4, 32), g.weight(8, 4, 1, fan_in=4), name="stem", kernel_shape=[1])
    skips = []
    for i in range(2):
        d = 2 ** i
        p = g.op("Pad", x, g.ints(0, 0, 2 * d, 0, 0, 0))
        f = g.op("Conv", p, g.weight(16, 8, 3, fan_in=24), g.constant(g.normal(16)), name=f"f{i}", kernel_shape=[3], dilations=[d])
        a, b = g.split(f, [8, 8], axis=1)
        z = g.op("Mul", g.op("Tanh", a), g.op("Sigmoid", b))
        s = g.op("Conv", z, g.weight(10, 8, 1, fan_in=8), name=f"s{i}", kernel_shape=[1])
        r = g.op("Conv", z, g.weight(8, 8, 1, fan_in=8), name=f"r{i}", kernel_shape=[1])
        x = g.op("Add", x, r)
        skips.append(s)
    y = g.relu(g.op("Sum", *skips))
    y = g.op("Conv", y, g.weight(3, 10, 1, fan_in=10), name="out", kernel_shape=[1])
    g.output(y)
    t = g.op("ConvTranspose", x, g.weight(8, 6, 4, fan_in=16), name="up", strides=[2], pads=[1, 1], kernel_shape=[4])
    g.output(g.op("Conv", g.op("LeakyRelu", t), g.weight(2, 6, 3, fan_in=18), name="wav", kernel_shape=[3], pads=[1, 1]))
    return g, {"f0": 8, "f1": 8, "s0": 10, "stem": 8, "up": 6}


def max_over_time():
    """Convolutions of three widths over embedded words, the maximum over positions of each."""
    g = Graph("max_over_time")
    ids = g.input(12, name="ids", type=TensorProto.INT64)
    x = g.transpose(g.op("Gather", g.constant(g.normal(30, 8)), ids), 0, 2, 1)
    ps = []
    for k in (2, 3, 4):
        c = g.relu(g.op("Conv", x, g.weight(5, 8, k, fan_in=8 * k), g.constant(g.normal(5)), name=f"c{k}", kernel_shape=[k]))
        ps.append(g.op("ReduceMax", c, axes=[2], keepdims=0))
    g.output(g.gemm(g.concat(*ps), "o", 15, 3))
    return g, {"c2": 5, "c3": 5, "c4": 5}


def crnn_permute():
    """[N, C, H, W] -> [N, W, H * C], then two directions that are added (text recognition)."""
    g = Graph("crnn_permute")
    x = g.conv_bn(g.input(1, 8, 12), "p", 1, 6)
    x = g.reshape(g.transpose(x, 0, 3, 2, 1), 0, 12, -1)
    x = g.linear(x, "l", 48, 10)
    a, b = g.split(x, [5, 5], axis=2)
    g.output(g.linear(g.op("Add", a, b), "o", 5, 3))
    return g, {"l": 5, "p": 6}


def capsule():
    """PrimaryCaps: reshape to [N, caps, dim], squash by norm over dim, prediction by MatMul with constant weight batch."""
    g = Graph("capsule")
    x = g.conv(g.input(3, 4, 4), "p", 3, 12, stride=2)   # [12,2,2]
    x = g.reshape(x, -1, 3, 4, 4)       # caps 3, dim 4, pos 4
    x = g.reshape(g.transpose(x, 0, 1, 3, 2), -1, 12, 4)     # [N, 12 caps, 4]
    n = g.op("ReduceSumSquare", x, axes=[2], keepdims=1)
    sq = g.op("Div", n, g.op("Add", n, g.constant(np.float32(1))))
    x = g.op("Mul", x, g.op("Div", sq, g.op("Sqrt", g.op("Add", n, g.constant(np.float32(1e-8))))))
    u = g.op("MatMul", g.op("Unsqueeze", x, g.ints(2)), g.constant(g.normal(1, 12, 4, 5)))
    y = g.op("ReduceSum", g.op("Squeeze", u, g.ints(2)), g.ints(1), keepdims=0)
    g.output(y)
    return g, {"p#0": 3, "p#1": 4}


def vlad():
    """NetVLAD: soft assignments times features, less the centres, normalized."""
    g = Graph("vlad")
    x = g.conv_bn(g.input(3, 4, 4), "p", 3, 24)
    a = g.op("Softmax", g.reshape(g.conv(x, "assign", 24, 5, kernel=1), -1, 5, 16), axis=1)
    f = g.reshape(x, -1, 24, 16)
    v = g.op("MatMul", a, g.transpose(f, 0, 2, 1))     # [N,5,24]
    s = g.op("ReduceSum", a, g.ints(2), keepdims=1)
    v = g.op("Sub", v, g.op("Mul", s, g.constant(g.normal(5, 24))))
    n = g.op("Clip", g.op("ReduceL2", v, axes=[2], keepdims=1), g.constant(np.float32(1e-6)))
    v = g.reshape(g.op("Div", v, n), -1, 120)
    g.output(g.gemm(v, "o", 120, 3))
    return g, {"p": 24}
