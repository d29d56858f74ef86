# Go's net/smtp
# shellcheck shell=bash disable=SC2154
go_have() { [ -n "$ci" ] || install golang-go; type go >/dev/null 2>&1 || { why="no golang-go"; return 1; }; }
go_version() { go version | awk '{ print "net/smtp", $3 }'; }
by_go() {
	mkdir -p "$stuff/go"
	[ "$stuff/go/send" -nt "$here/clients/send.go" ] ||
	    GO111MODULE=off GOCACHE=$stuff/go/cache HOME=$dir go build -o "$stuff/go/send" "$here/clients/send.go"
	SSL_CERT_FILE=$ca limit "$stuff/go/send" "$l587" "$msg" "$from" "${to[@]}"
}
go_rows() { send net/smtp "587 STARTTLS PLAIN" "$1" hard whole by_go; }
