#!/bin/sh
# What the build and the tests need, from Debian.  As root installs what is missing; else says the one line
# to type.  deps.sh [quiet [PACKAGE...]]: `quiet' says nothing when all is there; PACKAGEs are needed besides.
set -eu
packages="gcc libc6-dev make pkg-config libevent-dev libssl-dev libconfuse-dev libjansson-dev libcrypt-dev check curl ca-certificates"
how=${1:-}
[ $# = 0 ] || shift
packages="$packages $*"

missing=
for p in $packages; do
	dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null | grep -q '^ii' || missing="$missing $p"
done
if [ -z "$missing" ]; then
	[ "$how" = quiet ] || echo "everything that gatepost needs is installed"
	exit 0
fi
if ! command -v apt-get >/dev/null; then
	echo "gatepost: these are missing (Debian's names):$missing" >&2
	exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "gatepost: some packages are missing. Type this, then try again:" >&2
	echo "    sudo apt-get install -y$missing" >&2
	exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of words
apt-get install -y -qq --no-install-recommends $missing >/dev/null
