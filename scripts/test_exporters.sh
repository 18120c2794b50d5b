#!/usr/bin/env bash
# Loads every export in the tool that it is for, heavy ones included (several GB of Python packages, in .venv-export beside the checkout's
# other files), and prints the table of docs/results/exporters.md. A tool that cannot be installed is skipped, with a line that says so.
# Arguments: formats (all without). LATHE_PROGRAM: the program to test; built in build/release where unset.
set -euo pipefail
cd "$(dirname "$0")/.."

program=${LATHE_PROGRAM:-}
if [ -z "$program" ]; then
  cmake --preset release
  cmake --build --preset release --target lathe
  program=build/release/experiments/lathe
fi

venv=${LATHE_EXPORT_VENV:-.venv-export}
[ -x "$venv/bin/python" ] || /usr/bin/python3 -m venv "$venv"
# One PyTorch for all of them: the newest that NNCF 2.17 and NNI 3.0 both work with.
packages=(
  'torch==2.7.1 numpy<2.3' 'onnxruntime==1.20.1 onnx==1.17.0' 'qonnx==1.0.0' 'openvino==2025.4.1' 'torch-pruning==1.6.1' 'torchao==0.13.0'
  'nncf==2.17.0' 'hls4ml==1.3.0' 'nni==3.0' 'aimet-onnx==2.42.0'
)
for package in "${packages[@]}"; do
  # shellcheck disable=SC2086  # several requirements in one entry
  "$venv/bin/python" -m pip install -q --disable-pip-version-check $package || echo "not installed: $package" >&2
done
PYTHONDONTWRITEBYTECODE=1 exec "$venv/bin/python" tests/exporters/run_checks.py "$program" "$@"
