# mutt composes: text and an attachment
# shellcheck shell=bash disable=SC2154
mutt_have() { install mutt libsasl2-modules; installed mutt libsasl2-modules; }
mutt_version() { mutt -v | awk 'NR == 1 { print "mutt", $2 }'; }
by_mutt() {
	HOME=$dir limit mutt -n -F /dev/null -e "set smtp_url='smtp://app:app-secret@localhost:$l587' ssl_force_tls=yes ssl_starttls=yes certificate_file='$ca' \
	    smtp_authenticators=plain from='$from' use_envelope_from=yes copy=no hostname=client.example charset=utf-8 send_charset=utf-8 ssl_usesystemcerts=no" \
	    -s "interop $id" -a "$file" -- "${to[@]}" <"$text"
}
mutt_rows() { send mutt "587 STARTTLS PLAIN" "$1" hard composed by_mutt; }
