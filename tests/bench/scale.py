#!/usr/bin/env python3
"""A deep queue: what a message costs when a thousand wait and when a million do, what the queue takes in memory
and on disk, how long a restart takes, and whether the operator's commands hold up those who submit.

    GATEPOST=build/gatepost tests/bench/scale.py [--messages 1000000] [--dir DIR]

Loopback only; wants about 5 KB of disk a message.  Prints one line a figure."""
import argparse, json, os, re, shutil, signal, socket, subprocess, sys, tempfile, threading, time

HERE = os.path.dirname(os.path.abspath(__file__))
HZ = os.sysconf("SC_CLK_TCK")
SEGMENT = 32 << 20
SLICE = 20000


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Gatepost:
    def __init__(self, binary, where):
        self.binary, self.where, self.p = binary, where, None
        self.port, self.sink_port = free_port(), free_port()
        self.conf = os.path.join(where, "gatepost.conf")
        with open(self.conf, "w") as f:
            f.write(f'''hostname = "relay.example"
spool_dir = "{where}/spool"
control_socket = "{where}/control.sock"
submit_socket = "{where}/submit.sock"
users_file = "{where}/users"
user = ""
limits {{ min_free = "10M" }}
listen "127.0.0.1:{self.port}" {{ tls = "none" auth = "trusted" trusted = {{"127.0.0.0/8"}} }}
upstream "sink" {{ host = "127.0.0.1" chain = {{"{self.sink_port}/none"}} auth = "none" connections = 20 }}
''')
        os.chmod(self.conf, 0o600)

    def start(self):
        """Seconds until the greeting, and until the first 250."""
        began = time.monotonic()
        self.p = subprocess.Popen([self.binary, "run", "-c", self.conf], stderr=open(self.where + "/log", "ab"))
        while True:
            try:
                s = socket.create_connection(("127.0.0.1", self.port), timeout=30)
                break
            except OSError:
                if self.p.poll() is not None:
                    sys.exit("gatepost ended; see " + self.where + "/log")
                time.sleep(0.01)
        f = s.makefile("rwb")
        assert f.readline().startswith(b"220")
        greeting = time.monotonic() - began
        for line in (b"HELO x", b"MAIL FROM:<first@example.org>", b"RCPT TO:<you@example.net>", b"DATA", b"Subject: x\r\n\r\nx\r\n."):
            f.write(line + b"\r\n")
            f.flush()
            reply = f.readline()
            assert reply[:1] in b"23", reply
        s.close()
        return greeting, time.monotonic() - began

    def cpu_s(self):
        with open(f"/proc/{self.p.pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / HZ

    def rss(self):
        with open(f"/proc/{self.p.pid}/status") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) * 1024

    def command(self, *args):
        began = time.monotonic()
        out = subprocess.run([self.binary, args[0], "-c", self.conf, *args[1:]], capture_output=True, text=True)
        if out.returncode != 0:
            sys.exit(f"gatepost {' '.join(args)}: {out.stderr}")
        return out.stdout, time.monotonic() - began

    def status(self):
        return json.loads(self.command("status", "--json")[0])["queue"]

    def disk(self):
        total = 0
        for e in os.scandir(self.where + "/spool/log"):
            try:
                total += e.stat().st_blocks * 512
            except FileNotFoundError:
                pass
        return total

    def load(self, n):
        """CPU seconds a thousand accepted, and the load generator's own words."""
        before = self.cpu_s()
        out = subprocess.run([HERE + "/smtpload", "--target", f"127.0.0.1:{self.port}", "--connections", "20", "--messages", str(n),
                              "--per-session", "100", "--size", "4096"], capture_output=True, text=True).stdout
        said = json.loads(out.strip().splitlines()[-1])
        if said["accepted"] != n:
            sys.exit(f"accepted {said['accepted']} of {n}: {said}")
        return (self.cpu_s() - before) * 1000 / n, said

    def end(self, how):
        self.p.send_signal(how)
        self.p.wait()


class Sink:
    def __init__(self, port):
        self.stats_port = free_port()
        self.p = subprocess.Popen([HERE + "/smtpsink", "--listen", f"127.0.0.1:{port}", "--stats", f"127.0.0.1:{self.stats_port}",
                                   "--expect", "2000000"], stdout=subprocess.DEVNULL)

    def end(self):
        self.p.terminate()
        self.p.wait()


