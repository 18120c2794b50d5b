#!/usr/bin/env python3
"""Makes a data set for detection: Fashion-MNIST items on grey canvases, with their boxes.

    python3 scripts/make_detection_dataset.py DEST [--source /usr/share/datasets/fashion-mnist] [--train 12000] [--test 4000]
        [--side 96] [--most 5] [--seed 0]

SOURCE holds Fashion-MNIST's four IDX files, gzipped or not (Debian's package dataset-fashion-mnist). Needs numpy alone. Canvases of the
training set show items of its training file. Those of the test set show items of its test file: the first half of the canvases, by which a
search chooses, the first half of the items, the other half, which is reported, the others. Written to DEST, as `data.kind: detection`
reads it:

    train_images.npy, test_images.npy    uint8 [canvases, 1, SIDE, SIDE], grey from 0 to 255
    train_objects.npy, test_objects.npy  float32 [canvases, MOST, 5]: class 0 to 9, then cx, cy, w, h of the box in pixels, measured from
                                         the upper left corner of the canvas; unused places are -1, 0, 0, 0, 0

A canvas has a shaded ground with noise, strokes and scraps of items as clutter, and 1 to MOST whole items at scales from 0.7 to 1.6 (of 28
pixels), each axis stretched by up to a tenth, which overlap each other's boxes by an IoU below 0.1. A box is the tight one around the
item's pixels above a quarter of its brightest. Canvas i is a pure function of (seed, set, i).
"""

import argparse
import gzip
import pathlib

import numpy as np

SIZE = 28  # of an item
SCALES, STRETCH = (0.7, 1.6), (0.9, 1.1)
MOST_OVERLAP = 0.1
TRIES = 30  # to place an item


def read_idx(folder, name):
    for path, opened in ((folder / f"{name}.gz", gzip.open), (folder / name, open)):
        if path.exists():
            with opened(path, "rb") as file:
                data = file.read()
            shape = np.frombuffer(data, ">u4", data[3], 4)
            return np.frombuffer(data, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)
    raise SystemExit(f"{folder / name}: expected Fashion-MNIST's file, gzipped or not")


def resized(item, height, width):
    """Bilinear, pixel centres aligned."""

    def weights(size):
        at = np.clip((np.arange(size) + 0.5) * SIZE / size - 0.5, 0, SIZE - 1)
        low = np.minimum(at.astype(int), SIZE - 2)
        matrix = np.zeros((size, SIZE))
        matrix[np.arange(size), low] = 1 - (at - low)
        matrix[np.arange(size), low + 1] += at - low
        return matrix

    return weights(height) @ item @ weights(width).T


def ground(rng, side):
    """A plane of grey that rises in some direction, strokes of one pixel or two, and noise."""
    slope = rng.uniform(-0.4, 0.4, 2)
    across = np.arange(side) - side / 2
    canvas = rng.uniform(20, 70) + slope[0] * across[:, None] + slope[1] * across[None, :]
    for _ in range(rng.integers(0, 5)):
        begin, end = rng.uniform(0, side, (2, 2))
        points = begin + (end - begin) * np.linspace(0, 1, 2 * side)[:, None]
        rows, columns = np.clip(points.astype(int), 0, side - 1).T
        canvas[rows, columns] = rng.uniform(60, 220)
    return canvas + rng.normal(0, rng.uniform(3, 12), (side, side))


def tight_box(item):
    """x0, y0, x1, y1 of the pixels that count."""
    is_item = item > item.max() / 4
    rows, columns = np.flatnonzero(is_item.any(1)), np.flatnonzero(is_item.any(0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])


def overlap(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height)


def paint(canvas, item, x, y, contrast):
    region = canvas[y : y + item.shape[0], x : x + item.shape[1]]
    cover = np.minimum(item / (item.max() / 4), 1)
    region += cover * (contrast * item + (1 - contrast) * 60 - region)


def add_scraps(canvas, rng, items):
    side = len(canvas)
    for _ in range(rng.integers(0, 4)):
        height, width = rng.integers(5, 11, 2)
        top, left = rng.integers(4, SIZE - 4 - height), rng.integers(4, SIZE - 4 - width)
        scrap = items[rng.integers(len(items))][top : top + height, left : left + width].astype(float)
        if scrap.max() > 0:
            paint(canvas, scrap, *rng.integers(0, side - 11, 2), 1.0)


def make_canvas(rng, items, labels, side, most):
    canvas = ground(rng, side)
    add_scraps(canvas, rng, items)
    boxes, objects = [], np.tile(np.array([-1, 0, 0, 0, 0], np.float32), (most, 1))
    for _ in range(rng.integers(1, most + 1)):
        row = rng.integers(len(items))
        height, width = np.round(SIZE * rng.uniform(*SCALES) * rng.uniform(*STRETCH, 2)).astype(int)
        item = resized(items[row].astype(float), height, width)
        box = tight_box(item)
        for _ in range(TRIES):
            x, y = rng.integers(0, side - width + 1), rng.integers(0, side - height + 1)
            placed = box + [x, y, x, y]
            if all(overlap(placed, other) < MOST_OVERLAP for other in boxes):
                paint(canvas, item, x, y, rng.uniform(0.6, 1))
                objects[len(boxes)] = [labels[row], *((placed[:2] + placed[2:]) / 2), *(placed[2:] - placed[:2])]
                boxes.append(placed)
                break
    return np.clip(np.round(canvas), 0, 255).astype(np.uint8), objects


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("destination", type=pathlib.Path)
    parser.add_argument("--source", type=pathlib.Path, default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--train", type=int, default=12000)
    parser.add_argument("--test", type=int, default=4000)
    parser.add_argument("--side", type=int, default=96)
    parser.add_argument("--most", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.side < 64 or arguments.most < 1 or min(arguments.train, arguments.test) < 1 or arguments.seed < 0:
        parser.error("expected --side of at least 64, --most, --train and --test of at least 1, --seed of at least 0")
    arguments.destination.mkdir(parents=True, exist_ok=True)
    for number, (name, stem, count) in enumerate((("train", "train", arguments.train), ("test", "t10k", arguments.test))):
        items = read_idx(arguments.source, f"{stem}-images-idx3-ubyte")
        halves = (slice(len(items)),) if name == "train" else (slice(len(items) // 2), slice(len(items) // 2, None))
        labels = read_idx(arguments.source, f"{stem}-labels-idx1-ubyte")
        images = np.zeros((count, 1, arguments.side, arguments.side), np.uint8)
        objects = np.zeros((count, arguments.most, 5), np.float32)
        for i in range(count):
            rng = np.random.default_rng([arguments.seed, number, i])
            shown = halves[i * len(halves) // count]
            images[i, 0], objects[i] = make_canvas(rng, items[shown], labels[shown], arguments.side, arguments.most)
        np.save(arguments.destination / f"{name}_images.npy", images)
        np.save(arguments.destination / f"{name}_objects.npy", objects)
        print(f"{name}: {count} canvases, {int((objects[:, :, 0] >= 0).sum())} items")


if __name__ == "__main__":
    main()
