#!/usr/bin/env python3
"""Load and abuse, on loopback, bounded: while each attack of attacks.py goes on, a well-behaved app (app.py) submits a message every
200 ms and must be served; afterwards memory and descriptors must be back where they were.

    abuse.py [--short] [--beside-postfix] [ATTACK...]   GATEPOST names the binary; as root the submit socket is attacked by nobody

The machine may be busy with other things: the worst wait is held against that of quiet seconds before.
"""
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.dirname(HERE))
from ports import free_port

GATEPOST = os.path.abspath(os.environ.get("GATEPOST", "build/gatepost"))
SERVED_S = float(os.environ.get("ABUSE_SERVED_S", "2"))
SECONDS = float(os.environ.get("ABUSE_SECONDS", "20"))
STARVED_CPU = 0.2
SLACK_FDS, SLACK_KB = 8, 10 * 1024
THREADS = int(os.environ.get("ABUSE_THREADS", "4"))     # as on a machine with four processors
LIMIT_FDS = 1000 + THREADS * 128 + 50   # sessions, and what each thread may keep open for farewells
CALM_S = 15             # until everything is back
TARPIT_S = 40           # the same where wrong passwords were given: their answers wait for up to 30 s, whoever still listens
SHORT = ("idle_plain", "slow_handshakes", "connects", "handshakes", "brute_force", "guesses", "huge_lines", "mute_pipelines", "submit_nagging", "submit_busy", "submit_few",
         "many_addresses", "full_and_guesses", "queued_lists", "submit_unfinished", "farewells", "starved")

BESIDE = ("idle_plain", "idle_tls", "slow_commands", "slow_handshakes", "connects", "handshakes", "mute_pipelines", "floods")

# name: how many in the short run, in the full one, what it is
ATTACKS = {
    "idle_plain": (1000, 1000, "idle after EHLO"),
    "idle_tls": (300, 1000, "idle after TLS and EHLO"),
    "idle_mute": (1000, 1000, "connected, and never a word"),
    "nagging": (1000, 1000, "a NOOP a second, never a login"),
    "slow_commands": (1000, 1000, "commands, an octet every 10 s"),
    "slow_handshakes": (1000, 1000, "TLS handshakes, an octet every 10 s"),
    "slow_data": (200, 400, "DATA, an octet every 10 s (logged in)"),
    "leaked_logins": (300, 1000, "logged in and left (a runaway app)"),
    "open_mails": (300, 1000, "MAIL and a NOOP a second: half logged in, half by the submit socket"),
    "trusted_mails": (1000, 1000, "the same where peers are trusted"),
    "queued_lists": (400, 400, "mails to 1000 recipients that wait in the queue, and are deleted"),
    "mails_and_strangers": (300, 1000, "half of them the same, half strangers"),
    "many_addresses": (950, 950, "a NOOP twice a second, each from its own trusted address"),
    "full_and_guesses": (1200, 1200, "the submit socket: 960 that are used; and 240 that guess names"),
    "full_and_connects": (1000, 1000, "the submit socket: 1000 that are used; and connects without end"),
    "full_and_silent": (1000, 1000, "the same; and connects that stay, and say nothing"),
    "full_and_greeted": (1000, 1000, "the same; and connects that say EHLO and stay"),
    "farewells": (2000, 4000, "QUIT, and never closed"),
    "connects": (3000, 10000, "connect and close"),
    "handshakes": (1000, 10000, "full TLS handshakes"),
    "brute_force": (200, 500, "a wrong password on each connection"),
    "brute_force_name": (200, 500, "the same for the app's own name"),
    "brute_force_first": (200, 500, "the same, and the app comes in the midst of it; another logs in for the first time each time"),
    "guesses": (200, 500, "half for new names, half for a user's; the app logs in for the first time each time"),
    "half_logins": (300, 1000, "AUTH LOGIN, left half way"),
    "huge_lines": (8, 8, "lines without an end"),
    "mute_pipelines": (50, 200, "pipelined commands, no reply is read"),
    "floods": (4, 8, "EHLO RSET NOOP HELP without end"),
    "control_connects": (10, 10, "the control socket: connect and close"),
    "control_holds": (100, 200, "the control socket: held"),
    "control_garbage": (4, 4, "the control socket: garbage"),
    "submit_holds": (1000, 1000, "the submit socket: idle after EHLO"),
    "submit_nagging": (1000, 1000, "the submit socket: a NOOP a second"),
    "submit_busy": (110, 110, "the submit socket: a NOOP every 10 ms, with connections = 100"),
    "submit_pipelines": (110, 110, "the submit socket: mails without end, with connections = 100"),
    "submit_few": (20, 20, "the submit socket: a NOOP a second, with connections = 9"),
    "submit_envelopes": (300, 900, "the submit socket: mails to 1000 recipients, never sent"),
    "submit_unfinished": (60, 200, "the submit socket: contents of 4.5 MB without an end, with spool_size = 20M"),
    "submit_floods": (4, 8, "the submit socket: EHLO RSET NOOP HELP without end"),
    "starved": (200, 400, "idle, and descriptors for 120 sessions"),
    "emfile": (200, 400, "idle, and accept fails for want of descriptors (C-20)"),
    "emfile_dials": (200, 400, "the same, and 200 more a second say EHLO and stay"),
    "emfile_guesses": (200, 400, "the same, and they guess; the app logs in for the first time each time"),
}

