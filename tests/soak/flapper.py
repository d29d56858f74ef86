"""A mail provider that flaps: ports with a mood.  The mood gives each fault its chance; {} is calm.

tests/provider is a script of what happens when; this one is for not knowing.  Faults: reset (of a new connection), busy
(421), late_tls (the handshake is reset), login (454), mail, rcpt, data (4xx), refuse (5xx to all of it), lost_before and
lost_after (the link, around the end of data), slow (replies).  Whatever the mood, an address that begins with "bad" or
"gone" is refused for good, and one that begins with "never" for now.

It knows by itself which of its answers may not have been heard: a Delivery says when it was answered, its session when the link broke.
"""
import random, socket, ssl, struct, threading, time

USER_PLAIN = b"AGFwaWtleQBwcm92aWRlci1zZWNyZXQ="  # \0apikey\0provider-secret
TCP_CLOSE = 7  # linux/tcp.h
LATE_S = 8  # of the 10 s that the daemon waits: then it may have given the connection up


class Lost(Exception):
    """The link ends, by a fault of ours or theirs."""


class Delivery:
    """What was taken; replied is when we had answered, or had tried."""
    __slots__ = ("session", "at", "replied")

    def __init__(self, session):
        self.session, self.at, self.replied = session, time.monotonic(), None

    def __repr__(self):
        s = self.session
        times = [t and round(t, 3) for t in (s.since, self.at, self.replied, s.cut)]
        return "(connected {}, came {}, replied {}, link broke {}, late {})".format(*times, s.late)


class Flapper:
    def __init__(self, cert, key, seed, stored):
        self.dice, self.stored, self.mood, self.threads = random.Random(seed), stored, {}, 0
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(cert, key)
        self.tls.options |= ssl.OP_IGNORE_UNEXPECTED_EOF  # else OpenSSL answers with an alert, and look() sees what became of that
        self.modes, self.listening, self.open = {}, {}, {}  # open: the port of each session
        self.lock = threading.Lock()
        self.seen = {}  # how often each fault was

    def add(self, port, mode, caps):
        self.modes[port] = (mode, caps)

    def up(self, port):
        if port in self.listening:
            return
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", port))
        s.listen(128)
        self.listening[port] = s
        threading.Thread(target=self.accept, args=(s, port), daemon=True).start()

    def down(self, port):
        s = self.listening.pop(port, None)
        if s is None:
            return
        s.shutdown(socket.SHUT_RDWR)
        s.close()
        with self.lock:
            for session, p in self.open.items():
                if p == port:
                    session.reset()

    def accept(self, listener, port):
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            s.settimeout(120)
            threading.Thread(target=self.serve, args=(s, port), daemon=True).start()

    def chance(self, fault):
        p = self.mood.get(fault, 0)
        if p == 0 or self.dice.random() >= p:
            return False
        self.seen[fault] = self.seen.get(fault, 0) + 1
        return True

    def serve(self, s, port):
        session = Session(self, s, *self.modes[port])
        with self.lock:
            self.open[session] = port
        try:
            session.run()
        except (Lost, ValueError):
            session.look()
        except OSError:
            session.broke()
        finally:
            with self.lock:
                self.open.pop(session, None)
            session.close()


