# bash completion for gatepost(1); tests/commands.sh compares it with the program's table of commands.

# COMMAND: the options that are its own.
_gatepost_options() {
	case $1 in
	probe) echo --host --provider --json ;;
	status) echo --json --watch ;;
	queue) echo --json --from --to --older --held --limit ;;
	show) echo --headers --raw ;;
	trace) echo --json ;;
	retry) echo --all --upstream ;;
	hold | release) echo --all ;;
	delete) echo --all --yes ;;
	test) echo --from ;;
	passwd) echo -d ;;
	ca) echo --renew ;;
	esac
}

# COMMAND: what follows it, beside options.
_gatepost_names() {
	local asked=${2:-}

	case $1 in
	# What the daemon knows; nothing where it does not answer.
	show | trace | retry | hold | release | delete)
		gatepost queue --json --limit 200 $asked 2>/dev/null | sed -n 's/.*"id": *"\([^"]*\)".*/\1/p' ;;
	probe | --upstream)
		gatepost status --json $asked 2>/dev/null | tr '{' '\n' | sed -n 's/^ *"name": *"\([^"]*\)".*/\1/p' ;;
	spool) echo check dump ;;
	help) _gatepost_commands ;;
	esac
}

_gatepost_commands() {
	echo run check probe reload status queue show trace retry hold release delete test passwd ca spool version help
}

_gatepost() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} i asked=

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		COMPREPLY=($(compgen -W "$(_gatepost_commands) --help --version" -- "$cur"))
		return
	fi
	# The daemon that was named is the one to ask.
	for ((i = 2; i < COMP_CWORD - 1; i++)); do
		case ${COMP_WORDS[i]} in
		-c | --state | --socket) asked="${COMP_WORDS[i]} ${COMP_WORDS[i + 1]}" ;;
		esac
	done
	case $prev in
	-c | --socket) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")); return ;;
	--state) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur")); return ;;
	--upstream) COMPREPLY=($(compgen -W "$(_gatepost_names --upstream "$asked")" -- "$cur")); return ;;
	--host | --provider | --from | --to | --older | --limit) return ;;
	esac
	case $cur in
	-*)
		case $command in
		reload | status | queue | show | trace | retry | hold | release | delete | test) i=--socket ;;
		*) i= ;;
		esac
		COMPREPLY=($(compgen -W "$(_gatepost_options "$command") -c --state $i --help" -- "$cur"))
		;;
	*) COMPREPLY=($(compgen -W "$(_gatepost_names "$command" "$asked")" -- "$cur")) ;;
	esac
}

complete -F _gatepost gatepost
