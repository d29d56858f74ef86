#!/bin/bash
# Under a systemd booted for this: what the package does with the units, from a fresh installation to the purge.
# tests/systemd/boot.sh starts it as /mnt/inside.sh; what it says goes to /mnt/log, its end to /mnt/status.
set -euo pipefail
exec >/mnt/log 2>&1
finish() {
	status=$?
	trap - EXIT
	journalctl --no-pager -b >/mnt/journal || true
	echo $status >/mnt/status
	systemctl --force --force poweroff
}
trap finish EXIT
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
ok() { printf 'ok: %s\n' "$*"; }
die() { printf 'not ok: %s\n' "$*"; tail -n 20 /tmp/dpkg.log; exit 1; }
are() { # STATE: both units
	[ "$(systemctl "is-${2:-active}" gatepost.socket gatepost.service | sort -u)" = "$1" ] || {
		systemctl status --no-pager gatepost.socket gatepost.service || true
		die "$3: the units are not both $1"
	}
}
with_dpkg() { dpkg --force-depends "$@" >/tmp/dpkg.log 2>&1 || die "dpkg $* failed"; }
pid() { systemctl show -P MainPID gatepost.service; }

# The machine may have a mailer, and a rule that packages start nothing; this copy of it needs neither.
rm -f /usr/sbin/policy-rc.d /usr/lib/sysusers.d/gatepost.conf
# shellcheck disable=SC2046 # names of packages
with_dpkg --purge $(dpkg-query -W -f '${Package} ${Provides}\n' | awk '/mail-transport-agent/ { print $1 }') gatepost

with_dpkg -i /mnt/gatepost_*.deb
are inactive active "fresh"
are disabled enabled "fresh"
systemctl --failed --no-legend | grep . && die "something has failed"
ok "fresh: not enabled, nothing failed"

cat >>/etc/gatepost/gatepost.conf <<'X'
upstream "provider" { host = "127.0.0.1" chain = {"7465/implicit"} auth = "none" }
X
systemctl enable --now gatepost 2>/dev/null || die "it does not start"
are active active "enable --now"
are enabled enabled "enable --now"
echo app-secret | gatepost passwd app >/dev/null
systemctl reload gatepost || die "reload failed"
printf 'From: app@example.org\r\nTo: you@example.net\r\n\r\nHello.\r\n' >/tmp/mail
curl -sS --max-time 20 --ssl-reqd --user app:app-secret --mail-from app@example.org --mail-rcpt you@example.net \
    --upload-file /tmp/mail smtp://localhost:587 || die "curl could not submit"
ok "systemctl enable --now gatepost: accepts mail, its certificate is trusted"

# A new version: the service restarts, the socket does not.
before=$(pid)
since=$(systemctl show -P ActiveEnterTimestampMonotonic gatepost.socket)
with_dpkg -i /mnt/gatepost_*.deb
are active active "installed again"
[ "$(pid)" != "$before" ] || die "the old version runs on"
[ "$(systemctl show -P ActiveEnterTimestampMonotonic gatepost.socket)" = "$since" ] || die "the socket was closed meanwhile"
gatepost queue | grep >/dev/null you@example.net || die "the message is lost"
ok "installed again: another process, the same socket, the message still there"

with_dpkg --remove gatepost
[ -z "$(ss -Htln 'sport = :587')" ] || die "removed, and it still listens"
ok "removed: stopped"
with_dpkg -i /mnt/gatepost_*.deb
are active active "removed and installed"
ok "removed and installed: runs again"
with_dpkg --purge gatepost
left=$(find /etc /var/lib/gatepost /run /usr /lib -path '*gatepost*' ! -path '*gatepost-test*' 2>/dev/null || true)
[ -z "$left" ] || die "purged, and left: $left"
! getent passwd gatepost >/dev/null || die "the user is left"
ok "purged: stopped, nothing left"
