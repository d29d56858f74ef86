#!/usr/bin/env bash
# The table of commands, the options that the commands parse, the manual, and what the shells complete say the same.
#   bash tests/commands.sh [FOLDER]     a source tree other than this one
set -euo pipefail
cd "${1:-.}"
page=docs/man/gatepost.1
bad=0
complain() { echo "$*"; bad=1; }
words() { tr ' ' '\n' | sed '/^$/d' | sort -u | paste -sd' '; }

# --- the table: { "name", run, "usage", ...
declare -A usage file
while IFS='|' read -r name run text; do
	order+=("$name")
	# -c, --state and --socket are every command's
	usage[$name]=$(grep -oE -- '(^|[[ |])--?[a-z]+' <<<"$text" | tr -d '[ |' | grep -vxE -e '-c|--state' | words || true)
	file[$name]=${run}
done < <(sed -n '/^const struct command commands/,/^};/s/^\t{ "\([a-z]*\)", \([A-Za-z_]*\), "\(.*\)",$/\1|\2|\3/p' \
	daemon/command/command.c)
[ ${#order[@]} -ge 17 ] || complain "only ${#order[@]} commands found in the table"

same() { # WHAT NAME VALUE: as the table has it
	[ "$3" = "${usage[$2]}" ] || complain "$2: the table has '${usage[$2]}', $1 '$3'"
}

# --- what is parsed: the strings of own[] in the file of the command's function
for name in "${order[@]}"; do
	for f in daemon/command/*.c; do
		stem=$(basename "$f" .c)
		[ "${file[$name]}" = "${stem}_${file[$name]#"${stem}_"}" ] || continue
		parsed=$(sed -n '/struct args_option own\[\]/,/};$/p' "$f" | grep -oE '"--?[a-z]+"' | tr -d '"' | words || true)
		# One file may have several commands, of which each takes some.
		all=
		for other in "${order[@]}"; do
			[[ ${file[$other]} != "${stem}_"* ]] || all+=" ${usage[$other]}"
		done
		all=$(words <<<"$all")
		[ "$parsed" = "$all" ] || complain "$f parses '$parsed', the table has '$all'"
	done
done

# --- the manual: the synopsis, and the paragraph of each command
from_manual() { # PROGRAM-OF-AWK: lines "name option..."
	awk "$1"'
	function flags(from,   i, out) {
		for (i = from; i <= NF; i++) {
			if ($i == "Fl" && i < NF) out = out " -" $(++i)
			else if ($i ~ /^-[a-z]+$/) out = out " -" $i
		}
		return out
	}' "$page"
}
# shellcheck disable=SC2016 # awk's
synopsis=$(from_manual '
/^\.Sh/ { if (on && names) print names ":" seen; on = $2 == "SYNOPSIS"; names = "" }
on && /^\.Nm/ { if (names) print names ":" seen; names = seen = "" }
on && /^\.Cm/ && !names { for (i = 2; i <= NF; i++) if ($i != "|") names = names " " $i; next }
on { seen = seen flags(2) }')
# shellcheck disable=SC2016
paragraphs=$(from_manual '
/^\.It Cm / {
	names = ""
	for (i = 3; $i ~ /^[a-z]+$/ || $i == "|"; i++) if ($i != "|") names = names " " $i
	print names ":" flags(i)
}')
check_manual() { # WHAT LINES
	local name found
	for name in "${order[@]}"; do
		found=$(sed -n "s/^\(.* \)\?$name\( .*\)\?: *\(.*\)/\3/p" <<<"$2")
		[ "$(grep -cE "(^| )$name( .*)?:" <<<"$2")" = 1 ] || complain "$name is not once in $1"
		same "$1" "$name" "$(words <<<"$found" | tr ' ' '\n' | grep -vxE -e '-c|--state' | words || true)"
	done
	for name in $(sed 's/:.*//' <<<"$2"); do
		[ -n "${file[$name]+x}" ] || complain "$1 has $name, the table has not"
	done
}
check_manual "the manual's synopsis" "$synopsis"
check_manual "the manual's paragraph" "$paragraphs"
talkers=$(sed -n '/^talks_to_daemon/,/^}/p' daemon/command/help.c | grep -oE '"[a-z]+"' | tr -d '"' | words)
told=$(sed -n '/^\.It Fl -socket/,/^\.It/s/^\.Po Cm \(.*\) Pc \.$/\1/p' "$page" | tr -d ',' | words)
[ "$talkers" = "$told" ] || complain "--socket is for '$talkers', the manual says '$told'"

# --- bash: asked as the shell asks
complete_bash() { # WORD...: what may stand for the last
	bash --norc -c 'source conf/completion/gatepost.bash
	gatepost() { return 1; }
	COMP_WORDS=(gatepost "$@") COMP_CWORD=$#
	_gatepost && echo "${COMPREPLY[@]}"' bash "$@" | words
}
[ "$(complete_bash '')" = "$(words <<<"${order[*]} --help --version")" ] || complain "bash completes other commands: $(complete_bash '')"
for name in "${order[@]}"; do
	socket=
	[[ " $talkers " != *" $name "* ]] || socket=--socket
	[ "$(complete_bash "$name" -)" = "$(words <<<"${usage[$name]} -c --state $socket --help")" ] ||
		complain "$name: bash completes '$(complete_bash "$name" -)'"
done
[ "$(complete_bash spool '')" = "check dump" ] || complain "bash completes after spool: $(complete_bash spool '')"
[ "$(complete_bash queue --o)" = "--older" ] || complain "bash completes --o to $(complete_bash queue --o)"

# --- zsh: read, since it may not be here; and parsed where it is
zsh=conf/completion/gatepost.zsh
[ "$(sed -n "s/^\t\t'\([a-z]*\):.*/\1/p" $zsh | words)" = "$(words <<<"${order[*]}")" ] || complain "zsh completes other commands"
for name in "${order[@]}"; do
	arm=$(awk -v name="$name" '/^\tcase \$command/ { arms++ } arms == 2 && /^\t[a-z| ]+\)/ {
		on = 0; split($0, half, ")"); n = split(half[1], names, /[ \t|]+/)
		for (i = 1; i <= n; i++) if (names[i] == name) on = 1
	} on && arms == 2' $zsh)
	same zsh "$name" "$(grep -oE -- "'(\([^)]*\))?--?[a-z]+\[" <<<"$arm" | sed "s/^'\(([^)]*)\)\?//; s/\[//" | words || true)"
done
[ "$(sed -n '/^\tcase \$command/{n;p;q}' $zsh | tr -d '\t|)' | words)" = "$talkers" ] || complain "zsh: --socket is for other commands"
if command -v zsh >/dev/null; then
	zsh -n $zsh || complain "$zsh is no zsh"
	zsh -f tests/completion.zsh || bad=1
fi
exit $bad
