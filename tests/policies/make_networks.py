"""Writes the networks of networks/ to a folder, as NAME.onnx with NAME.json (the prunable groups that the analysis must find; null for
networks composed at random).

usage: make_networks.py FOLDER
"""

import inspect
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "networks"))
sys.dont_write_bytecode = True

import arithmetic
import attention
import blocks
import composed
import computed_shapes
import convolutional
import detector
import operands
import sequences


COMPOSED_NETWORKS = 60


def patterns():
    for module in (arithmetic, convolutional, detector, attention, computed_shapes, blocks, sequences, operands):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and not inspect.signature(function).parameters:
                yield name, function
    for seed in range(COMPOSED_NETWORKS):
        yield f"composed_{seed}", lambda: (composed.composed_network(seed), None)


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for name, function in patterns():
        graph, groups = function()
        with open(os.path.join(folder, name + ".onnx"), "wb") as file:
            file.write(graph.model().SerializeToString())
        with open(os.path.join(folder, name + ".json"), "w") as file:
            json.dump({"groups": groups}, file)


if __name__ == "__main__":
    main()
