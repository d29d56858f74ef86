#!/bin/sh
# Runs the suites of a test program, each in a process of its own: suites.sh PROGRAM AT_ONCE SUITE...
# Small runners, for the leak checker looks at all of the runner's memory at the end of each of thousands of forked
# tests.  What tests leave in GATEPOST_MEMORY goes at the end.  Quiet about what passes; a suite without a check is a failure,
# since it would be one that nobody noticed.
set -eu
program=$1 at_once=$2
shift 2
GATEPOST_MEMORY=$(mktemp -d /dev/shm/gatepost-suites.XXXXXX 2>/dev/null || mktemp -d /tmp/gatepost-suites.XXXXXX)
export GATEPOST_MEMORY
chmod 711 "$GATEPOST_MEMORY"	# sendmail runs for other users, too
trap 'rm -rf "$GATEPOST_MEMORY"' EXIT
trap 'exit 130' INT TERM
one='said=$(CK_RUN_SUITE=$2 "$1" 2>&1) || { printf "%s\n" "$said"; exit 1; }
case $said in *"100%: Checks: "[1-9]*) ;; *) echo "$2: no check ran"; printf "%s\n" "$said"; exit 1 ;; esac
printf "%s\n" "$said" | sed -n "s/^100%: Checks: \([0-9]*\),.*/checks \1/p"'
printf '%s\n' "$@" | xargs -P "$at_once" -I@ sh -c "$one" suite "$program" @ | awk -v what="${program##*/}" -v all=$# '
	/^checks [0-9]+$/ { n += $2; suites++; next }
	{ print }
	END { printf "%s: %d checks pass in %d of %d suites\n", what, n, suites, all; exit suites != all }'