def say(what, figure):
    print(f"{what:58} {figure}", flush=True)


def drain(g, down_to):
    """CPU seconds a thousand delivered, over about a slice, or until the queue is that short."""
    before, first, began = g.cpu_s(), g.status()["messages"], time.monotonic()
    while (left := g.status()["messages"]) > down_to:
        time.sleep(0.05)
    gone = first - left
    return (g.cpu_s() - before) * 1000 / max(gone, 1), gone / (time.monotonic() - began)


def operator(g):
    """The longest that a client waits for its 250 while the operator lists and retries everything."""
    worst, over = [0.0], threading.Event()

    def submit():
        while not over.is_set():
            worst[0] = max(worst[0], g.load(200)[1]["lat_ms"]["max"])
    t = threading.Thread(target=submit)
    quiet = g.load(2000)[1]["lat_ms"]["max"]
    t.start()
    times = {" ".join(a): g.command(*a)[1] for a in (
        ("status",), ("queue", "--limit", "20"), ("queue", "--from", "nobody@example.org"), ("retry", "--all"))}
    over.set()
    t.join()
    for name, took in times.items():
        say(f"gatepost {name}", f"{took * 1000:.0f} ms")
    say("longest wait for a 250: quiet, and meanwhile", f"{quiet:.0f} ms, {worst[0]:.0f} ms")


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--messages", type=int, default=1000000)
    a.add_argument("--dir", default=None)
    a = a.parse_args()
    where = tempfile.mkdtemp(prefix="gatepost-scale.", dir=a.dir)
    g = Gatepost(os.environ.get("GATEPOST", "build/gatepost"), where)
    sink = None
    try:
        g.start()
        g.load(1000)
        rss0 = g.rss()
        say("accepting with 1,000 queued, CPU s per 1000", f"{g.load(SLICE)[0]:.4f}")
        sink = Sink(g.sink_port)
        g.command("retry", "--all")
        cpu, rate = drain(g, 1000)
        say("draining to 1,000 queued, CPU s per 1000", f"{cpu:.4f} ({rate:.0f}/s)")
        drain(g, 0)
        sink.end()
        began = time.monotonic()
        for _ in range(a.messages // 50000):
            g.load(50000)
        say("accepted a second on the way up", f"{a.messages / (time.monotonic() - began):.0f}")
        say(f"accepting with {a.messages:,} queued, CPU s per 1000", f"{g.load(SLICE)[0]:.4f}")
        q = g.status()
        say("resident, MB; octets a message", f"{g.rss() / 1e6:.0f}; {(g.rss() - rss0) / q['messages']:.0f}")
        operator(g)
        g.end(signal.SIGKILL)
        greeting, first = g.start()
        say("after SIGKILL: greeting, first 250", f"{greeting:.2f} s, {first:.2f} s")
        n = g.status()["messages"]
        sample = [json.loads(line)["id"] for line in g.command("queue", "--json")[0].splitlines()[:: max(n // 20, 1)]][:20]
        g.command("hold", *sample)
        sink = Sink(g.sink_port)
        g.command("retry", "--all")
        cpu, rate = drain(g, g.status()["messages"] - SLICE)
        say(f"draining from {n:,} queued, CPU s per 1000", f"{cpu:.4f} ({rate:.0f}/s)")
        most, over = [0.0], threading.Event()

        def watch():
            while not over.wait(1.0):
                used = g.disk()		# first: the queue shrinks meanwhile
                most[0] = max(most[0], (used - 2 * g.status()["bytes"]) / SEGMENT)
        t = threading.Thread(target=watch)
        t.start()
        cpu, rate = drain(g, len(sample))
        over.set()
        t.join()
        say("draining the rest, CPU s per 1000", f"{cpu:.4f} ({rate:.0f}/s)")
        say("disk over twice the live octets, in segments: most", f"{most[0]:.2f}")
        time.sleep(150)		# its quiet hours begin after two minutes
        say(f"the same with {len(sample)} held of {n:,}, at rest", f"{(g.disk() - 2 * g.status()['bytes']) / SEGMENT:.2f}")
        g.end(signal.SIGTERM)
    finally:
        if g.p is not None and g.p.poll() is None:
            g.p.kill()
        if sink is not None and sink.p.poll() is None:
            sink.end()
        shutil.rmtree(where, ignore_errors=True)


main()
