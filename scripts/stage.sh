#!/bin/sh
# Puts a built Postkasse below a folder, as makers of packages need it, or below / of this host; or takes away what it has put there.
#
#   sh scripts/stage.sh [--root=DIR] [--prefix=/usr/local] [--sysconfdir=/etc] [--service=systemd,sysvinit,inetd,xinetd,none] [--without-node]
#   sh scripts/stage.sh [--root=DIR] [--prefix=/usr/local] --remove
#
# --root: everything goes below it and no path that is written anywhere contains it. --without-node: the host has Node 26.
# Nothing is started or enabled, and settings are left alone: without any every setting has its default, on loopback.
set -eu
cd "$(dirname "$0")/.."
root= prefix=/usr/local sysconfdir=/etc service=systemd node=yes remove=
for argument; do
  case $argument in
    --root=*) root=${argument#*=} ;;
    --prefix=*) prefix=${argument#*=} ;;
    --sysconfdir=*) sysconfdir=${argument#*=} ;;
    --service=*) service=${argument#*=} ;;
    --without-node) node= ;;
    --remove) remove=yes ;;
    *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
  esac
done
for path in "$prefix" "$sysconfdir"; do
  case $path in /*) ;; *) echo "stage: $path is not absolute" >&2; exit 64 ;; esac
done
root=${root%/} prefix=${prefix%/}
home=$prefix/lib/postkasse
manifest=$root$home/manifest

if [ -n "$remove" ]; then
  [ -r "$manifest" ] || { echo "stage: nothing is installed in $root$home" >&2; exit 66; }
  # Settings, mail and state are the host's and stay.
  while IFS= read -r path; do rm -f "$root$path"; done <"$manifest"
  rm -rf "$root$home"
  exit 0
fi

case $(uname -m) in x86_64) arch=x64 ;; *) arch=arm64 ;; esac
node_program=node_modules/node-linux-$arch/bin/node
umask 022
rm -rf "$root$home"
mkdir -p "$root$home/bin" "$root$home/node_modules" "$root$prefix/bin"
: >"$manifest"

# put SOURCE PATH [MODE]: with the place of the program in it.
put() {
  mkdir -p "$root$(dirname "$2")"
  sed -e "s#/usr/bin/postkasse#$prefix/bin/postkasse#g" -e "s#/etc/postkasse/#$sysconfdir/postkasse/#g" \
    -e "s#/usr/share/doc/postkasse/#$prefix/share/doc/postkasse/#g" "$1" >"$root$2"
  chmod "${3:-644}" "$root$2"
  printf '%s\n' "$2" >>"$manifest"
}

"$node_program" node_modules/typescript/bin/tsc -p tsconfig.build.json --outDir "$root$home/dist"
cp bin/postkasse bin/deliver.cjs "$root$home/bin/"
cp package.json CHANGELOG.md LICENSE "$root$home/"
# What the program needs and no more; without scripts of packages, and without Node's own binary where the host has one.
npm ls --omit=dev --all --parseable | sed -n "s#^$PWD/node_modules/##p" | while IFS= read -r package; do
  case $package in node-linux-*) [ -n "$node" ] || continue ;; esac
  mkdir -p "$root$home/node_modules/$(dirname "$package")"
  cp -R "node_modules/$package" "$root$home/node_modules/$package"
done
ln -sf "../lib/postkasse/bin/postkasse" "$root$prefix/bin/postkasse"
printf '%s\n' "$prefix/bin/postkasse" >>"$manifest"

put contrib/pam/postkasse "$sysconfdir/pam.d/postkasse"
for page in README.md examples/postkasse.toml docs/*.md; do put "$page" "$prefix/share/doc/postkasse/$(basename "$page")"; done
for kind in $(printf '%s' "$service" | tr ',' ' '); do
  case $kind in
    systemd)
      for unit in contrib/systemd/*.service contrib/systemd/*.socket; do put "$unit" "$prefix/lib/systemd/system/$(basename "$unit")"; done
      put contrib/systemd/one-owner.conf "$prefix/share/doc/postkasse/one-owner.conf"
      put contrib/systemd/sysusers.d/postkasse.conf "$prefix/lib/sysusers.d/postkasse.conf"
      put contrib/systemd/tmpfiles.d/postkasse.conf "$prefix/lib/tmpfiles.d/postkasse.conf"
      ;;
    sysvinit) put contrib/sysvinit/postkasse "$sysconfdir/init.d/postkasse" 755 ;;
    xinetd) put contrib/inetd/xinetd.conf "$sysconfdir/xinetd.d/postkasse" ;;
    inetd) put contrib/inetd/inetd.conf "$prefix/share/doc/postkasse/inetd.conf" ;;
    none) ;;
    *) echo "stage: no service files for $kind" >&2; exit 64 ;;
  esac
done
