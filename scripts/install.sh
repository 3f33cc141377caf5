#!/bin/sh
# Brings node_modules up to the lockfile. "run" is what the program needs, "all" adds what tests and checks need.
set -eu
cd "$(dirname "$0")/.."
want=${1:-run}
# What tests and checks need isn't taken away again.
if [ -d node_modules/typescript ]; then want=all; fi
stamp=node_modules/.postkasse-installed
current=$(cksum package-lock.json | cut -d' ' -f1)
if [ -f "$stamp" ]; then
  case $(cat "$stamp") in
    "$current all") exit 0 ;;
    "$current run") [ "$want" = run ] && exit 0 ;;
  esac
fi
# The archive of a release carries its modules with it and may not be writable: nothing to install there.
if [ ! -w . ] && [ -d node_modules ]; then exit 0; fi
if ! command -v npm >/dev/null 2>&1; then
  echo "postkasse: npm is missing; install Node 20 or newer with npm" >&2
  exit 69
fi
echo "installing packages of package-lock.json ..." >&2
# No package needs an install script: native parts come prebuilt. Not `npm ci`: that refuses a lockfile without the binaries of machines
# that nobody here has. Versions and checksums are the lockfile's this way too, and --no-save leaves it as it is.
omit=
[ "$want" = all ] || omit=--omit=dev
npm install --ignore-scripts --no-save --no-fund --no-audit --loglevel=error $omit >&2
printf '%s %s\n' "$current" "$want" >"$stamp"
