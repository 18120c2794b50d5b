"""Draws measured and predicted latency of single convolutions over their output channels: the steps of tile and wave quantization.

    .venv/bin/python bench/plot_channel_steps.py build/dev/experiments/lathe --data $LATHE_DATA/hw/h200/h200_dev.csv --out docs/results/h200_steps.svg

Each predicted point is `lathe latency` on an ONNX file of one convolution. The start of a CUDA graph (3.4 us), which the measurements hold and a
network's latency does not, is added. Measured: dots; predicted: lines.
"""
import argparse
import collections
import csv
import json
import pathlib
import subprocess
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

GRAPH_START_MS = 0.0034
WIDTH, HEIGHT, MARGIN = 380, 240, 42


def write_convolution(path, height, channels, out_channels):
    weight = numpy_helper.from_array(np.full((out_channels, channels, 3, 3), 0.1, np.float32), "weight")
    node = helper.make_node("Conv", ["input", "weight"], ["output"], name="layer", pads=[1, 1, 1, 1], kernel_shape=[3, 3])
    graph = helper.make_graph([node], "layer", [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", channels, height, height])],
                              [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", out_channels, height, height])], [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def predict_ms(lathe, device, folder, model, out_channels, batch, dtype):
    height, channels = (int(part.lstrip("hci")) for part in model.split("_"))
    network, policy = folder / "layer.onnx", folder / "policy.json"
    write_convolution(network, height, channels, out_channels)
    bits = 16 if dtype == "fp16" else 32
    policy.write_text(json.dumps({"format": "lathe.policy", "version": 1, "groups": [], "layers": [
        {"name": "layer", "weight_bits": bits, "weight_format": "float", "activation_bits": bits, "activation_format": "float"}]}))
    command = [lathe, "latency", network, "--device", device, "--policy", policy, "--batch", batch, "--json"]
    return json.loads(subprocess.run([*map(str, command)], check=True, capture_output=True, text=True).stdout)["latency_ms"] + GRAPH_START_MS


def panel(title, points, predicted, left, top):
    """One diagram as SVG: channels to the right, microseconds upwards from zero."""
    most_channels, most_ms = max(points), 1.1 * max([*points.values(), *predicted.values()])
    x = lambda channels: left + MARGIN + (WIDTH - 2 * MARGIN) * channels / most_channels
    y = lambda ms: top + HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * ms / most_ms
    parts = [f'<text x="{left + WIDTH / 2:.0f}" y="{top + 24}" text-anchor="middle" font-weight="bold">{title}</text>',
             f'<path d="M{x(0):.1f},{y(most_ms):.1f}V{y(0):.1f}H{x(most_channels):.1f}" fill="none" stroke="black"/>']
    for share in (0, 0.5, 1):
        parts.append(f'<text x="{x(0) - 5:.1f}" y="{y(share * most_ms) + 4:.1f}" text-anchor="end">{1000 * share * most_ms:.0f}</text>')
        parts.append(f'<text x="{x(share * most_channels):.1f}" y="{y(0) + 15:.1f}" text-anchor="middle">{share * most_channels:.0f}</text>')
    line = " ".join(f"{x(channels):.1f},{y(ms):.1f}" for channels, ms in sorted(predicted.items()))
    parts.append(f'<polyline points="{line}" fill="none" stroke="#d62728" stroke-width="1.5"/>')
    parts += [f'<circle cx="{x(channels):.1f}" cy="{y(ms):.1f}" r="2.2" fill="#1f77b4"/>' for channels, ms in points.items()]
    return "\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lathe")
    parser.add_argument("--data", required=True)
    parser.add_argument("--device", default="nvidia-h200")
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    curves = collections.defaultdict(dict)
    with open(arguments.data) as stream:
        for row in csv.DictReader(stream):
            if row["kind"] == "conv3x3" and row["dtype"] != "fp32":
                curves[row["model"], int(row["batch"]), row["dtype"]][int(float(row["width"]))] = float(row["median_ms"])
    panels, columns = [], 2
    with tempfile.TemporaryDirectory() as name:
        for index, ((model, batch, dtype), points) in enumerate(sorted(curves.items())):
            predicted = {n: predict_ms(arguments.lathe, arguments.device, pathlib.Path(name), model, n, batch, dtype) for n in points}
            panels.append(panel(f"{model}, batch {batch}, {dtype}", points, predicted, index % columns * WIDTH, index // columns * HEIGHT))
    rows = -(-len(panels) // columns)
    svg = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{columns * WIDTH}" height="{rows * HEIGHT + 24}" font-family="sans-serif" font-size="11">\n'
           f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(panels) +
           f'\n<text x="{WIDTH}" y="{rows * HEIGHT + 14}" text-anchor="middle">output channels; latency in microseconds; dots measured, lines predicted</text>\n</svg>\n')
    pathlib.Path(arguments.out).write_text(svg)


if __name__ == "__main__":
    main()
