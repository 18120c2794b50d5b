import importlib.metadata
import json

import numpy as np
import onnxruntime
import torch
import torch_pruning

import torch_twin

TOOL, VERSION = "torch-pruning", importlib.metadata.version("torch-pruning")
COMPARED = "channels of every module after a pruner took the ratios; outputs after cutting by the exported indices"


def check(case, path):
    document = json.loads(path.read_text())
    example = torch.from_numpy(case.images[:1])
    model = torch_twin.Twin(case.model)
    modules = dict(model.named_modules())
    pruner = torch_pruning.pruner.BasePruner(
        model, example, importance=torch_pruning.importance.MagnitudeImportance(p=1), pruning_ratio=0.0, ignored_layers=[modules["fc"]],
        pruning_ratio_dict={modules[name]: ratio for name, ratio in document["pruning_ratio_dict"].items()})
    pruner.step()
    faults = [f"{name}: {modules[name].weight.shape[0]} channels, expected {after}" for name, (before, after) in case.channels.items()
              if modules[name].weight.shape[0] != after]
    return faults + outputs_after_cutting(case, document["kept_channels"], example)


def outputs_after_cutting(case, kept, example):
    """Cut by Torch-Pruning's own dependency graph, channel by channel as Lathe did: the same outputs as the network of `lathe apply`."""
    model = torch_twin.Twin(case.model)
    modules = dict(model.named_modules())
    graph = torch_pruning.DependencyGraph().build_dependency(model, example_inputs=example)
    for name, (before, after) in case.channels.items():
        module = modules[name]
        if module.weight.shape[0] == after:   # with its group
            continue
        gone = sorted(set(range(before)) - set(kept[name]))
        graph.get_pruning_group(module, torch_pruning.prune_conv_out_channels, idxs=gone).prune()
    session = onnxruntime.InferenceSession(str(case.folder / "cut.onnx"), providers=["CPUExecutionProvider"])
    expected = session.run(None, {session.get_inputs()[0].name: case.images[:32]})[0]
    with torch.no_grad():
        got = model(torch.from_numpy(case.images[:32])).numpy()
    difference = np.abs(got - expected).max() / np.abs(expected).max()
    return [f"outputs differ by {difference:.2g} of the largest"] if not difference < 1e-4 else []


def corrupt(path):
    document = json.loads(path.read_text())
    first = next(iter(document["pruning_ratio_dict"]))
    kept = document["kept_channels"][first]
    kept[0] = next(channel for channel in range(1000) if channel not in kept)
    path.write_text(json.dumps(document))
