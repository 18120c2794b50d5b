"""Which half of the channels each pruning criterion keeps in ResNet-20, computed with numpy alone from the papers' formulas.

    python make_pruning_reference.py DATA_FOLDER > pruning_reference.inc

DATA_FOLDER holds models/resnet20_cifar10.onnx and cifar10/test_batch.bin, of which the first 32 images are used, in float64. Groups: the
inner channels of the nine blocks, and the sixteen of the first stage's residual path, which later stages carry on in the middle of their
32 and 64 channels (shortcuts pad with zeros on both sides). Only forward, backward and the criteria themselves are here; nothing is shared
with the library.
"""
import sys

import numpy as np
import onnx
from onnx import numpy_helper

IMAGES = 32
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def windows(x, stride):
    """[n, c, h, w] -> [n, c, 3, 3, oh, ow] of a 3x3 convolution with padding 1."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    view = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    return view[:, :, ::stride, ::stride].transpose(0, 1, 4, 5, 2, 3)


class Resnet20:
    def __init__(self, path):
        graph = onnx.load(path).graph
        self.w = {t.name: numpy_helper.to_array(t).astype(np.float64) for t in graph.initializer}
        self.value, self.grad = {}, {}

    def conv_bn(self, source, conv, bn, stride=1):
        weight = self.w[conv + ".weight"]
        y = np.einsum("nckluv,ockl->nouv", windows(self.value[source], stride), weight, optimize=True)
        scale = self.w[bn + ".weight"] / np.sqrt(self.w[bn + ".running_var"] + 1e-5)
        shift = self.w[bn + ".bias"] - self.w[bn + ".running_mean"] * scale
        self.value[bn] = y * scale[:, None, None] + shift[:, None, None]

    def conv_bn_back(self, source, conv, bn, stride=1):
        scale = self.w[bn + ".weight"] / np.sqrt(self.w[bn + ".running_var"] + 1e-5)
        gy = self.grad[bn] * scale[:, None, None]
        columns = np.einsum("nouv,ockl->nckluv", gy, self.w[conv + ".weight"], optimize=True)
        n, c, h, width = self.value[source].shape
        padded = np.zeros((n, c, h + 2, width + 2))
        oh, ow = gy.shape[2:]
        for k in range(3):
            for l in range(3):
                padded[:, :, k:k + stride * oh:stride, l:l + stride * ow:stride] += columns[:, :, k, l]
        return padded[:, :, 1:-1, 1:-1]

    def run(self, images, labels):
        self.value["input"] = images
        self.conv_bn("input", "conv1", "bn1")
        self.value["block0"] = np.maximum(self.value["bn1"], 0)
        self.blocks = [(f"layer{s}.{b}", 2 if s > 1 and b == 0 else 1) for s in (1, 2, 3) for b in range(3)]
        for i, (name, stride) in enumerate(self.blocks):
            x = f"block{i}"
            self.conv_bn(x, name + ".conv1", name + ".bn1", stride)
            self.value[name + ".inner"] = np.maximum(self.value[name + ".bn1"], 0)
            self.conv_bn(name + ".inner", name + ".conv2", name + ".bn2")
            self.value[f"block{i + 1}"] = np.maximum(self.value[name + ".bn2"] + self.shortcut(self.value[x], stride), 0)
        pooled = self.value["block9"].mean(axis=(2, 3))
        logits = pooled @ self.w["linear.weight"].T + self.w["linear.bias"]
        p = np.exp(logits - logits.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        self.accuracy = (p.argmax(1) == labels).mean()
        p[np.arange(len(labels)), labels] -= 1  # d(sum of cross entropies) / d logits
        self.backward((p @ self.w["linear.weight"])[:, :, None, None] / 64 * np.ones((1, 1, 8, 8)))

    @staticmethod
    def shortcut(x, stride):
        quarter = x.shape[1] // 2
        return x if stride == 1 else np.pad(x[:, :, ::2, ::2], ((0, 0), (quarter, quarter), (0, 0), (0, 0)))

    def backward(self, g):
        for i, (name, stride) in reversed(list(enumerate(self.blocks))):
            g = g * (self.value[f"block{i + 1}"] > 0)
            self.grad[name + ".bn2"] = g
            inner = self.conv_bn_back(name + ".inner", name + ".conv2", name + ".bn2")
            self.grad[name + ".bn1"] = inner * (self.value[name + ".inner"] > 0)
            below = self.conv_bn_back(f"block{i}", name + ".conv1", name + ".bn1", stride)
            if stride == 1:
                below += g
            else:
                quarter = below.shape[1] // 2
                below[:, :, ::2, ::2] += g[:, quarter:-quarter]
            g = below
        self.grad["bn1"] = g * (self.value["block0"] > 0)


def groups(net):
    """name -> (channels, producers as (conv, bn, first channel), consumers as (value, weight, first channel, stride))."""
    found = {}
    for name, _ in net.blocks:
        count = net.w[name + ".conv1.weight"].shape[0]
        found[name + ".conv1"] = (count, [(name + ".conv1", name + ".bn1", 0)], [(name + ".inner", name + ".conv2.weight", 0, 1)])
    producers, consumers = [("conv1", "bn1", 0)], []
    for i, (name, stride) in enumerate(net.blocks):
        first = {"1": 0, "2": 8, "3": 24}
        producers.append((name + ".conv2", name + ".bn2", first[name[5]]))
        source = net.blocks[i - 1][0][5] if i else "1"
        consumers.append((f"block{i}", name + ".conv1.weight", first[source], stride))
    consumers.append(("block9", "linear.weight", 24, 0))
    found["conv1"] = (16, producers, consumers)
    return found


def filters(net, producer, count):
    conv, _, first = producer
    return net.w[conv + ".weight"].reshape(net.w[conv + ".weight"].shape[0], -1), slice(first, first + count)


def geometric_median(net, producer, count):
    f, part = filters(net, producer, count)
    return np.linalg.norm(f[:, None] - f[None], axis=2).sum(1)[part]


def gate_gradients(net, producer, count):
    """[images, channels]"""
    _, bn, first = producer
    return (net.value[bn] * net.grad[bn]).sum(axis=(2, 3))[:, first:first + count]


def products(net, consumers, count):
    total = np.zeros((count, count))
    for value, weight, first, stride in consumers:
        w = net.w[weight]
        if stride == 0:  # the classifier behind the average over positions
            z = net.value[value].mean(axis=(2, 3))[:, None, :] * w[None]
            z = z.reshape(-1, w.shape[1])
        else:
            z = np.einsum("nckluv,ockl->nouvc", windows(net.value[value], stride), w, optimize=True)
            z = z.reshape(-1, z.shape[-1])
        z = z[:, first:first + count]
        total += z.T @ z / (IMAGES if stride == 0 else IMAGES * (net.value[value].shape[2] // stride) ** 2)
    return total


def thinet(g):
    """Luo et al., algorithm 1, spelled out: tries each channel in the removed set."""
    removed, order = [], np.zeros(len(g))
    for step in range(len(g)):
        errors = {c: g[np.ix_(removed + [c], removed + [c])].sum() for c in range(len(g)) if c not in removed}
        best = min(errors, key=errors.get)
        order[best] = step
        removed.append(best)
    return order


def lasso(g):
    """Largest lambda at which each factor is not zero, by following the exact piecewise linear path (homotopy; Osborne et al., 2000)."""
    c = g.sum(1)
    active, signs, entry = [], [], np.zeros(len(g))
    lam = np.abs(c).max()
    first = int(np.abs(c).argmax())
    active, signs, entry[first] = [first], [np.sign(c[first])], lam
    while lam > 1e-4 * np.abs(c).max():
        at_zero = np.linalg.solve(g[np.ix_(active, active)], c[active])
        slope = np.linalg.solve(g[np.ix_(active, active)], np.array(signs))
        events = [(at_zero[k] / slope[k], None, k) for k in range(len(active)) if slope[k] != 0]
        for j in set(range(len(g))) - set(active):
            a, d = c[j] - g[j, active] @ at_zero, g[j, active] @ slope
            events += [(a / (s - d), (j, s), None) for s in (1.0, -1.0)]
        events = [e for e in events if 0 < e[0] < lam * (1 - 1e-12)]
        if not events:
            break
        lam, enters, leaves = max(events, key=lambda e: e[0])
        if enters:
            active.append(enters[0])
            signs.append(enters[1])
            entry[enters[0]] = entry[enters[0]] or lam
        else:
            del active[leaves], signs[leaves]
    return entry


def scores(net, group):
    count, producers, consumers = group
    over = lambda score: sum(score(p) for p in producers)
    own = lambda p: (lambda f, part: f[part])(*filters(net, p, count))
    g = products(net, consumers, count)
    values = {(value, first): np.abs(net.value[value]).mean(axis=(0, 2, 3)) for value, _, first, _ in consumers}
    return {
        "l1": over(lambda p: np.abs(own(p)).sum(1)),
        "l2": over(lambda p: np.sqrt((own(p) ** 2).sum(1))),
        "batch_norm": over(lambda p: np.abs(net.w[p[1] + ".weight"])[p[2]:p[2] + count]),
        "fpgm": over(lambda p: geometric_median(net, p, count)),
        "activation": sum(mean[first:first + count] for (_, first), mean in values.items()),
        "taylor": over(lambda p: gate_gradients(net, p, count).mean(0) ** 2),
        "fisher": over(lambda p: (gate_gradients(net, p, count) ** 2).mean(0) / 2),
        "thinet": thinet(g),
        "lasso": lasso(g),
    }


def main():
    folder = sys.argv[1]
    raw = np.fromfile(folder + "/cifar10/test_batch.bin", np.uint8).reshape(-1, 3073)[:IMAGES]
    images = (raw[:, 1:].reshape(-1, 3, 32, 32) / 255.0 - MEAN[:, None, None]) / STD[:, None, None]
    net = Resnet20(folder + "/models/resnet20_cifar10.onnx")
    net.run(images, raw[:, 0].astype(int))
    print(f"{net.accuracy:.3f} of the images are classified right", file=sys.stderr)
    print("// Made by make_pruning_reference.py: criterion, group, the better half of its channels, and how far apart in score the two")
    print("// channels at the border are, as a share of the range of scores.")
    for name, group in groups(net).items():
        for criterion, score in scores(net, group).items():
            order = np.argsort(-score, kind="stable")
            half = len(score) // 2
            gap = (score[order[half - 1]] - score[order[half]]) / (score.max() - score.min())
            print(f'{{"{criterion}", "{name}", {{{", ".join(map(str, sorted(order[:half])))}}}}},  // {gap:.1e}')


if __name__ == "__main__":
    main()
