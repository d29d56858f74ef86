# Exim as a provider: CHUNKING, PIPELINING, DSN, SMTPUTF8.
# shellcheck shell=bash disable=SC2034
exim_can="utf8 longer"
exim_have() { jail_have exim exim4-daemon-light exim4-base libdb5.3 libidn12 libnsl2 libgnutls-dane0 libunbound8 libpcre2-8-0; }
exim_version() { sed -n 's/^Exim version \([0-9.]*\).*/\1/p' "$dir/exim/version" | head -1; }
exim_start() { # exim_start PLAIN STARTTLS IMPLICIT
	mkdir -p "$dir/exim"
	cat >"$dir/exim/exim.conf" <<C
primary_hostname = exim.example
local_interfaces = 127.0.0.1.$1 : 127.0.0.1.$2 : 127.0.0.1.$3
tls_on_connect_ports = $3
tls_advertise_hosts = *
tls_certificate = /etc/exim-cert.pem
tls_privatekey = /etc/exim-key.pem
auth_advertise_hosts = \${if def:tls_in_cipher {*}{}}
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
chunking_advertise_hosts = *
message_size_limit = 100M
smtp_accept_max = 50
smtp_accept_queue_per_connection = 0
log_file_path = /io/exim-%slog
acl_smtp_rcpt = rcpt
allow_utf8_domains = true
keep_environment =
begin acl
rcpt:
  deny domains = refused.example
       message = 5.1.1 no such user
  accept condition = \${if eq{\$received_port}{$1}}
  accept authenticated = *
  deny
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  directory = /io/mail
  maildir_format
  envelope_to_add
  user = mail
  group = mail
begin retry
* * F,1h,1m
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if and{{eq{\$auth2}{account}}{eq{\$auth3}{provider-secret}}}}
  server_set_id = \$auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = \${if and{{eq{\$auth1}{account}}{eq{\$auth2}{provider-secret}}}}
  server_set_id = \$auth1
C
	jail_run exim '
		groupadd -r -f Debian-exim; useradd -r -g Debian-exim -d /var/spool/exim4 -s /bin/false Debian-exim
		mkdir -p /var/spool/exim4 /io/mail
		chown Debian-exim: /var/spool/exim4 /io; chown mail: /io/mail
		install -m 644 /io/cert.pem /etc/exim-cert.pem
		install -m 640 -g Debian-exim /io/key.pem /etc/exim-key.pem
		mkdir -p /etc/exim4; install -m 644 /io/exim.conf /etc/exim4/exim4.conf
		exim4 -bV >/io/version' 'exec exim4 -bdf -q1m'
}
