#!/usr/bin/env python3
"""Unpacks what `lathe export --format packed` wrote (policies/packed_file.h says how it is laid out).

    unpack.py SMALL.packed OUT.onnx      the network's ONNX file (needs the package onnx)
    unpack.py SMALL.packed OUT.npz       its tensors by name: integers as they are, half floats widened to float32 (needs numpy alone)
    unpack.py SMALL.packed --list        name, shape, encoding and bytes of each tensor
"""
import json
import struct
import sys
import zlib

import numpy as np

INTEGERS = {"int4": np.int8, "int8": np.int8, "int16": np.int16, "int32": np.int32}


def numbers(data, count, bits):
    """The first `count` numbers of `bits` bits, the lowest bit of the lowest byte first."""
    stream = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[:count * bits].reshape(count, bits)
    return stream.astype(np.uint64) @ (np.uint64(1) << np.arange(bits, dtype=np.uint64)) if count else np.zeros(0, np.uint64)


def positions(data, units, kept, entry):
    """Which units are stored, and how many bytes say so."""
    if entry["storage"] == "dense":
        return np.arange(units), 0
    if entry["storage"] == "bitmask":
        return np.flatnonzero(numbers(data, units, 1)), (units + 7) // 8
    low = entry["low_bits"]
    bits = kept * (low + 1) + ((units - 1) >> low)
    stream = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[:bits]
    lows = stream[:kept * low].reshape(kept, low).astype(np.int64) @ (1 << np.arange(low)) if low else np.zeros(kept, np.int64)
    high = np.flatnonzero(stream[kept * low:]) - np.arange(kept)
    return (high << low) + lows, (bits + 7) // 8


def codebook(encoding, bits, largest):
    """float8: E4M3 times largest / 448; pow2: 0 and powers of two below the one nearest to `largest`."""
    codes = np.arange(1 << bits)
    sign = np.where(codes >> (bits - 1), -1.0, 1.0)
    rest = codes & ((1 << (bits - 1)) - 1)
    if largest == 0:
        return np.zeros(len(codes), np.float32)
    if encoding == "pow2":
        top = np.floor(np.log2(4 * largest / 3))
        return np.where(rest == 0, 0, sign * np.exp2(top - (1 << (bits - 1)) + 1 + rest)).astype(np.float32)
    exponent, fraction = rest >> 3, rest & 7
    magnitude = np.where(exponent == 0, fraction * 2.0 ** -9, (8 + fraction) * np.exp2(exponent - 10.0))
    return np.where(rest == 127, 0, sign * magnitude * (largest / 448)).astype(np.float32)


def tensor_of(data, entry):
    """Units are elements, or blocks of consecutive indices of an axis, whose last one may reach beyond its end."""
    encoding, bits, kept, block = entry["encoding"], entry["bits"], entry["kept"], entry.get("block", 1)
    shape, axis = list(entry["shape"]), entry.get("axis", 0)
    padded = shape[:axis] + [-(-shape[axis] // block)] + shape[axis + 1:] if block > 1 else shape
    units = int(np.prod(padded, dtype=np.int64))
    table = None
    if encoding in ("float8", "pow2"):
        table = codebook(encoding, bits, float(np.frombuffer(data[:4], "<f4")[0]))
        data = data[4:]
    where, used = positions(data, units, kept, entry)
    codes = np.zeros((units, block), np.uint64)
    codes[where] = numbers(data[used:], len(where) * block, bits).reshape(-1, block)
    if block > 1:
        blocks = np.moveaxis(codes.reshape(padded + [block]), -1, axis + 1)
        whole = blocks.reshape(padded[:axis] + [padded[axis] * block] + padded[axis + 1:])
        codes = whole.take(range(shape[axis]), axis)
    codes = np.ascontiguousarray(codes.reshape(-1))
    if encoding == "int":
        values = (codes.astype(np.int64) ^ (1 << (bits - 1))) - (1 << (bits - 1))
        return values.astype(INTEGERS[entry["type"]]).reshape(entry["shape"])
    if table is not None:
        values = table[codes.astype(np.int64)]
    elif encoding == "float16":
        values = codes.astype(np.uint16).view(np.float16).astype(np.float32)
    else:
        values = (codes.astype(np.uint32) << (16 if encoding == "bfloat16" else 0)).view(np.float32)
    return values.reshape(entry["shape"])


def unpack(packed):
    """(the graph's bytes, [(entry of the table, array)])"""
    if packed[:8] != b"LATHEPK1":
        raise SystemExit("not a packed network")
    table_bytes, _, graph_bytes, _ = struct.unpack("<4I", packed[8:24])
    at = 24 + table_bytes
    table = json.loads(zlib.decompress(packed[24:at]))
    graph = zlib.decompress(packed[at:at + graph_bytes])
    at += graph_bytes
    arrays, result = {}, []
    for entry in table["tensors"]:
        if "encoding" in entry:
            array = tensor_of(packed[at:at + entry["bytes"]], entry)
            at += entry["bytes"]
        elif "of" in entry:
            array = arrays[entry["of"]] * np.float32(entry["factor"])
        else:
            array = np.zeros(entry["shape"], INTEGERS[entry["type"]])
        arrays[entry["name"]] = array
        result.append((entry, array))
    return graph, result


def raw_data(entry, array):
    """As ONNX has it: halves narrowed again, 4-bit integers two a byte."""
    if entry["type"] == "float16":
        return array.astype("<f2").tobytes()
    if entry["type"] == "bfloat16":
        return (np.ascontiguousarray(array, np.float32).view(np.uint32) >> 16).astype("<u2").tobytes()
    if entry["type"] == "int4":
        halves = np.append(array.reshape(-1), np.zeros(array.size % 2, np.int8)).astype(np.uint8) & 15
        return (halves[::2] | halves[1::2] << 4).tobytes()
    return np.ascontiguousarray(array).tobytes()


def write_onnx(graph, tensors, path):
    import onnx
    model = onnx.load_model_from_string(graph)
    dense = {tensor.name: tensor for tensor in model.graph.initializer}
    sparse = {tensor.values.name: tensor for tensor in model.graph.sparse_initializer}
    for entry, array in tensors:
        if entry["name"] in dense:
            dense[entry["name"]].raw_data = raw_data(entry, array)
            continue
        kept = np.flatnonzero(array)
        target = sparse[entry["name"]]
        target.values.raw_data = raw_data(entry, array.reshape(-1)[kept])
        target.indices.raw_data = kept.astype("<i8").tobytes()
    with open(path, "wb") as file:
        file.write(model.SerializeToString(deterministic=True))


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    with open(sys.argv[1], "rb") as file:
        packed = file.read()
    graph, tensors = unpack(packed)
    out = sys.argv[2]
    if out.endswith(".onnx"):
        write_onnx(graph, tensors, out)
    elif out.endswith(".npz"):
        np.savez_compressed(out, **{entry["name"]: array for entry, array in tensors})
    elif out == "--list":
        payload = sum(entry.get("bytes", 0) for entry, _ in tensors)
        for entry, _ in tensors:
            if "encoding" in entry:
                encoding = entry["encoding"] + (f" {entry['bits']}" if entry["encoding"] in ("int", "pow2") else "")
                print(f"{entry['name']:40s} {str(entry['shape']):20s} {encoding:12s} {entry['storage']:8s} {entry['bytes']:9d}")
        print(f"weights and parameters {payload} bytes, graph and table {len(packed) - payload} bytes")
    else:
        raise SystemExit(f"{out}: expected a name that ends in .onnx or .npz, or --list")


if __name__ == "__main__":
    main()
