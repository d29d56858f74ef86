# What is sent to each server, beside the rows of the clients' own files.  Sourced by run.sh.
# shellcheck shell=bash disable=SC2154

# expect SERVER WHAT: whole if the server can take it, else the sender must be told
expect() {
	local can=$1_can
	case " ${!can} " in *" $2 "*) echo whole ;; *) echo told ;; esac
}
py() { # py PATH KIND CHECK [MAIL-PARAMETER...]
	send smtplib "587 STARTTLS PLAIN" "$1" "$2" "$3" by_smtplib "${@:4}"
}
# Everything over STARTTLS, where the server has it; something over implicit TLS; each extension where it can be watched.
server_rows() {
	local s=$1 kind way=$1-starttls
	[ -n "${out_of[$way]:-}" ] || way=$s-plain
	for kind in plain dots long empty many; do py "$way" $kind whole; done
	py "$way" refused refused
	py "$way" large whole
	py "$way" longer "$(expect "$s" longer)"
	if [ "$way" = "$s-starttls" ]; then
		send curl "465 TLS PLAIN" "$s-implicit" hard whole by_curl "smtps://localhost:$l465"
		py "$s-implicit" large whole
		py "$s-plain" refused refused
		py "$s-plain" large whole
		py "$way" 8bit whole
	else
		send curl "465 TLS PLAIN" "$way" hard whole by_curl "smtps://localhost:$l465"
	fi
	if installed swaks; then send swaks "2525 STARTTLS LOGIN" "$s-plain" hard whole by_swaks "$l2525" LOGIN; fi
	py "$s-plain" 8bit whole BODY=8BITMIME
	send smtplib "587 STARTTLS PLAIN" "$s-plain" dsn success by_smtplib_dsn
	# By now gatepost knows what the server offers.
	py "$s-plain" utf8 "$(expect "$s" utf8)" SMTPUTF8 BODY=8BITMIME
	[ "$way" = "$s-plain" ] || py "$way" utf8 "$(expect "$s" utf8)" SMTPUTF8 BODY=8BITMIME
}
# Postfix's submission port, 587, is blocked in two ways: the next of the chain takes over.
postfix_paths() {
	local starttls implicit drop refuse
	read -r _ starttls implicit <<<"${ports[postfix]}"
	drop=$(port) refuse=$(port)
	run drop "$B/fake-provider" -q -c "$dir/unused.pem" "$drop:drop"
	path postfix-dropped postfix "587 dropped, so implicit, auto" "\"$drop/starttls\", \"$implicit/implicit\"" "$(login auto)"
	path postfix-shut postfix "587 refuses, so implicit, auto" "\"$refuse/starttls\", \"$implicit/implicit\"" "$(login auto)"
	path postfix-cram postfix "starttls, CRAM-MD5" "\"$starttls/starttls\"" "$(login cram-md5)"
}
postfix_rows() {
	local way
	for way in dropped shut cram; do py postfix-$way hard whole; done
}
smtpserver_paths() {
	local starttls tokens
	read -r _ starttls _ <<<"${ports[smtpserver]}"
	tokens=$(port)
	run tokens "$B/fake-provider" -q -u account:provider-secret -c "$dir/unused2.pem" "$tokens:none:token: 1"
	(umask 077; echo client-secret >"$dir/gp/client"; echo refresh >"$dir/gp/refresh")
	path smtpserver-token smtpserver "starttls, XOAUTH2" "\"$starttls/starttls\"" "username = \"account\" auth = \"xoauth2\" oauth2 {
	    token_url = \"http://127.0.0.1:$tokens/token\" client_id = \"app\" client_secret_file = \"$dir/gp/client\" refresh_token_file = \"$dir/gp/refresh\" }"
}
smtpserver_rows() { py smtpserver-token hard whole; }