class Session:
    def __init__(self, flapper, s, mode, caps):
        self.f, self.raw, self.mode, self.caps = flapper, s, mode, caps
        self.s = self.reader = None
        self.sender, self.since = None, time.monotonic()
        self.cut, self.said, self.late = None, None, False  # when the link broke, when we last answered, whether too late once
        self.rcpts, self.chunks = [], []

    def broke(self):
        if self.cut is None:
            self.cut = time.monotonic()

    def look(self):
        """The end of what they say: did they close before they had read our last answer?  Then their kernel has sent a RST by now, and ours
        has done with the connection; after a mere FIN it has not."""
        try:
            if self.raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_CLOSE:
                self.broke()
        except OSError:
            self.broke()

    def reset(self):
        """Not SSLSocket.shutdown: it makes of the rest of the ciphertext plain octets, for whoever reads just now."""
        self.broke()
        try:
            self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            socket.socket.shutdown(self.raw, socket.SHUT_RDWR)
        except OSError:
            pass

    def close(self):
        for it in (self.reader, self.s, self.raw):
            try:
                if it is not None:
                    it.close()
            except OSError:
                pass

    def say(self, text):
        if self.f.chance("slow"):
            time.sleep(self.f.dice.uniform(0.05, 1.5))
        self.s.sendall(text.encode() + b"\r\n")
        now = time.monotonic()
        self.late |= self.said is not None and now - self.said > LATE_S
        self.said = now

    def lose(self):
        self.reset()
        raise Lost

    def use(self, s):
        self.s, self.reader = s, s.makefile("rb", 65536)

    def secure(self):
        if self.f.chance("late_tls"):
            self.lose()
        with self.f.lock:  # the plain one is closed to us now: what ends the port must find this one
            self.raw = self.f.tls.wrap_socket(self.raw, server_side=True, do_handshake_on_connect=False)
        self.raw.do_handshake()
        self.use(self.raw)

    def run(self):
        if self.f.chance("reset"):
            self.reset()
            return
        if self.mode == "implicit":
            self.secure()
        else:
            self.use(self.raw)
        if self.f.chance("busy"):
            self.say("421 4.3.2 busy")
            return
        self.say("220 flapper.test ESMTP")
        while (line := self.reader.readline(16384)).endswith(b"\r\n"):
            if not self.obey(line[:-2]):
                return
        self.look()

    def obey(self, line):
        verb, _, arg = line.partition(b" ")
        act = getattr(self, "do_" + verb.decode("ascii", "replace").lower(), None)
        if act is None:
            self.say("500 5.5.2 unknown command")
            return True
        return act(arg) is not False

    def do_ehlo(self, arg):
        tls = isinstance(self.s, ssl.SSLSocket)
        self.drop()
        self.say("\r\n".join(["250-flapper.test"] + ["250-" + c for c in self.caps] +
                             ["250-AUTH PLAIN" if tls else "250-STARTTLS", "250 ENHANCEDSTATUSCODES"]))

    def do_starttls(self, arg):
        self.say("220 2.0.0 go on")
        self.secure()

    def do_auth(self, arg):
        if self.f.chance("login"):
            self.say("454 4.7.0 later")
        else:
            self.say("235 2.7.0 ok" if arg == b"PLAIN " + USER_PLAIN else "535 5.7.8 no")

    def drop(self):
        self.sender, self.rcpts, self.chunks = None, [], []

    def do_rset(self, arg):
        self.drop()
        self.say("250 2.0.0 ok")

    def do_noop(self, arg):
        self.say("250 2.0.0 ok")

    def do_quit(self, arg):
        self.look()  # this answer they need not wait for
        self.say("221 2.0.0 bye")
        return False

    def do_mail(self, arg):
        self.drop()
        if self.f.chance("mail"):
            self.say("451 4.3.0 not now")
            return
        self.sender = arg[6:arg.index(b">")].decode()
        self.say("250 2.1.0 ok")

    def do_rcpt(self, arg):
        to = arg[4:arg.index(b">")].decode()
        if self.sender is None:
            self.say("503 5.5.1 MAIL first")
        elif to.startswith(("bad", "gone")):
            self.say("550 5.1.1 no such user")
        elif to.startswith("never") or self.f.chance("rcpt"):
            self.say("450 4.2.1 later")
        else:
            self.rcpts.append(to)
            self.say("250 2.1.5 ok")

    def do_data(self, arg):
        if not self.rcpts:
            self.say("554 5.5.1 no valid recipients")
            return
        if self.f.chance("lost_before"):
            self.lose()
        self.say("354 go on")
        lines = []
        while (line := self.reader.readline()) != b".\r\n":
            if not line.endswith(b"\n"):
                raise Lost
            lines.append(line[1:] if line.startswith(b".") else line)
        self.end(b"".join(lines))

    def do_bdat(self, arg):
        words = arg.split()
        n = int(words[0])
        content = self.reader.read(n)
        if len(content) < n:
            raise Lost
        if not self.rcpts:
            self.say("503 5.5.1 no valid recipients")
            return
        self.chunks.append(content)
        if len(words) > 1:
            self.end(b"".join(self.chunks))
        else:
            self.say("250 2.0.0 ok")

    def end(self, content):
        """What is not refused is delivered, whether or not they hear of it."""
        sender, rcpts = self.sender, self.rcpts
        self.drop()
        if self.f.chance("data"):
            self.say("452 4.3.1 full")
        elif self.f.chance("refuse"):
            self.say("554 5.7.1 we do not like it")
        else:
            delivery = Delivery(self)
            self.f.stored(sender, rcpts, content, delivery)
            if self.f.chance("lost_after"):
                self.lose()
            try:
                self.say("250 2.0.0 ok")
            finally:
                delivery.replied = time.monotonic()
