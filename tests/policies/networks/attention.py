"""Patterns of Transformers. Each function returns the graph and its prunable groups {name: channels}, worked out by hand."""

import numpy as np
from onnx import TensorProto

from graph import Graph


def heads_of(g, x, tokens, heads, width, *perm):
    return g.transpose(g.reshape(x, -1, tokens, heads, width), *perm)


def self_attention(g, x, name, tokens, hidden, heads, width, mask=None):
    """Separate projections; the result is [N, tokens, hidden]."""
    q = heads_of(g, g.linear(x, f"{name}.query", hidden, heads * width), tokens, heads, width, 0, 2, 1, 3)
    k = heads_of(g, g.linear(x, f"{name}.key", hidden, heads * width), tokens, heads, width, 0, 2, 3, 1)
    v = heads_of(g, g.linear(x, f"{name}.value", hidden, heads * width), tokens, heads, width, 0, 2, 1, 3)
    scores = g.op("Div", g.op("MatMul", q, k), g.constant(np.float32(width**0.5)))
    if mask:
        scores = g.op("Add", scores, mask)
    y = g.op("MatMul", g.op("Softmax", scores, axis=-1), v)
    y = g.reshape(g.transpose(y, 0, 2, 1, 3), -1, tokens, heads * width)
    return g.linear(y, f"{name}.out", heads * width, hidden)


def bert():
    """Embedding, mask, residuals with LayerNorm spelled out, feed-forward with GELU, mean pooling over tokens."""
    g = Graph("bert")
    ids, mask = g.input(6, name="ids", type=TensorProto.INT64), g.input(6, name="mask", type=TensorProto.INT64)
    bias = g.op("Unsqueeze", g.op("Cast", mask, to=1), g.ints(1, 2))
    bias = g.op("Mul", g.op("Sub", g.constant(np.float32(1)), bias), g.constant(np.float32(-1e4)))
    x = g.op("Add", g.op("Gather", g.constant(g.normal(50, 12)), ids), g.constant(g.normal(1, 6, 12)))
    x = g.layer_norm(x, 12, "embed.norm")
    for i in range(2):
        x = g.layer_norm(g.op("Add", x, self_attention(g, x, f"l{i}.attention", 6, 12, 3, 4, bias)), 12, f"l{i}.norm1")
        y = g.linear(g.gelu(g.linear(x, f"l{i}.up", 12, 20)), f"l{i}.down", 20, 12)
        x = g.layer_norm(g.op("Add", x, y), 12, f"l{i}.norm2")
    g.output(g.gemm(g.op("ReduceMean", x, axes=[1], keepdims=0), "classifier", 12, 2))
    expected = {}
    for i in range(2):
        expected |= {f"l{i}.attention.query/heads": 3, f"l{i}.attention.query/width": 4, f"l{i}.attention.value/width": 4, f"l{i}.up": 20}
    return g, expected


def vision_transformer():
    """Patches by convolution, a class token, one Gemm-like projection for query, key and value that is Split; pre-norm (opset 17)."""
    g = Graph("vision_transformer", opset=17)
    x = g.conv(g.input(3, 8, 8), "patches", 3, 12, kernel=4, stride=4, pad=0)
    x = g.transpose(g.reshape(x, -1, 12, 4), 0, 2, 1)
    token = g.op("Mul", g.slice(x, 1, 0, 1), g.constant(np.float32(0)))
    token = g.op("Add", token, g.constant(g.normal(1, 1, 12)))
    x = g.op("Add", g.concat(token, x, axis=1), g.constant(g.normal(1, 5, 12)))
    norm = lambda v: g.op("LayerNormalization", v, g.constant(g.rng.uniform(0.5, 1.5, 12)), g.constant(g.normal(12)), axis=-1)
    y = g.linear(norm(x), "qkv", 12, 3 * 2 * 5)
    q, k, v = (g.transpose(g.reshape(part, -1, 5, 2, 5), 0, 2, 1, 3) for part in g.split(y, [10, 10, 10], axis=2))
    scores = g.op("Softmax", g.op("MatMul", g.op("Mul", q, g.constant(np.float32(0.4))), g.transpose(k, 0, 1, 3, 2)), axis=-1)
    y = g.reshape(g.transpose(g.op("MatMul", scores, v), 0, 2, 1, 3), -1, 5, 10)
    x = g.op("Add", x, g.linear(y, "proj", 10, 12))
    x = g.op("Add", x, g.linear(g.gelu(g.linear(norm(x), "up", 12, 18)), "down", 18, 12))
    x = g.op("Gather", norm(x), g.constant(np.int64(0)), axis=1)
    g.output(g.gemm(x, "head", 12, 4))
    return g, {"qkv/heads": 2, "qkv#1": 5, "qkv#2": 5, "up": 18}


