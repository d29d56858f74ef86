# What zsh completes, asked as a person asks: a shell on a terminal, TAB.  Run by tests/commands.sh; silent if all is well.
#   zsh -f tests/completion.zsh
emulate -L zsh
zmodload zsh/zpty || { print "completion in zsh is not tried: no zsh/zpty"; exit 0 }
dir=$(mktemp -d) bad=0
finish() { rm -rf $dir; exit $1 }	# no trap: what zpty forks would have it too
cp conf/completion/gatepost.zsh $dir/_gatepost

# Each match that is offered goes into a file, and the end of each TAB.  The program answers with what it was asked.
cat >$dir/rc <<'RC'
PS1= PS2= HITS=$DIR/hits
fpath=($DIR $fpath)
autoload -Uz compinit && compinit -D -u
gatepost() {
	case $1 in
	queue) print -r -- "{\"id\":\"${(j:+:)@}\"}" ;;
	status) print -r -- "{\"upstreams\":[{\"name\":\"${(j:+:)@}\"}]}" ;;
	esac
}
compadd() {
	local -a hits
	if [[ " ${@[1,(i)(-|--)]}" != *' -'[OAD]\ * ]]; then
		builtin compadd -A hits "$@"
		(( $#hits )) && print -rl -- $hits >>$HITS
	fi
	builtin compadd "$@"
}
tab() { zle complete-word; print END >>$HITS }
zle -N tab
bindkey -e
bindkey '^I' tab
print -r -- READY >>$HITS
RC

wait_for() {	# LINE: the file has it
	for (( n = 0; n < 400; n++ )); do
		grep -qx -- $1 $dir/hits 2>/dev/null && return 0
		zpty -r -t shell junk 2>/dev/null
		sleep 0.05
	done
	print "zsh: no $1 in time"; finish 1
}

offered() {	# LINE: what TAB offers at its end, in `got'
	rm -f $dir/hits
	zpty -n -w shell $'\C-u'"$1"$'\t'
	wait_for END
	got=${(j: :)${(ou)${(f)"$(grep -vx END $dir/hits)"}}}
}

expect() {	# LINE WANT
	local got
	offered $1
	[[ $got == $2 ]] || { print -r -- "zsh offers after '$1': '$got', not '$2'"; bad=1 }
}

zpty -b probe true 2>/dev/null || { print "completion in zsh is not tried: no pty can be made here"; finish 0 }
zpty -d probe
zpty -b shell "DIR=$dir HOME=/home/me TERM=xterm zsh -f -i"
zpty -w shell "source $dir/rc"
wait_for READY
known=($(sed -n 's/^\t{ "\([a-z]*\)", [A-Za-z_]*, .*/\1/p' daemon/command/command.c | sed '/^sendmail$/,$d'))
expect 'gatepost help ' ${(j: :)${(ou)known}}
expect 'gatepost help sp' spool
expect 'gatepost spool ' 'check dump'
expect 'gatepost show ' queue+--json+--limit+200
expect 'gatepost show --state /a/b ' queue+--json+--limit+200+--state+/a/b
expect 'gatepost hold --state ~/my\ dir ' 'queue+--json+--limit+200+--state+/home/me/my\ dir'	# a match is quoted for the line
expect 'gatepost retry --socket /s --upstream ' status+--json+--socket+/s
expect 'gatepost probe -c /f ' status+--json+-c+/f
finish $bad
