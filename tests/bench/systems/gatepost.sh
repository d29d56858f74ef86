# gatepost. GATEPOST: the binary (`make bench' sets it).
#
# Contract (the same for every system; see README.md):
#   start WORKDIR LISTEN_PORT SINK_PORT   write the configuration if it is not there yet, then exec the daemon in the foreground
#   flush WORKDIR LISTEN_PORT SINK_PORT   retry all deferred mail now
#   queue_count WORKDIR                   messages in the queue
gp_binary() {
	[ -n "${GATEPOST:-}" ] && { echo "$GATEPOST"; return; }
	echo "set GATEPOST to the gatepost binary" >&2
	return 1
}

version() { "$(gp_binary)" version | head -1; }

start() {
	local wd=$1 lport=$2 sport=$3 bin e listen tls=
	bin=$(gp_binary) || return 1
	if [ ! -f "$wd/gatepost.conf" ]; then
		mkdir -p "$wd/spool"
		if [ "$RIG_SUBMIT" = 1 ]; then
			tls="tls { certificate = \"$RIG_CERT\" key = \"$RIG_KEY\" }"
			listen="listen \"127.0.0.1:$lport\" { tls = \"starttls\" }"
		else
			listen="listen \"127.0.0.1:$lport\" { tls = \"none\" auth = \"trusted\" trusted = {\"127.0.0.0/8\"} }"
		fi
		cat >"$wd/gatepost.conf" <<-X
			hostname = "relay.example"
			spool_dir = "$wd/spool"
			control_socket = "$wd/control.sock"
			submit_socket = "$wd/submit.sock"
			users_file = "$wd/users"
			user = ""
			limits { connections = 20000 message_size = "100M" min_free = "10M" }
			$tls
			$listen
			upstream "sink" {
			    host = "127.0.0.1"
			    chain = {"$sport/none"}
			    auth = "none"
			    connections = ${GP_CONNECTIONS:-100}
			    messages_per_connection = 100000
			}
		X
		chmod 600 "$wd/gatepost.conf"
		[ "$RIG_SUBMIT" = 1 ] && echo "$RIG_PASS" | "$bin" passwd -c "$wd/gatepost.conf" "$RIG_USER"
	fi
	for e in $RIG_PRELOAD_ENV; do export "${e?}"; done
	exec "$bin" run -c "$wd/gatepost.conf"
}

flush() { "$(gp_binary)" retry -c "$1/gatepost.conf" --all; }
queue_count() { "$(gp_binary)" status -c "$1/gatepost.conf" --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["queue"]["messages"])'; }
