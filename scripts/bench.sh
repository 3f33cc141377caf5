#!/bin/sh
# Prints tables; arguments name the benchmarks to run (none: all of them).
set -eu
cd "$(dirname "$0")/.."
sh scripts/install.sh all
. scripts/node.sh
exec "$node" --disable-warning=ExperimentalWarning bench/main.ts "$@"
