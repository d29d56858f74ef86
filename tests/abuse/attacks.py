"""What strangers, runaway apps and local users may do to a submission server.  Each attack goes on until its standard input ends.
attacks.py NAME HOW-MANY, and the places to attack as JSON in ABUSE."""
import collections
import itertools
import json
import os
import resource
import selectors
import socket
import ssl
import sys
import time
from base64 import b64encode

AT = json.loads(os.environ.get("ABUSE", "{}"))
TICK_S = float(os.environ.get("ABUSE_TICK", "10"))      # between two octets of a slow one
"localhost".encode("idna")             # loaded while it may be read: an attack may become nobody
EXHAUSTED = (BlockingIOError, ConnectionError, TimeoutError, ssl.SSLError, OSError)
PLAIN_WRONG = b"AUTH PLAIN " + b64encode(b"\0app\0wrong") + b"\r\n"

over = selectors.DefaultSelector()
over.register(sys.stdin, selectors.EVENT_READ)


def is_over(wait_s=0.0):
    return bool(over.select(wait_s))


def connect(where, timeout=5.0):
    if isinstance(where, str):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(timeout)
        s.connect(where)
    else:
        s = socket.create_connection(("127.0.0.1", where), timeout=timeout)
    return s


def context():
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    return c


TLS = context()


def secure(timeout=5.0):
    return TLS.wrap_socket(connect(AT["implicit"], timeout))


def talk(s, *lines):
    """Says each when something has been answered to the one before; what that is does not matter."""
    said = b""
    for line in lines:
        said = s.recv(4096)
        s.sendall(line)
    return said


def is_dead(s):
    s.setblocking(False)
    try:
        while True:
            if not s.recv(4096):
                return True
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True


def hold(n, make, each_tick=None, tick_s=None):
    """Keeps n of them, makes anew those that were ended, and does something to each now and then."""
    held, ticked = [], time.monotonic()
    while not is_over(0.0 if len(held) < n else 0.2):
        while len(held) < n:
            try:
                held.append(make())
            except EXHAUSTED:
                if is_over(0.02):
                    return
                break
            if len(held) % 50 == 0 and is_over():
                return
        if each_tick and time.monotonic() - ticked >= (tick_s or TICK_S):
            ticked = time.monotonic()
            for s in held:
                try:
                    each_tick(s)
                except EXHAUSTED:
                    pass
        alive = [s for s in held if not is_dead(s)]
        for s in held:
            if s not in set(alive):
                s.close()
        held = alive


def octet(s):
    s.setblocking(False)
    s.send(b"x")


def greeted(where):
    s = connect(where)
    talk(s, b"EHLO idle\r\n")
    return s


def logged_in(*lines):
    s = secure()
    talk(s, b"EHLO x\r\n", b"AUTH PLAIN " + b64encode(b"\0rogue\0rogue-secret") + b"\r\n", *lines)
    s.recv(4096)
    return s


def idle_plain(n):
    hold(n, lambda: greeted(AT["starttls"]))


def idle_tls(n):
    def make():
        s = secure()
        talk(s, b"EHLO idle\r\n")
        return s
    hold(n, make)


def idle_mute(n):
    hold(n, lambda: connect(AT["starttls"]))


def slow_commands(n):
    hold(n, lambda: connect(AT["starttls"]), octet)


def slow_handshakes(n):
    def make():
        s = connect(AT["implicit"])
        s.sendall(b"\x16\x03\x01\x02\x00\x01")
        return s
    hold(n, make, octet)


def slow_data(n):
    hold(n, lambda: logged_in(b"MAIL FROM:<a@b.example>\r\n", b"RCPT TO:<c@d.example>\r\n", b"DATA\r\n"), octet)


def leaked_logins(n):
    hold(n, logged_in)


def dials(n):
    """Connections that come without end, say EHLO and stay: the newest n."""
    kept = collections.deque()
    while not is_over(0.005):
        try:
            kept.append(connect(AT["starttls"], 0.2))
            kept[-1].sendall(b"EHLO stay\r\n")
        except EXHAUSTED:
            pass
        while len(kept) > n:
            kept.popleft().close()


def nagging(n):
    """Sessions that never log in and never are idle."""
    def make():
        return greeted(AT["starttls"])
    hold(n, make, lambda s: s.send(b"NOOP\r\n"), 1)


def hold_mails(n, *makers):
    """Transactions that are open and never idle, of every maker as many."""
    nth = itertools.count()

    def make():
        return makers[next(nth) % len(makers)]()
    hold(n, make, lambda s: s.send(b"NOOP\r\n"), 1)


def mail(where):
    s = greeted(where)
    talk(s, b"MAIL FROM:<a@b.example>\r\n")
    return s


def open_mails(n):
    become_nobody()
    hold_mails(n, lambda: logged_in(b"MAIL FROM:<a@b.example>\r\n"), lambda: mail(AT["submit"]))


