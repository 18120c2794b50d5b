"""The network of `lathe train` as a PyTorch module with the same module names and weights, for tools that start from PyTorch."""
import onnx
import torch
from onnx import numpy_helper
from torch import nn


def weights_of(path):
    return {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in onnx.load(path).graph.initializer}


def convolution(weights, name, stride, padding):
    weight = weights[f"{name}.weight"]
    module = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], stride=stride, padding=padding, bias=False)
    module.weight.data = weight
    return module


def normalization(weights, name):
    module = nn.BatchNorm2d(weights[f"{name}.bn.scale"].shape[0], eps=1e-5)
    for attribute, part in (("weight", "scale"), ("bias", "bias")):
        getattr(module, attribute).data = weights[f"{name}.bn.{part}"]
    module.running_mean, module.running_var = weights[f"{name}.bn.mean"], weights[f"{name}.bn.var"]
    return module


class Stem(nn.Module):
    def __init__(self, weights):
        super().__init__()
        self.conv, self.norm = convolution(weights, "stem.conv", 1, 1), normalization(weights, "stem.conv")

    def forward(self, x):
        return torch.relu(self.norm(self.conv(x)))


class Block(nn.Module):
    def __init__(self, weights, name, stride):
        super().__init__()
        self.conv1, self.norm1 = convolution(weights, f"{name}.conv1", stride, 1), normalization(weights, f"{name}.conv1")
        self.conv2, self.norm2 = convolution(weights, f"{name}.conv2", 1, 1), normalization(weights, f"{name}.conv2")
        self.has_shortcut = f"{name}.shortcut.weight" in weights
        if self.has_shortcut:
            self.shortcut, self.norm3 = convolution(weights, f"{name}.shortcut", stride, 0), normalization(weights, f"{name}.shortcut")

    def forward(self, x):
        y = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))
        return torch.relu(y + (self.norm3(self.shortcut(x)) if self.has_shortcut else x))


class Stage(nn.Module):
    def __init__(self, weights, name, stride):
        super().__init__()
        self.block1 = Block(weights, f"{name}.block1", stride)

    def forward(self, x):
        return self.block1(x)


class Twin(nn.Module):
    def __init__(self, path):
        super().__init__()
        weights = weights_of(path)
        self.stem = Stem(weights)
        self.stage1, self.stage2 = Stage(weights, "stage1", 1), Stage(weights, "stage2", 2)
        features = weights["fc.weight"].shape[1]
        self.fc = nn.Linear(features, weights["fc.weight"].shape[0])
        self.fc.weight.data, self.fc.bias.data = weights["fc.weight"], weights["fc.bias"]
        self.eval()

    def forward(self, x):
        x = self.stage2(self.stage1(self.stem(x)))
        return self.fc(x.mean((2, 3)))
