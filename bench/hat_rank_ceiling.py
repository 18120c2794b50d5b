"""How well widths can order HAT's Transformers of equal decoder depth at all: least squares over every column of the table, cross-validated
on all rows, beside the rank correlation of single columns.

    .venv/bin/python bench/hat_rank_ceiling.py --data $LATHE_DATA/hw/hat_transformer
"""
import argparse
import csv
import pathlib

import numpy as np

COLUMNS = ["encoder_layer_num", "encoder_embed_dim", "encoder_ffn_embed_dim_avg", "decoder_embed_dim", "decoder_ffn_embed_dim_avg",
           "decoder_self_attention_heads_avg", "decoder_ende_attention_heads_avg", "decoder_arbitrary_ende_attn_avg"]
FOLDS, FEWEST_ROWS = 5, 6


def spearman(a, b):
    ranks = [np.argsort(np.argsort(values)) for values in (a, b)]
    return np.corrcoef(*ranks)[0, 1]


def cross_validated(features, latency):
    """Predictions of relative least squares for rows that the fit did not see."""
    fold = np.random.default_rng(0).integers(0, FOLDS, len(latency))
    predicted = np.zeros(len(latency))
    for k in range(FOLDS):
        seen = fold != k
        weights = 1 / latency[seen]
        solution = np.linalg.lstsq(features[seen] * weights[:, None], np.ones(seen.sum()), rcond=None)[0]
        predicted[~seen] = features[~seen] @ solution
    return predicted


def within_depth(values, latency, depth):
    """Mean over depths of the rank correlation among networks of that depth."""
    groups = [depth == d for d in np.unique(depth) if (depth == d).sum() >= FEWEST_ROWS]
    return np.mean([spearman(values[group], latency[group]) for group in groups])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=pathlib.Path)
    for path in sorted(parser.parse_args().data.glob("*.csv")):
        with open(path) as stream:
            rows = list(csv.DictReader(stream))
        column = lambda name: np.array([float(row[name]) for row in rows])
        encoder = column("latency_mean_encoder")
        kept = encoder <= 2 * np.median(encoder)  # the others ran under another load
        latency, depth = (encoder + column("latency_mean_decoder"))[kept], column("decoder_layer_num")[kept]
        widths = np.stack([column(name)[kept] for name in COLUMNS], axis=1)
        widths = widths / widths.mean(axis=0)
        features = np.concatenate([np.ones((len(depth), 1)), depth[:, None], widths, depth[:, None] * widths], axis=1)
        single = {name: within_depth(widths[:, i], latency, depth) for i, name in enumerate(COLUMNS)}
        print(f"{path.stem}: all columns {within_depth(cross_validated(features, latency), latency, depth):.2f}; alone " +
              ", ".join(f"{name} {value:.2f}" for name, value in single.items()))


if __name__ == "__main__":
    main()
