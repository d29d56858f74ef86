"""Ports for daemons under test.  By itself: prints one."""
import random
import socket


def free_ports(n):
    """Below those that the kernel gives to outgoing connections: they must be free whenever they are opened again."""
    found = set()
    while len(found) < n:
        port = random.SystemRandom().randrange(10000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                found.add(port)
            except OSError:
                pass
    return list(found)


def free_port():
    return free_ports(1)[0]


if __name__ == "__main__":
    print(free_port())
