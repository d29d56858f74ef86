#!/bin/sh
# External symbols of daemon/ that the program does not need: externals.sh OBJECT-DIRECTORY.
# A symbol that no other file of the program uses is static, unless its own file uses it and a test looks at it alone (a
# pure part); what only tests call says so by the word "tests" in its header.
set -eu
objects=$1/daemon
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
nm -A --defined-only -g "$objects"/*/*.o | awk '{ sub(/:.*/, "", $1); print $NF, $1 }' | sort >"$work/defined"
nm -A -u "$objects"/*/*.o | awk '{ print $NF }' | sort -u >"$work/used"
test -s "$work/defined"
awk 'NR == FNR { used[$1]; next } !($1 in used) && $1 != "main"' "$work/used" "$work/defined" >"$work/alone"

bad=0
while read -r symbol object; do
	source=${object#"$1"/}
	source=${source%.o}.c
	if ! grep -rqw --include='*.[ch]' "$symbol" tests; then
		echo "$source: $symbol is used nowhere else: make it static, or remove it"
		bad=1
	elif [ "$(grep -cw "$symbol" "$source")" -lt 2 ] &&
	    ! grep -hw -B 2 "$symbol" daemon/"$(basename "$(dirname "$source")")"/*.h | grep -q '[Tt]ests'; then
		echo "$source: $symbol is used by tests alone: remove it, or say \"tests\" where it is declared"
		bad=1
	fi
done <"$work/alone"
exit $bad
