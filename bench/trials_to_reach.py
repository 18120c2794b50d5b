"""Median number of trials until shares of a hypervolume are reached, from two traces of bench/search_problems over the same seeds.

    python3 bench/trials_to_reach.py FROM_NOTHING.txt TAUGHT.txt [--shares 0.95 0.98 0.99 1]

Shares are of what each seed of the first trace has in the end. A seed that never reaches a share counts as its last trial plus one.
"""

import argparse
import collections
import pathlib
import statistics


def read(path):
    """{seed: [(trial, hypervolume)]} in order."""
    curves = collections.defaultdict(list)
    for line in path.read_text().splitlines():
        seed, trial, volume = line.split()
        curves[int(seed)].append((int(trial), float(volume)))
    return curves


def reached(curve, volume):
    return next((trial for trial, reached in curve if reached >= volume), curve[-1][0] + 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=pathlib.Path)
    parser.add_argument("second", type=pathlib.Path)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.9, 0.95, 0.98, 0.99, 1])
    arguments = parser.parse_args()
    first, second = read(arguments.first), read(arguments.second)
    seeds = sorted(set(first) & set(second))
    print(f"| share of the hypervolume | {arguments.first.stem} | {arguments.second.stem} | times | faster seeds |\n| --- | --- | --- | --- | --- |")
    for share in arguments.shares:
        pairs = [tuple(reached(curves[seed], share * first[seed][-1][1]) for curves in (first, second)) for seed in seeds]
        one, other = (statistics.median(values) for values in zip(*pairs))
        faster = sum(b < a for a, b in pairs)
        print(f"| {100 * share:g} % | {one:g} | {other:g} | {one / max(other, 1):.1f} | {faster}/{len(seeds)} |")


if __name__ == "__main__":
    main()
