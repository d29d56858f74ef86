#!/usr/bin/env bash
# What is tried under the private systemd, step by step, as an administrator would.  Runs as a service of it.
set -uo pipefail
exec >/mnt/log 2>&1
cd /
failed=0
ok() { echo "ok    $1"; }
bad() { echo "FAIL  $1"; failed=1; }
check() { local what=$1; shift; if "$@"; then ok "$what"; else bad "$what"; fi; }
log() { journalctl -q -o cat -u gatepost.service; }
until_true() { # until_true TENTHS COMMAND...  What the journal has comes later than what it tells of.
	local n=$1; shift
	for _ in $(seq "$n"); do ! "$@" >/dev/null 2>&1 || return 0; sleep 0.1; done
	return 1
}
has_log() { log | grep >/dev/null -- "$1"; }
prop() { systemctl show -P "$1" gatepost.service; }
end() {
	journalctl -q -o short-precise --no-pager >/mnt/journal
	[ $failed -eq 0 ] || { log | tail -n 40; systemctl status --no-pager gatepost.service gatepost.socket; }
	echo $failed >/mnt/status
	systemctl exit
}
trap end EXIT

# --- a provider, and a configuration without a secret in it -------------------------
/mnt/fake-provider -a 127.0.0.1 -u apikey:provider-secret -c /etc/gatepost/provider.pem 1587:starttls \
    </dev/zero >/tmp/provider 2>&1 &
until_true 150 grep -q ready /tmp/provider || { cat /tmp/provider; bad "the provider"; exit; }
relayed() { grep -c '^message' /tmp/provider; }
write_conf() { # write_conf REST
	cat >/etc/gatepost/gatepost.conf <<X
hostname = "relay.example"
$1
upstream "provider" {
    host = "127.0.0.1"
    chain = {"1587/starttls"}
    username = "apikey"
    password_file = "provider.key"
    tls_ca = "/etc/gatepost/provider.pem"
}
X
}
chgrp gatepost /etc/gatepost
write_conf ""
chgrp gatepost /etc/gatepost/gatepost.conf
chmod 640 /etc/gatepost/gatepost.conf
chmod 644 /etc/gatepost/provider.pem
echo app-secret | gatepost passwd app >/dev/null
(umask 077; echo provider-secret >/root/provider.key)	# root's alone: systemd hands it over
says() { # says STATUS WORDS COMMAND...: its exit status, and what is in its output
	local status=$1 words=$2; shift 2
	"$@" >/tmp/said 2>&1
	[ $? -eq "$status" ] && grep -q -- "$words" /tmp/said || { cat /tmp/said; return 1; }
}
check "a relative secret that nobody hands over is told" says 78 'LoadCredential=provider.key:/' gatepost check
mkdir -p /etc/systemd/system/gatepost.service.d
cat >/etc/systemd/system/gatepost.service.d/test.conf <<X
[Service]
LoadCredential=provider.key:/root/provider.key
RestartSec=200ms
WatchdogSec=3s
X
check "check finds what the unit will be handed, before systemd knows" says 0 'systemd hands /root/provider.key' gatepost check
cp -p /root/provider.key /etc/gatepost/		# as README has it: beside the configuration, root's alone
sed -i s,/root/,/etc/gatepost/, /etc/systemd/system/gatepost.service.d/test.conf
check "…also beside gatepost.conf" says 0 'systemd hands /etc/gatepost/provider.key' gatepost check
echo 'LoadCredentialEncrypted=provider.key:/root/none' >>/etc/systemd/system/gatepost.service.d/test.conf
check "what only the unit can read is a warning" says 0 'warning .*cannot be checked before gatepost.service runs' gatepost check
sed -i /Encrypted/d /etc/systemd/system/gatepost.service.d/test.conf
systemctl daemon-reload

