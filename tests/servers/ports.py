# SPDX-License-Identifier: Apache-2.0
"""Free TCP ports on 127.0.0.1."""

import random
import socket

LOOPBACK = "127.0.0.1"
# Below the kernel's ephemeral range: no outgoing connection can take the port while its server is down, nor can a
# client that keeps trying end up connected to itself.
FIRST, LAST = 12000, 32000


def is_open(port: int) -> bool:
    """Whether somebody listens on the port."""
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex((LOOPBACK, port)) == 0


def is_free(port: int) -> bool:
    """Whether a server may bind the port now; connections left over in TIME_WAIT don't count."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """``count`` different ports that nobody is bound to now; another process may still be quicker."""
    found: set[int] = set()
    draw = random.SystemRandom()
    while len(found) < count:
        port = draw.randint(FIRST, LAST)
        if port not in found and is_free(port):
            found.add(port)
    return list(found)
