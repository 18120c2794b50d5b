#!/usr/bin/env bash
# Sets up a machine, builds the lathe program and runs the main job on the built-in example. Arguments go to `lathe search`.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
cmake --preset release
cmake --build --preset release --target lathe
out=${LATHE_QUICKSTART_OUT:-runs/quickstart}
resume=()
[ -e "$out/run.db" ] && resume=(--resume)
build/release/experiments/lathe search configs/quickstart.yaml --out "$out" "${resume[@]}" "$@"
echo
echo "Open $PWD/$out/report.html in a browser."
