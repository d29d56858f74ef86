#compdef gatepost
# zsh completion for gatepost(1); tests/commands.sh compares it with the program's table of commands.

# Both with `asked' of _gatepost: which daemon.
_gatepost_ids() {
	local -a ids
	ids=(${(f)"$(gatepost queue --json --limit 200 $asked 2>/dev/null | sed -n 's/.*"id": *"\([^"]*\)".*/\1/p')"})
	compadd -a ids
}

_gatepost_upstreams() {
	local -a names
	names=(${(f)"$(gatepost status --json $asked 2>/dev/null | tr '{' '\n' | sed -n 's/^ *"name": *"\([^"]*\)".*/\1/p')"})
	compadd -a names
}

_gatepost() {
	local -a commands own names asked
	local command=$words[2] i

	commands=(
		'run:the daemon, in the foreground'
		'check:validate the configuration, credentials, TLS files and permissions'
		'probe:try every port of the chain; sends no mail'
		'reload:let the daemon read its configuration again'
		'status:health of upstreams and ports, queue totals, rates'
		'queue:list what waits'
		'show:one message'
		'trace:what happened to a message, attempt by attempt'
		'retry:try now'
		'hold:keep messages back'
		'release:let held messages go'
		'delete:remove messages for good'
		'test:submit a test message and follow it'
		'passwd:add, change or delete a local submission user'
		'ca:the local CA'"'"'s certificate'
		'spool:verify, or describe, a spool'
		'version:print the version'
		'help:the list of commands, or more about one'
	)
	if (( CURRENT == 2 )); then
		_describe -t commands 'gatepost command' commands
		return
	fi
	# The daemon that was named is the one to ask.
	for (( i = 3; i < CURRENT - 1; i++ )); do
		case $words[i] in
		-c | --state | --socket) asked=($words[i] ${${(Q)words[i+1]}/#\~\//$HOME/}) ;;
		esac
	done
	own=('-c[the configuration]:file:_files' '--state[of a daemon in DIR]:folder:_directories' '--help[show the usage]')
	case $command in
	reload | status | queue | show | trace | retry | hold | release | delete | test)
		own+=('--socket[the control socket]:file:_files')
	esac
	case $command in
	probe) own+=('--host[a host that is not configured]:host:_hosts' '--provider[a preset]:preset:'
	    '--json[as JSON]' '1:upstream:_gatepost_upstreams') ;;
	status) own+=('--json[as JSON]' '--watch[again every two seconds]') ;;
	queue) own+=('--json[as JSON]' '--from[sender]:pattern:' '--to[recipient]:pattern:' '--older[age]:span:'
	    '--held[only what is held]' '--limit[so many]:number:') ;;
	show) own+=('(--raw)--headers[the header]' '(--headers)--raw[the whole message]' '1:id:_gatepost_ids') ;;
	trace) own+=('--json[as JSON]' '1:id:_gatepost_ids') ;;
	retry) own+=('--all[all messages]' '--upstream[only this]:upstream:_gatepost_upstreams' '*:id:_gatepost_ids') ;;
	hold | release) own+=('--all[all messages]' '*:id:_gatepost_ids') ;;
	delete) own+=('--all[all messages]' '--yes[do not ask]' '*:id:_gatepost_ids') ;;
	test) own+=('--from[sender]:address:' '1:recipient:') ;;
	passwd) own+=('-d[delete the user]' '1:user:') ;;
	ca) own+=('--renew[make new ones first]') ;;
	spool) own+=('1:what:(check dump)' '2:folder:_directories') ;;
	help)
		names=(${commands%%:*})
		own+=("1:command:($names)") ;;
	esac
	shift words
	(( CURRENT-- ))
	_arguments $own
}

_gatepost "$@"
