#!/usr/bin/env bash
# Installs what Lathe needs from Debian 12's own packages. With --tests also what only the tests use: Python tools in .venv.
# Runs apt-get by sudo where it is not run as root. Safe to run again.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  g++ cmake ninja-build ccache pkg-config ca-certificates
  libtorch-dev libopenblas0-pthread libceres-dev libeigen3-dev libtbb-dev libyaml-cpp-dev
  libonnx-dev libprotobuf-dev protobuf-compiler libsqlite3-dev libsqlitecpp-dev
  libcli11-dev nlohmann-json3-dev libspdlog-dev libfmt-dev zlib1g-dev libssl-dev libstb-dev
  libjs-chart.js dataset-fashion-mnist
)
test_packages=(
  libgtest-dev libgmock-dev libbenchmark-dev python3 python3-venv python3-onnx python3-numpy python3-pil
  g++-aarch64-linux-gnu qemu-user                                     # lathe-profile for boards
  # Optional: what is missing is left out of the build or skipped.
  libopenmpi-dev openmpi-bin slurmctld slurmd slurm-client libpq-dev postgresql faketime
)

with_tests=false
[ "${1:-}" = --tests ] && with_tests=true && packages+=("${test_packages[@]}")

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
fi

# ONNX Runtime, a current ONNX and QONNX are not in Debian; the tests compare with them. Debian's own Python, whose onnx 1.12 generates the
# operator test cases, is not touched.
if $with_tests && [ ! -x .venv/bin/python ]; then
  /usr/bin/python3 -m venv .venv
fi
if $with_tests; then
  .venv/bin/python -m pip install -q --disable-pip-version-check 'onnxruntime==1.20.1' 'onnx==1.17.0' 'numpy<2.3' 'qonnx==1.0.0'
fi
