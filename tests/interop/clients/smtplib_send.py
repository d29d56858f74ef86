# smtplib_send.py PORT CA FILE FROM "TO..." "MAIL-PARAMETER..." "RCPT-PARAMETER...": Python's smtplib
import smtplib, ssl, sys

port, ca, msg, sender, to, mail, rcpt = sys.argv[1:]
with smtplib.SMTP("localhost", int(port), local_hostname="client.example") as s:
    s.starttls(context=ssl.create_default_context(cafile=ca))
    s.login("app", "app-secret")
    if "SMTPUTF8" in mail and not s.has_extn("smtputf8"):
        sys.exit("SMTPUTF8 is not offered")
    if "SMTPUTF8" in mail:
        s.command_encoding = "utf-8"
    s.sendmail(sender, to.split(" "), open(msg, "rb").read(), mail.split(), rcpt.split())
