#!/usr/bin/env bash
# The status page in a real browser (chromium, headless): it is drawn without any complaint of its own policy, renews
# itself with the script and without, says when the daemon has gone, and nothing of a hostile text runs.  Screenshots at
# the widths of a phone and a desktop, light and dark, are left in build/web, to be looked at.  promtool, where it is
# installed, judges the metrics.
set -euo pipefail
B=${B:-build}
for p in chromium python3; do
	command -v "$p" >/dev/null || { echo "web-test: $p is not installed (apt-get install $p); skipped" >&2; exit 0; }
done
export GATEPOST_PROVIDERS=$PWD/conf/providers.conf
out=$PWD/$B/web
dir=$(mktemp -d /tmp/gatepost-web.XXXXXX)
mkdir -p "$out"
pids=()
cleanup() {
	trap - EXIT
	for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; wait "$p" 2>/dev/null || true; done
	rm -rf "$dir"
}
trap cleanup EXIT
port() { python3 tests/ports.py; }
failed=0
ok() { printf '  ok      %s\n' "$1"; }
bad() { printf '  FAILED  %s\n' "$1"; failed=1; }
check() { if "${@:2}" >/dev/null; then ok "$1"; else bad "$1"; fi; }
hasnt() { ! grep -q "$@"; }
browse() { # browse ARG...: each run with a profile of its own; complaints of the page go to $dir/console
	local profile
	profile=$(mktemp -d "$dir/profile.XXXXXX")
	timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
		--disable-component-update --disable-sync --user-data-dir="$profile" --enable-logging=stderr "$@" 2>"$dir/stderr"
	grep CONSOLE "$dir/stderr" >"$dir/console" || true
}

# --- the real page of a real daemon ------------------------------------------------------
listen=$(port) smtp=$(port) closed=$(port)
mkdir -m 700 "$dir/gp"
cat >"$dir/gp/gatepost.conf" <<X
hostname = "relay.example"
upstream "main" {
    host = "127.0.0.1"
    chain = {"$closed/none"}
}
listen "127.0.0.1:$smtp" {}
metrics { listen = "127.0.0.1:$listen" }
X
"$B/gatepost" run --state "$dir/gp" 2>"$dir/log" &
pids+=($!)
for _ in $(seq 200); do grep -q event=started "$dir/log" && break; sleep 0.05; done
"$B/gatepost" test --state "$dir/gp" --from app@client.example you@far.example >/dev/null 2>&1 &
pids+=($!)
for _ in $(seq 200); do "$B/gatepost" status --state "$dir/gp" --json | grep >/dev/null '"state":"down"' && break; sleep 0.05; done

proxy() { # proxy DIE_AFTER: sets $front
	front=$(port)
	: >"$dir/visits"
	python3 tests/web/proxy.py "$front" "$listen" "$dir/visits" "$1" &
	pids+=($!)
	for _ in $(seq 200); do (exec 3<>"/dev/tcp/127.0.0.1/$front") 2>/dev/null && break; sleep 0.05; done
}
proxy 1000
browse --virtual-time-budget=12000 --dump-dom "http://localhost:$front/" >"$dir/dom"
check "the page says what is wrong, in words" grep -q "No mail gets out at present" "$dir/dom"
check "a port's reason is shown" grep -qi "refused" "$dir/dom"
check "the message that waits is shown" grep -q 'class="mail"' "$dir/dom"
check "no address is shown" hasnt -e far.example -e client.example "$dir/dom"
check "it renews itself by its script" grep -q '<i>answer [2-9]</i>' "$dir/dom"
check "nothing but the page is asked for" hasnt -v '^/$' "$dir/visits"
check "the page has no complaints" test ! -s "$dir/console"
[ ! -s "$dir/console" ] || sed 's/^/    /' "$dir/console"

proxy 1
browse --virtual-time-budget=8000 --dump-dom "http://localhost:$front/" >"$dir/dom"
check "it says when the daemon has gone" grep -q "gatepost does not answer; this is how it looked before" "$dir/dom"
check "and keeps what it showed" grep -q '<i>answer 1</i>' "$dir/dom"

proxy 1000
# In true time, ten seconds of it: without scripts there is no virtual one.
timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
	--disable-component-update --disable-sync --user-data-dir="$(mktemp -d "$dir/profile.XXXXXX")" \
	--blink-settings=scriptEnabled=false --remote-debugging-port=0 "http://localhost:$front/" >/dev/null 2>&1 &
browser=$!
for _ in $(seq 300); do [ "$(wc -l <"$dir/visits")" -ge 2 ] && break; sleep 0.1; done
kill "$browser" 2>/dev/null || true
wait "$browser" 2>/dev/null || true
check "without scripts it renews itself too" test "$(wc -l <"$dir/visits")" -ge 2

browse --window-size=1000,900 --screenshot="$out/live.png" "http://127.0.0.1:$listen/" >/dev/null
browse --dump-dom --host-resolver-rules="MAP evil.example 127.0.0.1" "http://evil.example:$listen/" >"$dir/dom"
check "under a foreign name it shows nothing" grep -q "not the name of this server" "$dir/dom"

if command -v promtool >/dev/null; then
	curl -s "http://127.0.0.1:$listen/metrics" | promtool check metrics >"$dir/promtool" 2>&1 && [ ! -s "$dir/promtool" ] &&
		ok "promtool finds nothing wrong" || { bad "promtool finds nothing wrong"; sed 's/^/    /' "$dir/promtool"; }
else
	echo "  skipped promtool (package prometheus)"
fi

# --- a bad day, for the eye ----------------------------------------------------------------
"$B/pageshow" >"$dir/page.html"
# A frame is as narrow as one wishes, which a window is not.  The frame's document says whether it is wider than that.
frame() { # frame WIDTH HEIGHT
	cat >"$dir/frame.html" <<X
<!DOCTYPE html><body style="margin:0"><iframe src="page.html" style="width:$1px;height:$2px;border:0"
 onload="var d=this.contentDocument;document.title=d.title+'|'+d.documentElement.scrollWidth"></iframe>
X
}
for width in 320 390; do
	frame $width 3600
	browse --allow-file-access-from-files --dump-dom "file://$dir/frame.html" >"$dir/dom"
	check "at $width pixels nothing stands out of the page" grep -q "<title>gatepost on relay.example|$width</title>" "$dir/dom"
done
browse --window-size=500,3300 --screenshot="$out/phone.png" "file://$dir/frame.html" >/dev/null
browse --window-size=1200,1700 --screenshot="$out/desktop.png" "file://$dir/page.html" >/dev/null
browse --window-size=1200,1700 --blink-settings=preferredColorScheme=0 --screenshot="$out/dark.png" "file://$dir/page.html" >/dev/null
for s in live phone desktop dark; do check "there is a picture: $B/web/$s.png" test -s "$out/$s.png"; done
exit $failed
