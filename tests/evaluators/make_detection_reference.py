"""What detections are worth and what a detector's head costs, computed without the library.

    python make_detection_reference.py > detection_reference.inc

Average precisions are pycocotools' (its COCOeval, 2.0.x) of made-up detections; losses and gradients are numpy's in float64, cell by cell
from the formulas, gradients by central differences with the targets of objectness and CIoU's alpha held fixed.
"""
import contextlib
import io
import math

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

IMAGES, CLASSES = 10, 4   # class 3 has no objects


def scene(rng):
    """Objects [image, class, cx, cy, w, h]; detections [image, class, score, cx, cy, w, h]: shifted objects, doubled and strayed ones."""
    objects, detections = [], []
    for image in range(IMAGES):
        for _ in range(rng.integers(0, 5)):
            cls = rng.integers(0, CLASSES - 1)
            box = np.round([*rng.uniform(10, 86, 2), *rng.uniform(6, 40, 2)], 2)
            objects.append([image, cls, *box])
            for _ in range(rng.integers(0, 3)):
                moved = box + box[[2, 3, 2, 3]] * rng.normal(0, 0.08, 4)
                seen = cls if rng.uniform() < 0.8 else rng.integers(0, CLASSES)
                detections.append([image, seen, round(rng.uniform(0.2, 1), 2), *np.round(moved, 2)])
        for _ in range(rng.integers(0, 3)):
            stray = np.round([*rng.uniform(10, 86, 2), *rng.uniform(6, 40, 2)], 2)
            detections.append([image, rng.integers(0, CLASSES), round(rng.uniform(0, 0.6), 2), *stray])
    return objects, detections


def corner(cx, cy, w, h):
    return [cx - w / 2, cy - h / 2, w, h]


def coco_precisions(objects, detections):
    """[class, threshold]; -1 for a class without objects."""
    truth = COCO()
    truth.dataset = {
        "images": [{"id": i} for i in range(IMAGES)],
        "categories": [{"id": c} for c in range(CLASSES)],
        "annotations": [
            {"id": k + 1, "image_id": int(i), "category_id": int(c), "bbox": corner(*box), "area": box[2] * box[3], "iscrowd": 0}
            for k, (i, c, *box) in enumerate(objects)]}
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found = truth.loadRes(
            [{"image_id": int(i), "category_id": int(c), "score": s, "bbox": corner(*box)} for i, c, s, *box in detections])
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, 2]   # [threshold, recall, class]: all areas, 100 detections
    return precision.mean(1).T


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def bce(logit, target):
    return max(logit, 0) - logit * target + math.log1p(math.exp(-abs(logit)))


def head_box(logits, column, row):
    x, y, w, h = (2 * sigmoid(v) for v in logits[:4])
    return x - 0.5 + column, y - 0.5 + row, 4 * w * w, 4 * h * h


def iou_of(a, b):
    across = max(0, min(a[0] + a[2] / 2, b[0] + b[2] / 2) - max(a[0] - a[2] / 2, b[0] - b[2] / 2))
    down = max(0, min(a[1] + a[3] / 2, b[1] + b[3] / 2) - max(a[1] - a[3] / 2, b[1] - b[3] / 2))
    return across * down / (a[2] * a[3] + b[2] * b[3] - across * down)