CONNECTIONS = {"submit_busy": 100, "submit_pipelines": 100, "submit_few": 9}
STARVED = {"starved": "idle_plain", "emfile": "idle_plain", "emfile_dials": "dials", "emfile_guesses": "guesses", "brute_force_first": "brute_force_name"}     # what they do
NEWCOMERS = ("guesses", "emfile_guesses", "brute_force_first")         # the app is another user with each message
FIRST_S = 8             # whose name is guessed at from its own address waits for some of those who did before it
NEWCOMERS_MAX = 1000
LIMITS = {"submit_unfinished": 'spool_size = "20M"'}
STAGED_MAX = {"submit_unfinished": 20e6}       # octets of the disk that the daemon may hold open for them
AWAY = {"queued_lists": """upstream "away" {{ host = "127.0.0.1" chain = {{"{closed}/none"}} auth = "none" }}
route "away" {{ to = {{"*@away.example"}} upstreams = {{"away"}} }}
route "rest" {{ upstreams = {{"sink"}} }}
"""}
COUNTED = ("connects", "handshakes", "queued_lists")    # over when so many were made
THINKS = ("many_addresses", "submit_busy")      # the app takes its time between login and mail

CONFIG = """hostname = "relay.example"
spool_dir = "{dir}/spool"
control_socket = "{dir}/control.sock"
submit_socket = "{dir}/submit.sock"
users_file = "{dir}/users"
threads = {threads}
user = ""
log {{ level = "warning" }}
limits {{ min_free = "1M" connections = {connections} {limits} }}
listen "127.0.0.1:{starttls}" {{ tls = "starttls" }}
listen "127.0.0.1:{implicit}" {{ tls = "implicit" }}
listen "127.0.0.1:{trusted}" {{ tls = "none" auth = "trusted" trusted = {{"127.0.0.0/8"}} }}
upstream "sink" {{ capture = "{dir}/sink" }}
queue {{ keep_history = "1h" }}
"""


def wait_for(what, test, patience_s=20):
    until = time.monotonic() + patience_s
    while not test():
        if time.monotonic() > until:
            raise SystemExit(f"abuse: {what} did not happen in {patience_s} s")
        time.sleep(0.05)


