# nodemailer's smtp-server as a provider; also XOAUTH2.
# shellcheck shell=bash disable=SC2034
smtpserver_can="utf8 longer"
smtpserver_have() { npm_have smtp-server; }
smtpserver_version() { npm_version smtp-server; }
smtpserver_start() { # smtpserver_start PLAIN STARTTLS IMPLICIT
	run smtpserver env NODE_PATH="$stuff/npm/node_modules" node "$here/servers/smtpserver.js" "$dir/smtpserver" "$@"
}