def queued_lists(n):
    rcpt = b"".join(b"RCPT TO:<recipient-%d@away.example>\r\n" % i for i in range(1000))
    s = greeted(AT["trusted"])
    said = s.makefile("rb")
    while not said.readline().startswith(b"250 "):
        pass
    queued = 0
    while queued < n and not is_over():
        s.sendall(b"MAIL FROM:<a@b.example>\r\n" + rcpt + b"DATA\r\n")
        for _ in range(1002):
            said.readline()
        s.sendall(b"x\r\n.\r\n")
        queued += said.readline().startswith(b"250")
    print(queued, flush=True)
    is_over(None)


def trusted_mails(n):
    hold_mails(n, lambda: mail(AT["trusted"]))


def mails_and_strangers(n):
    hold_mails(n, lambda: mail(AT["trusted"]), lambda: greeted(AT["starttls"]))


def many_addresses(n):
    """Everybody has one session, and uses it all the time."""
    nth = itertools.count()

    def make():
        i = next(nth) % n
        s = socket.create_connection(("127.0.0.1", AT["trusted"]), timeout=5, source_address=(f"127.1.{i // 250}.{i % 250 + 1}", 0))
        s.setblocking(False)
        talk(s, b"EHLO idle\r\n")
        return s
    hold(n, make, lambda s: s.send(b"NOOP\r\n"), 0.5)


def full_and_guesses(n):
    """A local user has all that he may, and guessers have the rest: a new name each, which has to be looked at."""
    become_nobody()
    nth, since = itertools.count(), {}

    def make():
        i = next(nth)
        if i % 5:
            return greeted(AT["submit"])
        s = secure()
        talk(s, b"EHLO x\r\n", b"AUTH PLAIN " + b64encode(b"\0guess%d\0wrong" % i) + b"\r\n")
        since[s] = time.monotonic()
        return s

    def again(s):
        if s not in since:
            s.send(b"NOOP\r\n")
        elif time.monotonic() - since[s] > 2:
            del since[s]
            s.shutdown(socket.SHUT_RDWR)
    hold(n, make, again, 1)


def refilled(held, n):
    """Those on the submit socket that live, and new ones, until they are n or no more come."""
    held = [s for s in held if not is_dead(s)]
    while len(held) < n and not is_over():
        try:
            held.append(greeted(AT["submit"]))
        except EXHAUSTED:
            break
    return held


def nag(some, what=b"NOOP\r\n"):
    for s in some:
        try:
            s.send(what)
        except EXHAUSTED:
            pass


def full_and_connects(n):
    """The same, and connections that say nothing and are over at once."""
    become_nobody()
    held = []
    while not is_over(0.01):
        held = refilled(held, n)
        nag(held[:100])
        held = held[100:] + held[:100]
        for _ in range(300):
            try:
                connect(AT["starttls"], 0.2).close()
            except EXHAUSTED:
                break


def full_and(n, said):
    """The same, and connections that stay, having said that: as many as one process can make."""
    become_nobody()
    if os.fork() == 0:
        keep_connecting(said)
        os._exit(0)
    held = []
    while not is_over(0.1):
        held = refilled(held, n)
        nag(held[:100])
        held = held[100:] + held[:100]
    os.wait()


def keep_connecting(said):
    kept = collections.deque()
    while not is_over():
        for _ in range(40):
            try:
                kept.append(connect(AT["starttls"], 0.2))
                kept[-1].sendall(said)
            except EXHAUSTED:
                break
        while len(kept) > 5000:
            kept.popleft().close()


def full_and_silent(n):
    full_and(n, b"")


def full_and_greeted(n):
    full_and(n, b"EHLO stay\r\n")


def farewells(n):
    """Said QUIT, and does not go."""
    kept = []
    while not is_over(0.0 if len(kept) < n else 0.05):
        try:
            s = connect(AT["starttls"])
            talk(s, b"QUIT\r\n")
            kept.append(s)
        except EXHAUSTED:
            pass
        if len(kept) > n:
            kept.pop(0).close()


def connects(n):
    made = 0
    while made < n and not is_over():
        try:
            connect(AT["starttls"]).close()
        except EXHAUSTED:
            pass
        made += 1
    print(made, flush=True)
    is_over(None)


def handshakes(n):
    """Each a full one: nothing is resumed."""
    made = 0
    while made < n and not is_over():
        try:
            secure().close()
            made += 1
        except EXHAUSTED:
            pass
    print(made, flush=True)
    is_over(None)


def brute_force(n):
    """Every password on a connection of its own, whose answer is not waited for."""
    waiting = []
    while not is_over(0.002):
        try:
            s = secure()
            talk(s, b"EHLO x\r\n", b"AUTH PLAIN " + b64encode(b"\0user%d\0x" % (len(waiting) % 7)) + b"\r\n")
            waiting.append(s)
        except EXHAUSTED:
            pass
        if len(waiting) > n:
            waiting.pop(0).close()


