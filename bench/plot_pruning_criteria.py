"""Draws accuracy over keep ratios by pruning criterion, from the tables that bench/pruning_criteria prints.

    build/dev/bench/pruning_criteria FOLDER 500 > tables.md; python3 bench/plot_pruning_criteria.py tables.md --out docs/results/pruning.svg

The tables may stand in a longer Markdown file. Criteria that the text names are in colour, the others grey.
"""

import argparse
import pathlib

WIDTH, HEIGHT, MARGIN, LEGEND = 400, 300, 44, 90
COLOURS = {"l1": "#1f77b4", "random": "black", "thinet": "#d62728", "lasso": "#ff7f0e"}
TITLES = ["weights as they are", "consumers reconstructed"]


def read_tables(lines):
    """[{criterion: [(keep ratio, accuracy in %)]}], one for each table whose first column is `criterion`."""
    tables, ratios = [], []
    for line in lines:
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            ratios = []
        elif cells[0] == "criterion":
            ratios = [float(cell) for cell in cells[1:]]
            tables.append({})
        elif ratios and not set(cells[0]) <= {"-"}:
            tables[-1][cells[0]] = list(zip(ratios, map(float, cells[1:])))
    return tables


def panel(title, table, left):
    ratios = [ratio for ratio, _ in next(iter(table.values()))]

    def x(ratio):
        return left + MARGIN + (WIDTH - 2 * MARGIN) * (max(ratios) - ratio) / (max(ratios) - min(ratios))

    def y(accuracy):
        return HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * accuracy / 100

    parts = [
        f'<text x="{left + WIDTH / 2:.0f}" y="24" text-anchor="middle" font-weight="bold">{title}</text>',
        f'<path d="M{left + MARGIN},{y(100):.0f}V{y(0):.0f}H{left + WIDTH - MARGIN}" fill="none" stroke="black"/>',
        f'<text x="{left + WIDTH / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">keep ratio of every group</text>',
    ]
    for accuracy in range(0, 101, 25):
        parts.append(f'<text x="{left + MARGIN - 5}" y="{y(accuracy) + 4:.1f}" text-anchor="end">{accuracy}</text>')
    parts += [f'<text x="{x(ratio):.1f}" y="{y(0) + 15:.1f}" text-anchor="middle">{ratio}</text>' for ratio in ratios]
    for criterion in sorted(table, key=lambda name: name in COLOURS):  # grey ones first, below
        points = " ".join(f"{x(ratio):.1f},{y(accuracy):.1f}" for ratio, accuracy in table[criterion])
        width = 2 if criterion in COLOURS else 1
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS.get(criterion, "#bbbbbb")}" stroke-width="{width}"/>')
    return parts


def legend(left):
    parts = []
    for row, (name, colour) in enumerate([*COLOURS.items(), ("others", "#bbbbbb")]):
        top = 60 + 18 * row
        parts.append(f'<path d="M{left},{top}h18" stroke="{colour}" stroke-width="2"/><text x="{left + 24}" y="{top + 4}">{name}</text>')
    return parts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    arguments = parser.parse_args()
    tables = read_tables(arguments.tables.read_text().splitlines())
    total = WIDTH * len(tables) + LEGEND
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="{HEIGHT}" font-family="sans-serif" font-size="11">',
             '<rect width="100%" height="100%" fill="white"/>',
             '<text x="12" y="40">%</text>']
    for column, table in enumerate(tables):
        parts += panel(TITLES[column], table, WIDTH * column)
    parts += legend(WIDTH * len(tables))
    arguments.out.write_text("\n".join([*parts, "</svg>\n"]))


if __name__ == "__main__":
    main()
