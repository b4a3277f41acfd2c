# SPDX-License-Identifier: Apache-2.0
"""Free TCP ports on 127.0.0.1."""

import fcntl
import os
import pathlib
import random
import socket
import tempfile
from typing import IO

LOOPBACK = "127.0.0.1"
# Below the kernel's ephemeral range: no outgoing connection can take the port while its server is down, nor can a
# client that keeps trying end up connected to itself.
FIRST, LAST = 12000, 32000
_FILE = pathlib.Path(tempfile.gettempdir()) / f"dbflow-ports-{os.getuid()}.lock"
"""Of which each port has a byte to lock."""
_LOCKS: list[IO[str]] = []
"""Open as long as the process lives: closing it would end its locks."""
_CLAIMED: set[int] = set()


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


def claimed(port: int) -> bool:
    """Whether nobody is bound to it now and no other test run, nor anybody in this one, has claimed it: what starts
    later is not found by trying. Claims end with the process."""
    if port in _CLAIMED or not is_free(port):
        return False
    if not _LOCKS:
        _LOCKS.append(_FILE.open("w"))
    try:
        fcntl.lockf(_LOCKS[0], fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _CLAIMED.add(port)
    return True


def free_ports(count: int) -> list[int]:
    """``count`` different ports that are this process's from now on."""
    found: list[int] = []
    draw = random.SystemRandom()
    while len(found) < count:
        port = draw.randint(FIRST, LAST)
        if claimed(port):
            found.append(port)
    return found
