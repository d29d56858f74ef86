#!/usr/bin/env bash
# Interop: real clients submit through gatepost to a real Postfix (STARTTLS, SASL) that plays the provider and
# delivers to a Maildir; every byte of the content must arrive.  Needs root, for Postfix; installs what is missing.  What is
# not to be had is skipped and said.  Prints a table and fails if anything did not arrive whole.
set -euo pipefail
B=${B:-build}
gatepost=$PWD/$B/gatepost
export GATEPOST_PROVIDERS=$PWD/conf/providers.conf
[ "$(id -u)" -eq 0 ] || { echo "interop: needs root, to run Postfix; skipped" >&2; exit 0; }

need=
for p in postfix sasl2-bin libsasl2-modules swaks curl python3 openssl; do
	dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null | grep -q '^ii' || need="$need $p"
done
if [ -n "$need" ]; then
	export DEBIAN_FRONTEND=noninteractive
	# shellcheck disable=SC2086 # a list of words
	apt-get update -qq && apt-get install -y -qq --no-install-recommends $need >/dev/null
fi

dir=$(mktemp -d /tmp/gatepost-interop.XXXXXX)
chmod 755 "$dir"
master= daemon= sasldb_owner=
cleanup() {
	trap - EXIT
	[ -z "$daemon" ] || { kill "$daemon" 2>/dev/null || true; wait "$daemon" 2>/dev/null || true; }
	[ -z "$master" ] || { kill "$master" 2>/dev/null || true; wait "$master" 2>/dev/null || true; }
	if [ -n "$sasldb_owner" ]; then
		saslpasswd2 -d -u interop.example account || true
		chown "$sasldb_owner" /etc/sasldb2
	fi
	rm -rf "$dir"
}
trap cleanup EXIT
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
pf=$(port) pfi=$(port) l587=$(port) l465=$(port) l2525=$(port)

# --- the provider: Postfix ------------------------------------------------------
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=provider.example \
	-addext 'subjectAltName=IP:127.0.0.1,DNS:localhost' -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null
c=$dir/etc
mkdir -p "$c" "$dir/data" "$dir/queue" "$dir/sasl" "$dir/mail"
chown postfix "$dir/data" "$dir/mail"
cp /etc/postfix/dynamicmaps.cf /etc/postfix/postfix-files "$c"/ 2>/dev/null || true
cat >"$c/main.cf" <<X
compatibility_level = 3.6
queue_directory = $dir/queue
data_directory = $dir/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
shlib_directory = /usr/lib/postfix
meta_directory = $c
maillog_file = $dir/maillog
maillog_file_prefixes = /
myhostname = provider.example
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
virtual_mailbox_domains = far.example
virtual_mailbox_base = $dir/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:$(id -u postfix)
virtual_gid_maps = static:$(id -g postfix)
virtual_minimum_uid = 1
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
smtpd_peername_lookup = no
smtpd_sasl_auth_enable = yes
smtpd_sasl_path = smtpd
smtpd_sasl_local_domain = interop.example
cyrus_sasl_config_path = $dir/sasl
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_tls_cert_file = $dir/cert.pem
smtpd_tls_key_file = $dir/key.pem
message_size_limit = 104857600
virtual_mailbox_limit = 0
X
cat >"$c/master.cf" <<X
127.0.0.1:$pf inet n - n - - smtpd
127.0.0.1:$pfi inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
X
# Debian's sasldb has one place; smtpd must be able to read it while we are here.
printf 'pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\n' >"$dir/sasl/smtpd.conf"
echo provider-secret | saslpasswd2 -p -c -u interop.example account
sasldb_owner=$(stat -c %u:%g /etc/sasldb2)
chown postfix /etc/sasldb2
postfix -c "$c" set-permissions >/dev/null 2>&1 </dev/null || true
postfix -c "$c" check >"$dir/check.log" 2>&1 || true
MAIL_CONFIG=$c /usr/lib/postfix/sbin/master -c "$c" -d >"$dir/master.log" 2>&1 &
master=$!

# --- gatepost ---------------------------------------------------------------------
mkdir -m 700 "$dir/gp"
(umask 077; echo provider-secret >"$dir/gp/secret")
cat >"$dir/gp/gatepost.conf" <<X
hostname = "relay.example"
upstream "postfix" {
    host = "127.0.0.1"
    chain = {"$pf/starttls", "$pfi/implicit"}
    username = "account@interop.example"
    password_file = "secret"
    tls_ca = "$dir/cert.pem"
}
listen "127.0.0.1:$l587" {}
listen "127.0.0.1:$l465" { tls = "implicit" }
listen "127.0.0.1:$l2525" {}
X
echo app-secret | "$gatepost" passwd --state "$dir/gp" app >/dev/null
"$gatepost" run --state "$dir/gp" 2>"$dir/gp.log" &
daemon=$!
for _ in $(seq 200); do grep -q event=started "$dir/gp.log" && break; sleep 0.05; done
"$gatepost" ca --state "$dir/gp" >"$dir/ca.pem" 2>/dev/null

