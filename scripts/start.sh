#!/bin/sh
# The whole house on loopback with throwaway mail in ./data. --watch: started anew whenever the source changes.
set -eu
cd "$(dirname "$0")/.."
sh scripts/install.sh run
watch=
for argument; do
  shift
  case $argument in --watch) watch=yes ;; *) set -- "$@" "$argument" ;; esac
done
[ -n "$watch" ] || exec bin/postkasse try "$@"
. scripts/node.sh
exec "$node" --watch-path=src --watch-preserve-output --disable-warning=ExperimentalWarning src/cli/main.ts try "$@"
