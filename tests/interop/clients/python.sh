# Python: smtplib of the standard library, and aiosmtplib
# shellcheck shell=bash disable=SC2154
python_have() { return 0; }
python_version() {
	$python --version | sed 's/^Python /smtplib /'
	if installed python3-aiosmtplib; then $python -c 'import aiosmtplib; print("aiosmtplib", aiosmtplib.__version__)'; fi
}
by_smtplib() { limit $python "$here/clients/smtplib_send.py" "$l587" "$ca" "$msg" "$from" "${to[*]}" "$*" ""; }	# [MAIL-PARAMETER...]
by_smtplib_dsn() {
	limit $python "$here/clients/smtplib_send.py" "$l587" "$ca" "$msg" "$from" "${to[*]}" "RET=HDRS ENVID=$id" "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;${to[0]}"
}
by_aiosmtplib() {
	limit $python - "$l465" "$ca" "$msg" "$from" "${to[@]}" <<'C'
import asyncio, ssl, sys
import aiosmtplib
port, ca, msg, sender, *to = sys.argv[1:]
async def main():
    smtp = aiosmtplib.SMTP(hostname="localhost", port=int(port), use_tls=True, tls_context=ssl.create_default_context(cafile=ca),
        local_hostname="client.example")
    async with smtp:
        await smtp.login("app", "app-secret")
        await smtp.sendmail(sender, to, open(msg, "rb").read(), mail_options=["BODY=8BITMIME"])
asyncio.run(main())
C
}
python_rows() {
	send smtplib "587 STARTTLS PLAIN" "$1" hard whole by_smtplib BODY=8BITMIME
	install python3-aiosmtplib
	if installed python3-aiosmtplib; then send aiosmtplib "465 TLS" "$1" hard whole by_aiosmtplib; else skipped+=("aiosmtplib: $why"); fi
}
