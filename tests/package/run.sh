#!/usr/bin/env bash
# The Debian package, tried: built, looked at by lintian, installed in a fresh Debian without systemd, used (inside.sh),
# installed again, removed and purged; then under a systemd that is booted for it (units.sh), where there is one.  That Debian is a tree made by debootstrap once (build/deb-base, or
# GATEPOST_DEBTREE) under an overlay that is gone afterwards, with a network of its own that has no way out.  As root.
set -euo pipefail
cd "$(dirname "$0")/../.."
B=${B:-build}
base=${GATEPOST_DEBTREE:-$B/deb-base}
# What the package depends on; the test has no network to fetch it from.
depends=ca-certificates,curl,openssl,libconfuse2,libevent-core-2.1-7,libevent-extra-2.1-7,libevent-pthreads-2.1-7,libjansson4,systemd-standalone-sysusers

die() { printf 'deb-test: %s\n' "$*" >&2; exit 1; }
step() { printf '\n== %s (at %d s)\n' "$*" "$SECONDS"; }

[ "$(id -u)" = 0 ] || die "it installs a package in a tree of its own, which needs root: sudo make deb-test"
sh tests/deps.sh quiet debhelper dpkg-dev lintian debootstrap iproute2

unshare --mount --net --pid --fork true 2>/dev/null || {
	echo "deb-test: skipped: no namespaces may be made here (a container without the right to)"
	exit 0
}

step "the package"
sh tests/package/build.sh "$B/deb"

step "lintian"
# With no -i the tags' texts are missing, not the tags.
lintian --allow-root --fail-on error,warning "$B"/deb/*.changes || die "lintian complains"
echo "clean"

if [ ! -e "$base/var/lib/dpkg/status" ]; then
	step "a fresh Debian (kept in $base)"
	rm -rf "$base.new"
	debootstrap --variant=minbase --include="$depends" bookworm "$base.new" >"$B/debootstrap.log" 2>&1 ||
		die "debootstrap failed: $B/debootstrap.log"
	mv "$base.new" "$base"
fi

step "installed there"
work=$(mktemp -d "${TMPDIR:-/tmp}/gatepost-deb.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
export B base work
timeout --kill-after=10 300 unshare --fork --pid --mount --net --uts --ipc --kill-child bash -euo pipefail -c '
	mount --make-rprivate /
	hostname relay.example.org
	ip link set lo up
	mount -t tmpfs tmpfs "$work"
	mkdir "$work/upper" "$work/scratch" "$work/root"
	mount -t overlay overlay -o "lowerdir=$(realpath "$base"),upperdir=$work/upper,workdir=$work/scratch" "$work/root"
	mount -t proc proc "$work/root/proc"
	mount --rbind /dev "$work/root/dev"
	mount -t tmpfs tmpfs "$work/root/tmp"
	mount -t tmpfs tmpfs "$work/root/run"
	printf "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 relay.example.org relay\n" >"$work/root/etc/hosts"
	cp "$B"/deb/gatepost_*.deb "$B/fake-provider" tests/package/inside.sh "$work/root/tmp/"
	cd /
	exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
	    chroot "$work/root" /bin/bash /tmp/inside.sh'

# tests/systemd/boot.sh boots this machine's systemd in namespaces, over an overlay of this machine's files.
if [ -e tests/systemd/boot.sh ] && [ -x /lib/systemd/systemd ]; then
	step "installed under systemd"
	mkdir -p "$work/out" "$work/work" "$work/tree/usr/lib/sysusers.d"
	cp systemd/gatepost.sysusers.conf "$work/tree/usr/lib/sysusers.d/gatepost.conf"
	cp "$B"/deb/gatepost_*.deb "$work/out/"
	cp tests/package/units.sh "$work/out/inside.sh"
	timeout --kill-after=10 200 unshare --mount --propagation private bash tests/systemd/boot.sh "$work" \
	    >"$B/deb-boot.log" 2>&1 || true
	status=$(cat "$work/out/status" 2>/dev/null || echo none)
	cat "$work/out/log" || true
	[ "$status" = 0 ] || { tail -n 40 "$work/out/journal" "$B/deb-boot.log"; die "the package under systemd: $status"; }
fi

step "done"