def fused_qkv_gather():
    """timm's: one projection reshaped to [N, T, 3, heads, width], transposed, and gathered."""
    g = Graph("fused_qkv_gather")
    x = g.input(6, 8)
    y = g.transpose(g.reshape(g.linear(x, "qkv", 8, 24), -1, 6, 3, 2, 4), 2, 0, 3, 1, 4)
    q, k, v = (g.op("Gather", y, g.constant(np.int64(i)), axis=0) for i in range(3))
    scores = g.op("Softmax", g.op("MatMul", q, g.transpose(k, 0, 1, 3, 2)), axis=-1)
    y = g.reshape(g.transpose(g.op("MatMul", scores, v), 0, 2, 1, 3), -1, 6, 8)
    g.output(g.linear(y, "proj", 8, 5))
    return g, {"qkv/heads": 2, "qkv/width": 4}


def batch_times_heads():
    """torch.nn.MultiheadAttention: [T, N * heads, width], batched products of three axes."""
    g = Graph("batch_times_heads")
    x = g.transpose(g.input(6, 8), 1, 0, 2)
    parts = []
    for name in ("query", "key", "value"):
        y = g.reshape(g.linear(x, name, 8, 12), 6, -1, 4)
        parts.append(g.transpose(y, 1, 0, 2))
    q, k, v = parts
    scores = g.op("Softmax", g.op("MatMul", q, g.transpose(k, 0, 2, 1)), axis=-1)
    y = g.transpose(g.op("MatMul", scores, v), 1, 0, 2)
    y = g.reshape(y, 6, -1, 12)
    g.output(g.linear(y, "out", 12, 5))
    return g, {"query/heads": 3, "query/width": 4, "value/width": 4}


def channel_attention():
    """Transposed attention: the scores are channels by channels, so that softmax normalizes over channels."""
    g = Graph("channel_attention")
    x = g.conv_bn(g.input(3, 4, 4), "stem", 3, 8)
    q, k, v = (g.reshape(g.conv(x, name, 8, 6, kernel=1), -1, 6, 16) for name in "qkv")
    scores = g.op("Softmax", g.op("MatMul", q, g.transpose(k, 0, 2, 1)), axis=-1)
    y = g.reshape(g.op("MatMul", scores, v), -1, 6, 4, 4)
    g.output(g.conv(y, "out", 6, 5, kernel=1))
    # The rows of the scores are what q makes and what comes out; their columns are normalized.
    return g, {"stem": 8, "q": 6}


def non_local():
    """Non-local block: embedded dot products over positions, residual."""
    g = Graph("non_local")
    x = g.conv_bn(g.input(3, 4, 4), "stem", 3, 8)
    q, k, v = (g.reshape(g.conv(x, name, 8, 4, kernel=1), -1, 4, 16) for name in ("theta", "phi", "g"))
    scores = g.op("Softmax", g.op("MatMul", g.transpose(q, 0, 2, 1), k), axis=-1)
    y = g.reshape(g.transpose(g.op("MatMul", scores, g.transpose(v, 0, 2, 1)), 0, 2, 1), -1, 4, 4, 4)
    x = g.op("Add", x, g.conv(y, "w", 4, 8, kernel=1))
    g.head(x, 8)
    return g, {"stem": 8, "theta": 4, "g": 4}


def unprovable_contraction():
    """Sigmoid on both operands of a product of activations: masked channels would add 1/4 each."""
    g = Graph("unprovable_contraction")
    x = g.input(6, 8)
    a, b = (g.op("Sigmoid", g.linear(x, name, 8, 10)) for name in "ab")
    y = g.op("MatMul", a, g.transpose(b, 0, 2, 1))
    g.output(g.linear(g.linear(y, "c", 6, 7), "d", 7, 3))
    return g, {"c": 7}


def mixer():
    """MLP-Mixer: token mixing by transposing, then channel mixing."""
    g = Graph("mixer", opset=17)
    norm = lambda v: g.op("LayerNormalization", v, g.constant(g.rng.uniform(0.5, 1.5, 10)), g.constant(g.normal(10)))
    x = g.conv(g.input(3, 8, 8), "patches", 3, 10, kernel=4, stride=4, pad=0)
    x = g.transpose(g.reshape(x, 0, 0, -1), 0, 2, 1)
    y = g.transpose(norm(x), 0, 2, 1)
    y = g.linear(g.gelu(g.linear(y, "tokens.up", 4, 14)), "tokens.down", 14, 4)
    x = g.op("Add", x, g.transpose(y, 0, 2, 1))
    x = g.op("Add", x, g.linear(g.gelu(g.linear(norm(x), "channels.up", 10, 16)), "channels.down", 16, 10))
    g.output(g.gemm(g.op("ReduceMean", norm(x), axes=[1], keepdims=0), "head", 10, 4))
    return g, {"tokens.up": 14, "channels.up": 16}