def can_connect(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def read_some(pipe):
    try:
        return os.read(pipe.fileno(), 1 << 20).decode()
    except BlockingIOError:
        return ""


class Daemon:
    """gatepost on free ports, with everything in one directory."""

    def __init__(self, nofile=None, connections=1000, more="", limits=""):
        self.dir = tempfile.mkdtemp(prefix="gatepost-abuse.")
        os.chmod(self.dir, 0o755)       # nobody is to reach the submit socket
        self.at = {"starttls": free_port(), "implicit": free_port(), "trusted": free_port(), "control": f"{self.dir}/control.sock",
                   "submit": f"{self.dir}/submit.sock"}
        self.conf = f"{self.dir}/gatepost.conf"
        with open(self.conf, "w") as f:
            f.write((CONFIG + more).format(dir=self.dir, threads=THREADS, connections=connections, limits=limits, closed=free_port(), **self.at))
        os.chmod(self.conf, 0o600)
        for user, password in (("app", "app-secret"), ("rogue", "rogue-secret")):
            subprocess.run([GATEPOST, "passwd", "-c", self.conf, user], input=password + "\n", text=True, check=True,
                           stdout=subprocess.DEVNULL)
        with open(f"{self.dir}/users", "r+") as f:
            fields = next(line for line in f if line.startswith("app:")).split(":", 1)[1]
            f.seek(0, os.SEEK_END)
            f.writelines(f"app{i}:{fields}" for i in range(NEWCOMERS_MAX))
        self.log = open(f"{self.dir}/log", "w")

        def limit():
            if nofile:
                resource.setrlimit(resource.RLIMIT_NOFILE, (nofile, nofile))
        self.process = subprocess.Popen([GATEPOST, "run", "-c", self.conf], stdout=self.log, stderr=self.log, preexec_fn=limit)
        wait_for("the start", lambda: self.process.poll() is not None or can_connect(self.at["starttls"]))
        if self.process.poll() is not None:
            raise SystemExit(open(f"{self.dir}/log").read())

    def look(self):
        proc = f"/proc/{self.process.pid}"
        memory = {}
        for line in open(f"{proc}/smaps_rollup"):
            if line.startswith(("Rss:", "Pss:")):
                memory[line[:3]] = int(line.split()[1])
        stat = open(f"{proc}/stat").read().rsplit(")", 1)[1].split()
        return {"rss": memory["Rss"], "pss": memory["Pss"], "fds": len(os.listdir(f"{proc}/fd")),
                "cpu": (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")}

    def staged(self):
        """Octets of the disk in contents that have no name yet."""
        total = 0
        for fd in os.scandir(f"/proc/{self.process.pid}/fd"):
            try:
                if os.readlink(fd.path).startswith(f"{self.dir}/spool/blob/"):
                    total += os.stat(fd.path).st_blocks * 512
            except OSError:
                pass
        return total

    def empty(self):
        subprocess.run([GATEPOST, "delete", "-c", self.conf, "--all", "--yes"], check=True, stdout=subprocess.DEVNULL)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        self.log.close()
        said = open(f"{self.dir}/log").read()
        return status, said

    def clear(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class Postfix:
    """The same for a Postfix of Debian's, with room for as many sessions; the app need not log in there, which is in its favour."""

    MAIN = """compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
meta_directory = {dir}/etc
maillog_file = {dir}/maillog
maillog_file_prefixes = /
myhostname = relay.example
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
default_transport = discard:
smtpd_tls_security_level = may
smtpd_tls_cert_file = {dir}/cert.pem
smtpd_tls_key_file = {dir}/key.pem
smtpd_tls_session_cache_database =
smtpd_peername_lookup = no
"""
    MASTER = """127.0.0.1:{starttls} inet n - n - 1000 smtpd
127.0.0.1:{implicit} inet n - n - 1000 smtpd -o smtpd_tls_wrappermode=yes
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="gatepost-abuse.")
        os.chmod(self.dir, 0o755)
        self.at = {"starttls": free_port(), "implicit": free_port()}
        for d in ("etc", "data", "queue"):
            os.mkdir(f"{self.dir}/{d}")
        shutil.chown(f"{self.dir}/data", "postfix")
        for f in ("dynamicmaps.cf", "postfix-files"):
            shutil.copy(f"/etc/postfix/{f}", f"{self.dir}/etc")
        for name, text in (("main.cf", self.MAIN), ("master.cf", self.MASTER)):
            with open(f"{self.dir}/etc/{name}", "w") as f:
                f.write(text.format(dir=self.dir, **self.at))
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
                        "-keyout", f"{self.dir}/key.pem", "-out", f"{self.dir}/cert.pem"], check=True, **quiet)
        subprocess.run(["postfix", "-c", f"{self.dir}/etc", "set-permissions"], **quiet)
        subprocess.run(["postfix", "-c", f"{self.dir}/etc", "check"], **quiet)
        self.process = subprocess.Popen(["/usr/lib/postfix/sbin/master", "-c", f"{self.dir}/etc", "-d"], **quiet,
                                        env=dict(os.environ, MAIL_CONFIG=f"{self.dir}/etc"))
        wait_for("the start of Postfix", lambda: can_connect(self.at["starttls"]))

    def tree(self):
        pids = [self.process.pid]
        for pid in pids:
            try:
                pids += map(int, open(f"/proc/{pid}/task/{pid}/children").read().split())
            except OSError:
                pass
        return pids

    def look(self):
        sums = {"rss": 0, "pss": 0, "fds": 0, "cpu": 0.0}
        for pid in self.tree():
            try:
                pss = [int(line.split()[1]) for line in open(f"/proc/{pid}/smaps_rollup") if line.startswith("Pss:")]
                stat = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
                sums["fds"] += len(os.listdir(f"/proc/{pid}/fd"))
            except OSError:
                continue
            sums["pss"] += sum(pss)
            sums["cpu"] += sum(map(int, stat[11:15] if pid == self.process.pid else stat[11:13])) / os.sysconf("SC_CLK_TCK")
        sums["rss"] = sums["pss"]       # what they share would be counted a thousand times
        return sums

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            pass
        return 0, ""

    def clear(self):
        for pid in reversed(self.tree()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class App:
    def __init__(self, daemon, user="app", think_s=0.0, later_s=0.0):
        login = (user, "app-secret") if isinstance(daemon, Daemon) else ("", "")
        self.process = subprocess.Popen([sys.executable, f"{HERE}/app.py", str(daemon.at["starttls"]), *login, str(think_s), str(later_s)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.rest = ""

    def heard(self):
        """(seconds, what went wrong) of each message since the last call."""
        lines = (self.rest + read_some(self.process.stdout)).split("\n")
        self.rest = lines.pop()
        return [(float(line.split()[0]), line.split(None, 2)[2] if " failed " in line else None) for line in lines]

    def stop(self):
        self.process.stdin.close()
        self.process.wait(60)
        return self.heard()

    def kill(self):
        self.process.kill()
        self.process.wait()


def run_attack(name, many, daemon, seconds):
    """The highest memory and number of descriptors seen, octets of the disk held open, and the seconds it took."""
    env = dict(os.environ, ABUSE=json.dumps(daemon.at), ABUSE_TICK=str(min(10, seconds / 3)))
    began, peak, most, staged = time.monotonic(), 0, 0, 0
    attack = subprocess.Popen([sys.executable, f"{HERE}/attacks.py", name, str(many)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, env=env)
    counted = name in COUNTED
    os.set_blocking(attack.stdout.fileno(), False)
    said = ""
    while time.monotonic() - began < (seconds if not counted else seconds * 20):
        time.sleep(0.1)
        now = daemon.look()
        peak, most = max(peak, now["rss"]), max(most, now["fds"])
        if name in STAGED_MAX:
            staged = max(staged, daemon.staged())
        said += read_some(attack.stdout)
        if (counted and said) or attack.poll() is not None:
            break
    took = time.monotonic() - began
    attack.stdin.close()
    if attack.wait(60) != 0:
        raise SystemExit("abuse: the attack itself failed")
    return peak, most, staged, took, said.strip()


def settle(daemon, before, patience_s):
    """Until all is as it was, or time is up."""
    until = time.monotonic() + patience_s
    while True:
        after = daemon.look()
        if (after["fds"] <= before["fds"] + SLACK_FDS and after["rss"] <= before["rss"] + SLACK_KB) or time.monotonic() > until:
            return after
        time.sleep(0.2)


def trial(name, short, postfix=False):
    daemon = Postfix() if postfix else Daemon(256 if name == "starved" else None, CONNECTIONS.get(name, 1000), AWAY.get(name, ""), LIMITS.get(name, ""))
    app = App(daemon, "app%d" if name in NEWCOMERS else "app", 0.3 if name in THINKS else 0.0)
    try:
        return judge(name, short, daemon, app)
    finally:
        app.kill()
        daemon.clear()


def judge(name, short, daemon, app):
    postfix = isinstance(daemon, Postfix)
    many = ATTACKS[name][0 if short else 1]
    seconds = 2 if short else SECONDS
    quiet_s = 1.0 if short else 5.0
    first = []
    wait_for("a first message", lambda: first.extend(app.heard()) or len(first) > 2)
    time.sleep(quiet_s)
    quiet = app.heard()
    before = daemon.look()
    if name.startswith("emfile"):
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (before["fds"] + 20, 256))
    late = App(daemon, later_s=seconds / 3) if name == "brute_force_first" else None
    peak, most, staged, took, said = run_attack(STARVED.get(name, name), many, daemon, seconds)
    cpu = (daemon.look()["cpu"] - before["cpu"]) / took
    under = app.heard()
    if name in AWAY:
        daemon.empty()
    if name == "emfile" and cpu > STARVED_CPU:
        print(f"emfile: {cpu:.2f} s of CPU a second while starved")
        return False
    is_tarpit = name.startswith("brute") or name.endswith("guesses")
    after = settle(daemon, before, TARPIT_S if is_tarpit else CALM_S)
    under += app.stop()
    begun = late.stop() if late is not None else []
    status, log = daemon.stop()
    good = [s for s, wrong in under if wrong is None]
    wrong = [w for _, w in under if w is not None]
    faults = [f"the first login: {took_s:.1f} s, {wrong_with or 'ok'}" for took_s, wrong_with in begun if took_s > FIRST_S or wrong_with]
    if wrong:
        faults.append(f"{len(wrong)} of {len(under)} messages not taken: {wrong[0]}")
    worst, quiet_worst = max(good, default=99.0), max((s for s, w in quiet if w is None), default=99.0)
    if worst > SERVED_S + quiet_worst:
        faults.append(f"a message took {worst:.1f} s")
    if name in STAGED_MAX and not 0 < staged <= STAGED_MAX[name]:
        faults.append(f"{staged / 1e6:.0f} MB of the disk")
    if not postfix and most > before["fds"] + LIMIT_FDS:
        faults.append(f"{most} descriptors")
    has_mail = name == "submit_pipelines"       # thousands, and their history
    if after["fds"] > before["fds"] + SLACK_FDS and not has_mail:
        faults.append(f"{after['fds'] - before['fds']} descriptors remain")
    if after["rss"] > before["rss"] + SLACK_KB and not has_mail:
        faults.append(f"{(after['rss'] - before['rss']) // 1024} MB remain")
    if status != 0:
        faults.append(f"the daemon ended with {status}: {log[-2000:]}")
    print(f"{name:17} {many:6} {took:5.1f} {len(good):5} {quiet_worst * 1000:6.0f} {sorted(good)[len(good) // 2] * 1000 if good else 0:6.0f}"
          f" {worst * 1000:6.0f} {cpu:5.2f} {before['rss'] / 1024:6.1f} {peak / 1024:6.1f} {after['rss'] / 1024:6.1f}"
          f" {before['fds']:4} {after['fds']:4}  {'; '.join(faults) or 'ok'}", flush=True)
    return not faults


def main():
    short = "--short" in sys.argv
    names = [a for a in sys.argv[1:] if not a.startswith("--")] or list(SHORT if short else ATTACKS)
    if os.geteuid() != 0:
        names = [n for n in names if not n.startswith("submit")]
    print(f"{'':17} {'how':>6} {'':5} {'mes-':>5} {'ms: quiet,':>13} {'under':>6} {'CPU':>5} {'MB:':>6} {'':6} {'':6} {'descriptors:':>4}")
    print(f"{'attack':17} {'many':>6} {'s':>5} {'sages':>5} {'worst':>6} {'median':>6} {'worst':>6} {'s/s':>5} {'before':>6} {'peak':>6} {'after':>6}"
          f" {'bef.':>4} {'aft.':>4}")
    if "--beside-postfix" in sys.argv:
        for n in [n for n in names if n in BESIDE]:
            for postfix in (False, True):
                print("Postfix:" if postfix else "gatepost:")
                trial(n, short, postfix)
        return
    failed = [n for n in names if not trial(n, short)]
    if failed:
        print("abuse: not held: " + ", ".join(failed), file=sys.stderr)
        raise SystemExit(1)


main()