def brute_force_name(n):
    """The same for the well-behaved app's own name."""
    waiting = []
    while not is_over(0.002):
        try:
            s = secure()
            talk(s, b"EHLO x\r\n", PLAIN_WRONG)
            waiting.append(s)
        except EXHAUSTED:
            pass
        if len(waiting) > n:
            waiting.pop(0).close()


def guesses(n):
    """Sessions that are ended as soon as they have guessed: a new name each, and every second time one that is a user's."""
    nth = itertools.count()
    waiting = []
    while not is_over(0.001):
        try:
            s, i = secure(), next(nth)
            talk(s, b"EHLO x\r\n", b"AUTH PLAIN " + b64encode(b"\0%s\0wrong" % (b"guess%d" % i if i % 2 else b"rogue")) + b"\r\n")
            waiting.append(s)
        except EXHAUSTED:
            pass
        if len(waiting) > n:
            waiting.pop(0).close()


def half_logins(n):
    def make():
        s = secure()
        talk(s, b"EHLO x\r\n", b"AUTH LOGIN\r\n")
        return s
    hold(n, make)


def pour(n, where, chunk, read):
    """n connections that take all that the other side takes."""
    poll = selectors.DefaultSelector()

    def add():
        try:
            s = connect(where)
        except EXHAUSTED:
            return
        s.setblocking(False)
        poll.register(s, selectors.EVENT_WRITE | (selectors.EVENT_READ if read else 0))

    while not is_over():
        while len(poll.get_map()) < n:
            before = len(poll.get_map())
            add()
            if len(poll.get_map()) == before:
                break
        for key, what in poll.select(0.1):
            s = key.fileobj
            try:
                if what & selectors.EVENT_READ and not s.recv(65536):
                    raise ConnectionError
                if what & selectors.EVENT_WRITE:
                    s.send(chunk)
            except BlockingIOError:
                pass
            except OSError:
                poll.unregister(s)
                s.close()


def huge_lines(n):
    pour(n, AT["starttls"], b"x" * 65536, True)


def mute_pipelines(n):
    """Commands without end, and no reply is ever read."""
    pour(n, AT["starttls"], b"NOOP\r\n" * 10000, False)


def floods(n):
    pour(n, AT["starttls"], b"EHLO x\r\nRSET\r\nNOOP\r\nHELP\r\n" * 100, True)


def control_connects(n):
    while not is_over():
        for _ in range(n):
            try:
                s = connect(AT["control"], 1.0)
                s.send(b'{"command":"status"')
                s.close()
            except EXHAUSTED:
                pass


def control_holds(n):
    hold(n, lambda: connect(AT["control"], 0.2), octet, 1)


def control_garbage(n):
    pour(n, AT["control"], os.urandom(4096), True)


def become_nobody():
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


def submit_holds(n):
    become_nobody()
    hold(n, lambda: greeted(AT["submit"]))


def submit_nagging(n):
    become_nobody()
    hold(n, lambda: greeted(AT["submit"]), lambda s: s.send(b"NOOP\r\n"), 1)


def keep_busy(n, what):
    """As many that are used at any moment."""
    become_nobody()
    held, began = [], time.monotonic()
    while not is_over(max(0.0, began + 0.01 - time.monotonic())):
        began = time.monotonic()
        held = refilled(held, n)
        nag(held, what)


def submit_busy(n):
    keep_busy(n, b"NOOP\r\n")


def submit_pipelines(n):
    keep_busy(n, b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nx\r\n.\r\n" * 4)


def submit_few(n):
    become_nobody()
    hold(n, lambda: greeted(AT["submit"]), lambda s: s.send(b"NOOP\r\n"), 0.5)


def submit_envelopes(n):
    become_nobody()
    rcpt = b"".join(b"RCPT TO:<%d@d.example> ORCPT=rfc822;%s\r\n" % (i, b"x" * 480) for i in range(1000))

    def make():
        s = greeted(AT["submit"])
        s.settimeout(1)
        s.sendall(b"MAIL FROM:<a@b.example>\r\n" + rcpt)
        return s

    hold(n, make)


def submit_unfinished(n):
    """Content that has no end, of each 4.5 MB as far as it is taken."""
    become_nobody()
    content = (b"x" * 70 + b"\r\n") * 62500

    def make():
        s = greeted(AT["submit"])
        talk(s, b"MAIL FROM:<a@b.example>\r\n", b"RCPT TO:<c@d.example>\r\n", b"DATA\r\n")
        s.sendall(content)
        return s

    hold(n, make, octet)


def submit_floods(n):
    become_nobody()
    pour(n, AT["submit"], b"EHLO x\r\nRSET\r\nNOOP\r\nHELP\r\n" * 100, True)


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    globals()[sys.argv[1]](int(sys.argv[2]))
