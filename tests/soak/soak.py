#!/usr/bin/env python3
"""make soak: the real daemon for minutes, with everything going wrong around it, and then the books must balance.

Many senders (587, 465, the submit socket) and a provider that flaps (flapper.py), while a dice holds, releases and deletes mail,
reloads good and bad files, moves the wall clock, fills the disk for a moment, kills the daemon (anywhere, or at a write), ends and
restarts it.  books.py says what must hold; it is looked at with everything standing still, before and after restarts, in lulls, and at the end.
One life is long: in its lulls memory and descriptors are measured.  --kills instead is lives of a second or two, each killed.  Python's standard library, openssl(1), and tests/e2e's faultlib.
"""
import argparse, collections, errno, os, random, shutil, signal, subprocess, sys, tempfile, time

from books import DRAIN_S, Books
from flapper import Flapper
from rig import FAULT_ALLOCATE, KILL_HOWS, Daemon, Senders

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from ports import free_ports

# What may come between the second lull of the long life and its last.  A daemon without a leak grows by up to 2 MB there, while malloc warms
# up.  M=10 accepts some 6,000 messages in between: a leak of 700 octets a message is seen, and of a descriptor in 1,500; at M=3 it is
# 2 KB and 450, at M=1 7 KB and 150.  A segment of the spool is 32 MB.
MEMORY_SLACK_KB, DESCRIPTORS_SLACK, DISK_SLACK_KB = 4096, 2, 40 << 10
MOODS = (
    {},
    dict(reset=.2, busy=.1, slow=.02),
    dict(mail=.1, rcpt=.15, data=.1, refuse=.05),
    dict(lost_before=.1, lost_after=.1, late_tls=.1),
    dict(login=.3, slow=.1, busy=.2),
    dict(reset=.3, busy=.1, late_tls=.1, login=.05, mail=.05, rcpt=.05, data=.05, refuse=.03, lost_before=.05, lost_after=.05, slow=.05),
)
CLOCKS = (0, 40, -40, 3600, -3600, 2 * 86400, -86400)


