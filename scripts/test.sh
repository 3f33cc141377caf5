#!/bin/sh
# Everything: installs what is missing, then runs every test there is.
set -eu
cd "$(dirname "$0")/.."
sh scripts/install.sh all
sh scripts/systemPackages.sh
. scripts/node.sh
exec "$node" --disable-warning=ExperimentalWarning scripts/test.ts "$@"
