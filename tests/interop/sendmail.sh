#!/usr/bin/env bash
# Our sendmail beside Postfix's: the same words and the same message to both, and what arrives in the end must be the same:
# sender, recipients, the fields that matter, the body; and both must agree on whether it was taken.  One Postfix, private to this
# script, is the first's own and the second's provider, and delivers to a Maildir.  Needs root; installs what is missing; what is
# not to be had is skipped and said.
set -euo pipefail
B=${B:-build}
gatepost=$PWD/$B/gatepost
[ "$(id -u)" -eq 0 ] || { echo "interop: needs root, to run Postfix; skipped" >&2; exit 0; }

need=
for p in postfix python3 php-cli git git-email mutt bsd-mailx; do
	dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null | grep -q '^ii' || need="$need $p"
done
if [ -n "$need" ]; then
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq || true
	for p in $need; do	# each for itself: bsd-mailx may be at odds with another mailx
		apt-get install -y -qq --no-install-recommends "$p" >/dev/null 2>&1 </dev/null || echo "interop: no $p" >&2
	done
fi

dir=$(mktemp -d /tmp/gatepost-interop.XXXXXX)
chmod 755 "$dir"
master= daemon=
cleanup() {
	trap - EXIT
	[ -z "$daemon" ] || { kill "$daemon" 2>/dev/null || true; wait "$daemon" 2>/dev/null || true; }
	[ -z "$master" ] || { kill "$master" 2>/dev/null || true; wait "$master" 2>/dev/null || true; }
	rm -rf "$dir"
}
trap cleanup EXIT
pf=$(python3 tests/ports.py)

c=$dir/etc
mkdir -p "$c" "$dir/data" "$dir/queue" "$dir/mail"
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
myhostname = host.example
myorigin = host.example
mydestination =
mynetworks = 127.0.0.0/8
local_header_rewrite_clients =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
virtual_mailbox_domains = far.example, host.example
virtual_mailbox_base = $dir/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:$(id -u postfix)
virtual_gid_maps = static:$(id -g postfix)
virtual_minimum_uid = 1
smtpd_peername_lookup = no
X
cat >"$c/master.cf" <<X
127.0.0.1:$pf inet n - n - - smtpd
pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
X
postfix -c "$c" set-permissions >/dev/null 2>&1 </dev/null || true
postfix -c "$c" check >"$dir/check.log" 2>&1 || true
MAIL_CONFIG=$c /usr/lib/postfix/sbin/master -c "$c" -d >"$dir/master.log" 2>&1 &
master=$!

mkdir -m 700 "$dir/gp"
cat >"$dir/gp/gatepost.conf" <<X
hostname = "host.example"
spool_dir = "$dir/gp"
control_socket = "$dir/gp/control.sock"
submit_socket = "$dir/gp/submit.sock"
users_file = "$dir/gp/users"
providers_file = "$PWD/conf/providers.conf"
user = ""
listen "127.0.0.1:0" {}
upstream "postfix" { host = "127.0.0.1" chain = {"$pf/none"} auth = "none" }
X
sed -i "s/127.0.0.1:0/127.0.0.1:$(python3 tests/ports.py)/" "$dir/gp/gatepost.conf"
: >"$dir/gp/users"
"$gatepost" run -c "$dir/gp/gatepost.conf" 2>"$dir/gp.log" &
daemon=$!
for _ in $(seq 200); do grep -q event=started "$dir/gp.log" && [ -S "$dir/queue/public/pickup" ] && break; sleep 0.05; done
grep -q event=started "$dir/gp.log" || { cat "$dir/gp.log"; exit 1; }

printf '#!/bin/sh\nMAIL_CONFIG=%s exec /usr/sbin/sendmail "$@"\n' "$c" >"$dir/theirs"
ln -s "$gatepost" "$dir/sendmail"
printf '#!/bin/sh\nexec %s/sendmail -C %s/gp/gatepost.conf "$@"\n' "$dir" "$dir" >"$dir/ours"
chmod 755 "$dir/theirs" "$dir/ours"

cat >"$dir/collect.py" <<'X'
# What arrived: sender, recipients, fields that matter, body; one text to compare.
import email, glob, os, re, sys
out = []
for f in sorted(glob.glob(sys.argv[1] + "/mail/box/new/*")):
    raw = open(f, "rb").read()
    os.unlink(f)
    head, _, body = raw.partition(b"\n\n")
    m = email.message_from_bytes(head + b"\n\n")
    show = [f"{n}: {v}" for n in ("Return-Path", "X-Original-To", "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Resent-To",
            "Subject") for v in (str(x) for x in m.get_all(n, []))]
    # Ours has a domain, and no bare word.
    show = ["From: MAILER-DAEMON" if x == "From: <MAILER-DAEMON@host.example>" else x for x in show]
    out.append("\n".join(show) + "\n" + repr(body))
print("\n==\n".join(sorted(out)))
X
expected() { find "$dir/mail/box/new" -type f 2>/dev/null | wc -l; }
# settle N: wait until N messages have arrived
settle() { for _ in $(seq 150); do [ "$(expected)" -ge "$1" ] && return; sleep 0.1; done; }

