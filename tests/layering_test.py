"""Includes point down only: experiments -> search -> evaluators, hwmodels -> policies -> models.

A layer may include itself and the layers below it; evaluators and hwmodels do not see each other; no include climbs with "..".
"""
import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
BELOW = {
    "models": set(),
    "policies": {"models"},
    "hwmodels": {"policies", "models"},
    "evaluators": {"policies", "models"},
    "search": {"evaluators", "hwmodels", "policies", "models"},
    "experiments": {"search", "evaluators", "hwmodels", "policies", "models"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')


def wrong_includes(layer, text):
    """Include paths of a file of `layer` that the layering forbids."""
    wrong = []
    for line in text.splitlines():
        match = INCLUDE.match(line)
        if not match:
            continue
        target = match.group(1)
        top = target.split("/")[0]
        is_climbing = ".." in target.split("/")
        if is_climbing or top not in BELOW or (top != layer and top not in BELOW[layer]):
            wrong.append(target)
    return wrong


class Layering(unittest.TestCase):
    def test_every_include_points_down(self):
        files = 0
        for layer in BELOW:
            for path in sorted((ROOT / layer).rglob("*")):
                if path.suffix in (".h", ".cc"):
                    files += 1
                    self.assertEqual(wrong_includes(layer, path.read_text()), [], path)
        self.assertGreater(files, 50)

    def test_upward_includes_are_found(self):
        self.assertEqual(wrong_includes("models", '#include "policies/policy.h"\n#include "models/network.h"'), ["policies/policy.h"])
        self.assertEqual(wrong_includes("hwmodels", '  # include "evaluators/dataset.h"'), ["evaluators/dataset.h"])
        self.assertEqual(wrong_includes("search", '#include "../models/network.h"'), ["../models/network.h"])
        self.assertEqual(wrong_includes("search", '#include "network.h"'), ["network.h"])


if __name__ == "__main__":
    sys.exit(unittest.main())
