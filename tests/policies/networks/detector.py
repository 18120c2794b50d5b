"""A YOLOv5-like detector: SiLU, C3 blocks, SPPF, a feature pyramid both ways and three heads that are decoded in the graph."""

import numpy as np

from graph import Graph


def bottleneck_stack(g, x, name, inputs, outputs, shortcut=True):
    """C3: two branches of half the width, one through residual bottlenecks, concatenated and fused."""
    half = outputs // 2
    a = g.conv_bn(x, f"{name}.cv1", inputs, half, kernel=1, act="silu")
    y = g.conv_bn(g.conv_bn(a, f"{name}.m.cv1", half, half, kernel=1, act="silu"), f"{name}.m.cv2", half, half, act="silu")
    a = g.op("Add", a, y) if shortcut else y
    b = g.conv_bn(x, f"{name}.cv2", inputs, half, kernel=1, act="silu")
    return g.conv_bn(g.concat(a, b), f"{name}.cv3", 2 * half, outputs, kernel=1, act="silu")


def pyramid_pooling(g, x, name, channels):
    """SPPF: three poolings in a row, all four stages concatenated."""
    parts = [g.conv_bn(x, f"{name}.cv1", channels, channels // 2, kernel=1, act="silu")]
    for _ in range(3):
        parts.append(g.op("MaxPool", parts[-1], kernel_shape=[5, 5], pads=[2] * 4, strides=[1, 1]))
    return g.conv_bn(g.concat(*parts), f"{name}.cv2", channels * 2, channels, kernel=1, act="silu")


def decoded_head(g, x, name, channels, size, stride, anchors=3, classes=2):
    values = classes + 5
    y = g.conv(x, name, channels, anchors * values, kernel=1)
    y = g.transpose(g.reshape(y, -1, anchors, values, size, size), 0, 1, 3, 4, 2)
    y = g.op("Sigmoid", y)
    xy, wh, rest = g.split(y, [2, 2, classes + 1], axis=4)
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size)), -1).reshape(1, 1, size, size, 2)
    xy = g.op("Mul", g.op("Add", g.op("Mul", xy, g.constant(np.float32(2))), g.constant(grid - 0.5)), g.constant(np.float32(stride)))
    wh = g.op("Pow", g.op("Mul", wh, g.constant(np.float32(2))), g.constant(np.float32(2)))
    wh = g.op("Mul", wh, g.constant(g.rng.uniform(4, 32, (1, anchors, 1, 1, 2))))
    return g.reshape(g.concat(xy, wh, rest, axis=4), -1, anchors * size * size, values)


def yolo():
    g = Graph("yolo")
    x = g.conv_bn(g.input(3, 32, 32), "stem", 3, 8, stride=2, act="silu", kernel=6, pad=2)
    x = bottleneck_stack(g, g.conv_bn(x, "down1", 8, 16, stride=1, act="silu"), "c3_1", 16, 16)
    p3 = bottleneck_stack(g, g.conv_bn(x, "down2", 16, 16, stride=2, act="silu"), "c3_2", 16, 16)
    p4 = bottleneck_stack(g, g.conv_bn(p3, "down3", 16, 24, stride=2, act="silu"), "c3_3", 24, 24)
    p5 = pyramid_pooling(g, g.conv_bn(p4, "down4", 24, 32, stride=2, act="silu"), "sppf", 32)
    scales = lambda: g.constant(np.array([1, 1, 2, 2], np.float32))
    up = dict(mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    lat5 = g.conv_bn(p5, "lat5", 32, 24, kernel=1, act="silu")
    f4 = bottleneck_stack(g, g.concat(g.op("Resize", lat5, "", scales(), **up), p4), "n4", 48, 24, shortcut=False)
    lat4 = g.conv_bn(f4, "lat4", 24, 16, kernel=1, act="silu")
    o3 = bottleneck_stack(g, g.concat(g.op("Resize", lat4, "", scales(), **up), p3), "n3", 32, 16, shortcut=False)
    o4 = bottleneck_stack(g, g.concat(g.conv_bn(o3, "down5", 16, 16, stride=2, act="silu"), lat4), "n5", 32, 24, shortcut=False)
    o5 = bottleneck_stack(g, g.concat(g.conv_bn(o4, "down6", 24, 24, stride=2, act="silu"), lat5), "n6", 48, 32, shortcut=False)
    heads = [decoded_head(g, o, f"head{i}", c, s, 32 // s) for i, (o, c, s) in enumerate([(o3, 16, 8), (o4, 24, 4), (o5, 32, 2)])]
    g.output(g.concat(*heads, axis=1))
    expected = {"stem": 8, "down1": 16, "down2": 16, "down3": 24, "down4": 32, "sppf.cv1": 16, "sppf.cv2": 32, "lat5": 24, "lat4": 16, "down5": 16,
                "down6": 24}
    for name, channels, shortcut in [("c3_1", 16, True), ("c3_2", 16, True), ("c3_3", 24, True), ("n4", 24, False), ("n3", 16, False), ("n5", 24, False),
                                     ("n6", 32, False)]:
        expected |= {f"{name}.cv1": channels // 2, f"{name}.m.cv1": channels // 2, f"{name}.cv2": channels // 2, f"{name}.cv3": channels}
        if not shortcut:
            expected[f"{name}.m.cv2"] = channels // 2
    return g, expected
