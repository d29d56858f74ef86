#!/bin/sh
# Every option of the table is in the sample and in the manual, in the right section and
# with its default; neither has one that the table lacks; and the manual says of just
# those that nothing acts on yet that they are not supported.
#   sh tests/options.sh [KEYS.C SAMPLE MANUAL]
set -eu

keys=${1:-daemon/config/keys.c}
sample=${2:-conf/gatepost.conf}
manual=${3:-docs/man/gatepost.conf.5}

exec awk '
function complain(text) { print text; bad = 1 }
function plain(value) {		# quotes, braces and the build'"'"'s prefix do not count
	gsub(/\\\(dq|["{}]/, "", value)
	sub(/^\/usr\/local/, "PREFIX", value)
	gsub(/^[ \t]+|[ \t]+$/, "", value)
	return value
}
function seen(where, option, value) {
	count[where, option]++
	if (!(option in dflt))
		complain(FILENAME ":" FNR ": " option " is not in the table")
	# the default of a listener depends on its port
	else if (plain(value) != dflt[option] && option != "listen.tls")
		complain(FILENAME ":" FNR ": " option " = " plain(value) ", the table says " dflt[option])
}
FNR == 1 { file++; section = "" }

# K("section", "name", KIND, MEMBER(…), "default", RANGE, FLAGS, "help"), on several lines
function take_row(quoted, name, rest, value) {
	if (row == "") return
	split(row, quoted, "\"")
	name = quoted[2] "." quoted[4]
	rest = row
	sub(/^K\("[^"]*", "[^"]*", [A-Z]+, [A-Z]+\([^)]*\), /, "", rest)
	value = rest
	sub(/^[^"]*"/, "", value)
	sub(/".*/, "", value)
	if (rest ~ /^SYSCONFDIR/) value = "/etc" value
	if (rest ~ /^PREFIX/) value = "PREFIX" value
	dflt[name] = value
	later[name] = rest ~ /KEY_LATER/
	options++
	row = ""
}
file == 1 && /^(K\(|}|$)/ { take_row() }
file == 1 && (/^K\(/ || row != "") { row = row $0 }

# #name = value, inside of name { or #name "TITLE" {
file == 2 && /^\t*#?[a-z0-9]+ ("[^"]*" )?\{$/ {
	sub(/^[\t#]*/, "")
	section = (section == "" ? "" : section ".") $1
}
file == 2 && /^\t*#?\}$/ { if (!sub(/\.[^.]*$/, "", section)) section = "" }
file == 2 && /^\t*#?[a-z0-9_]+ = / {
	value = $0
	sub(/^[\t#]*[a-z0-9_]+ = /, "", value)
	sub(/^[\t#]*/, "")
	seen("sample", section "." $1, value)
}

# .Ss Section name, .It Ic name No = value
file == 3 && /^\.S[hs] / {
	section = $2 != "Section" ? "" : $4 == "of" ? $5 "." $3 : $3
	option = ""
}
file == 3 && /^\.It Ic [a-z0-9_]+ No = / {
	option = section "." $3
	value = $0
	sub(/^\.It Ic [a-z0-9_]+ No = /, "", value)
	seen("manual", option, value)
}
file == 3 && /^\.Em Not supported by this version/ { marked[option] = 1 }

END {
	if (options < 50)
		complain("only " options + 0 " options found in the table")
	for (name in dflt) {
		if (count["sample", name] != 1)
			complain(name " is " count["sample", name] + 0 " times in the sample")
		if (count["manual", name] != 1)
			complain(name " is " count["manual", name] + 0 " times in the manual")
		if (later[name] != (name in marked))
			complain(name (later[name] ? " is not supported, and the manual does not say so" : " is supported, and the manual denies it"))
	}
	exit bad
}' "$keys" "$sample" "$manual"
