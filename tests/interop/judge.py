# Makes the messages of the interop table, and says what became of each.
#
#   judge.py make KIND ID FROM FILE TO     a message for one row; also ../text and ../file.bin, which clients that compose use
#   judge.py judge DIR SECONDS             reads DIR/rows/all, waits for the mail, prints the table; exit 1 if a row is not as it should be
#
# What a row's CHECK asks for:
#   whole      every octet that the client was given, at every recipient
#   composed   the client made the message: its text and its attachment, decoded, whole
#   text       the same without an attachment
#   told       the provider cannot take it: refused at submission, or whole refused and the sender told by a bounce
#   refused    one recipient refused: whole at the others, and a bounce to the sender that names the one
#   success    whole, and a report of that to the sender
# Each of them once: a copy for each recipient, none for who was refused, one report where one is asked for, and none of anything else.  So
# gatepost's queue must be empty, too, and nothing may have come for a while.
import email, email.policy, glob, json, os, re, socket, sys, time
from collections import Counter

QUIET_S = 2  # what a server takes, to put in a mailbox what it has accepted

RELAY = b"by relay.example"
HARD = (b".dot first\r\n..two\r\n.\r\nFrom the margin\r\n8-bit: \xc3\xa9 \xc3\xbc \xe6\xbc\xa2\r\n" + b"x" * 900 +
        b"\r\ntrailing blanks  \r\n\ttab\r\n\r\n.\r\n..\r\nlast\r\n")
BODIES = {
    "hard": HARD,
    "plain": b"plain\r\nlines\r\n",
    "dots": b".\r\n..\r\n...\r\n.x\r\n\r\n.\r\nQUIT\r\n.\r\n",
    "long": b"".join(bytes([97 + i]) * 998 + b"\r\n" for i in range(20)),
    "longer": b"z" * 8000 + b"\r\nend\r\n",
    "8bit": "é ü 漢字 \u2028\r\n".encode() * 50 + bytes(range(128, 256)) + b"\r\n",
    "large": b"".join(b".%d %s\r\n" % (i, b"y" * (i % 90)) for i in range(104000)),
    "empty": b"",
}


def make(kind, id, sender, file, to):
    body = BODIES.get(kind, BODIES["plain"])
    subject = f"interop {id}" + (" ü漢" if kind == "utf8" else "")
    head = (f"Subject: {subject}\r\nFrom: {sender}\r\nTo: {to}\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{id}@client.example>\r\n"
            "X-Folded: one\r\n\ttwo  \r\n three\r\n")
    if kind == "8bit" or kind == "hard":
        head += "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    with open(file, "wb") as f:
        f.write(head.encode() + b"\r\n" + body)
    top = os.path.dirname(os.path.dirname(file))
    if not os.path.exists(top + "/text"):
        with open(top + "/text", "wb") as f:
            f.write(HARD.replace(b"\r\n", b"\n"))
        with open(top + "/file.bin", "wb") as f:
            f.write(bytes(i * i % 251 for i in range(100000)))


