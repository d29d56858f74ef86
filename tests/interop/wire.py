# What gatepost says on a plain connection to each provider.
#
#   wire.py record DIR PORT:TO:NAME...   passes connections to PORT on to TO, and writes each down: DIR/NAME.N
#   wire.py judge DIR                    a line a provider: what it offered, and how that was used; exit 1 where it was not, or used unoffered
#
# A record is a list of flights, each "C LENGTH\n" or "S LENGTH\n" and the octets: what one side sent before the other spoke.
import asyncio, glob, itertools, os, re, signal, sys


async def record(dir, specs):
    number = itertools.count()

    async def serve(reader, writer, to, name):
        flights = []
        there = await asyncio.open_connection("127.0.0.1", to)

        async def pass_on(side, source, sink):
            while data := await source.read(1 << 16):
                if flights and flights[-1][0] == side:
                    flights[-1][1].extend(data)
                else:
                    flights.append((side, bytearray(data)))
                sink.write(data)
                await sink.drain()
            if sink.can_write_eof():
                sink.write_eof()

        await asyncio.gather(pass_on(b"C", reader, there[1]), pass_on(b"S", there[0], writer), return_exceptions=True)
        writer.close()
        there[1].close()
        file = f"{dir}/{name}.{next(number)}"
        with open(file + ".part", "wb") as f:
            for side, data in flights:
                f.write(b"%s %d\n" % (side, len(data)) + data)
        os.rename(file + ".part", file)

    for s in specs:
        port, to, name = s.split(":")
        await asyncio.start_server(lambda r, w, to=int(to), name=name: serve(r, w, to, name), "127.0.0.1", int(port))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()


def flights(file):
    with open(file, "rb") as f:
        while head := f.readline():
            side, length = head.split()
            yield side, f.read(int(length))


class Used:
    def __init__(self):
        self.offered, self.verbs, self.parameters, self.flight, self.refused = set(), set(), set(), 0, set()

    def connection(self, file):
        """Reads commands out of what the client sent; content, after 354 or of BDAT, is passed over."""
        content, skip = False, 0
        for side, data in flights(file):
            if side == b"S":
                if re.match(rb"250-", data) and not self.offered:
                    self.offered = {line[4:].decode().split(" ")[0].upper() for line in data.split(b"\r\n")[1:] if line[:3] == b"250"}
                if re.search(rb"(?m)^354", data):
                    content = True
                self.refused |= {m.decode().strip() for m in re.findall(rb"(?m)^5\d\d[^\r\n]*", data)}
                continue
            if content and not data.endswith(b"\r\n.\r\n") and b"\r\n.\r\n" not in data and data != b".\r\n":
                continue
            if content:
                content, data = False, data.partition(b"\r\n.\r\n")[2] if data[:3] != b".\r\n" else data[3:]
            self.commands(data)

    def commands(self, data):
        n = 0
        while data:
            line, _, data = data.partition(b"\r\n")
            words = line.decode("utf-8", "replace").split(" ")
            verb = words[0].upper()
            if not re.fullmatch(r"[A-Z]{4,8}", verb):
                continue
            n += 1
            self.verbs.add(verb)
            if verb in ("MAIL", "RCPT"):
                self.parameters |= {w.split("=")[0].upper() + ("=" + w.split("=")[1] if w.startswith("BODY") else "")
                                    for w in line.decode("utf-8", "replace").split(">")[-1].split(" ")[1:]}
            if verb == "BDAT":
                data = data[int(words[1]):]
        self.flight = max(self.flight, n)

    def faults(self):
        has = self.offered.__contains__
        asked = {"SMTPUTF8": "SMTPUTF8", "SIZE": "SIZE", "8BITMIME": "BODY=8BITMIME"}
        for name, word in asked.items():
            if has(name) != (word in self.parameters):
                yield f"{name} {'offered, not used' if has(name) else 'used, not offered'}"
        for word in ("RET", "ENVID", "NOTIFY", "ORCPT"):
            if has("DSN") != (word in self.parameters):
                yield f"{word} {'not passed on' if has('DSN') else 'sent without DSN'}"
        if has("CHUNKING") != ("BDAT" in self.verbs) or has("CHUNKING") == ("DATA" in self.verbs):
            yield "CHUNKING: " + " and ".join(sorted(self.verbs & {"BDAT", "DATA"}))
        if has("PIPELINING") != (self.flight > 1):
            yield f"{self.flight} commands in a flight"


def judge(dir):
    names = sorted({os.path.basename(f).split(".")[0] for f in glob.glob(dir + "/*.*")})
    status = 0
    for name in names:
        u = Used()
        for f in sorted(glob.glob(f"{dir}/{name}.*")):
            u.connection(f)
        used = [w for w in ("BDAT", "DATA") if w in u.verbs] + [f"{u.flight} commands in a flight"] + sorted(u.parameters)
        faults = list(u.faults())
        print(f"{name:11} offers {' '.join(sorted(u.offered))}\n{'':11} got    {', '.join(used)}{''.join(' *** ' + f for f in faults)}")
        status |= bool(faults)
    return status


if sys.argv[1] == "record":
    asyncio.run(record(sys.argv[2], sys.argv[3:]))
else:
    sys.exit(judge(sys.argv[2]))
