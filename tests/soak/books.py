"""The books of a soak: what apps were promised, what the daemon's log says became of it, and what really came.

Every recipient's address is used once, so that it names the message: its text follows from its number.  The log is read as it
grows and gives, for each message, how many recipients are open; that must be what the daemon counts, and what it has after
each restart.  A kill may take back what happened in its last seconds, and only that.  What a killed daemon had written to a
connection is read to its end all the same: such a delivery comes after the kill, over a connection that began before it.
A recipient may get a message twice only if both say so: the log (maybe_delivered), and the provider, which knows by itself whether its
answer may have been lost on the way.
"""
import collections, json, re, threading, time

KILL_WINDOW_S = 5  # a reply is on record a second after it at most; the rest is for a machine with other work on it
HEARD_S = 2  # an answer that came this long before the link broke was heard, on a machine with other work too
DRAIN_S = 3  # a stop cuts what is not answered by then
LINES = [b"." * (i % 3) + b"%d-" % i + b"gatepost " * (i * 7919 % 20) + b"x" * (i % 13) + b"\r\n" for i in range(997)]
OURS = re.compile(b"".join(rb"%s: [^\r\n]+\r\n(?:[ \t][^\r\n]+\r\n)*" % name for name in (b"Received", b"Date", b"Message-ID")))
REPORT = re.compile(rb"Final-Recipient: (?:rfc822|utf-8); (\S+)\r\nAction: (\w+)")


def make_text(m):
    """No header at all where octets is 0: only an empty line.  A null sender needs a From."""
    number, octets = m.number, m.octets
    if octets == 0:
        return b"\r\n"
    out, n, i = [b"" if m.sender else b"From: app@app.example\r\n", b"Subject: soak %d\r\nX-Soak: %d\r\n\r\n" % (number, number)], 0, number
    while n < octets:
        line = LINES[i % len(LINES)]
        out.append(line)
        n += len(line)
        i += 1
    return b"".join(out)


def is_whole(m, content):
    """The text to the octet, and before it each field that the daemon adds once, and nothing else."""
    text = (b"From: <%s>\r\n" % m.sender.encode() if m.sender else b"") + make_text(m)
    return content.endswith(text) and OURS.fullmatch(content, 0, len(content) - len(text)) is not None


class Message:
    __slots__ = ("number", "sender", "rcpts", "octets", "id")

    def __init__(self, number, sender, rcpts, octets):
        self.number, self.sender, self.rcpts, self.octets, self.id = number, sender, rcpts, octets, None


