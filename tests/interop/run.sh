#!/usr/bin/env bash
# Interop: real clients submit through gatepost to real servers that play the provider, and every octet must arrive.  Prints a table
# and fails if a row is not as it should be.  Needs root, for the servers; installs what is missing; what is not to be had is skipped
# and said.
#
#   run.sh [ci]       ci: the rows that say most; installs no compiler
#   SERVERS, CLIENTS  only these; KEEP=1 leaves the directory
set -euo pipefail
B=${B:-build}
gatepost=$PWD/$B/gatepost
export GATEPOST_PROVIDERS=$PWD/conf/providers.conf
[ "$(id -u)" -eq 0 ] || { echo "interop: needs root, to run the servers; skipped" >&2; exit 0; }
unshare --mount --pid --fork --propagation private true 2>/dev/null ||
	{ echo "interop: this machine does not allow namespaces, which the servers need; skipped" >&2; exit 0; }
dir=$(mktemp -d /tmp/gatepost-interop.XXXXXX)
chmod 755 "$dir"
ci=${1:-}
. tests/interop/lib.sh
. tests/interop/jail.sh
. tests/interop/rows.sh
trap cleanup EXIT
trap 'exit 1' INT TERM
all_servers="postfix exim opensmtpd aiosmtpd smtpserver haraka"
all_clients="curl swaks msmtp mutt snail git python perl php node ruby go"
for f in ${SERVERS:-$all_servers}; do . "tests/interop/servers/$f.sh"; done
for f in $all_clients; do . "tests/interop/clients/$f.sh"; done

install openssl python3 curl
type npm >/dev/null 2>&1 || install nodejs npm
mkdir -p "$stuff" "$dir/rows" "$dir/wire" "$dir/gp"
chmod 700 "$dir/gp"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=provider.example \
	-addext 'subjectAltName=IP:127.0.0.1,DNS:localhost' -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null
l587=$(port) l465=$(port) l2525=$(port)
configure

# --- the servers, and a path to each way in ---------------------------------------------
versions=() skipped=() servers=() taps=()
declare -A ports
for s in ${SERVERS:-$all_servers}; do
	why=
	if ! "${s}_have"; then skipped+=("$s: $why"); continue; fi
	mkdir -p "$dir/$s"
	cp "$dir/cert.pem" "$dir/key.pem" "$dir/$s"
	ports[$s]=$(port)
	without=${s}_without
	if [ -n "${!without:-}" ]; then skipped+=("$s: ${!without}"); else ports[$s]+=" $(port) $(port)"; fi
	# shellcheck disable=SC2086 # words
	"${s}_start" ${ports[$s]}
done
for s in ${SERVERS:-$all_servers}; do
	[ -n "${ports[$s]:-}" ] || continue
	# shellcheck disable=SC2086
	until_open ${ports[$s]} || { note "$s did not start"; tail -n 20 "$dir/$s"*.log >&2; exit 1; }
	read -r plain starttls implicit <<<"${ports[$s]}"
	tap=$(port)
	taps+=("$tap:$plain:$s")
	path "$s-plain" "$s" "plain, watched" "\"$tap/none\"" 'auth = "none" idle = "1s"'
	if [ -n "$starttls" ]; then
		path "$s-starttls" "$s" "starttls, PLAIN" "\"$starttls/starttls\"" "$(login plain)"
		path "$s-implicit" "$s" "implicit, LOGIN" "\"$implicit/implicit\"" "$(login login)"
	fi
	servers+=("$s")
	versions+=("$s $("${s}_version")")
done
[ ${#servers[@]} -gt 0 ] || { note "no server"; exit 1; }
[ -z "${ports[postfix]:-}" ] || postfix_paths
[ -z "${ports[smtpserver]:-}" ] || smtpserver_paths
run wire $python tests/interop/wire.py record "$dir/wire" "${taps[@]}"
start_gatepost
until_open "$l587" "${taps[@]%%:*}" || { note "not ready"; exit 1; }

# --- the rows, and what arrived -----------------------------------------------------------
for c in ${CLIENTS-$all_clients}; do
	why=
	if ! "${c}_have"; then skipped+=("$c: $why"); continue; fi
	"${c}_rows" "${servers[0]}-starttls"
	while read -r v; do versions+=("$v"); done < <("${c}_version")
done
curl_have
swaks_have || true
for s in "${servers[@]}"; do server_rows "$s"; done
[ -z "${ports[postfix]:-}" ] || postfix_rows
[ -z "${ports[smtpserver]:-}" ] || smtpserver_rows

status=0
$python tests/interop/judge.py judge "$dir" "${PATIENCE:-60}" || status=1
printf '\nOn the plain connections, which were watched:\n'
sleep 1.5	# the last of them end when they have been idle
$python tests/interop/wire.py judge "$dir/wire" || status=1
printf '\nversions: %s\n' "$(IFS=,; echo "${versions[*]}" | sed 's/,/, /g')"
[ ${#skipped[@]} = 0 ] || printf 'skipped: %s\n' "${skipped[@]}"
[ $status = 0 ] || { echo "--- gatepost's log:"; grep -v -e event=accepted -e event=relayed "$dir/gatepost.log" | tail -40; }
exit $status
