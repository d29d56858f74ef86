# Postfix with SASL as a provider: CHUNKING, PIPELINING, DSN, SMTPUTF8; also CRAM-MD5.
# shellcheck shell=bash disable=SC2034
postfix_can="utf8 longer"
postfix_have() { jail_have postfix postfix sasl2-bin libsasl2-modules libsasl2-modules-db libsasl2-2 libdb5.3 libicu72 libnsl2; }
postfix_version() { sed -n 's/^mail_version = //p' "$dir/postfix/version"; }
postfix_start() { # postfix_start PLAIN STARTTLS IMPLICIT
	mkdir -p "$dir/postfix"
	cat >"$dir/postfix/main.cf" <<C
compatibility_level = 3.6
queue_directory = /var/spool/interop
data_directory = /var/lib/interop
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
shlib_directory = /usr/lib/postfix
maillog_file = /io/maillog
maillog_file_prefixes = /
myhostname = postfix.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
virtual_mailbox_domains = static:all
virtual_mailbox_base = /io
virtual_mailbox_maps = static:mail/
virtual_uid_maps = static:8
virtual_gid_maps = static:8
virtual_minimum_uid = 1
refused = check_recipient_access inline:{refused.example=reject}
known = \$refused, permit_sasl_authenticated, reject
everyone = \$refused, permit_mynetworks, reject
smtpd_relay_restrictions = \$known
smtpd_peername_lookup = no
smtpd_sasl_auth_enable = yes
smtpd_sasl_path = smtpd
smtpd_sasl_local_domain = interop.example
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_tls_received_header = yes
smtpd_tls_cert_file = /etc/postfix/cert.pem
smtpd_tls_key_file = /etc/postfix/key.pem
message_size_limit = 104857600
virtual_mailbox_limit = 0
C
	cat >"$dir/postfix/master.cf" <<C
127.0.0.1:$1 inet n - n - - smtpd -o smtpd_tls_security_level=none -o smtpd_sasl_auth_enable=no -o smtpd_relay_restrictions=\$everyone
127.0.0.1:$2 inet n - n - - smtpd
127.0.0.1:$3 inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
C
	printf 'pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN CRAM-MD5\n' >"$dir/postfix/smtpd.conf"
	jail_run postfix '
		getent group postdrop >/dev/null || groupadd -r postdrop
		getent passwd postfix >/dev/null || useradd -r -U -d /var/spool/postfix -s /bin/false postfix
		mkdir -p /var/spool/interop /var/lib/interop /io/mail /etc/postfix/sasl
		chown postfix /var/lib/interop; chown mail: /io/mail
		cp /io/main.cf /io/master.cf /io/cert.pem /io/key.pem /etc/postfix; cp /io/smtpd.conf /etc/postfix/sasl
		[ -e /etc/postfix/postfix-files ] || cp /usr/share/postfix/postfix-files /etc/postfix 2>/dev/null || true
		rm -f /etc/sasldb2
		echo provider-secret | saslpasswd2 -p -c -u interop.example account
		chown postfix /etc/sasldb2
		postconf -d mail_version >/io/version
		postfix set-permissions >/dev/null 2>&1 </dev/null || true
		postfix check >/io/check.log 2>&1 || true' 'exec /usr/lib/postfix/sbin/master -d'
}
