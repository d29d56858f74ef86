# aiosmtpd as a provider: serve_aiosmtpd.py DIR PLAIN STARTTLS IMPLICIT.  Messages go to DIR/mail, their envelope in lines above them.
import itertools, os, signal, ssl, sys
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

top, *ports = sys.argv[1:]
os.makedirs(top + "/mail", exist_ok=True)
number = itertools.count()


class Store:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.endswith("@refused.example"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        name = f"{top}/mail/{next(number)}"
        inner = server.transport.get_extra_info("ssl_object")
        with open(name + ".part", "wb") as f:
            for r in envelope.rcpt_tos:
                f.write(f"X-Original-To: {r}\r\n".encode())
            f.write(f"X-Session: {inner.version() if inner else 'plain'}\r\n".encode())
            f.write(envelope.content)
        os.rename(name + ".part", name + ".eml")
        return "250 2.0.0 stored"


def login(server, session, envelope, mechanism, data):
    ok = data.login == b"account" and data.password == b"provider-secret"
    return AuthResult(success=ok, handled=ok)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(top + "/cert.pem", top + "/key.pem")
common = dict(hostname="127.0.0.1", enable_SMTPUTF8=True, data_size_limit=100 << 20, server_hostname="aiosmtpd.example")
closed = dict(authenticator=login, auth_required=True)
for c in (Controller(Store(), port=int(ports[0]), **common),
          Controller(Store(), port=int(ports[1]), tls_context=context, require_starttls=True, **closed, **common),
          # Without STARTTLS it does not see that a connection is inside TLS.
          Controller(Store(), port=int(ports[2]), ssl_context=context, auth_require_tls=False, **closed, **common)):
    c.start()
signal.sigwait([signal.SIGTERM, signal.SIGINT])
