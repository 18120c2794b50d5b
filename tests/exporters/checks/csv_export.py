import csv
import sys

TOOL, VERSION = "Python csv", ".".join(map(str, sys.version_info[:3]))
COMPARED = "bits and channels of every layer"


def check(case, path):
    with open(path, newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    faults = []
    for name, widths in case.widths.items():
        got = tuple(int(rows[name][key]) for key in ("weight_bits", "activation_bits"))
        channels = tuple(int(rows[name][key]) for key in ("out_channels", "kept_out_channels"))
        if got != widths or channels != case.channels[name]:
            faults.append(f"{name}: {got} bits, {channels} channels, expected {widths}, {case.channels[name]}")
    return faults


def corrupt(path):
    """The columns of MACs and bits slip by one."""
    text = path.read_text()
    path.write_text(text.replace("parameters,kept_parameters,weight_bits", "parameters,weight_bits,kept_parameters"))
