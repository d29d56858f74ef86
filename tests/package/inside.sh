#!/bin/bash
# Inside the fresh Debian: the package's life as an administrator sees it.  run.sh starts it; /tmp has the package and
# a mail provider.  Prints what it finds in order, and ends with the first thing that is not.
set -euo pipefail
conf=/etc/gatepost/gatepost.conf
trusted=/usr/local/share/ca-certificates/gatepost.crt
pids=()

ok() { printf 'ok: %s\n' "$*"; }
die() {
	printf 'not ok: %s\n' "$*"
	for log in /tmp/*.log; do printf -- '--- %s\n' "$log"; tail -n 20 "$log"; done
	exit 1
}
wait_for() { # SECONDS WHAT COMMAND...
	local end=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || die "$what did not happen in time"
		sleep 0.05
	done
}
owned() { # PATH "MODE USER:GROUP"
	[ "$(stat -c '%a %U:%G' "$1")" = "$2" ] || die "$1 is $(stat -c '%a %U:%G' "$1"), not $2"
}
install_it() { # [OPTION OF DPKG...]
	dpkg "$@" -i /tmp/gatepost_*.deb >/tmp/dpkg.log 2>&1 || die "dpkg -i failed"
}
# Everything that is not dpkg's own record or a log: names, owners, and contents.
everything() {
	find / -xdev \( -path /proc -o -path /dev -o -path /tmp -o -path /run -o -path /var/lib/dpkg -o -path /var/log \
	    -o -path /var/cache/ldconfig -o -name '*-' -path '/etc/*' \) -prune -o -printf '%p %M %u:%g %l ' \
	    \( -type f -exec md5sum {} \; -o -printf '\n' \) | sed 's/ \([0-9a-f]\{32\}\)  .*/ \1/' | sort
}
start() {
	gatepost run >/dev/null 2>/tmp/gatepost.log &
	pids[1]=$!
	wait_for 10 "the start" grep -q event=started /tmp/gatepost.log
}
stop() {
	kill "${pids[1]}"
	wait "${pids[1]}" || die "the daemon did not stop cleanly"
	unset 'pids[1]'
}

printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
everything >/tmp/before

# --- installed, and not configured
install_it
grep -q "name your mail provider" /tmp/dpkg.log || die "the installation does not say what comes next"
getent passwd gatepost | grep >/dev/null ':/var/lib/gatepost:/usr/sbin/nologin$' || die "no user gatepost"
owned /etc/gatepost "750 root:gatepost"
owned $conf "640 root:gatepost"
owned /var/lib/gatepost "700 gatepost:gatepost"
owned /var/lib/gatepost/tls/key.pem "600 gatepost:gatepost"
for f in /usr/sbin/gatepost /usr/share/gatepost/providers.conf /usr/share/bash-completion/completions/gatepost \
    /usr/share/zsh/vendor-completions/_gatepost; do
	[ -e "$f" ] || die "there is no $f"
done
for link in /usr/bin/mailq $(dpkg -L gatepost | grep -E '^/usr/(sbin|lib)/sendmail$'); do
	[ "$(readlink -f $link)" = /usr/sbin/gatepost ] || die "$link is not the program"
done
newaliases || die "newaliases fails"
ok "installed: user, owners and modes, names"
openssl verify -CAfile /etc/ssl/certs/ca-certificates.crt -verify_hostname localhost /var/lib/gatepost/tls/cert.pem \
    >/dev/null || die "the system does not trust the certificate"
ok "the system's store trusts the certificate of localhost"
status=0
gatepost check >/tmp/check.log 2>&1 || status=$?
[ $status = 78 ] && grep -q upstream /tmp/check.log || die "unconfigured, check ends with $status"
enabled() { find /etc/systemd -name 'gatepost*'; }
[ -z "$(enabled)" ] || die "units are enabled that could only fail: $(enabled)"
ok "unconfigured: check says so, and no unit is enabled"

# --- configured, and used: curl needs no --cacert
mkfifo /tmp/stdin
mkdir /tmp/received
/tmp/fake-provider -u apikey:provider-secret -d /tmp/received -c /tmp/provider-ca.pem 7465:implicit \
    </tmp/stdin >/tmp/provider.log 2>&1 &
pids[0]=$!
trap 'kill "${pids[@]}" 2>/dev/null || true' EXIT
exec 9>/tmp/stdin
wait_for 10 "the provider" grep -q '^ready' /tmp/provider.log
install -m 644 /tmp/provider-ca.pem /etc/gatepost/provider-ca.pem
install -m 640 -g gatepost /dev/null /etc/gatepost/provider.key
echo provider-secret >/etc/gatepost/provider.key
cat >>$conf <<'X'
upstream "provider" {
    host = "127.0.0.1"
    chain = {"7465/implicit"}
    username = "apikey"
    password_file = "/etc/gatepost/provider.key"
    tls_ca = "/etc/gatepost/provider-ca.pem"
}
X
echo app-secret | gatepost passwd app >/dev/null
owned /etc/gatepost/users "640 root:gatepost"
gatepost check >/tmp/check.log 2>&1 || die "check complains"
ok "configured as README.Debian says; check agrees"