def ciou_loss(a, b, alpha=None):
    iou = iou_of(a, b)
    across = max(a[0] + a[2] / 2, b[0] + b[2] / 2) - min(a[0] - a[2] / 2, b[0] - b[2] / 2)
    down = max(a[1] + a[3] / 2, b[1] + b[3] / 2) - min(a[1] - a[3] / 2, b[1] - b[3] / 2)
    v = 4 / math.pi**2 * (math.atan(b[2] / b[3]) - math.atan(a[2] / a[3])) ** 2
    if alpha is None:
        alpha = v / (1 - iou + v)
    return 1 - iou + ((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) / (across**2 + down**2) + alpha * v, alpha


def cells_of(box, height, width):
    """The centre's cell and its two nearest neighbours inside the grid; box in strides."""
    x, y = box[0], box[1]
    column, row = int(x), int(y)
    cells = [(column, row)]
    for dx, dy in (((1 if x - column > 0.5 else -1), 0), (0, (1 if y - row > 0.5 else -1))):
        if 0 <= column + dx < width and 0 <= row + dy < height:
            cells.append((column + dx, row + dy))
    return cells


def head_loss(head, objects, stride, frozen=None):
    """head [n, 5 + classes, h, w]; objects: a list for each row. Returns the loss and what gradients hold fixed."""
    rows, channels, height, width = head.shape
    fixed, loss = ([], {}), 0.0
    for n in range(rows):
        wanted = {}
        for o, (cls, *box) in enumerate(objects[n]):
            box = [v / stride for v in box]
            for k, (column, row) in enumerate(cells_of(box, height, width)):
                logits = head[n, :, row, column]
                predicted = head_box(logits, column, row)
                alpha = None if frozen is None else frozen[1][n, o, k]
                box_loss, alpha = ciou_loss(predicted, box, alpha)
                fixed[1][n, o, k] = alpha
                loss += 5 * box_loss + sum(bce(logits[5 + c], float(c == cls)) for c in range(channels - 5))
                wanted[row, column] = max(wanted.get((row, column), 0), iou_of(predicted, box))
        fixed[0].append(wanted)
        for row in range(height):
            for column in range(width):
                target = (wanted if frozen is None else frozen[0][n]).get((row, column), 0)
                loss += bce(head[n, 4, row, column], target)
    return loss / rows, fixed


def soft_loss(head, teacher):
    rows, channels, height, width = head.shape
    loss = 0.0
    for n, row, column in np.ndindex(rows, height, width):
        a, b = head[n, :, row, column], teacher[n, :, row, column]

        def divergence(c):
            return bce(a[c], sigmoid(b[c])) - bce(b[c], sigmoid(b[c]))

        boxes = ciou_loss(head_box(a, column, row), head_box(b, column, row))[0]
        loss += divergence(4) + sigmoid(b[4]) * (5 * boxes + sum(divergence(c) for c in range(5, channels)))
    return loss / rows


def numbers(values, form="{:.10g}"):
    return "{" + ", ".join(form.format(v) for v in values) + "}"


def main():
    rng = np.random.default_rng(7)
    objects, detections = scene(rng)
    print("// Made by make_detection_reference.py.")
    print("struct ObjectRow { int image, cls; Box box; };\nstruct DetectionRow { int image, cls; double score; Box box; };")
    print(f"constexpr int kReferenceImages = {IMAGES}, kReferenceClasses = {CLASSES};")
    print("const std::vector<ObjectRow> kReferenceObjects{")
    for image, cls, *box in objects:
        print(f"    {{{image}, {cls}, {numbers(box)}}},")
    print("};\nconst std::vector<DetectionRow> kReferenceDetections{")
    for image, cls, score, *box in detections:
        print(f"    {{{image}, {cls}, {score:g}, {numbers(box)}}},")
    print("};\n// [class][threshold]; -1: no objects.\nconst std::vector<std::vector<double>> kReferencePrecisions{")
    for row in coco_precisions(objects, detections):
        print(f"    {numbers(row)},")
    print("};")

    head = np.round(rng.normal(0, 1, (2, 7, 3, 3)), 3)
    teacher = np.round(rng.normal(0, 1, (2, 7, 3, 3)), 3)
    labels = [[(1, 5.0, 13.0, 9.0, 20.0), (0, 21.0, 2.5, 6.0, 5.0)], [(0, 12.5, 11.0, 14.0, 14.0)]]
    loss, frozen = head_loss(head, labels, stride=8)
    gradient = np.zeros_like(head)
    for index in np.ndindex(*head.shape):
        for sign in (1, -1):
            moved = head.copy()
            moved[index] += sign * 1e-5
            gradient[index] += sign * head_loss(moved, labels, 8, frozen)[0] / 2e-5
    print("// Head and teacher [2, 7, 3, 3]; gradient of the loss.")
    for name, values in (("Head", head), ("Teacher", teacher)):
        print(f"const std::vector<float> kReference{name}{numbers(values.ravel(), '{:g}')};")
    print(f"const std::vector<double> kReferenceGradient{numbers(gradient.ravel(), '{:.7f}')};")
    print(f"constexpr double kReferenceLoss = {loss:.10g}, kReferenceSoftLoss = {soft_loss(head, teacher):.10g};")


if __name__ == "__main__":
    main()
