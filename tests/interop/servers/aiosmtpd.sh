# aiosmtpd as a provider: no PIPELINING, no CHUNKING, no DSN.
# shellcheck shell=bash disable=SC2034
aiosmtpd_can="utf8"
aiosmtpd_have() { install python3-aiosmtpd; installed python3-aiosmtpd; }
aiosmtpd_version() { dpkg-query -W -f '${Version}' python3-aiosmtpd | sed 's/-.*//'; }
aiosmtpd_start() { run aiosmtpd $python "$here/servers/serve_aiosmtpd.py" "$dir/aiosmtpd" "$@"; }	# PLAIN STARTTLS IMPLICIT