arrived() { # SUBJECT
	wait_for 15 "the arrival of '$1'" grep -rq "^Subject: $1" /tmp/received
	ok "arrived: $1"
}
send_with_curl() { # PORT-URL SUBJECT
	printf 'From: app@example.org\r\nTo: you@example.net\r\nSubject: %s\r\n\r\nHello.\r\n' "$2" >/tmp/mail
	curl -sS --max-time 20 --ssl-reqd --user app:app-secret --mail-from app@example.org \
	    --mail-rcpt you@example.net --upload-file /tmp/mail "$1" >/tmp/curl.log 2>&1 || die "curl: $2"
}
start
[ "$(ps -o user= -p "${pids[1]}" 2>/dev/null || stat -c %U "/proc/${pids[1]}")" = gatepost ] || die "the daemon is not gatepost"
owned /run/gatepost/control.sock "660 root:gatepost"
send_with_curl smtp://localhost:587 "over 587"
arrived "over 587"
send_with_curl smtps://localhost:465 "over 465"
arrived "over 465"
mailq >/tmp/mailq.log 2>&1 || die "mailq fails"
ok "mailq"
if [ ! -e /usr/sbin/sendmail ]; then
	ok "sendmail is not in this version: not tried"
else
	for how in "/usr/sbin/sendmail -t" "/usr/lib/sendmail -oi you@example.net"; do
		printf 'To: you@example.net\nSubject: by %s\n\nHello.\n' "${how%% *}" >/tmp/mail
		# shellcheck disable=SC2086 # a command and its arguments
		setpriv --reuid=nobody --regid=nogroup --clear-groups $how </tmp/mail >/tmp/sendmail.log 2>&1 || die "$how failed"
		arrived "by ${how%% *}"
	done
fi
stop

# --- installed again over it, and with a new CA: what was changed stays
state() { md5sum /etc/gatepost/* /var/lib/gatepost/tls/* $trusted; stat -c '%n %a %U:%G' /etc/gatepost /etc/gatepost/* /var/lib/gatepost; }
chmod 600 /etc/gatepost/provider-ca.pem
state >/tmp/state
install_it
state | cmp -s - /tmp/state || die "installing again changed something: $(state | diff - /tmp/state)"
dpkg --remove gatepost >/tmp/dpkg.log 2>&1 || die "dpkg --remove failed"
[ ! -e /usr/sbin/gatepost ] || die "it was not removed"
state | cmp -s - /tmp/state || die "removing changed something"
install_it
state | cmp -s - /tmp/state || die "installing after removing changed something: $(state | diff - /tmp/state)"
chmod 644 /etc/gatepost/provider-ca.pem
ok "installed again, removed and installed: configuration, users and the CA stay"
gatepost ca --renew >/dev/null 2>&1 || die "gatepost ca --renew"
dpkg-reconfigure gatepost >/tmp/dpkg.log 2>&1 || die "dpkg-reconfigure"
start
send_with_curl smtp://localhost:2525 "with a new CA"
arrived "with a new CA"
stop
rm $trusted
update-ca-certificates --fresh >/dev/null 2>&1
install_it
[ ! -e $trusted ] || die "trust that was taken away came back"
dpkg-reconfigure gatepost >/tmp/dpkg.log 2>&1 || die "dpkg-reconfigure"
[ -e $trusted ] || die "dpkg-reconfigure did not bring trust back"
ok "trust: renewed, taken away, brought back"

# --- purged, and installed where the configuration was first
kill "${pids[0]}"
dpkg --purge gatepost >/tmp/dpkg.log 2>&1 || die "dpkg --purge failed"
everything >/tmp/after
cmp -s /tmp/before /tmp/after || die "purging left: $(diff /tmp/before /tmp/after)"
! getent passwd gatepost >/dev/null || die "the user is left"
[ ! -e /run/gatepost ] || die "/run/gatepost is left"
ok "purged: nothing is left"
mkdir /etc/gatepost
cat >$conf <<'X'
upstream "provider" { host = "127.0.0.1" chain = {"7465/implicit"} auth = "none" }
X
cp $conf /tmp/conf
install_it --force-confold
cmp -s $conf /tmp/conf || die "a configuration that was there first is overwritten"
owned $conf "640 root:gatepost"
if [ -e /lib/systemd/system/gatepost.service ]; then
	enabled | grep >/dev/null gatepost.service && enabled | grep >/dev/null gatepost.socket || die "the units are not enabled"
fi
ok "installed where the configuration was first: kept, units enabled"