# --- the clients ----------------------------------------------------------------------
python3 - "$dir" <<'X'
import sys
d = sys.argv[1]
def write(name, subject, body):
    with open(f"{d}/{name}.eml", "wb") as f:
        f.write(b"From: app@client.example\r\nTo: you@far.example\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <" +
                name.encode() + b"@client.example>\r\nSubject: " + subject + b"\r\n\r\n" + body)
write("curl", b"interop curl", b".dot first\r\n..two\r\n.\r\nlast \r\n \r\n\r\n")
write("smtplib", b"interop smtplib", "8-bit: é ü 漢\r\n".encode() + b"x" * 900 + b"\r\n")
write("swaks", b"interop swaks", b"plain\r\nlines\r\n")
write("large", b"interop large", b"".join(b"%d %s\r\n" % (i, b"y" * (i % 70)) for i in range(60000)))
X
sent=()
send() { # send NAME HOW COMMAND...
	local name=$1 how=$2
	shift 2
	if "$@" >"$dir/$name.out" 2>&1; then sent+=("$name|$how"); else
		sed 's/^/    /' "$dir/$name.out"
		sent+=("$name|$how, NOT ACCEPTED")
	fi
}
by_curl() { curl -sS --fail --max-time 60 --cacert "$dir/ca.pem" --user app:app-secret --mail-from app@client.example \
	--mail-rcpt you@far.example --upload-file "$1" "${@:2}"; }
send curl "587 STARTTLS, AUTH PLAIN" by_curl "$dir/curl.eml" --ssl-reqd "smtp://localhost:$l587/client.example"
send large "465 TLS, AUTH PLAIN, 2.6 MB" by_curl "$dir/large.eml" "smtps://localhost:$l465/client.example"
send smtplib "2525 STARTTLS, AUTH PLAIN" python3 - "$dir" "$l2525" <<'X'
import smtplib, ssl, sys
d, port = sys.argv[1], int(sys.argv[2])
with smtplib.SMTP("localhost", port, local_hostname="client.example") as s:
    s.starttls(context=ssl.create_default_context(cafile=f"{d}/ca.pem"))
    s.login("app", "app-secret")
    s.sendmail("app@client.example", ["you@far.example"], open(f"{d}/smtplib.eml", "rb").read(), ["BODY=8BITMIME"])
X
send swaks "587 STARTTLS, AUTH LOGIN" swaks --server localhost --port "$l587" --tls --tls-ca-path "$dir/ca.pem" --auth LOGIN --auth-user app \
	--auth-password app-secret --from app@client.example --to you@far.example --ehlo client.example --data "@$dir/swaks.eml"

# --- what arrived -----------------------------------------------------------------------
for _ in $(seq 300); do
	[ "$(find "$dir/mail/box/new" -type f 2>/dev/null | wc -l)" -ge 4 ] && break
	sleep 0.1
done
status=0
printf '%-10s %-32s %s\n' client "over" "at the provider"
for s in "${sent[@]}"; do
	name=${s%%|*} how=${s#*|}
	verdict=$(python3 - "$dir" "$name" <<'X'
import glob, sys
d, name = sys.argv[1:]
want = open(f"{d}/{name}.eml", "rb").read().replace(b"\r\n", b"\n")
if name == "swaks":
    want = want.rstrip(b"\n") + b"\n"
for f in glob.glob(f"{d}/mail/box/new/*"):
    got = open(f, "rb").read()
    if b"Message-ID: <" + name.encode() + b"@client.example>" in got:
        at = got.find(b"From: app@client.example")
        body = got[at:]
        if name == "swaks":
            body = body.rstrip(b"\n") + b"\n"
        tls = b"ESMTPSA" in got[:at]
        print("every byte, over TLS with AUTH" if body == want and tls else "ALTERED")
        break
else:
    print("MISSING")
X
	)
	printf '%-10s %-32s %s\n' "$name" "$how" "$verdict"
	[ "$verdict" = "every byte, over TLS with AUTH" ] || status=1
done
if [ $status != 0 ]; then
	echo "--- gatepost's log:"; tail -20 "$dir/gp.log"
	echo "--- Postfix's log:"; tail -20 "$dir/maillog" 2>/dev/null
fi
exit $status
