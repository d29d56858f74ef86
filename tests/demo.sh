#!/usr/bin/env bash
# The main job, shown: a provider whose port 587 is silently dropped by the network, an app that submits a message to
# gatepost with curl over STARTTLS and AUTH, and how the message gets out through the next port.  Everything happens on
# unprivileged loopback ports in a temporary directory; nothing is left behind.  Exits non-zero if anything of it did not
# happen.
set -euo pipefail
B=${B:-build}
gatepost=$B/gatepost
export GATEPOST_PROVIDERS=conf/providers.conf

dir=$(mktemp -d "${TMPDIR:-/tmp}/gatepost-demo.XXXXXX")
pids=()
cleanup() {
	trap - EXIT INT TERM
	for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done
	for p in "${pids[@]}"; do wait "$p" 2>/dev/null || true; done
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say() { printf '%s\n' "$*"; }
die() {
	printf 'demo: %s\n' "$*" >&2
	[ -s "$dir/gatepost.log" ] && { echo "--- gatepost's log:" >&2; tail -20 "$dir/gatepost.log" >&2; }
	exit 1
}
# wait_for SECONDS WHAT COMMAND...: until the command succeeds
wait_for() {
	local end=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || die "$what did not happen in time"
		sleep 0.05
	done
}
field() { # field KEY LINE: a value of a logfmt line
	printf '%s\n' "$2" | sed -n "s/.* $1=\"\([^\"]*\)\".*/\1/p;t;s/.* $1=\([^ ]*\).*/\1/p" | head -1
}
line_of() { grep -m1 "event=$1 .*${2:-}" "$dir/gatepost.log"; }

# Three free ports in a row for the provider, four for gatepost: found by trying.
base=
for try in 20000 21000 22000 23000 24000 25000 26000; do
	busy=0
	for p in 587 465 525 1587 1465 1525; do
		if (exec 3<>"/dev/tcp/127.0.0.1/$((try + p))") 2>/dev/null; then busy=1; fi
	done
	[ $busy = 0 ] && { base=$try; break; }
done
[ -n "$base" ] || die "no free ports on 127.0.0.1"
p587=$((base + 587)) p465=$((base + 465)) p2525=$((base + 525))
l587=$((base + 1587)) l465=$((base + 1465)) l2525=$((base + 1525))

say "1. A provider on this machine. Its port 587 (here $p587) is silently dropped, as many networks do;"
say "   465 (here $p465) and 2525 (here $p2525) work."
mkdir "$dir/received"
mkfifo "$dir/stdin"
"$B/fake-provider" -u apikey:provider-secret -d "$dir/received" -c "$dir/provider-ca.pem" \
	"$p587:drop" "$p465:implicit" "$p2525:starttls" <"$dir/stdin" >"$dir/provider.log" 2>&1 &
pids+=($!)
exec 9>"$dir/stdin"
wait_for 10 "the start of the provider" grep -q '^ready' "$dir/provider.log"

say ""
say "2. gatepost, with this configuration:"
(umask 077; printf 'provider-secret\n' >"$dir/provider.key")
cat >"$dir/gatepost.conf" <<X
upstream "provider" {
    host = "127.0.0.1"
    chain = {"$p587/starttls", "$p465/implicit", "$p2525/starttls"}
    username = "apikey"
    password_file = "$dir/provider.key"
    tls_ca = "$dir/provider-ca.pem"
    connect_timeout = "2s"
}
listen "127.0.0.1:$l587" {}
listen "127.0.0.1:$l465" { tls = "implicit" }
listen "127.0.0.1:$l2525" {}
X
sed 's/^/       /' "$dir/gatepost.conf" | sed "s|$dir|DIR|g"
printf 'app-secret\n' | "$gatepost" passwd --state "$dir" app >/dev/null || die "gatepost passwd failed"
"$gatepost" run --state "$dir" 2>"$dir/gatepost.log" &
daemon=$!
pids+=("$daemon")
wait_for 10 "the start of gatepost" grep -q 'event=started' "$dir/gatepost.log"

say ""
say "3. An app submits a message with curl: localhost port $l587, STARTTLS, AUTH."
printf 'From: app@example.org\r\nTo: you@example.net\r\nSubject: It got out\r\n\r\nHello from an app on localhost.\r\n' >"$dir/mail.txt"
"$gatepost" ca --state "$dir" 2>/dev/null >"$dir/ca.pem" || die "gatepost ca failed"
curl -sS --fail --max-time 20 --ssl-reqd --cacert "$dir/ca.pem" --user app:app-secret \
	--mail-from app@example.org --mail-rcpt you@example.net --upload-file "$dir/mail.txt" \
	"smtp://localhost:$l587/app.example.org" >/dev/null || die "curl could not submit the message"

wait_for 5 "the accepted message" line_of accepted
accepted=$(line_of accepted)
id=$(field msg "$accepted")
say "   accepted and synced to disk: 250 2.0.0 queued as $id ($(field size "$accepted") octets)"

wait_for 15 "the delivery" line_of relayed "msg=$id"
relayed=$(line_of relayed "msg=$id")
[ "$(field port "$relayed")" = "$p465" ] || die "it went out through port $(field port "$relayed"), not $p465"
say ""
say "4. What the network did, and how the message got out:"
say "   out through port $p465 ($(field tls "$relayed") TLS) $(field delay_ms "$relayed") ms after it was accepted, while 587 was still being tried"
say "   the provider's answer: $(field code "$relayed") $(field reply "$relayed")"
wait_for 15 "the verdict on port $p587" line_of port "port=$p587 .*state=blocked"
blocked=$(line_of port "port=$p587 .*state=blocked")
say "   port $p587: blocked, $(field reason "$blocked")"

say ""
say "5. What the provider received:"
wait_for 5 "the message at the provider" grep -q '^message 1' "$dir/provider.log"
grep -m1 '^message 1' "$dir/provider.log" | sed 's/^/   /'
received=$(find "$dir/received" -type f | head -1)
[ -n "$received" ] || die "the provider stored nothing"
grep -q "Hello from an app on localhost." "$received" || die "the message did not arrive as it was sent"
tr -d '\r' <"$received" | sed -n '/^Received/,$p' | sed 's/^/       /'

say ""
say "6. gatepost status:"
"$gatepost" status --state "$dir" | sed 's/^/   /'
"$gatepost" status --state "$dir" --json | grep >/dev/null '"relayed": *1' || die "status does not count the delivery"

kill -TERM "$daemon"
wait "$daemon" || die "gatepost did not stop cleanly"
say ""
say "Done: port 587 was blocked, the mail went out through 465, and gatepost remembers."
