"""Measures single operators on an NVIDIA GPU, in the layout of the h200 data set plus power, to see what each kernel class costs.

    python3 bench/measure_h200.py --out h200_extra.csv [--seconds 270]

Every operator is captured several times in a row (`mode` graph16: sixteen dependent runs) in one CUDA graph, which is replayed; times are
those of one operator. Rows of mode `graph1` hold one run a graph, as single convolutions of the data set do, and so show what starting a
graph costs. Shapes cross the axes that matter: bytes for operators bound by memory, M, N and K for products, channels and window for
convolutions. int8, fp8 and 2:4 sparsity are measured as products, which is where PyTorch offers them. `model` is
`<operator>_h<height>_ci<channels>_k<kernel>_s<stride>_g<groups>` for convolutions, `<operator>_m<M>_k<K>` for products, and
`<operator>_h<height>_ci<channels>` elsewhere; `width` is the number of output channels.
"""

import argparse
import csv
import ctypes
import statistics
import sys
import time

import torch
import torch.nn.functional as F

FIELDS = ["kind", "model", "width", "batch", "dtype", "params", "mode", "median_ms", "p10_ms", "p90_ms", "power_w"]
DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16, "int8": torch.int8}
REPLAYS = 30
REPEATS = 16


class Power:
    """Board power through NVML, None where the library is missing."""

    def __init__(self):
        try:
            self.nvml = ctypes.CDLL("libnvidia-ml.so.1")
            self.handle = ctypes.c_void_p()
            if self.nvml.nvmlInit_v2() or self.nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(self.handle)):
                self.nvml = None
        except OSError:
            self.nvml = None

    def watts(self):
        milliwatts = ctypes.c_uint()
        if self.nvml is None or self.nvml.nvmlDeviceGetPowerUsage(self.handle, ctypes.byref(milliwatts)):
            return None
        return milliwatts.value / 1000


def set_dtype(dtype):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = dtype == "tf32"


def capture(run, repeats):
    """One graph of `repeats` runs, warmed up outside so that cuDNN and cuBLAS have chosen their kernels."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(repeats):
            run()
    return graph


def replay_times_ms(graph, repeats):
    times = []
    for _ in range(REPLAYS + 3):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / repeats)
    return sorted(times[3:])


def sustained_watts(graph, power, seconds=0.35):
    """Power needs a while to show in NVML: replay for a third of a second, read at the end."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(20):
            graph.replay()
        torch.cuda.synchronize()
    return power.watts()