class Copy:
    """A message as a provider stored it: who it is for, what the provider said of the session, all of it."""

    def __init__(self, file):
        with open(file, "rb") as f:
            self.raw = f.read()
        self.crlf = self.raw.count(b"\r\n") > 3
        head = re.split(rb"\r?\n\r?\n", self.raw, maxsplit=1)[0].replace(b"\r\n", b"\n")
        unfolded = re.sub(rb"\n[ \t]", b" ", head)
        self.to = Counter()  # some servers name them in two fields
        for field in (rb"X-Original-To", rb"Delivered-To", rb"Envelope-To"):
            found = re.findall(rb"(?mi)^" + field + rb": *<?([^>\n]*?)>?$", unfolded)
            self.to |= Counter(m.decode("utf-8", "replace") for m in found)
        found = re.search(rb"(?m)^Subject: (?:\[PATCH\] )?interop (r\d+)", unfolded)
        self.id = found.group(1).decode() if found else None
        above = unfolded[:unfolded.find(RELAY)].rsplit(b"\n", 1)[0] if RELAY in unfolded else b""
        tls = re.search(rb"TLSv?(1\.\d)", above)
        self.tls = tls.group(1).decode() if tls else None
        self.report = re.search(rb"message/(?:global-)?delivery-status", self.raw) is not None
        self.of = self.what_became() if self.report else []

    def what_became(self):
        """(recipient, action) of a report."""
        out = []
        for block in re.split(rb"\n\n", re.sub(rb"\n[ \t]+", b" ", self.raw.replace(b"\r\n", b"\n"))):
            who = re.search(rb"(?mi)^Final-Recipient: *([\w-]+); *<?([^>\n]*?)>? *$", block)
            action = re.search(rb"(?mi)^Action: *(\w+)", block)
            if who:
                name = who.group(2).decode("utf-8", "replace")
                if who.group(1).lower() == b"utf-8":
                    name = re.sub(r"\\x\{([0-9A-Fa-f]+)\}", lambda m: chr(int(m.group(1), 16)), name)
                out.append((name, action.group(1).decode().lower() if action else "?"))
        return out

    def has(self, want):
        """Whether it is `want' from its first line on; where a provider stores lines without CR, without CR."""
        want = want if self.crlf else want.replace(b"\r\n", b"\n")
        at = self.raw.find(want[:want.index(b"\n") + 1])
        return at >= 0 and self.raw[at:] == want

    def parts(self):
        text, file = None, None
        for part in email.message_from_bytes(self.raw, policy=email.policy.default).walk():
            if part.is_multipart():
                continue
            got = part.get_payload(decode=True)
            if part.get_filename() and file is None:
                file = got
            elif text is None:
                text = got
        return text, file


class Row:
    def __init__(self, line, top):
        (self.id, self.client, self.over, self.provider, self.out, self.kind, self.check, status, self.sender, to) = line.rstrip("\n").split("\t")
        self.accepted = status == "0"
        self.to = set(to.split(" "))
        self.top = top
        self.copies, self.reports = [], []

    def read(self, name):
        with open(f"{self.top}/rows/{self.id}{name}", "rb") as f:
            return f.read()

    def whole(self, to):
        want = self.read(".eml")
        good = {r for c in self.copies if c.has(want) for r in c.to}
        if to <= good:
            return None
        bad = {r for c in self.copies for r in c.to}
        return f"ALTERED for {len(to & (bad - good))}, MISSING for {len(to - bad)} of {len(to)}" if bad else "MISSING"

    def composed(self, attached):
        if not self.copies:
            return "MISSING"
        text, file = self.copies[0].parts()
        with open(self.top + "/text", "rb") as f:
            want = f.read().rstrip(b"\n")
        if (text or b"").replace(b"\r\n", b"\n").rstrip(b"\n") != want:
            return "TEXT ALTERED"
        with open(self.top + "/file.bin", "rb") as f:
            return None if not attached or file == f.read() else "FILE ALTERED"

    def miscounted(self, to):
        """Every recipient shall have one copy, and the others of the message none."""
        came = sum((c.to for c in self.copies), Counter())
        wrong = [(r, came[r]) for r in sorted(self.to) if came[r] != (r in to)]
        if not wrong:
            return None
        r, n = wrong[0]
        return f"MISSING for {r}" if n == 0 else f"CAME {n} TIMES for {r}" + (f" and {len(wrong) - 1} more" if len(wrong) > 1 else "")

    def told(self):
        """What the sender was told: the words of the refusal."""
        for r in self.reports:
            found = re.search(rb"(?mi)^Diagnostic-Code: *smtp; *(.*(?:\r?\n[ \t].*)*)", r.raw)
            if found and b"Action: failed" in r.raw:
                return "bounced: " + re.sub(rb"\s+", b" ", found.group(1)).decode("utf-8", "replace")[:60]
        if not self.accepted:
            said = re.search(rb"55\d[ ,'b(-]*[^\r\n]{0,60}", self.read(".out")) or re.search(rb"SMTPUTF8[^\r\n]*", self.read(".out"))
            return "refused: " + said.group(0).decode("utf-8", "replace").strip() if said else None
        return None

    def verdict(self):
        """(good, words); MISSING may come true yet."""
        if not self.accepted and self.check != "told":
            return False, "NOT ACCEPTED"
        if self.check == "told":
            words = self.told()
            return (False, "MISSING") if words is None else self.reported(self.to if self.accepted else set(), ("failed",), words, set())
        to = {r for r in self.to if not r.endswith("@refused.example")}
        wrong = self.composed(self.check == "composed") if self.check in ("composed", "text") else self.whole(to)
        wrong = wrong or self.miscounted(to)
        if wrong:
            return False, wrong
        wants_tls = not self.out.startswith("plain")
        tls = {c.tls for c in self.copies}
        if wants_tls and None in tls:
            return False, "NOT OVER TLS"
        over = f", TLS {max(tls)}" if wants_tls else ""
        good = {"composed": "text and file whole", "text": "text whole"}.get(self.check, "every octet") + over
        if len(to) > 1:
            good += f", {len(to)} recipients"
        if self.check == "refused":
            return self.reported(self.to - to, ("failed",), good + "; the third bounced", to)
        if self.check == "success":
            by = "gatepost" if any(RELAY[3:] in b"".join(re.findall(rb"(?mi)^Reporting-MTA:.*", r.raw)[:1]) for r in self.reports) else "the provider"
            return self.reported(to, ("delivered", "relayed"), f"{good}; report by {by}", to)
        return self.reported(set(), (), good, to)

    def misreported(self, of, actions):
        """One report to the sender, that names each of them once, or none if there is nobody to name."""
        for report in self.reports:
            if set(report.to) != {self.sender}:
                return f"REPORTED to {', '.join(report.to)}"
            if not of:
                return "REPORTED: " + (", ".join(" ".join(o) for o in report.of[:3]) or "nobody")
            for who, action in report.of:
                if who not in of or action not in actions:
                    return f"REPORTED: {who} {action}"
        if len(self.reports) > (1 if of else 0):
            return f"REPORTED {len(self.reports)} TIMES"
        named = Counter(who for report in self.reports for who, _ in report.of)
        wrong = [(r, named[r]) for r in sorted(of) if named[r] != 1]
        if not wrong:
            return None
        return f"REPORTED {wrong[0][1]} TIMES: {wrong[0][0]}" if wrong[0][1] > 1 else f"MISSING: the report on {wrong[0][0]}"

    def reported(self, of, actions, good, to):
        wrong = self.miscounted(to) or self.misreported(of, actions)
        return (False, wrong) if wrong else (True, good)