def conv_next():
    """Depthwise convolution, LayerNorm with channels last, two linear layers, layer scale, residual."""
    g = Graph("conv_next")
    x = g.conv(g.input(3, 8, 8), "stem", 3, 8)
    for i in range(2):
        y = g.transpose(g.conv(x, f"b{i}.dw", 8, 8, group=8, kernel=7), 0, 2, 3, 1)
        y = g.layer_norm(y, 8, f"b{i}.norm")
        y = g.linear(g.gelu(g.linear(y, f"b{i}.up", 8, 16)), f"b{i}.down", 16, 8)
        y = g.transpose(g.op("Mul", y, g.constant(g.normal(8))), 0, 3, 1, 2)
        x = g.op("Add", x, y)
    g.head(x, 8)
    return g, {"b0.up": 16, "b1.up": 16}


def gated_feed_forward():
    """SwiGLU with the gate and the value in one matrix, and with two."""
    g = Graph("gated_feed_forward")
    x = g.input(6, 8)
    a, b = g.split(g.linear(x, "both", 8, 24), [12, 12], axis=-1)
    x = g.op("Add", x, g.linear(g.op("Mul", g.silu(a), b), "down1", 12, 8))
    y = g.op("Mul", g.silu(g.linear(x, "gate", 8, 10, bias=False)), g.linear(x, "up", 8, 10, bias=False))
    g.output(g.linear(y, "down2", 10, 8))
    return g, {"both": 12, "gate": 10}


def weight_on_the_left():
    """A constant as the first operand mixes positions."""
    g = Graph("weight_on_the_left")
    x = g.linear(g.input(6, 8), "embed", 8, 10)
    x = g.relu(g.op("MatMul", g.weight(9, 6, fan_in=6), x, name="mix1"))
    x = g.op("MatMul", g.weight(4, 9, fan_in=9), x, name="mix2")
    g.output(g.linear(x, "out", 10, 3))
    return g, {"embed": 10, "mix1": 9}


def rotary_attention():
    """Rotary position embedding: the width is cut in halves, swapped, negated, and multiplied by constants."""
    g = Graph("rotary_attention")
    x = g.input(6, 8)
    cos, sin = g.constant(g.normal(1, 1, 6, 4)), g.constant(g.normal(1, 1, 6, 4))

    def rotated(name):
        y = heads_of(g, g.linear(x, name, 8, 12, bias=False), 6, 3, 4, 0, 2, 1, 3)
        first, second = g.slice(y, 3, 0, 2), g.slice(y, 3, 2, 1 << 62)
        turned = g.concat(g.op("Neg", second), first, axis=3)
        return g.op("Add", g.op("Mul", y, cos), g.op("Mul", turned, sin))

    q, k = rotated("query"), rotated("key")
    v = heads_of(g, g.linear(x, "value", 8, 12, bias=False), 6, 3, 4, 0, 2, 1, 3)
    scores = g.op("Softmax", g.op("MatMul", q, g.transpose(k, 0, 1, 3, 2)), axis=-1)
    y = g.reshape(g.transpose(g.op("MatMul", scores, v), 0, 2, 1, 3), -1, 6, 12)
    g.output(g.linear(y, "out", 12, 5))
    # Both halves of the width lose the same places.
    return g, {"query/heads": 3, "query/width": 2, "value/width": 4}


def tied_embedding():
    """The table that embeds also classifies, by its transpose: hidden is coupled, words are not."""
    g = Graph("tied_embedding")
    table = g.constant(g.normal(20, 8))
    x = g.op("Gather", table, g.input(6, name="ids", type=TensorProto.INT64))
    x = g.op("Add", x, g.linear(g.relu(g.linear(x, "up", 8, 12)), "down", 12, 8))
    g.output(g.op("MatMul", x, g.transpose(table, 1, 0), name="logits"))
    return g, {"up": 12, "down": 8}


def einsum_attention():
    g = Graph("einsum_attention")
    x = g.input(6, 8)
    q, k, v = (g.reshape(g.linear(x, name, 8, 12), -1, 6, 3, 4) for name in ("query", "key", "value"))
    scores = g.op("Softmax", g.op("Einsum", q, k, equation="bqhd,bkhd->bhqk"), axis=-1)
    y = g.reshape(g.op("Einsum", scores, v, equation="bhqk, bkhd -> bqhd"), -1, 6, 12)
    g.output(g.linear(y, "out", 12, 5))
    return g, {"query/heads": 3, "query/width": 4, "value/width": 4}


