"""The well-behaved app: logs in over TLS and submits a message every 200 ms, each on a connection of its own.  Says for each how
many seconds it took, or what went wrong, until its standard input ends.  app.py PORT USER PASSWORD THINK LATER; without a user it does not log in;
THINK seconds lie between login and mail, and do not count; it begins after LATER seconds.  A %d in the user's name is another number each time: nobody has logged in by it."""
import re
import select
import socket
import ssl
import sys
import time
from base64 import b64encode

EVERY_S, PATIENCE_S = 0.2, 20


def submit(port, login, tls, n, think_s):
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as plain:
        f = plain.makefile("rwb")

        def say(text, *wanted):
            if text:
                f.write(text)
                f.flush()
            line = f.readline()
            while line[3:4] == b"-":
                line = f.readline()
            if not line.startswith(wanted):
                raise OSError(f"{text[:10]!r}: {line[:60].decode('latin1').strip() or 'the connection ended'}")

        say(b"", b"220")
        say(b"EHLO app.example\r\n", b"250")
        say(b"STARTTLS\r\n", b"220")
        with tls.wrap_socket(plain, server_hostname="localhost") as secure:
            f = secure.makefile("rwb")
            say(b"EHLO app.example\r\n", b"250")
            if login:
                say(b"AUTH PLAIN " + login + b"\r\n", b"235")
            time.sleep(think_s)
            say(b"MAIL FROM:<app@a.example>\r\n", b"250")
            say(b"RCPT TO:<c@d.example>\r\n", b"250")
            say(b"DATA\r\n", b"354")
            say(b"From: app@a.example\r\nSubject: %d\r\n\r\n%s\r\n.\r\n" % (n, b"x" * 70), b"250")
            f.write(b"QUIT\r\n")
            f.flush()


def main():
    port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    think_s = float(sys.argv[4])
    time.sleep(float(sys.argv[5]))

    def login():
        return b64encode(f"\0{user.replace('%d', str(n))}\0{password}".encode()) if user else b""

    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    n = 0
    while True:
        began = time.monotonic()
        try:
            submit(port, login(), tls, n, think_s)
            print(f"{time.monotonic() - began - think_s:.3f} ok", flush=True)
        except OSError as e:
            print(f"{time.monotonic() - began:.3f} failed {re.sub(r'[^ -~]', '?', str(e))}", flush=True)
        n += 1
        if select.select([sys.stdin], [], [], max(0, began + EVERY_S - time.monotonic()))[0]:
            return


main()
