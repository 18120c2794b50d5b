#!/usr/bin/env bash
# Sets up a machine, builds everything with warnings as errors, and runs all tests. Arguments go to ctest.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh --tests
cmake --preset dev
cmake --build --preset dev
exec ctest --preset dev -j "$(nproc)" "$@"
