"""What a soak has running: the daemon, with tests/e2e's faultlib before libc, and many senders."""
import ctypes, json, mmap, os, random, smtplib, socket, ssl, subprocess, threading, time

from books import make_text

SENDERS = 9


class Rule(ctypes.Structure):
    _fields_ = [("first", ctypes.c_uint64), ("upto", ctypes.c_uint64), ("every", ctypes.c_uint32), ("error", ctypes.c_int)]


class Control(ctypes.Structure):
    """struct fault_control of tests/e2e/faultlib.h, as far as it is used here."""
    _fields_ = [("dir", ctypes.c_char * 96), ("rule", Rule * 10), ("calls", ctypes.c_uint64 * 10), ("forget", ctypes.c_int),
                ("changes", ctypes.c_uint64), ("kill_at", ctypes.c_uint64), ("kill_how", ctypes.c_int), ("kill_only", ctypes.c_int),
                ("wall_offset_s", ctypes.c_int64)]


FAULT_ALLOCATE = 3  # enum fault_call: a disk without room
KILL_HOWS = (1, 2, 3)  # before, midway, after


class Daemon:
    """gatepost in a directory of its own, with faultlib.so before libc."""

    def __init__(self, args, dir):
        self.program, self.faultlib, self.dir = os.path.abspath(args.gatepost), os.path.abspath(args.faultlib), dir
        self.process, self.log = None, dir + "/log"
        open(self.log, "w").close()
        with open(dir + "/faults", "w+b") as f:
            f.truncate(4096)
            self.control = Control.from_buffer(mmap.mmap(f.fileno(), 4096))
        self.control.dir = (dir + "/spool").encode()

    def run(self, *args, input=None):
        return subprocess.run([self.program, *args, "--state", self.dir], input=input, capture_output=True, text=True)

    def start(self):
        env = dict(os.environ, LD_PRELOAD=self.faultlib, GATEPOST_FAULTS=self.dir + "/faults", ASAN_OPTIONS="verify_asan_link_order=0")
        self.control.kill_at = 0
        with open(self.log, "ab") as log:
            at = log.tell()
            self.process = subprocess.Popen([self.program, "run", "--state", self.dir], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        for _ in range(6000):
            with open(self.log, "rb") as f:
                f.seek(at)
                said = f.read()
            if b'"event":"started"' in said:
                return
            if self.process.poll() is not None:
                break
            time.sleep(.01)
        raise SystemExit(f"gatepost does not start ({self.process.poll()}): {said[-2000:].decode()}")

    def ask(self, command, **more):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(self.dir + "/control.sock")
            s.sendall(json.dumps(dict(more, command=command)).encode() + b"\n")
            out = []
            for line in s.makefile("rb"):
                out.append(json.loads(line))
                if "end" in out[-1] or "exit" in out[-1]:
                    return out
        raise OSError("the control connection ended early")

    def status(self):
        return self.ask("status")[0]

    def queue(self):
        return {m["id"]: m for m in self.ask("queue")[:-1]}

    def family(self):
        out, pids = [], [self.process.pid]
        for pid in pids:
            out.append(pid)
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children") as f:
                    pids += map(int, f.read().split())
        return out

    def measure(self):
        """(descriptors, PSS in KB), the helper's too."""
        descriptors = memory = 0
        for pid in self.family():
            descriptors += len(os.listdir(f"/proc/{pid}/fd"))
            with open(f"/proc/{pid}/smaps_rollup") as f:
                memory += next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        return descriptors, memory

    def disk_kb(self):
        total = 0
        for where, _, names in os.walk(self.dir + "/spool"):
            for name in names:
                try:
                    total += os.lstat(os.path.join(where, name)).st_blocks // 2
                except FileNotFoundError:
                    pass
        return total


class Senders:
    def __init__(self, daemon, books, ports, seed):
        self.daemon, self.books, self.l587, self.l465 = daemon, books, *ports
        self.go, self.ended, self.threads, self.idle = threading.Event(), False, [], set()
        self.seed = seed
        for i in range(SENDERS):
            self.threads.append(threading.Thread(target=self.live, args=(i,), daemon=True))

    def start(self):
        self.tls = ssl.create_default_context(cafile=self.daemon.dir + "/spool/tls/ca.pem")
        for t in self.threads:
            t.start()

    def pause(self):
        self.go.clear()
        while len(self.idle) < SENDERS:
            time.sleep(.01)

    def resume(self):
        self.go.set()

    def connect(self, i):
        if i % 3 == 0:
            s = smtplib.SMTP_SSL("127.0.0.1", self.l465, "app.example", timeout=60, context=self.tls)
        elif i % 3 == 1:
            s = smtplib.SMTP("127.0.0.1", self.l587, "app.example", timeout=60)
            s.starttls(context=self.tls)
        else:
            s = Local(self.daemon.dir + "/submit.sock")
        s.ehlo()
        if i % 3 != 2:
            s.login("app", "app-secret")
        return s

    def live(self, i):
        dice, s = random.Random(f"{self.seed} sender {i}"), None
        while not self.ended:
            if not self.go.is_set():
                s = s and hang_up(s)
                self.idle.add(i)
                self.go.wait(.5)
                continue
            self.idle.discard(i)
            try:
                s = s or self.connect(i)
                self.send(s, dice)
                if dice.random() < .1:
                    s = hang_up(s)
            except (OSError, smtplib.SMTPException):
                s = s and hang_up(s)
                time.sleep(.1)
            time.sleep(dice.uniform(0, .3))

    def send(self, s, dice):
        kind = dice.random()
        octets = (0 if kind < .03 else dice.randrange(1, 4000) if kind < .85 else dice.randrange(4000, 200_000) if kind < .98
                  else dice.randrange(1_000_000, 4_000_000))
        sender = dice.choices(("app@app.example", "gone@app.example", ""), (95, 3, 2))[0]
        n = 1 if sender == "" else dice.choices((1, 2, 5, 40), (80, 12, 7, 1))[0]
        names = dice.choices(("you", "bad", "never"), (93, 5, 2), k=n)
        m, where = self.books.begin(sender, names, octets), "before"
        for code in self.envelope(s, m):
            if code // 100 != 2:
                self.books.refused += 1
                s.rset()
                return
        try:
            code, said = s.data(make_content(m))
        except smtplib.SMTPDataError:
            self.books.refused += 1
            s.rset()
            return
        except (OSError, smtplib.SMTPException):
            self.books.unsure += 1
            raise
        if code == 250:
            self.books.promise(m, said.split()[-1].decode())
        else:
            self.books.refused += 1

    @staticmethod
    def envelope(s, m):
        yield s.mail(m.sender)[0]
        for r in m.rcpts:
            yield s.rcpt(r)[0]


def make_content(m):
    return make_text(m) if m.octets > 0 else b""


def hang_up(s):
    try:
        s.quit()
    except (OSError, smtplib.SMTPException):
        s.close()


class Local(smtplib.SMTP):
    """Over the submit socket: the kernel says who we are."""

    def __init__(self, path):
        self.path = path
        super().__init__("localhost", 25, "app.example", timeout=60)

    def _get_socket(self, host, port, timeout):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(timeout)
        s.connect(self.path)
        return s
