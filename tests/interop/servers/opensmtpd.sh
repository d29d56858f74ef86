# OpenSMTPD as a provider; DSN.  Without TLS: that of Debian 12 (6.8) cannot shake hands with OpenSSL 3, its process for keys is not asked
# (OpenSMTPD's issues 1171 and 1239).
# shellcheck shell=bash disable=SC2034
opensmtpd_can="longer" opensmtpd_without="TLS, which in Debian 12's does not work with OpenSSL 3"
opensmtpd_have() { jail_have opensmtpd opensmtpd libdb5.3 libevent-2.1-7; }
opensmtpd_version() { sed -n 's/.*OpenSMTPD //p' "$dir/opensmtpd/version"; }
opensmtpd_start() { # opensmtpd_start PLAIN
	mkdir -p "$dir/opensmtpd"
	cat >"$dir/opensmtpd/smtpd.conf" <<C
table boxes { "@" = mail }
smtp max-message-size 100M
listen on 127.0.0.1 port $1
action box maildir "/io/mail" virtual <boxes>
match from any for domain refused.example reject
match from any for any action box
C
	jail_run opensmtpd '
		for u in opensmtpd opensmtpq; do groupadd -r -f $u; useradd -r -g $u -d /var/lib/opensmtpd/empty -s /bin/false $u; done
		mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd /io/mail
		chmod 711 /var/lib/opensmtpd /var/lib/opensmtpd/empty /var/spool/smtpd; chown mail: /io/mail
		install -m 644 /io/smtpd.conf /etc/smtpd.conf
		echo opensmtpd.example >/etc/mailname
		smtpd -h 2>/io/version || true' 'exec smtpd -d -T smtp'
}
