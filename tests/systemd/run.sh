#!/usr/bin/env bash
# The units under a real systemd: a private one, in namespaces of its own, on a machine that need not run it.  An overlay
# takes all that is written; the host's files, processes and network stay as they are.  Needs root; says so and
# ends well where it cannot.  How it boots: boot.sh; what is tried: inside.sh.
set -euo pipefail
B=${B:-build}
here=$PWD/tests/systemd
skip() { echo "systemd-test: $1; skipped" >&2; exit 0; }

command -v systemd-analyze >/dev/null || skip "there is no systemd-analyze here"
# PROTOCOL C.3: 1.3 with the sockets passed, 1.5 without.
scratch=$(mktemp -d /tmp/gatepost-systemd.XXXXXX)
child=
cleanup() {
	trap - EXIT
	[ -z "$child" ] || { kill -KILL "$child" 2>/dev/null || true; wait "$child" 2>/dev/null || true; }
	rm -rf "$scratch"
}
trap cleanup EXIT
exposure() { # exposure TENTHS UNIT...
	local most=$1 unit; shift
	for unit; do
		systemd-analyze security --offline=true --no-pager --threshold="$most" "$unit" >"$scratch/exposure" 2>&1 ||
		    { tail -n 1 "$scratch/exposure"; echo "systemd-test: $unit: exposed more than ${most}" >&2; exit 1; }
		tail -n 1 "$scratch/exposure"
	done
}
# A unit as its drop-in makes it: later lines win, and these clear nothing.
mkdir "$scratch/direct"
sed '/^CapabilityBoundingSet=$/d; /^AmbientCapabilities=$/d' systemd/gatepost.service >"$scratch/direct/gatepost.service"
grep -v '^#' systemd/direct.conf >>"$scratch/direct/gatepost.service"
exposure 13 systemd/gatepost.service
exposure 15 systemd/gatepost@.service "$scratch/direct/gatepost.service"
# The two services differ only in what the names say.
for u in gatepost gatepost@; do
	grep -v -e '^#' -e Capabilit -e Description -e ^Wants -e ^Also "systemd/$u.service" | sed 's/-%i//; s/%i/gatepost/' >"$scratch/$u"
done
diff "$scratch/gatepost" "$scratch/gatepost@" || { echo "systemd-test: the two services differ" >&2; exit 1; }

[ "$(id -u)" -eq 0 ] || skip "needs root, to boot a systemd of its own"
[ -x /lib/systemd/systemd ] || skip "there is no /lib/systemd/systemd here"
for p in unshare setpriv pivot_root curl ip; do command -v "$p" >/dev/null || skip "needs $p"; done
unshare --fork --pid --mount --uts --ipc --net --cgroup true 2>/dev/null || skip "this machine does not allow namespaces"

make -s --no-print-directory install DESTDIR="$scratch/tree" PREFIX=/usr SYSCONFDIR=/etc SYSTEMD=yes >/dev/null
mkdir "$scratch/out" "$scratch/work"
cp "$B/fake-provider" "$B/systemd-helper" "$here/inside.sh" "$scratch/out"
unshare --mount --propagation private bash "$here/boot.sh" "$scratch" >"$scratch/boot.log" 2>&1 &
child=$!
for _ in $(seq 1200); do
	[ ! -e "$scratch/out/status" ] || break
	kill -0 "$child" 2>/dev/null || break
	sleep 0.1
done
status=$(cat "$scratch/out/status" 2>/dev/null || echo none)
if [ "$status" = none ]; then
	cat "$scratch/boot.log"
	cat "$scratch/out/log" 2>/dev/null || true
	echo "systemd-test: the private systemd came to no end" >&2
	exit 1
fi
cat "$scratch/out/log"
for _ in $(seq 100); do kill -0 "$child" 2>/dev/null || break; sleep 0.1; done
[ "$status" -eq 0 ] || [ -z "${KEEP_LOG:-}" ] || cp "$scratch/out/journal" "$KEEP_LOG"
exit "$status"
