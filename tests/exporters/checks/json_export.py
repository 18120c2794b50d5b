import json
import sys

TOOL, VERSION = "Python json", ".".join(map(str, sys.version_info[:3]))
COMPARED = "bits and channels of every layer"


def check(case, path):
    layers = {layer["name"]: layer for layer in json.loads(path.read_text())["layers"]}
    faults = []
    for name, (weight, activation) in case.widths.items():
        row = layers[name]
        if (row["weight_bits"], row["activation_bits"]) != (weight, activation):
            faults.append(f"{name}: {row['weight_bits']}, {row['activation_bits']} bits, expected {weight}, {activation}")
        if (row["out_channels"], row["kept_out_channels"]) != case.channels[name]:
            faults.append(f"{name}: {row['kept_out_channels']} of {row['out_channels']} channels, expected {case.channels[name]}")
        if len(row.get("kept_outputs", range(row["kept_out_channels"]))) != row["kept_out_channels"]:
            faults.append(f"{name}: as many indices as channels")
    return faults


def corrupt(path):
    document = json.loads(path.read_text())
    document["layers"][1]["weight_bits"] += 1
    path.write_text(json.dumps(document))
