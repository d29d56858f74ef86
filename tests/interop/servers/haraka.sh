# Haraka as a provider.
# shellcheck shell=bash disable=SC2034
haraka_can="utf8 longer"
haraka_have() { npm_have Haraka; }
haraka_version() { npm_version Haraka; }
haraka_start() { # haraka_start PLAIN STARTTLS IMPLICIT
	local h=$dir/haraka
	mkdir -p "$h/config" "$h/plugins" "$h/mail"
	cp -r "$stuff/npm/node_modules/Haraka/config/." "$h/config"
	printf 'listen=127.0.0.1:%s,127.0.0.1:%s,127.0.0.1:%s\nsmtps_port=%s\n' "$@" "$3" >"$h/config/smtp.ini"
	printf 'key=%s/key.pem\ncert=%s/cert.pem\n' "$h" "$h" >"$h/config/tls.ini"
	printf '[core]\nmethods=PLAIN,LOGIN\n[users]\naccount=provider-secret\n' >"$h/config/auth_flat_file.ini"
	echo haraka.example >"$h/config/me"
	# As delivered it breaks lines of more than 992 octets.
	sed -i 's/^bytes=.*/bytes=104857600/; s/^data_line_length=.*/data_line_length=100000/' "$h/config/connection.ini"
	echo "$1" >"$h/config/interop.plain"
	printf 'tls\nauth/flat_file\nstore\n' >"$h/config/plugins"
	sed "s|@MAIL@|$h/mail|" "$here/servers/haraka-store.js" >"$h/plugins/store.js"
	run haraka env NODE_PATH="$stuff/npm/node_modules" node "$stuff/npm/node_modules/Haraka/bin/haraka" -c "$h"
}