def collect(top, rows, seen):
    by_id = {r.id: r for r in rows}
    by_sender = {r.sender: r for r in rows}
    by_rcpt = {to: r for r in rows for to in r.to if not to.endswith("@refused.example")}
    before = len(seen)
    for f in glob.glob(top + "/*/mail/new/*") + glob.glob(top + "/*/mail/*.eml"):
        if f in seen:
            continue
        seen.add(f)
        c = Copy(f)
        if c.report:
            about = [by_sender.get(to) for to in c.to] + [by_rcpt.get(who) for who, _ in c.of]
            for row in {r.id: r for r in about if r is not None}.values():
                row.reports.append(c)
        if c.id in by_id and not c.report and f"/{by_id[c.id].provider}/" in f:
            by_id[c.id].copies.append(c)
    return len(seen) > before


def queued(top):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(top + "/gp/control.sock")
        s.sendall(b'{"command": "status"}\n')
        return json.loads(s.makefile("rb").readline())["queue"]["messages"]


def table(lines):
    width = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print("  ".join(cell.ljust(w) for cell, w in zip(line, width)).rstrip())


def judge(top, seconds):
    with open(top + "/rows/all") as f:
        rows = [Row(line, top) for line in f]
    seen, end, quiet = set(), time.monotonic() + seconds, 0
    while True:
        left = queued(top)  # first: what leaves it from now on is new
        now = time.monotonic()
        if collect(top, rows, seen) or left > 0:
            quiet = now
        verdicts = [r.verdict() for r in rows]
        if now > end or (now > quiet + QUIET_S and not any("MISSING" in words for _, words in verdicts)):
            break
        time.sleep(0.3)
    lines = [("client", "to gatepost", "provider", "from gatepost", "message", "at the provider")]
    lines += [(r.client, r.over, r.provider, r.out, r.kind, ("" if good else "*** ") + words) for r, (good, words) in zip(rows, verdicts)]
    table(lines)
    bad = sum(not good for good, _ in verdicts)
    print(f"\n{len(rows) - bad} rows as they should be, {bad} not" + (f"; {left} messages are still queued" if left > 0 else ""))
    return 1 if bad or left > 0 or not rows else 0


if sys.argv[1] == "make":
    make(*sys.argv[2:])
else:
    sys.exit(judge(sys.argv[2], float(sys.argv[3])))