class Soak:
    def __init__(self, args, dir):
        self.args, self.dir, self.dice = args, dir, random.Random(f"{args.seed} plan")
        self.expire_s = 15 if args.minutes >= 3 else 6
        self.daemon = Daemon(args, dir)
        self.books = Books(self.daemon.log)
        self.make_certificate()
        self.flapper = Flapper(dir + "/cert.pem", dir + "/key.pem", f"{args.seed} provider", self.books.stored)
        ports = free_ports(6)
        self.ports, self.backup = ports[:3], ports[3]
        usual = ["SIZE 52428800", "8BITMIME", "SMTPUTF8"]
        self.flapper.add(ports[0], "starttls", usual + ["PIPELINING"])
        self.flapper.add(ports[1], "implicit", usual + ["PIPELINING", "CHUNKING"])
        self.flapper.add(ports[2], "starttls", usual)
        self.flapper.add(ports[3], "implicit", usual + ["PIPELINING", "DSN"])
        self.listens = ports[4:]
        self.configure()
        made = self.daemon.run("passwd", "app", input="app-secret\n")
        if made.returncode != 0:
            raise SystemExit(made.stderr)
        self.senders = Senders(self.daemon, self.books, self.listens, args.seed)
        self.did, self.peak, self.drained_s, self.rest = collections.Counter(), 0, 0, []
        self.began = time.monotonic()

    def make_certificate(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
                        "/CN=flapper", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.dir + "/key.pem", "-out", self.dir + "/cert.pem"],
                       check=True, capture_output=True)

    def configure(self):
        """Each time a little different; all of it may change with a reload."""
        a, b, c = self.ports
        chain = [f'"{a}/starttls"', f'"{b}/implicit"', f'"{c}/starttls"']
        self.dice.shuffle(chain)
        common = (f'host = "127.0.0.1" username = "apikey" password_file = "{self.dir}/secret" tls_ca = "{self.dir}/cert.pem"\n'
                  f' connect_timeout = "2s" reply_timeout = "10s" idle = "2s" recheck = "5s"\n'
                  f' connections = {self.dice.choice((1, 3, 8))} max_recipients = {self.dice.choice((3, 100))}\n')
        self.write("secret", "provider-secret\n")
        self.write("gatepost.conf", f'''hostname = "relay.example"
drain = "{DRAIN_S}s"
log {{ format = "json" }}
queue {{ retry = {{"500ms", "1s", "2s"}} expire = "{self.expire_s}s" delay_warning = "{self.expire_s // 2}s" bounce_limit = "" history_size = "4M" }}
listen "127.0.0.1:{self.listens[0]}" {{}}
listen "127.0.0.1:{self.listens[1]}" {{ tls = "implicit" }}
upstream "one" {{ {common} chain = {{{", ".join(chain)}}} }}
upstream "two" {{ {common} chain = {{"{self.backup}/implicit"}} }}
''')

    def write(self, name, text):
        with open(f"{self.dir}/{name}.new", "w") as f:
            os.chmod(f.fileno(), 0o600)
            f.write(text)
        os.rename(f"{self.dir}/{name}.new", f"{self.dir}/{name}")

    def say(self, text):
        print(f"{time.monotonic() - self.began:6.1f} s  {text}", flush=True)

    # --- standing still -------------------------------------------------------------------

    def all_up(self):
        for p in self.ports + [self.backup]:
            self.flapper.up(p)

    def all_down(self):
        for p in self.ports + [self.backup]:
            self.flapper.down(p)

    def settled(self):
        """(status, queue), with the log read up to the same point; nobody sends, and the provider is calm or away."""
        for _ in range(600):
            before = self.daemon.status()
            self.books.poll()
            n, there, after = self.books.relevant, self.daemon.queue(), self.daemon.status()
            self.books.poll()
            for s in (before, after):
                del s["queue"]["oldest_s"]
            if before["counters"] == after["counters"] and before["queue"] == after["queue"] and n == self.books.relevant and \
               len(there) == after["queue"]["messages"]:
                return after, there
            time.sleep(.05)
        self.books.fail("it does not come to rest")
        return after, there

    def check(self):
        self.did["checks"] += 1
        status, there = self.settled()
        self.books.check_counters(status)
        self.books.check_queue(status, there)
        return there

    def freeze(self):
        self.senders.pause()
        self.all_down()

    def thaw(self):
        self.all_up()
        self.daemon.ask("retry", all=True)
        self.senders.resume()

    def drain(self):
        """Until all that is left is held."""
        self.senders.pause()
        self.flapper.mood = {}
        self.all_up()
        began = time.monotonic()
        while time.monotonic() < began + 60 + 3 * self.expire_s:
            self.daemon.ask("retry", all=True)
            time.sleep(.5)
            q = self.daemon.status()["queue"]
            if q["messages"] == q["held"]:
                self.drained_s = time.monotonic() - began
                break
        else:
            left = [m for m in self.daemon.queue().values() if m["state"] != "held"]
            self.books.fail(f"the queue does not drain: {left[:5]}")
        time.sleep(3)  # idle connections to the provider end
        return self.check()

    # --- what happens to it ---------------------------------------------------------------

    def some(self, want, n):
        ids = [id for id, m in self.daemon.queue().items() if want(m)]
        return self.dice.sample(ids, min(n, len(ids)))

    def act(self, command, ids):
        if ids:
            done = self.daemon.ask(command, ids=ids)
            self.did[command] += sum(r.get("done") is True for r in done)

    def do_mood(self):
        self.flapper.mood = self.dice.choice(MOODS)

    def do_ports(self):
        for p in self.ports + [self.backup]:
            (self.flapper.up if self.dice.random() < .6 else self.flapper.down)(p)
        if not self.flapper.listening:
            self.did["outages"] += 1

    def do_hold(self):
        self.act("hold", self.some(lambda m: m["state"] != "held", 3))

    def do_release(self):
        self.act("release", self.some(lambda m: m["state"] == "held", 6))

    def do_delete(self):
        self.act("delete", self.some(lambda m: m["from"] != "", 2))

    def do_retry(self):
        self.daemon.ask("retry", all=True)

    def do_reload(self):
        self.configure()
        self.daemon.process.send_signal(signal.SIGHUP)
        self.did["reloads"] += 1

    def do_bad_reload(self):
        with open(self.dir + "/gatepost.conf") as f:
            good = f.read()
        self.write("gatepost.conf", good + self.dice.choice(("nonsense = 1\n", "upstream \"one\" {}\n", "listen \"127.0.0.1:1\" {\n", "\0")))
        if "error" not in self.daemon.ask("reload")[-1]:
            self.books.fail("a bad file was loaded")
        self.write("gatepost.conf", good)
        self.did["refused reloads"] += 1

    def do_clock(self):
        self.daemon.control.wall_offset_s = self.dice.choice(CLOCKS)
        self.did["clock jumps"] += 1

    def do_full_disk(self):
        r = self.daemon.control.rule[FAULT_ALLOCATE]
        r.error, r.upto, r.first = errno.ENOSPC, 1 << 62, 1
        time.sleep(self.dice.uniform(.2, 1.5))
        r.first = 0
        self.did["full disks"] += 1

    def do_check(self):
        self.freeze()
        self.check()
        self.thaw()

    def live(self, seconds):
        until = time.monotonic() + seconds
        acts = (self.do_mood, self.do_ports, self.do_hold, self.do_release, self.do_delete, self.do_retry, self.do_reload, self.do_bad_reload,
                self.do_clock, self.do_full_disk, self.do_check)
        chances = (6, 6, 3, 2, 2, 4, 2, 1, 2, 1, 1)
        while time.monotonic() < until:
            time.sleep(self.dice.uniform(.2, 1))
            if self.daemon.process.poll() is not None:
                raise SystemExit(f"gatepost ended by itself: {self.daemon.process.poll()}; see {self.daemon.log}")
            self.dice.choices(acts, chances)[0]()
            self.books.poll()
            self.peak = max(self.peak, self.daemon.measure()[1])

    # --- its deaths ------------------------------------------------------------------------

    def kill(self):
        c = self.daemon.control
        if self.dice.random() < .6:
            c.kill_how, c.kill_at = self.dice.choice(KILL_HOWS), c.changes + self.dice.randrange(1, 60)
            self.did["kills at a write"] += 1
        else:
            self.daemon.process.kill()
            self.did["kills"] += 1
        try:
            self.daemon.process.wait(5)
        except subprocess.TimeoutExpired:
            self.daemon.process.kill()
            self.daemon.process.wait()
        self.books.kill()
        if self.daemon.process.returncode != -signal.SIGKILL:
            self.books.fail(f"killed, it ended with {self.daemon.process.returncode}")
        return "a kill"

    def stop(self):
        if self.dice.random() < .5:
            self.freeze()
            self.check()
        told = time.monotonic()
        self.daemon.process.terminate()
        if self.daemon.process.wait(60) != 0:
            self.books.fail(f"stopped, it ended with {self.daemon.process.returncode}")
        self.books.stops.append((told, time.monotonic()))
        self.did["stops"] += 1
        return "a stop"

    def begin_life(self, killed):
        self.books.poll()
        self.books.life.clear()
        self.daemon.start()
        status, there = self.settled()
        if killed:
            self.books.killed(there)
        self.books.check_queue(status, there)
        self.thaw()

    def one_life(self, least, most, end):
        seconds = self.dice.uniform(least, most)
        self.live(seconds)
        how = end()
        self.freeze()
        self.begin_life(end == self.kill)
        t, s = self.books.total, self.daemon.status()["queue"]
        self.say(f"a life of {seconds:.0f} s ended by {how}; accepted {t['accepted']}, relayed {t['relayed']}, bounced {t['bounced']}, "
                 f"recovered {s['messages']}")

    def long_life(self, seconds):
        """Memory and descriptors at rest: the first rounds warm up, then they must stay."""
        rounds, seen, accepted = 5, [], []
        for i in range(rounds):
            self.live(seconds / rounds)
            self.drain()
            seen.append(self.daemon.measure())
            accepted.append(self.books.total["accepted"])
            self.say(f"lull {i + 1} of the long life: {seen[-1][0]} descriptors, {seen[-1][1]} KB PSS, drained in {self.drained_s:.1f} s")
            self.thaw()
        if max(d for d, _ in seen[2:]) > max(d for d, _ in seen[:2]) + DESCRIPTORS_SLACK:
            self.books.fail(f"descriptors are not flat: {[d for d, _ in seen]}, {accepted} messages accepted")
        if self.args.slack and seen[-1][1] > max(m for _, m in seen[:2]) + MEMORY_SLACK_KB:
            self.books.fail(f"memory is not flat: {[m for _, m in seen]} KB, {accepted} messages accepted")
        self.rest = seen

    # --- all of it -------------------------------------------------------------------------

    def run(self):
        self.daemon.start()
        base = self.daemon.disk_kb()
        self.senders.start()
        self.thaw()
        until = time.monotonic() + 60 * self.args.minutes
        self.only_kills(until) if self.args.kills else self.all_sorts(until)
        self.finish(base)

    def all_sorts(self, until):
        long = 60 * self.args.minutes * .3
        while time.monotonic() < until:
            self.one_life(3, 12, self.kill if self.dice.random() < .6 else self.stop)
            if long > 0 and len(self.books.kills) >= 2:
                self.long_life(long)
                long = 0
        if long > 0:
            self.long_life(long)

    def only_kills(self, until):
        while time.monotonic() < until:
            self.one_life(.5, 3, self.kill)

    def finish(self, base):
        for _ in range(2):
            there = self.drain()
            self.daemon.ask("release", all=True)
        there = self.drain()
        self.books.check_end(there)
        self.say(f"{len(there)} are held at the end (nobody to notify); they are deleted")
        self.act("delete", list(there))
        left = self.check()
        disk = self.daemon.disk_kb()
        if left or disk > base + DISK_SLACK_KB:
            self.books.fail(f"{len(left)} messages are left, and the spool takes {disk} KB; {base} KB at first")
        self.daemon.process.terminate()
        self.daemon.process.wait(60)
        sound = self.daemon.run("spool", "check")
        if sound.returncode != 0:
            self.books.fail(f"spool check: {sound.stdout}{sound.stderr}")
        self.senders.ended = True
        self.sum_up(base, disk)

    def sum_up(self, base, disk):
        b, t = self.books, self.books.total
        self.say(f"sent {len(b.sent)}: promised {len(b.by_id)}, refused {b.refused}, unsure {b.unsure}; {b.compared} came and were compared, {b.octets >> 20} MB")
        self.say(f"in recipients: accepted {t['recipients']} + notices {t['notices']} + taken back by kills {t['taken back']} + unheard {t['unheard']} "
                 f"- unmade {t['unmade']} = relayed {t['relayed']} + bounced {t['bounced']} + deleted {t['deleted']} + queued {sum(b.open.values())}")
        self.say(f"came twice {t['twice']}; possible by the log {t['duplicates_possible']}")
        self.say("did: " + ", ".join(f"{k} {n}" for k, n in sorted(self.did.items())))
        self.say("provider: " + ", ".join(f"{k} {n}" for k, n in sorted(self.flapper.seen.items())))
        self.say(f"at rest (descriptors, KB PSS): {self.rest}; peak {self.peak} KB; spool {base} KB at first, {disk} KB at last")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--minutes", type=float, default=10)
    p.add_argument("--seed", default=str(random.SystemRandom().randrange(1 << 32)))
    p.add_argument("--gatepost", default="build/gatepost")
    p.add_argument("--faultlib", default="build/faultlib.so")
    p.add_argument("--kills", action="store_true", help="nothing but short lives that end by a kill")
    p.add_argument("--keep", action="store_true", help="leave the directory, as a failure does")
    p.add_argument("--no-slack", dest="slack", action="store_false", help="do not judge memory (a sanitizer keeps what is freed)")
    args = p.parse_args()
    dir = tempfile.mkdtemp(prefix="gatepost-soak-")
    print(f"soak: {args.minutes:g} minutes and what it takes to drain, seed {args.seed}, in {dir}", flush=True)
    soak = Soak(args, dir)
    ok = False
    try:
        soak.run()
        ok = not soak.books.wrong
    finally:
        if soak.daemon.process is not None and soak.daemon.process.poll() is None:
            soak.daemon.process.kill()
        if ok and not args.keep:
            shutil.rmtree(dir)
    print("soak: all holds" if ok else f"soak: {len(soak.books.wrong)} things do not hold; look in {dir}; again with SEED={args.seed}")
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
