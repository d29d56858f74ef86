# curl
# shellcheck shell=bash disable=SC2154
curl_have() { installed curl; }
curl_version() { curl --version | awk 'NR == 1 { print $1, $2 }'; }
by_curl() { # by_curl URL [OPTION...]
	local rcpt=() r url=$1
	shift
	for r in "${to[@]}"; do rcpt+=(--mail-rcpt "$r"); done
	limit curl -sS --fail --max-time 60 --cacert "$ca" --user app:app-secret --mail-from "$from" "${rcpt[@]}" --upload-file "$msg" "$@" "$url/client.example"
}
curl_rows() {
	send curl "587 STARTTLS PLAIN" "$1" hard whole by_curl "smtp://localhost:$l587" --ssl-reqd
	send curl "465 TLS LOGIN" "$1" hard whole by_curl "smtps://localhost:$l465" --login-options AUTH=LOGIN
}
