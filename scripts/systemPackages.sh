#!/bin/sh
# The programs that the system tests talk to. Installed where that is allowed; where it isn't, the tests that need them say so and are skipped.
set -eu
packages="dovecot-core dovecot-pop3d dovecot-lmtpd postfix fetchmail mpop getmail6 swaks curl openssl strace python3 xinetd fail2ban"
missing=
for package in $packages; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "not installed, so some system tests will be skipped:$missing" >&2
  echo "to install them: apt-get install --no-install-recommends$missing" >&2
  exit 0
fi
echo "installing Debian packages for the system tests:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
# The packages' own services must not start here: the tests start private ones. Where the host has a policy, it stays.
policy=/usr/sbin/policy-rc.d
made=
if [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' >$policy; chmod 755 $policy; made=yes; fi
trap '[ -z "$made" ] || rm -f $policy' EXIT
log=$(mktemp)
if ! { apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "could not install:$missing; the tests that need them will be skipped" >&2
fi
rm -f "$log"
