# SPDX-License-Identifier: Apache-2.0
"""Telling systemd."""

import os
import pathlib
import secrets
import socket
import threading
from collections.abc import Iterator

import pytest

from dbflow.systemd import Systemd


@pytest.fixture(params=["file", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[tuple[socket.socket, str]]:
    address = str(tmp_path / "notify") if request.param == "file" else f"@dbflow-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(address.replace("@", "\0"))
        made.settimeout(30)
        yield made, address


def test_it_is_told(listener: tuple[socket.socket, str]) -> None:
    channel, address = listener
    environment = {"NOTIFY_SOCKET": address, "PATH": "/bin"}
    systemd = Systemd(environment)
    assert environment == {"PATH": "/bin"}
    systemd.ready()
    systemd.stopping()
    assert [channel.recv(100) for _ in range(2)] == [b"READY=1", b"STOPPING=1"]


def test_it_hears_of_the_service_while_that_is_alive(listener: tuple[socket.socket, str]) -> None:
    channel, address = listener
    asked, alive = threading.Event(), [True, True, True, False]
    environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000", "WATCHDOG_PID": str(os.getpid())}

    def still() -> bool:
        if not alive:
            asked.set()
            return False
        return alive.pop(0)

    Systemd(environment).watch(still)
    assert asked.wait(30)
    assert [channel.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
    channel.setblocking(False)
    with pytest.raises(BlockingIOError):
        channel.recv(100)


def test_it_hears_nothing_while_nobody_can_tell(
    listener: tuple[socket.socket, str], caplog: pytest.LogCaptureFixture
) -> None:
    channel, address = listener
    answers: list[bool] = []

    def alive() -> bool:
        answers.append(len(answers) > 0)
        if not answers[-1]:
            raise RuntimeError("broken")
        return True

    Systemd({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000"}).watch(alive)
    assert channel.recv(100) == b"WATCHDOG=1"
    assert "RuntimeError: broken" in caplog.text
    assert answers[:2] == [False, True]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": "1000"},
        {"NOTIFY_SOCKET": "/nonexistent/notify"},
        {"NOTIFY_SOCKET": "/nonexistent/notify", "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"},
    ],
)
def test_nobody_listens(environment: dict[str, str]) -> None:
    before = set(threading.enumerate())
    systemd = Systemd(environment)
    systemd.ready()
    systemd.watch(lambda: True)
    systemd.stopping()
    assert set(threading.enumerate()) <= before  # other tests' may end meanwhile
