#!/usr/bin/env bash
# Cross-compiles lathe-profile for aarch64 and runs it under qemu-user on a list of layers. Exit status 77: skipped, with the reason.
# Usage: profile_on_aarch64.sh SOURCE_DIR BUILD_DIR
set -euo pipefail
source_dir=$1 build_dir=$2

for tool in aarch64-linux-gnu-g++ qemu-aarch64; do
  if ! command -v "$tool" >/dev/null; then
    echo "skipped: $tool is missing (Debian: g++-aarch64-linux-gnu and qemu-user; scripts/setup.sh --tests brings both)"
    exit 77
  fi
done

cmake -S "$source_dir" -B "$build_dir" -G Ninja -DCMAKE_BUILD_TYPE=Release -DLATHE_PROFILE_ONLY=ON \
  -DCMAKE_TOOLCHAIN_FILE="$source_dir/cmake/aarch64-linux-gnu.cmake" >/dev/null
cmake --build "$build_dir" >/dev/null
program=$build_dir/hwmodels/profiling/lathe-profile

layers=$build_dir/layers.csv
cat >"$layers" <<'CSV'
layer,kind,batch,in_channels,out_channels,kernel_height,kernel_width,stride_height,stride_width,groups,in_height,in_width,out_height,out_width
conv1,conv,1,16,16,3,3,1,1,1,8,8,8,8
fc,gemm,1,64,10,1,1,1,1,1,1,1,1,1
CSV
run() { qemu-aarch64 -L /usr/aarch64-linux-gnu "$program" "$@"; }

run --help | grep -q 'lathe calibrate'
table=$(run --layers "$layers" --seconds 0.02)
echo "$table"
# A header, two layers in two precisions.
[ "$(wc -l <<<"$table")" -eq 5 ]
grep -q ',built-in,int8,1,1,' <<<"$table"
# A wrong input is one line and exit status 2.
status=0
run --layers /no/such/file 2>"$build_dir/error.txt" || status=$?
[ "$status" -eq 2 ] && grep -q '/no/such/file: cannot read a layer list' "$build_dir/error.txt"