# --- start, submit ------------------------------------------------------------------------
check "enable --now" systemctl enable -q --now gatepost.service
check "the socket unit came with it" systemctl is-active -q gatepost.socket
check "it is the socket unit's, and open to all" test "$(stat -c %a /run/gatepost/submit.sock)" = 666
check "runs as gatepost" grep -q "^Uid:.$(id -u gatepost).$(id -u gatepost)." "/proc/$(prop MainPID)/status"
check "without a capability" grep -q '^CapPrm:.0000000000000000$' "/proc/$(prop MainPID)/status"
check "without new privileges" grep -q '^NoNewPrivs:.1$' "/proc/$(prop MainPID)/status"
check "with system calls filtered" grep -q '^Seccomp:.2$' "/proc/$(prop MainPID)/status"
check "the configuration is in order" says 0 'systemd hands /run/credentials/gatepost.service/provider.key' gatepost check
check "probe logs in with what the unit was handed" gatepost probe
gatepost ca >/tmp/ca.pem 2>/dev/null
printf 'From: app@relay.example\r\nTo: you@far.example\r\nSubject: x\r\n\r\ny\r\n' >/tmp/mail
submit() {
	curl -sS --max-time 20 --ssl-reqd --cacert /tmp/ca.pem --user app:app-secret --mail-from app@relay.example \
	    --mail-rcpt you@far.example --upload-file /tmp/mail "$1"
}
check "submit with STARTTLS" submit smtp://localhost:587
check "submit with TLS" submit smtps://localhost:465
check "submit over IPv6" submit 'smtp://[::1]:2525'
check "relayed, with the password from LoadCredential=" until_true 300 eval '[ $(relayed) -eq 3 ]'
check "submit_socket knows the caller" gatepost test you@far.example

check "Landlock is active" until_true 150 has_log 'event=started .* landlock=[2-9]'
check "systemctl status tells: $(prop StatusText)" until_true 150 eval 'prop StatusText | grep >/dev/null "^Nothing waits; provider up (1587/starttls)$"'

