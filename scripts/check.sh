#!/bin/sh
# Types, lint and format, and the direction of the imports.
set -u
cd "$(dirname "$0")/.."
sh scripts/install.sh all || exit 1
. scripts/node.sh
bad=0
echo "types:" && "$node" node_modules/typescript/bin/tsc -p . && echo ok || bad=1
echo "lint and format:" && "$node" node_modules/@biomejs/biome/bin/biome check . || bad=1
echo "imports:" && "$node" scripts/checkImports.ts || bad=1
exit $bad