def convolution(batch, size, channels, width, kernel, stride, groups, dtype):
    x = torch.randn(batch, channels, size, size, device="cuda", dtype=DTYPES[dtype]).to(memory_format=torch.channels_last)
    weight = torch.randn(width, channels // groups, kernel, kernel, device="cuda", dtype=DTYPES[dtype])
    weight = weight.to(memory_format=torch.channels_last)
    return lambda: F.conv2d(x, weight, None, stride, kernel // 2, 1, groups)


def pointwise(name, batch, size, channels, dtype):
    x = torch.randn(batch, channels, size, size, device="cuda", dtype=DTYPES[dtype]).to(memory_format=torch.channels_last)
    y = torch.randn_like(x)
    ones = torch.ones(channels, device="cuda")
    rows = x.permute(0, 2, 3, 1).contiguous()
    per_channel = torch.ones(channels, device="cuda", dtype=DTYPES[dtype])
    gate = torch.ones(batch, channels, 1, 1, device="cuda", dtype=DTYPES[dtype])
    return {
        "bn": lambda: F.batch_norm(x, ones, ones, ones, ones),
        "relu": lambda: F.relu(x),
        "relu_inplace": lambda: F.relu_(x),
        "relu6_inplace": lambda: F.hardtanh_(x, 0.0, 6.0),
        "silu": lambda: F.silu(x),
        "gelu": lambda: F.gelu(x),
        "hardswish": lambda: F.hardswish(x),
        "add": lambda: x + y,
        "mul_gate": lambda: x * gate,
        "maxpool": lambda: F.max_pool2d(x, 3, 2, 1),
        "avgpool2": lambda: F.avg_pool2d(x, 2, 2),
        "global_mean": lambda: x.mean((2, 3)),
        "concat": lambda: torch.cat((x, y), 1),
        "layernorm": lambda: F.layer_norm(rows, (channels,), per_channel, per_channel),
        "softmax": lambda: F.softmax(rows, -1),
    }[name]


def attention(batch, tokens, heads, depth, dtype):
    q, k, v = (torch.randn(batch, heads, tokens, depth, device="cuda", dtype=DTYPES[dtype]) for _ in range(3))
    return lambda: F.scaled_dot_product_attention(q, k, v)


def product(m, k, n, kind):
    """x [m, k] times w [n, k] transposed, in `kind`; None where this PyTorch lacks it."""
    if kind in ("fp32", "tf32", "fp16"):
        x, w = (torch.randn(rows, k, device="cuda", dtype=DTYPES[kind]) for rows in (m, n))
        return lambda: F.linear(x, w)
    if kind == "int8":
        x, w = (torch.randint(-8, 8, (rows, k), device="cuda", dtype=torch.int8) for rows in (m, n))
        return lambda: torch._int_mm(x, w.t())
    if kind == "fp8":
        x, w = (torch.randn(rows, k, device="cuda").to(torch.float8_e4m3fn) for rows in (m, n))
        one = torch.tensor(1.0, device="cuda")
        return lambda: torch._scaled_mm(x, w.t(), scale_a=one, scale_b=one, out_dtype=torch.float16)
    if kind in ("fp16_sparse24", "int8_sparse24"):
        from torch.sparse import to_sparse_semi_structured

        dtype = torch.float16 if kind.startswith("fp16") else torch.int8
        mask = torch.tensor([0, 0, 1, 1], device="cuda").tile(n, k // 4)
        w = to_sparse_semi_structured((mask * torch.randint(1, 8, (n, k), device="cuda")).to(dtype))
        x = torch.randint(1, 8, (m, k), device="cuda").to(dtype)
        return lambda: torch.mm(w, x.t())
    raise ValueError(kind)


def cases():
    """(kind, model, width, batch, dtype, operator maker), the most telling ones first: the time may not do for all."""
    products = [(m, k, n) for m, k, n in ((64, 1024, 1024), (512, 1024, 1024), (4096, 1024, 1024), (12544, 256, 1024), (12544, 1024, 256),
                                          (50176, 64, 256), (50176, 256, 64), (8192, 4096, 4096), (16384, 8192, 8192))]
    for m, k, n in products:
        for kind in ("fp16", "int8", "fp16_sparse24", "int8_sparse24", "fp8", "tf32", "fp32"):
            yield "gemm", f"linear_m{m}_k{k}", n, 1, kind, lambda m=m, k=k, n=n, kind=kind: product(m, k, n, kind)
    for batch, size, channels in ((1, 28, 128), (64, 14, 256), (64, 56, 64), (256, 56, 64), (256, 56, 256)):
        for name in ("bn", "relu_inplace", "add", "maxpool", "global_mean", "layernorm", "softmax", "relu", "relu6_inplace", "silu", "gelu",
                     "hardswish", "mul_gate", "avgpool2", "concat"):
            for dtype in ("fp32", "fp16"):
                yield ("op", f"{name}_h{size}_ci{channels}", channels, batch, dtype,
                       lambda n=name, b=batch, s=size, c=channels, d=dtype: pointwise(n, b, s, c, d))
    convolutions = [(56, 64, 64, 3, 1, 1), (14, 256, 256, 3, 1, 1), (7, 512, 512, 3, 1, 1), (28, 128, 128, 3, 1, 1), (56, 64, 256, 1, 1, 1),
                    (14, 1024, 256, 1, 1, 1), (7, 512, 2048, 1, 1, 1), (224, 3, 64, 7, 2, 1), (224, 3, 32, 3, 2, 1),
                    (56, 144, 144, 3, 1, 144), (28, 192, 192, 3, 1, 192), (14, 576, 576, 3, 1, 576), (7, 960, 960, 3, 1, 960),
                    (56, 144, 144, 3, 2, 144), (28, 240, 240, 5, 1, 240), (14, 672, 672, 5, 1, 672), (56, 96, 96, 7, 1, 96),
                    (14, 384, 384, 7, 1, 384), (14, 96, 576, 1, 1, 1), (56, 24, 144, 1, 1, 1), (56, 144, 24, 1, 1, 1), (14, 256, 256, 3, 1, 32),
                    (56, 128, 128, 3, 1, 32), (224, 3, 192, 16, 16, 1), (56, 256, 512, 1, 2, 1), (56, 256, 64, 1, 1, 1), (112, 32, 16, 1, 1, 1)]
    for size, channels, width, kernel, stride, groups in convolutions:
        for dtype in ("fp16", "tf32", "fp32"):
            for batch in (1, 8, 64, 256):
                yield ("conv", f"conv_h{size}_ci{channels}_k{kernel}_s{stride}_g{groups}", width, batch, dtype,
                       lambda a=(batch, size, channels, width, kernel, stride, groups, dtype): convolution(*a))
    for batch in (1, 64, 256):
        for dtype in ("fp16", "tf32", "fp32"):
            yield "op", "attention_t197_h3_d64", 192, batch, dtype, lambda b=batch, d=dtype: attention(b, 197, 3, 64, d)


def measure(run, repeats, power, wants_power):
    graph = capture(run, repeats)
    times = replay_times_ms(graph, repeats)
    watts = sustained_watts(graph, power) if wants_power else None
    return times, watts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seconds", type=float, default=270)
    arguments = parser.parse_args()
    torch.backends.cudnn.benchmark = True
    torch.set_grad_enabled(False)
    power, start = Power(), time.monotonic()
    with open(arguments.out, "w", newline="") as stream:
        writer = csv.DictWriter(stream, FIELDS)
        writer.writeheader()
        for index, (kind, model, width, batch, dtype, make) in enumerate(cases()):
            if time.monotonic() - start > arguments.seconds:
                print(f"stopped after {index} cases: out of time", file=sys.stderr)
                break
            set_dtype(dtype)
            try:
                run = make()
                for repeats in (1, REPEATS) if index % 8 == 0 else (REPEATS,):
                    times, watts = measure(run, repeats, power, wants_power=kind == "gemm" and repeats > 1)
                    writer.writerow({"kind": kind, "model": model, "width": width, "batch": batch, "dtype": dtype, "params": "",
                                     "mode": f"graph{repeats}", "median_ms": f"{statistics.median(times):.5f}",
                                     "p10_ms": f"{times[len(times) // 10]:.5f}", "p90_ms": f"{times[-1 - len(times) // 10]:.5f}",
                                     "power_w": "" if watts is None else watts})
                stream.flush()
            except (RuntimeError, AttributeError, NotImplementedError, ImportError) as error:  # this type or shape is not offered
                print(f"{model} {width} {dtype}: {str(error).splitlines()[0]}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
