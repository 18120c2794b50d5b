"""Tokenizes all of SST-2's training sentences for minilm_sst2.onnx: BERT's lower-casing word pieces over the network's cut vocabulary.

    python3 bench/tokenize_sst2.py TEXT_FOLDER DEST

TEXT_FOLDER holds train.tsv (sentence, tab, label) and vocab.txt (a word piece a line). Writes train_input_ids.npy, train_attention_mask.npy
[rows, 32] and train_labels.npy, int64, and says on how many rows it agrees with TEXT_FOLDER's train10k arrays: a word of which the full
vocabulary had a longer piece than the cut one is [UNK] there and may be two pieces here.
"""

import pathlib
import sys
import unicodedata

import numpy as np

MAX_TOKENS = 32
PADDING, UNKNOWN, BEGIN, END = 0, 1, 2, 3


def is_punctuation(character):
    code = ord(character)
    is_ascii_symbol = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return is_ascii_symbol or unicodedata.category(character).startswith("P")


def words(sentence):
    plain = unicodedata.normalize("NFD", sentence.lower())
    text = "".join(c for c in plain if unicodedata.category(c) != "Mn")
    return "".join(f" {c} " if is_punctuation(c) else c for c in text).split()


def pieces(word, vocabulary):
    """Longest match first (Wu et al., Google's Neural Machine Translation System, 2016, section 4.1)."""
    found, begin = [], 0
    while begin < len(word):
        for end in range(len(word), begin, -1):
            piece = ("##" if begin else "") + word[begin:end]
            if piece in vocabulary:
                found.append(vocabulary[piece])
                begin = end
                break
        else:
            return [UNKNOWN]
    return found


def encode(sentence, vocabulary):
    tokens = [token for word in words(sentence) for token in pieces(word, vocabulary)]
    return [BEGIN, *tokens[: MAX_TOKENS - 2], END]


def main():
    text, destination = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    vocabulary = {piece: row for row, piece in enumerate((text / "vocab.txt").read_text().splitlines())}
    rows = [line.rsplit("\t", 1) for line in (text / "train.tsv").read_text().splitlines()]
    ids = np.full((len(rows), MAX_TOKENS), PADDING, dtype=np.int64)
    for row, (sentence, _) in zip(ids, rows):
        tokens = encode(sentence, vocabulary)
        row[: len(tokens)] = tokens
    destination.mkdir(parents=True, exist_ok=True)
    np.save(destination / "train_input_ids.npy", ids)
    np.save(destination / "train_attention_mask.npy", (ids != PADDING).astype(np.int64))
    np.save(destination / "train_labels.npy", np.array([int(label) for _, label in rows], dtype=np.int64))

    known = {tuple(row) for row in ids}
    given = np.load(text / "train10k_input_ids.npy")
    print(f"{len(rows)} rows; {sum(tuple(row) in known for row in given)} of {len(given)} rows of train10k are among them")


if __name__ == "__main__":
    main()
