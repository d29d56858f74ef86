# What the rows of the interop table share: packages, ports, paths through gatepost, sending, cleaning up.  Sourced by run.sh,
# which has set $dir, $B and $ci.  Files of clients/ define NAME_have, NAME_version, NAME_rows; files of servers/ define NAME_have,
# NAME_version, NAME_start and $NAME_can.
# shellcheck shell=bash disable=SC2034 # many a variable is for another file

python=/usr/bin/python3		# Debian's, which has Debian's modules
stuff=$PWD/$B/interop		# what was fetched, kept for the next run
here=$PWD/tests/interop
running=() jails=()

cleanup() {
	trap - EXIT
	local i
	for ((i = ${#running[@]} - 1; i >= 0; i--)); do
		kill "${running[i]}" 2>/dev/null || true
		wait "${running[i]}" 2>/dev/null || true
	done
	for i in "${jails[@]}"; do	# unshare heeds nothing milder; all inside goes with it
		kill -KILL "$i" 2>/dev/null || true
		wait "$i" 2>/dev/null || true
	done
	if [ -n "${KEEP:-}" ]; then echo "kept: $dir"; return; fi
	for i in 1 2 3; do rm -rf "$dir" 2>/dev/null && break; sleep 0.3; done	# what was killed may be writing yet
}

note() { printf 'interop: %s\n' "$*" >&2; }
port() { $python tests/ports.py; }
# run NAME COMMAND...: in the background, until the end
run() {
	local name=$1
	shift
	"$@" >"$dir/$name.log" 2>&1 </dev/null &
	running+=($!)
}
# until_open PORT...: until all of them are served
until_open() {
	local p
	for p; do
		for _ in $(seq 300); do
			(exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null && continue 2
			sleep 0.1
		done
		return 1
	done
}

# --- packages ---------------------------------------------------------------------------
installed() {
	local p
	for p; do dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null | grep -q '^ii' || { why="no $p"; return 1; }; done
}
updated=
update() { [ -n "$updated" ] || apt-get update -qq || true; updated=yes; }
# Nothing is ever removed for it: another mailer stays, and what is at odds with it is skipped.
install() {
	local p missing=()
	for p; do installed "$p" || missing+=("$p"); done
	[ ${#missing[@]} = 0 ] && return
	update
	export DEBIAN_FRONTEND=noninteractive
	apt-get install -y -qq --no-install-recommends --no-remove "${missing[@]}" >"$dir/apt.log" 2>&1 </dev/null && return
	for p in "${missing[@]}"; do
		apt-get install -y -qq --no-install-recommends --no-remove "$p" >>"$dir/apt.log" 2>&1 </dev/null || true
	done
}
# npm_have PACKAGE: is it in build/interop/npm?  The versions are pinned in npm.json.
npm_have() {
	type npm node >/dev/null 2>&1 || { why="no npm"; return 1; }
	if ! cmp -s "$here/npm.json" "$stuff/npm/package.json"; then
		rm -rf "$stuff/npm"
		mkdir -p "$stuff/npm"
		cp "$here/npm.json" "$stuff/npm/package.json"
		(cd "$stuff/npm" && npm install --no-audit --no-fund --no-package-lock --omit=optional --ignore-scripts) >"$dir/npm.log" 2>&1 ||
		    rm -f "$stuff/npm/package.json"
	fi
	[ -d "$stuff/npm/node_modules/$1" ] || { why="npm did not install $1"; return 1; }
}
npm_version() { node -p 'require(process.argv[1]).version' "$stuff/npm/node_modules/$1/package.json"; }

# --- gatepost's configuration ---------------------------------------------------------------
configure() {
	cat >"$dir/gp/gatepost.conf" <<C
hostname = "relay.example"
spool_dir = "$dir/gp"
control_socket = "$dir/gp/control.sock"
submit_socket = "$dir/gp/submit.sock"
users_file = "$dir/gp/users"
user = ""
queue { retry = {"1s"} }	# what it would repeat comes while we look
listen "127.0.0.1:$l587" { tls = "starttls" }
listen "127.0.0.1:$l465" { tls = "implicit" }
listen "127.0.0.1:$l2525" { tls = "starttls" }
C
	chmod 600 "$dir/gp/gatepost.conf"
}
start_gatepost() {
	echo app-secret | "$gatepost" passwd -c "$dir/gp/gatepost.conf" app >/dev/null
	run gatepost "$gatepost" run -c "$dir/gp/gatepost.conf"
	for _ in $(seq 200); do grep -q event=started "$dir/gatepost.log" && break; sleep 0.05; done
	grep -q event=started "$dir/gatepost.log" || { cat "$dir/gatepost.log"; exit 1; }
	ca=$dir/ca.pem
	"$gatepost" ca -c "$dir/gp/gatepost.conf" >"$ca" 2>/dev/null
}
# path NAME PROVIDER OUT CHAIN SETTINGS: mail from NAME.*@… goes this way; OUT is for the table
declare -A out_of provider_of
path() {
	out_of[$1]=$3 provider_of[$1]=$2
	printf 'upstream "%s" { host = "127.0.0.1" chain = {%s} tls_ca = "%s/cert.pem" %s }\nroute "%s" { from = {"%s.*@*"} upstreams = {"%s"} }\n' \
	    "$1" "$4" "$dir" "$5" "$1" "$1" "$1" >>"$dir/gp/gatepost.conf"
}
login() { printf 'username = "account" password = "provider-secret" auth = "%s"' "$1"; }

# --- sending ------------------------------------------------------------------------------
limit() { timeout -k 5 60 "$@"; }	# a client that hangs is one that failed
# send CLIENT IN PATH KIND CHECK COMMAND...: makes a message of the kind and has COMMAND submit it.  COMMAND finds $id, $from,
# $to (an array), $msg (a file, CRLF), $text (its text, LF) and $file (an attachment).  CHECK is what judge.py looks for.
rows=0
send() {
	local client=$1 in=$2 way=$3 kind=$4 check=$5 status=0 name
	shift 5
	rows=$((rows + 1))
	id=r$rows from=$way.r$rows@client.example to=("you.r$rows@far.example")
	case $kind in
	many) mapfile -t to < <(seq -f "you%g.r$rows@far.example" 150) ;;
	refused) to=("you.r$rows@far.example" nobody@refused.example "me.r$rows@far.example") ;;
	utf8) from=$way.r$rows.ü@client.example to=("you.漢字.r$rows@far.example") ;;
	esac
	name=$dir/rows/$id
	msg=$name.eml text=$dir/text file=$dir/file.bin
	$python "$here/judge.py" make "$kind" "$id" "$from" "$msg" "${to[0]}"
	"$@" >"$name.out" 2>&1 </dev/null || status=$?
	printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$id" "$client" "$in" "${provider_of[$way]}" "${out_of[$way]}" "$kind" "$check" \
	    "$status" "$from" "${to[*]}" >>"$dir/rows/all"
	[ $status = 0 ] || [ "$check" = told ] || { note "$client, $kind, $way: not accepted"; sed 's/^/    /' "$name.out" | tail -5; }
}
