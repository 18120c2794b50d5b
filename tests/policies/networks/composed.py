"""Networks put together at random from the patterns that couple channels, so that they meet in ways nobody thought of."""

import inspect

import numpy as np

from graph import Graph

SIDE = 8  # all values are [N, C, SIDE, SIDE]


class Composer:
    """Each method that does not start with _ is a step: it takes a random value and adds what it makes of it, where that is possible."""

    MOST_CHANNELS = 64

    def __init__(self, name, seed):
        self._graph = Graph(name, opset=14)
        self._random = np.random.default_rng(seed)
        self._layers = 0
        channels = int(self._random.choice([4, 6, 8, 12]))
        x = self._graph.conv_bn(self._graph.input(3, SIDE, SIDE), "stem", 3, channels, act=None)
        self._values = [(x, channels)]

    def _add(self, value, channels):
        self._values.append((value, channels))

    def _pick(self, channels=None):
        fitting = [value for value in self._values if channels in (None, value[1])]
        return fitting[int(self._random.integers(len(fitting)))]

    def _flip(self):
        return bool(self._random.random() < 0.5)

    def _choose(self, *options):
        return options[int(self._random.integers(len(options)))]

    def _range(self, channels):
        begin = int(self._random.integers(0, channels))
        return begin, int(self._random.integers(begin + 1, channels + 1))

    def _divisor(self, channels):
        return int(self._choose(*[d for d in range(1, channels + 1) if channels % d == 0]))

    def _layer(self):
        self._layers += 1
        return f"layer{self._layers}"

    # Layers

    def convolution(self, g, x, channels):
        outputs = self._choose(4, 6, 8, 9, 12, 16)
        self._add(g.conv(x, self._layer(), channels, outputs, kernel=self._choose(1, 3), bias=self._flip()), outputs)

    def depthwise(self, g, x, channels):
        outputs = channels * self._choose(1, 1, 2)
        self._add(g.conv(x, self._layer(), channels, outputs, group=channels, bias=self._flip()), outputs)

    def grouped(self, g, x, channels):
        group = self._divisor(channels)
        outputs = group * self._choose(1, 2, 3)
        self._add(g.conv(x, self._layer(), channels, outputs, group=group), outputs)

    def transposed(self, g, x, channels):
        group, per_group = self._divisor(channels), self._choose(1, 2, 3)
        weight, bias = g.weight(channels, per_group, 3, 3, fan_in=channels * 9), g.constant(g.normal(group * per_group))
        self._add(g.op("ConvTranspose", x, weight, bias, name=self._layer(), group=group, pads=[1] * 4, kernel_shape=[3, 3]), group * per_group)

    def shared_convolution(self, g, x, channels):
        weight = g.weight(channels, channels, 3, 3, fan_in=channels * 9)
        for _ in range(2):
            x = g.op("Conv", x, weight, name=self._layer(), pads=[1] * 4, kernel_shape=[3, 3])
        self._add(x, channels)

    def linear_with_channels_last(self, g, x, channels):
        outputs = self._choose(4, 6, 8)
        self._add(g.transpose(g.linear(g.transpose(x, 0, 2, 3, 1), self._layer(), channels, outputs), 0, 3, 1, 2), outputs)

    def attention(self, g, x, channels):
        heads, width, tokens = self._choose(1, 2, 3), self._choose(2, 4), SIDE * SIDE
        rows = g.transpose(g.reshape(x, -1, channels, tokens), 0, 2, 1)
        project = lambda: g.linear(rows, self._layer(), channels, heads * width, bias=self._flip())
        q, k, v = (g.transpose(g.reshape(project(), -1, tokens, heads, width), 0, 2, 1, 3) for _ in range(3))
        y = g.op("MatMul", g.op("Softmax", g.op("MatMul", q, g.transpose(k, 0, 1, 3, 2)), axis=-1), v)
        self._add(g.reshape(g.transpose(y, 0, 1, 3, 2), -1, heads * width, SIDE, SIDE), heads * width)

    def squeeze_and_excitation(self, g, x, channels):
        gate = g.relu(g.conv(g.op("GlobalAveragePool", x), self._layer(), channels, 4, kernel=1))
        self._add(g.op("Mul", x, g.op("Sigmoid", g.conv(gate, self._layer(), 4, channels, kernel=1))), channels)

    def spatial_gate(self, g, x, channels):
        self._add(g.op("Mul", x, g.op("Sigmoid", g.conv(x, self._layer(), channels, 1, kernel=1))), channels)

    # Two values

    def combination(self, g, x, channels):
        self._add(g.op(self._choose("Add", "Mul", "Sub", "Max"), x, self._pick(channels)[0]), channels)

    def similarity_of_positions(self, g, x, channels):
        """A product of two activations over their channels."""
        a, b = (g.reshape(value, -1, channels, SIDE * SIDE) for value in (x, self._pick(channels)[0]))
        self._add(g.reshape(g.op("MatMul", g.transpose(a, 0, 2, 1), b), -1, SIDE * SIDE, SIDE, SIDE), SIDE * SIDE)

    def concatenation(self, g, x, channels):
        others = [self._pick() for _ in range(self._choose(1, 2))]
        self._add(g.concat(x, *[value for value, _ in others]), channels + sum(count for _, count in others))

    # Cutting and moving

    def split(self, g, x, channels):
        if channels > 1:
            first = int(self._random.integers(1, channels))
            for part, count in zip(g.split(x, [first, channels - first], axis=1), (first, channels - first)):
                self._add(part, count)

    def range_of_channels(self, g, x, channels):
        begin, end = self._range(channels)
        self._add(g.slice(x, 1, begin - (channels if self._flip() and begin else 0), end if end < channels else 1 << 40), end - begin)

    def every_second_channel(self, g, x, channels):
        if channels % 2 == 0:
            self._add(g.slice(x, 1, self._choose(0, 1), 1 << 40, 2), channels // 2)

    def gathered_range(self, g, x, channels):
        begin, end = self._range(channels)
        self._add(g.op("Gather", x, g.ints(*range(begin, end)), axis=1), end - begin)

    def reversed_channels(self, g, x, channels):
        self._add(g.op("Gather", x, g.ints(*range(channels - 1, -1, -1)), axis=1), channels)

    def shuffle(self, g, x, channels):
        group = self._divisor(channels)
        y = g.transpose(g.reshape(x, -1, group, channels // group, SIDE, SIDE), 0, 2, 1, 3, 4)
        self._add(g.reshape(y, -1, channels, SIDE, SIDE), channels)

    def padding(self, g, x, channels):
        before, after = self._choose(0, 1, 3), self._choose(0, 2)
        self._add(g.op("Pad", x, g.ints(0, before, 0, 0, 0, after, 0, 0)), channels + before + after)

    def tile(self, g, x, channels):
        self._add(g.op("Tile", x, g.ints(1, 2, 1, 1)), 2 * channels)

    def flatten_and_back(self, g, x, channels):
        self._add(g.reshape(g.op("Flatten", x, axis=1), -1, channels, SIDE, SIDE), channels)

    def pixel_shuffle(self, g, x, channels):
        if channels % 4 == 0:
            y = g.op("DepthToSpace", x, blocksize=2, mode=self._choose("DCR", "CRD"))
            self._add(g.op("AveragePool", y, kernel_shape=[2, 2], strides=[2, 2]), channels // 4)

    def space_to_depth(self, g, x, channels):
        y = g.op("SpaceToDepth", x, blocksize=2)
        self._add(g.op("Resize", y, "", g.constant(np.array([1, 1, 2, 2], np.float32)), mode="nearest"), 4 * channels)

    def global_context(self, g, x, channels):
        if channels > 1:
            self._add(g.op("Expand", g.op("GlobalAveragePool", x), g.ints(1, channels, SIDE, SIDE)), channels)

    # One value

    def activation(self, g, x, channels):
        kind = self._choose("Relu", "Sigmoid", "Tanh", "HardSwish", "Elu", "Softplus", "SiLU")
        self._add(g.silu(x) if kind == "SiLU" else g.op(kind, x), channels)

    def batch_norm(self, g, x, channels):
        self._add(g.bn(x, channels), channels)

    def constant_operand(self, g, x, channels):
        self._add(g.op(self._choose("Add", "Sub", "Mul", "Div"), x, g.constant(g.rng.uniform(0.5, 1.5, (channels, 1, 1)))), channels)

    def group_norm(self, g, x, channels):
        groups = self._divisor(channels)
        y = g.op("InstanceNormalization", g.reshape(x, 0, groups, -1), g.constant(g.rng.uniform(0.5, 1.5, groups)), g.constant(g.normal(groups)))
        self._add(g.reshape(y, -1, channels, SIDE, SIDE), channels)

    def unit_length(self, g, x, channels):
        length = g.op("Clip", g.op("ReduceL2", x, axes=[1], keepdims=1), g.constant(np.float32(1e-3)))
        self._add(g.op("Div", x, length), channels)

    def pooling(self, g, x, channels):
        self._add(g.op("MaxPool", x, kernel_shape=[3, 3], pads=[1] * 4), channels)

    # The whole

    def _steps(self):
        return [method for name, method in inspect.getmembers(self, inspect.ismethod) if not name.startswith("_")]

    def _compose(self):
        g = self._graph
        for _ in range(int(self._random.integers(4, 16))):
            x, channels = self._values[-1] if self._flip() else self._pick()
            if channels <= self.MOST_CHANNELS:
                self._choose(*self._steps())(g, x, channels)
        read = {name for node in g.nodes for name in node.input}
        for i, (x, channels) in enumerate(self._values):
            if x in read:
                continue
            kind = self._choose("conv", "gemm", "sum")
            if kind == "conv":
                g.output(g.conv(x, f"head{i}", channels, 3, kernel=1))
            elif kind == "gemm":
                g.output(g.gemm(g.op("Flatten", x, axis=1), f"head{i}", channels * SIDE * SIDE, 3))
            else:
                g.output(g.op("ReduceSum", x, g.ints(1), keepdims=1))
        return g


def composed_network(seed):
    return Composer(f"composed_{seed}", seed)._compose()
