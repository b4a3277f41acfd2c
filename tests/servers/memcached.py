# SPDX-License-Identifier: Apache-2.0
"""A memcached."""

import os
import socket

from tests.servers.ports import LOOPBACK
from tests.servers.process import Child, Server


class Memcached(Server):
    """It forgets everything when it stops."""

    name = "memcached"

    def counters(self) -> dict[str, int]:
        """How often what was done: ``cmd_set``, ``get_hits``, …"""
        words = [line.split() for line in self._ask("stats").splitlines()]
        return {name: int(value) for _, name, value in (line for line in words if len(line) == 3) if value.isdigit()}

    def _ask(self, command: str) -> str:
        with socket.create_connection((LOOPBACK, self.port), timeout=5) as sock:
            sock.sendall(f"{command}\r\nquit\r\n".encode())
            return b"".join(iter(lambda: sock.recv(65536), b"")).decode()

    def _prepare(self) -> None:
        """It has no files."""

    def _spawn(self) -> Child:
        argv = ["memcached", f"--listen={LOOPBACK}", f"--port={self.port}", "--udp-port=0", "--user=nobody"]
        return Child(argv, self.log_file, os.environ)

    def _ready(self) -> bool:
        try:
            return self._ask("version").startswith("VERSION")
        except OSError:
            return False
