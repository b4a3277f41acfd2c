# SPDX-License-Identifier: Apache-2.0
"""In systemd's place: a datagram socket that services tell how they are."""

import pathlib
import socket
import threading
from collections.abc import Iterator

import pytest


class Notified:
    """What was told so far, in its order."""

    def __init__(self, path: pathlib.Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self.environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "600000"}
        """Of a service that must be heard of every 0.6 s."""
        self.told: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def beats(self) -> int:
        """How often it was told that all is well."""
        return self.told.count("WATCHDOG=1")

    def _listen(self) -> None:
        while data := self._socket.recv(4096):
            self.told.append(data.decode())

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RD)
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: pathlib.Path) -> Iterator[Notified]:
    made = Notified(tmp_path / "notify")
    yield made
    made.close()
