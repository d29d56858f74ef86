# msmtp
# shellcheck shell=bash disable=SC2154
msmtp_have() { install msmtp; installed msmtp; }
msmtp_version() { msmtp --version | awk 'NR == 1 { print $1, $3 }'; }
by_msmtp() {
	limit msmtp -C /dev/null --host=localhost --port="$l587" --tls=on --tls-starttls=on --tls-trust-file="$ca" --auth=plain --user=app \
	    --passwordeval='echo app-secret' --from="$from" -- "${to[@]}" <"$msg"
}
msmtp_rows() { send msmtp "587 STARTTLS PLAIN" "$1" hard whole by_msmtp; }