# --- reload --------------------------------------------------------------------------------
reloads() { systemctl reload gatepost.service; }
refused() { ! systemctl reload gatepost.service 2>/dev/null; }
tells_refused() { prop StatusText | grep >/dev/null "^The last reload was refused"; }
size() { grep -q "SIZE $1" <(curl -sS --max-time 20 -v smtp://localhost:587 2>&1 </dev/null); }	# its HELP needs TLS
write_conf 'limits { message_size = "1M" }'
check "reload" reloads
check "…is in force when it is done" size 1048576
write_conf 'limits { message_size = "1Q" }'
check "a bad file is refused, and the reload fails" refused
check "…with words, from the daemon and from the reload" until_true 150 eval '[ $(log | grep -c "message_size.*1Q") -ge 2 ]'
check "…and status says so" until_true 150 tells_refused
echo 'limits { message_size = "1M' >/etc/gatepost/gatepost.conf
check "one that cannot be parsed is refused, by the daemon" refused
check "…with its words" until_true 150 has_log 'event=reload_refused .*gatepost.conf:[0-9]*: '
write_conf ""
check "a good one ends that" reloads
check "…in status too" until_true 150 eval '! tells_refused'
write_conf 'threads = 64'
check "what needs a restart is refused, and the reload fails" refused
check "…naming it" until_true 150 has_log 'event=reload_refused .*threads cannot change'
check "…and status says so" until_true 150 tells_refused
check "…and the daemon goes on" test "$(prop ActiveState)" = active
check "…and takes mail" submit smtp://localhost:587
write_conf ""
check "reload again" reloads
pid=$(prop MainPID)
kill -HUP "$pid"
check "SIGHUP alone reloads too" until_true 150 eval '[ $(log | grep -c event=reloaded) -eq 4 ]'

# --- restart under load ----------------------------------------------------------------------
/mnt/systemd-helper knock 127.0.0.1:587 >/tmp/knock1 & k1=$!
/mnt/systemd-helper knock /run/gatepost/submit.sock >/tmp/knock2 & k2=$!
for i in 1 2 3; do
	systemctl restart gatepost.service || bad "restart $i"
	submit smtp://localhost:587 || bad "submit after restart $i"
done
kill -TERM $k1 $k2
wait $k1; r1=$?
wait $k2; r2=$?
check "restarts refuse nobody at the port: $(cat /tmp/knock1)" test $r1 -eq 0
check "restarts refuse nobody at submit.sock: $(cat /tmp/knock2)" test $r2 -eq 0

# --- watchdog ---------------------------------------------------------------------------------
for thread in queue listener relay; do
	pid=$(prop MainPID)
	/mnt/systemd-helper freeze "$pid" "$thread" >/tmp/frozen & f=$!
	until_true 150 grep -q frozen /tmp/frozen || bad "freeze $thread"
	changed() { [ "$(prop MainPID)" != "$pid" ] && [ "$(prop MainPID)" != 0 ] && [ "$(prop ActiveState)" = active ]; }
	check "a frozen $thread loop is killed, and all starts anew" until_true 300 changed
	kill -TERM $f 2>/dev/null
	wait $f 2>/dev/null
done
check "…by the watchdog" until_true 150 eval 'journalctl -q -o cat | grep >/dev/null "Watchdog timeout"'
check "submit after that" submit smtp://localhost:587
pid=$(prop MainPID)
sleep 5		# longer than the watchdog waits: idle loops are alive
check "an idle daemon stays" test "$(prop MainPID)" = "$pid"

# --- stop -----------------------------------------------------------------------------------
check "stop" systemctl stop gatepost.service
check "…was clean" test "$(prop Result)" = success
check "a client starts it again" submit smtp://localhost:587
check "stop with its sockets" systemctl stop gatepost.socket gatepost.service
if submit smtp://localhost:587 2>/dev/null; then bad "then nobody is there"; else ok "then nobody is there"; fi

# --- a bad file, a client, and a mended one --------------------------------------------------
echo 'upstream "provider" {' >/etc/gatepost/gatepost.conf
systemctl start gatepost.socket
submit smtp://localhost:587 2>/dev/null
check "a client does not start a broken daemon for ever" until_true 300 systemctl is-failed -q gatepost.service
write_conf ""
check "mended, it starts, without reset-failed" until_true 40 systemctl start gatepost.service
check "…and its ports" submit smtp://localhost:587
systemctl stop gatepost.socket gatepost.service

# --- without the socket unit -------------------------------------------------------------------
cp /usr/share/gatepost/direct.conf /etc/systemd/system/gatepost.service.d/
systemctl mask -q --now gatepost.socket
systemctl daemon-reload
check "start, opening its ports itself" systemctl start gatepost.service
check "…submit" submit smtp://localhost:587
check "…the capability is not handed on" grep -q '^CapAmb:.0000000000000000$' "/proc/$(prop MainPID)/status"
sed 's/relay.example"/second.example"\nspool_dir = "\/var\/lib\/gatepost-second"\ncontrol_socket = "\/run\/gatepost-second\/control.sock"\nsubmit_socket = "\/run\/gatepost-second\/submit.sock"\nlisten "127.0.0.1:588" { }/' /etc/gatepost/gatepost.conf >/etc/gatepost/second.conf
chgrp gatepost /etc/gatepost/second.conf
mkdir -p /etc/systemd/system/gatepost@.service.d
cp /etc/systemd/system/gatepost.service.d/test.conf /etc/systemd/system/gatepost@.service.d/
systemctl daemon-reload
check "check finds what the second instance is handed" says 0 'systemd hands /etc/gatepost/provider.key' gatepost check -c /etc/gatepost/second.conf
check "a second instance" systemctl start gatepost@second.service
check "check finds what the second instance was handed" says 0 'gatepost@second.service/provider.key' gatepost check -c /etc/gatepost/second.conf
gatepost ca -c /etc/gatepost/second.conf >/tmp/ca.pem 2>/dev/null
check "…submit" submit smtp://localhost:588
second_log() { journalctl -q -o cat -u gatepost@second.service; }
check "…reload" systemctl reload gatepost@second.service
check "…of that one" until_true 150 eval 'second_log | grep >/dev/null event=reloaded'
sed -i 's/second.example"/second.example/' /etc/gatepost/second.conf
check "…a bad file is refused" eval '! systemctl reload gatepost@second.service 2>/dev/null'
check "…by that one" until_true 150 eval 'second_log | grep >/dev/null event=reload_refused'
check "stop all" systemctl stop gatepost.service gatepost@second.service
check "no secret in the journal" eval '! journalctl -q -o cat | grep >/dev/null -e provider-secret -e app-secret'