status=0
# compare NAME N COMMAND...: runs it with $S each of the two; N messages are to arrive from either, 0 = it is to be refused
compare() {
	local name=$1 n=$2 verdict=same who
	shift 2
	for who in theirs ours; do
		if S=$dir/$who "$@" >"$dir/$who.out" 2>&1; then echo taken >"$dir/$who.status"; else echo refused >"$dir/$who.status"; fi
		settle "$n"
		python3 "$dir/collect.py" "$dir" >"$dir/$who.mail"
	done
	cmp -s "$dir/theirs.status" "$dir/ours.status" && cmp -s "$dir/theirs.mail" "$dir/ours.mail" || verdict=DIFFERENT
	[ "$n" = 0 ] || grep -q 'X-Original-To' "$dir/ours.mail" || verdict=NOTHING
	printf '%-58s %s\n' "$name" "$verdict"
	[ $verdict = same ] && return
	status=1
	sed 's/^/    Postfix: /' "$dir/theirs.status" "$dir/theirs.mail" "$dir/theirs.out"
	sed 's/^/    gatepost: /' "$dir/ours.status" "$dir/ours.mail" "$dir/ours.out"
}
# pipe TEXT ARGUMENTS...: TEXT, as printf(1) reads it, to $S
pipe() { local text=$1; shift; printf "$text" | "$S" "$@"; }

r=you@far.example
compare "cron: -i -FCronDaemon -B8BITMIME -oem" 1 pipe 'From: root (Cron Daemon)\nTo: root\nSubject: Cron\n\nout\n.\nmore\n' -i -FCronDaemon -B8BITMIME -oem $r
compare "PHP: -t -i" 3 pipe 'To: a@far.example, "B, C" <b@far.example>\nSubject: x\nBcc: c@far.example\n\nbody\n' -t -i
compare "PHP with CRLF in the header, LF behind it" 1 pipe 'To: a@far.example\r\nSubject: x\r\nFrom: w@far.example\r\n\r\nbody\nmore\n' -t -i
compare "PHPMailer: -oi -f -t" 1 pipe 'To: a@far.example\nFrom: App <app@far.example>\nSubject: x\n\nbody\n' -oi -fapp@far.example -t
compare "logwatch: -t" 1 pipe 'To: a@far.example\nFrom: Logwatch <logwatch>\nSubject: x\n\n ### \n' -t
compare "git send-email: -i -f rcpt rcpt" 2 pipe 'From: D <d@far.example>\nTo: l@far.example\nSubject: x\n\n---\n.\n-- \n' -i -f d@far.example a@far.example b@far.example
compare "mutt: -oem -oi -f -N -R -B8BITMIME --" 1 pipe 'From: d@far.example\nSubject: x\n\n\303\251\n' -oem -oi -f d@far.example -N failure -R hdrs -B8BITMIME -- $r
compare "no header" 1 pipe 'hello\nworld\n' $r
compare "a header without the empty line behind it" 1 pipe 'Subject: x\nno field here\nmore\n' $r
compare "an empty message" 1 pipe '' $r
compare "an empty line first" 1 pipe '\nSubject: x\n\nbody\n' $r
compare "a mailbox's From line" 1 pipe 'From me@x Mon Nov 1\nSubject: x\n\nFrom body\n' $r
compare "a dot ends it" 1 pipe 'Subject: x\n\nbody\n.\nnot this\n' $r
compare "a dot and CR end it" 1 pipe 'Subject: x\r\n\r\nbody\r\n.\r\nnot this\r\n' $r
compare "no newline at the end" 1 pipe 'Subject: x\n\nbody' $r
compare "CRs doubled at the ends of lines" 1 pipe 'Subject: x\r\r\n\r\r\nbody\r\r\n' -i $r
compare "-oi" 1 pipe 'Subject: x\n\nbody\n.\nand this\n' -oi $r
compare "-F with -f" 1 pipe 'Subject: x\n\nb\n' -F 'Jane Doe' -f j@far.example $r
compare "-F is not for a message with From:" 1 pipe 'From: x@far.example\nSubject: x\n\nb\n' -F 'Jane Doe' -f j@far.example $r
compare "-f with a name, recipients in one word" 2 pipe 'Subject: x\n\nb\n' -f 'J <j@far.example>' 'a@far.example, B <b@far.example>'
compare "-f without a domain" 1 pipe 'Subject: x\n\nb\n' -f joe $r
compare "-f <>" 1 pipe 'From: a@far.example\nSubject: x\n\nb\n' -f '<>' $r
compare "-f <> and no From:" 1 pipe 'Subject: x\n\nb\n' -f '<>' $r
compare "-f and nothing, no From:" 1 pipe 'Subject: x\n\nb\n' -f '' $r
compare "-r" 1 pipe 'Subject: x\n\nb\n' -r j@far.example $r
compare "-t with recipients" 2 pipe 'To: a@far.example\nSubject: x\n\nb\n' -t b@far.example
compare "-t with Resent- fields" 2 pipe 'From: w@far.example\nTo: a@far.example\nResent-To: r@far.example\nResent-Bcc: q@far.example\nSubject: x\n\nb\n' -t
compare "-t with groups and comments" 3 pipe 'To: undisclosed-recipients:;\nCc: g: a@far.example, b@far.example;, c@far.example (C)\nSubject: x\n\nb\n' -t
compare "-t with folded fields" 2 pipe 'To: a@far.example,\n\t"B\n B" <b@far.example>\nSubject: x\n y\n\nb\n' -t
compare "-t, side by side: a name, an address, another" 2 pipe 'To: A B <a@far.example> b@far.example\nSubject: x\n\nb\n' -t
compare "-t, side by side: <a> <b>" 2 pipe 'To: <a@far.example> <b@far.example>\nSubject: x\n\nb\n' -t
compare "-t, side by side: a b" 2 pipe 'To: a@far.example b@far.example\nSubject: x\n\nb\n' -t
compare "-t, side by side in a group, and behind it" 4 pipe 'To: g: a@far.example b@far.example; c@far.example, d@far.example\nSubject: x\n\nb\n' -t
compare "-t, a comment without its end" 2 pipe 'To: a@far.example (comment\nCc: c@far.example\nSubject: x\n\nb\n' -t
compare "recipients side by side in one word" 2 pipe 'Subject: x\n\nb\n' 'a@far.example b@far.example'
compare "a recipient with a comment without its end" 1 pipe 'Subject: x\n\nb\n' 'a@far.example (comment'
closed() { "$S" $r <&-; }
compare "standard input is closed" 1 closed
# Refused by both; the exit status is ours to choose (64), Postfix's is 75.
compare "-t and nobody" 0 pipe 'Subject: x\n\nb\n' -t
compare "nobody" 0 pipe 'Subject: x\n\nb\n'
compare "an option that there is not" 0 pipe 'x\n' -Z $r
compare "-bz" 0 pipe 'x\n' -bz $r
compare "-odb -om -oeq -o7 -O -h -L -p -U -m -v-like options" 1 pipe 'Subject: x\n\nb\n' -odb -om -oeq -Odelivery=b -h 3 -L tag -U -m $r
smtp() { printf 'EHLO x\r\nMAIL FROM:<a@far.example>\r\nRCPT TO:<b@far.example>\r\nDATA\r\nFrom: a@far.example\r\nTo: b@far.example\r\nSubject: x\r\n\r\n..y\r\n.\r\nQUIT\r\n' | "$S" -bs; }
compare "-bs" 1 smtp
smtp_lf() { printf 'EHLO x\nMAIL FROM:<a@far.example>\nRCPT TO:<b@far.example>\nDATA\nFrom: a@far.example\nTo: b@far.example\nSubject: x\n\n..y\n.\nQUIT\n' | "$S" -bs; }
compare "-bs with LF" 1 smtp_lf