def fused_decoder():
    """GPT-2: rows [N * T, C] through one Gemm for query, key and value, causal mask by Where."""
    g = Graph("fused_decoder")
    x = g.layer_norm(g.input(6, 8), 8, "norm")
    y = g.reshape(g.gemm(g.reshape(x, -1, 8), "qkv", 8, 24), -1, 6, 24)
    q, k, v = (g.transpose(g.reshape(part, 0, 0, 2, 4), 0, 2, 1, 3) for part in g.split(y, [8, 8, 8], axis=2))
    scores = g.op("Div", g.op("MatMul", q, g.transpose(k, 0, 1, 3, 2)), g.constant(np.float32(2)))
    scores = g.op("Where", g.constant(np.tril(np.ones((1, 1, 6, 6), bool))), scores, g.constant(np.float32(-1e4)))
    y = g.transpose(g.op("MatMul", g.op("Softmax", scores, axis=-1), v), 0, 2, 1, 3)
    y = g.reshape(g.gemm(g.reshape(y, -1, 8), "proj", 8, 8), -1, 6, 8)
    y = g.op("Add", x, y)
    g.output(g.linear(g.gelu(g.linear(y, "up", 8, 12)), "down", 12, 3))
    return g, {"qkv/heads": 2, "qkv#1": 4, "qkv#2": 4, "up": 12}


def shifted_windows():
    """Swin: windows of 2 x 2 pulled out of the image, rolled by Slice and Concat, a position bias for each head."""
    g = Graph("shifted_windows")
    x = g.transpose(g.conv_bn(g.input(3, 4, 4), "stem", 3, 8), 0, 2, 3, 1)
    norm = g.layer_norm(x, 8, "norm")
    rolled = g.concat(g.slice(norm, 1, 1, 4), g.slice(norm, 1, 0, 1), axis=1)
    windows = g.reshape(g.transpose(g.reshape(rolled, -1, 2, 2, 2, 2, 8), 0, 1, 3, 2, 4, 5), -1, 4, 8)
    y = g.transpose(g.reshape(g.linear(windows, "qkv", 8, 24), -1, 4, 3, 2, 4), 2, 0, 3, 1, 4)
    q, k, v = (g.op("Gather", y, g.constant(np.int64(i)), axis=0) for i in range(3))
    scores = g.op("Add", g.op("MatMul", q, g.transpose(k, 0, 1, 3, 2)), g.constant(g.normal(1, 2, 4, 4)))
    scores = g.op("Add", g.reshape(scores, -1, 4, 2, 4, 4), g.constant(g.normal(1, 4, 1, 4, 4)))
    scores = g.op("Softmax", g.reshape(scores, -1, 2, 4, 4), axis=-1)
    y = g.reshape(g.transpose(g.op("MatMul", scores, v), 0, 2, 1, 3), -1, 4, 8)
    y = g.linear(y, "proj", 8, 8)
    y = g.reshape(g.transpose(g.reshape(y, -1, 2, 2, 2, 2, 8), 0, 1, 3, 2, 4, 5), -1, 4, 4, 8)
    y = g.concat(g.slice(y, 1, 3, 4), g.slice(y, 1, 0, 3), axis=1)
    x = g.transpose(g.op("Add", x, y), 0, 3, 1, 2)
    g.head(x, 8)
    return g, {"qkv/heads": 2, "qkv/width": 4}


def mobile_vit():
    """Pixels of 2 x 2 patches become the batch and channels are carried with it while the axes are turned."""
    g = Graph("mobile_vit")
    x = g.conv_bn(g.conv_bn(g.input(3, 8, 8), "local", 3, 6), "pointwise", 6, 8, kernel=1, act=None)
    y = g.transpose(g.reshape(x, -1, 2, 4, 2), 0, 2, 1, 3)
    y = g.reshape(g.transpose(g.reshape(y, -1, 8, 16, 4), 0, 3, 2, 1), -1, 16, 8)
    z = g.op("Add", y, g.linear(g.silu(g.linear(y, "up", 8, 12)), "down", 12, 8))
    z = g.transpose(g.reshape(z, -1, 4, 16, 8), 0, 3, 2, 1)
    z = g.reshape(g.transpose(g.reshape(z, -1, 4, 2, 2), 0, 2, 1, 3), -1, 8, 8, 8)
    z = g.conv_bn(z, "project", 8, 6, kernel=1)
    g.head(z, 6)
    return g, {"local": 6, "pointwise": 8, "up": 12, "project": 6}
