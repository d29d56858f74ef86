# s-nail (mailx) composes: text and an attachment
# shellcheck shell=bash disable=SC2154
snail_have() { install s-nail; installed s-nail; }
snail_version() { s-nail -V 2>/dev/null | grep -o -m1 'v[0-9][0-9.]*[0-9]' | sed 's/^v/s-nail /'; }
by_snail() {
	HOME=$dir MAILRC=/dev/null limit s-nail -:/ -S v15-compat -S mta=smtps://app:app-secret@localhost:"$l465" -S smtp-auth=plain -S "tls-ca-file=$ca" \
	    -S tls-ca-no-defaults -S tls-verify=strict -S from="$from" -S hostname=client.example -S ttycharset=utf-8 -S sendcharsets=utf-8 \
	    -S sendwait -s "interop $id" -a "$file" "${to[@]}" <"$text"
}
snail_rows() { send s-nail "465 TLS PLAIN" "$1" hard composed by_snail; }