# --- the programs themselves ------------------------------------------------------------
have() { command -v "$1" >/dev/null && return; printf '%-58s %s\n' "$2" "skipped: not here"; return 1; }
by_php() { php -n -d sendmail_path="$S -t -i" -r 'exit(mail("a@far.example", "x", "body\nmore\n.\nend", "From: w@far.example\r\nCc: b@far.example", "-fw@far.example") ? 0 : 1);'; }
if have php "php: mail()"; then compare "php: mail()" 2 by_php; fi
git_mail() {
	cd "$dir"
	HOME=$dir GIT_CONFIG_NOSYSTEM=1 git -c user.name=D -c user.email=d@far.example send-email --quiet --confirm=never --suppress-cc=all \
	    --from='D <d@far.example>' --to=a@far.example --cc=b@far.example --envelope-sender=d@far.example --no-thread \
	    --sendmail-cmd="$S" "$dir/1.patch"
}
printf 'From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: D <d@far.example>\nDate: Sat, 21 Nov 2026 10:00:00 +0000\nSubject: [PATCH] x\n\n---\n x | 1 +\n.\n-- \n2.39\n' >"$dir/1.patch"
if have git "git send-email" && { git send-email -h 2>&1 || true; } | grep -q -- --sendmail-cmd; then compare "git send-email" 2 git_mail; else echo "git send-email: skipped"; fi
by_mutt() { echo body | HOME=$dir mutt -n -F /dev/null -e "set sendmail='$S -oem -oi'; set use_from=yes use_envelope_from=yes from=d@far.example realname=D copy=no dsn_notify=failure dsn_return=hdrs hostname=host.example" -s x -c b@far.example a@far.example; }
if have mutt mutt; then compare "mutt" 2 by_mutt; fi
mailx_rc() { printf 'set sendmail=%s\n' "$S" >"$dir/mailrc"; echo body | HOME=$dir MAILRC=$dir/mailrc bsd-mailx -s x a@far.example; }
if have bsd-mailx "bsd-mailx"; then compare "bsd-mailx" 1 mailx_rc; fi
exit $status