class Books:
    def __init__(self, log):
        self.lock = threading.RLock()
        self.path, self.at, self.rest = log, 0, b""
        self.sent, self.by_id, self.by_rcpt = [], {}, {}
        self.came = collections.defaultdict(list)  # recipient: its deliveries, which the provider fills in
        self.told = collections.defaultdict(set)  # recipient: the reports' actions
        self.compared = self.octets = self.refused = self.unsure = 0
        self.wrong = []  # what does not hold
        # from the log
        self.open, self.null = {}, set()
        self.over = collections.defaultdict(set)  # message: whom it failed for, refused or expired
        self.notices = collections.defaultdict(list)  # message: (bounce, whom it had failed for by then)
        self.orphans = {}  # a notice that was synced, and the kill came before it was said what it is about: to whom
        self.life, self.total = collections.Counter(), collections.Counter()
        self.recent = collections.deque()  # (when, id, recipients, what) that a kill may take back
        self.maybe, self.deleted = collections.Counter(), set()
        self.kills, self.stops = [], []  # when it was dead; when it was told to stop, and when it had
        self.relevant, self.known, self.at_kill, self.off = 0, set(), None, 0

    def fail(self, what):
        with self.lock:
            self.wrong.append(what)
        print("WRONG: " + what, flush=True)

    # --- what apps sent and were told -------------------------------------------------

    def begin(self, sender, names, octets):
        with self.lock:
            n = len(self.sent)
            m = Message(n, sender, [f"{name}.{n}.{i}@far.example" for i, name in enumerate(names)], octets)
            self.sent.append(m)
            for r in m.rcpts:
                self.by_rcpt[r] = m
            return m

    def promise(self, m, id):
        with self.lock:
            if id in self.by_id:
                self.fail(f"{id} is the id of two messages")
            m.id = id
            self.by_id[id] = m

    # --- what came ----------------------------------------------------------------------

    def stored(self, sender, rcpts, content, delivery):
        m = self.by_rcpt.get(rcpts[0])
        if m is None:
            self.report(sender, rcpts, content)
            return
        same = is_whole(m, content)
        with self.lock:
            self.compared += 1
            self.octets += len(content)
            if not same or sender != m.sender or any(r not in m.rcpts for r in rcpts):
                self.fail(f"message {m.number} ({m.id}, {m.octets} octets) did not come as it was sent, from {sender} to {rcpts}: "
                          + self.differ(m, content))
            for r in rcpts:
                self.came[r].append(delivery)

    def differ(self, m, content):
        """Keeps both beside the log; how it begins, and where they part, from the end of our header on."""
        want, at = make_text(m), content.find(b"X-Soak: ")
        for name, text in (("sent", want), ("came", content)):
            with open(f"{self.path}.{m.number}.{name}", "wb") as f:
                f.write(text)
        got, want = content[at:], want[want.find(b"X-Soak: "):]
        same = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
        return f"{len(got)} octets of {len(want)}, the same up to {same}; it begins {content[:500]!r}"

    def report(self, sender, rcpts, content):
        found = REPORT.findall(content)
        with self.lock:
            if sender != "" or not found:
                self.fail(f"not sent by us: from <{sender}> to {rcpts}: {content[:300]!r}")
            for r, action in found:
                self.told[r.decode()].add(action.decode())
                if r.decode() not in self.by_rcpt:
                    self.fail(f"a report on {r!r}, to whom nothing was sent")

    # --- the log ------------------------------------------------------------------------

    def poll(self):
        with self.lock, open(self.path, "rb") as f:
            f.seek(self.at)
            data = self.rest + f.read()
            self.at = f.tell()
            *lines, self.rest = data.split(b"\n")
            for line in lines:
                try:
                    self.read(json.loads(line))
                except ValueError:
                    self.fail(f"not a line of the log: {line[:500]!r}")

    def read(self, e):
        act = getattr(self, "on_" + e.get("event", ""), None)
        if act is not None:
            self.relevant += 1
            act(e)

    def remember(self, id, n, what):
        now = time.monotonic()
        self.recent.append((now, id, n, what))
        while self.recent[0][0] < now - KILL_WINDOW_S:
            self.recent.popleft()

    def count(self, what, n=1):
        self.life[what] += n
        self.total[what] += n

    def end(self, id, n, what):
        left = self.open.get(id, 0)
        if left < n and self.at_kill is not None:
            left += self.reopen(id, n - left)
        if left < n:
            self.fail(f"{id}: {what}, but nothing of it was open")
        self.open[id] = left - n
        if left <= n:
            self.open.pop(id, None)
        self.count(what, n)
        self.remember(id, n, what)

    def reopen(self, id, n):
        """After a kill, before the queue was looked at: something ends that had ended, or that nobody heard of."""
        mine = self.at_kill[id]
        ended = [what for what in mine.elements() if what != "notice"]
        if id not in self.known:
            self.total["unheard"] += n
        elif len(ended) >= n:
            self.total["taken back"] += n
            mine.subtract(ended[:n])
        else:
            return 0
        return n

    def on_accepted(self, e):
        self.known.add(e["msg"])
        self.open[e["msg"]] = e["rcpts"]
        self.count("accepted")
        self.count("recipients", e["rcpts"])
        if e.get("from", "") == "":
            self.null.add(e["msg"])

    def on_notice(self, e):
        self.known.add(e["notice"])
        self.open[e["notice"]] = 1
        self.null.add(e["notice"])
        self.count("notices")
        self.remember(e["notice"], 1, "notice")

    on_warned = on_notice

    def on_bounced(self, e):
        self.on_notice(e)
        self.notices[e["msg"]].append((e["notice"], frozenset(self.over[e["msg"]])))

    def on_relayed(self, e):
        self.end(e["msg"], 1, "relayed")

    def on_refused(self, e):
        if "to" in e and "msg" in e and e["msg"] not in self.null:  # else it is a session's, or will be held
            self.over[e["msg"]].add(e["to"])
            self.end(e["msg"], 1, "bounced")

    on_expired = on_refused

    def on_held(self, e):
        """Synced, and the kill came before it was said that the sender is null: its end was no bounce."""
        if e["msg"] not in self.known and e["reason"].startswith("null sender"):
            self.null.add(e["msg"])
            self.count("bounced", -1)
            self.total["unheard"] -= 1

    def on_deferred(self, e):
        self.count("deferred")
        self.on_again(e)

    def on_again(self, e):
        if "maybe_delivered" in e:
            self.count("duplicates_possible")
            self.maybe[e["to"]] += 1

    def on_deleted(self, e):
        self.deleted.add(e["msg"])
        n = self.open.get(e["msg"], 0)
        if n > 0:
            self.end(e["msg"], n, "deleted")

    def on_damaged(self, e):
        self.fail(f"damaged: {e}")

    on_unreadable = on_spool_failed = on_damaged

    # --- the laws -----------------------------------------------------------------------

    def check_counters(self, status):
        """The daemon counts what it logs."""
        c = status["counters"]
        for name in ("accepted", "relayed", "deferred", "bounced", "duplicates_possible"):
            if c[name] != self.life[name]:
                self.fail(f"counter {name} is {c[name]}, but the log has {self.life[name]} since the start")

    def check_queue(self, status, there):
        """accepted + notices = relayed + bounced + deleted + queued, in recipients, message by message."""
        queued = {id: len(m["to"]) for id, m in there.items() if m["to"]}
        if status["queue"]["recipients"] != sum(queued.values()):
            self.fail(f"status says {status['queue']['recipients']} recipients, the queue lists {sum(queued.values())}")
        for id in queued.keys() | self.open.keys():
            if queued.get(id, 0) != self.open.get(id, 0):
                self.fail(f"{id}: {queued.get(id, 0)} recipients in the queue, {self.open.get(id, 0)} by the log")
        self.check_sum()

    def check_sum(self):
        t = self.total
        there = t["recipients"] + t["notices"] + t["taken back"] + t["unheard"] - t["unmade"]
        off = there - (t["relayed"] + t["bounced"] + t["deleted"] + sum(self.open.values()))
        if off != self.off:
            self.off = off
            self.fail(f"the sum is wrong: {dict(t)}, queued {sum(self.open.values())}")

    def kill(self):
        """It is dead: what happened just before is what the kill may take back."""
        self.poll()
        dead = time.monotonic()
        self.kills.append(dead)
        self.at_kill = collections.defaultdict(collections.Counter)
        for when, id, n, what in self.recent:
            if when > dead - KILL_WINDOW_S:
                self.at_kill[id][what] += n

    def killed(self, there):
        """After a kill: what is in the queue, against what the log had come to."""
        mine, self.at_kill = self.at_kill, None
        for id in self.open.keys() - there.keys():
            if not mine[id]["notice"]:
                self.fail(f"{id}: {self.open[id]} recipients LOST by a kill")
            self.total["unmade"] += self.open.pop(id)
        for id, m in there.items():
            more = len(m["to"]) - self.open.get(id, 0)
            if more == 0:
                continue
            ended = sum(n for what, n in mine[id].items() if what != "notice")
            if more < 0:
                self.fail(f"{id}: {-more} recipients LOST by a kill")
            elif id in self.known:
                if more > ended:
                    self.fail(f"{id}: {more} recipients come back, of which {ended} had ended in the last seconds before the kill")
                self.total["taken back"] += more
            else:
                self.total["unheard"] += more  # synced, and the kill came before it was said
                self.known.add(id)
                if m["from"] == "":
                    self.null.add(id)
                    if m["to"][0] not in self.by_rcpt:
                        self.orphans[id] = m["to"][0]
            self.open[id] = len(m["to"])
        self.recent.clear()

    def check_end(self, there):
        """Every promise, against what really came; `there' is what is still queued."""
        queued = {r for m in there.values() for r in m["to"]}
        for m in self.sent:
            for r in m.rcpts:
                self.check_recipient(m, r, queued, there)

    def check_recipient(self, m, r, queued, there):
        came, failed = len(self.came[r]), "failed" in self.told[r]
        owed = any(r in over and (notice in there or notice in self.deleted) for notice, over in self.notices.get(m.id, ()))
        owed = owed or any(to == m.sender and (notice in there or notice in self.deleted) for notice, to in self.orphans.items())
        if m.id is not None and not (came or failed or r in queued or m.id in self.deleted or owed):
            self.fail(f"LOST: {m.id} to {r}, {m.octets} octets")
        ends = came + failed + (r in queued)
        at_kill = sum(self.is_at_kill(d) for d in self.came[r])
        unheard = sum(self.is_unheard(d) for d in self.came[r])
        if ends > 1 + min(self.maybe[r] + at_kill, unheard):
            self.fail(f"{m.id} to {r} came {came} times, failed {failed}, queued {r in queued}; possible twice by the log: {self.maybe[r]}, "
                      f"around a kill: {at_kill}; by the provider: {unheard}; {self.came[r]}, kills: {self.kills}, stops: {self.stops}")
        self.total["twice"] += max(0, came - 1)

    def is_at_kill(self, d):
        return any(d.session.since <= k <= d.at + KILL_WINDOW_S for k in self.kills)

    def is_unheard(self, d):
        """Whether the daemon may not have heard that it was delivered, by what the provider knows."""
        s, replied = d.session, d.replied or time.monotonic()
        return (s.late or (s.cut is not None and s.cut < replied + HEARD_S) or self.is_at_kill(d) or
                any(s.since <= end and replied > begin + DRAIN_S - HEARD_S for begin, end in self.stops))
